//! What is read from texts without mistakes, and that the documents say the same.

use std::path::Path;
use std::time::Duration;

use ftp_guard_common::class::PortClass;
use ftp_guard_common::config::{Mode, Role};

use super::super::schema::{Default, KEYS, PROFILE_KEYS};
use super::super::{
    Config, PassivePorts, PortRange, SessionsConfig, XdpChoice, reference_markdown,
};
use super::{MINIMAL, parse, with_ftp};

#[test]
fn defaults() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.path, Path::new("guard.toml"));
    assert_eq!(config.mode, Mode::Enforce);
    assert_eq!(config.role, Role::Host);
    assert_eq!(config.interfaces, ["eth0"]);
    assert_eq!(config.xdp_mode, XdpChoice::Auto);
    assert_eq!(config.ftp.control_ports, [21, 990]);
    assert_eq!(config.ftp.active_data_ports, [20, 989]);
    let passive = PortRange {
        first: 50000,
        last: 50100,
    };
    assert_eq!(config.ftp.passive, PassivePorts::Ranges(vec![passive]));
    assert!(config.ftp.server_configs.is_empty());
    assert!(!config.ftp.fxp && !config.ftp.guard_outside_range);
    let sessions = SessionsConfig {
        max: 16_384,
        max_data: 32_768,
        idle_timeout: Duration::from_secs(2 * 60 * 60),
        pinhole_timeout: Duration::from_secs(30),
        max_pinholes: 16,
    };
    assert_eq!(config.sessions, sessions);
    assert_eq!(config.allow.files, ["/etc/ftp-guard/allow.d/*.list"]);
    assert_eq!(
        config.allow.cli_file,
        Path::new("/etc/ftp-guard/allow.d/cli.list")
    );
    assert_eq!(config.allow.max_entries, 1_000_000);
    assert_eq!(config.metrics.listen, Some(([127, 0, 0, 1], 9721).into()));
    assert_eq!(
        config.control.socket,
        Path::new("/run/ftp-guard/ftp-guard.sock")
    );
    assert_eq!(config.bpf.pin_path, Path::new("/sys/fs/bpf/ftp-guard"));
}

#[test]
fn every_key_can_be_set() {
    let config = parse(
        r#"
            mode = "monitor"
            role = "router"
            interfaces = ["wan0", "lan.7"]
            xdp_mode = "native"
            ftp = { control_ports = [2121], active_data_ports = [], passive_ports = [60000, "60002", "60004 - 60009"], server_configs = ["/etc/v.conf"], fxp = true, guard_outside_range = true }
            sessions = { max = 1, max_data = 2, idle_timeout = "1h 30m", pinhole_timeout = "10s", max_pinholes = 3 }
            allow.files = ["/a/*.list", "/b/x.list"]
            allow.max_entries = 5
            [metrics]
            listen = "off"
            [control]
            socket = "/s"
            [bpf]
            pin_path = "/bpf/one"
        "#,
    )
    .unwrap();
    assert_eq!(config.mode, Mode::Monitor);
    assert_eq!(config.interfaces, ["wan0", "lan.7"]);
    assert_eq!(config.xdp_mode, XdpChoice::Native);
    assert_eq!(config.ftp.control_ports, [2121]);
    assert!(config.ftp.active_data_ports.is_empty());
    let PassivePorts::Ranges(ranges) = config.ftp.passive.clone() else {
        panic!("ranges are given");
    };
    let shown: Vec<_> = ranges.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["60000", "60002", "60004-60009"]);
    assert_eq!(config.role, Role::Router);
    assert_eq!(config.ftp.server_configs, [Path::new("/etc/v.conf")]);
    assert!(config.ftp.fxp && config.ftp.guard_outside_range);
    let sessions = SessionsConfig {
        max: 1,
        max_data: 2,
        idle_timeout: Duration::from_secs(90 * 60),
        pinhole_timeout: Duration::from_secs(10),
        max_pinholes: 3,
    };
    assert_eq!(config.sessions, sessions);
    assert_eq!(config.allow.cli_file, Path::new("/b/cli.list"));
    assert_eq!(config.allow.max_entries, 5);
    assert_eq!(config.metrics.listen, None);
    assert_eq!(config.control.socket, Path::new("/s"));
    assert_eq!(config.bpf.pin_path, Path::new("/bpf/one"));
}

#[test]
fn the_port_table_has_each_port_under_its_class_and_no_other() {
    let range = |first, last| PortRange { first, last };
    let passive = [range(50000, 50002), range(65535, 65535), range(1, 1)];
    let table = parse(MINIMAL).unwrap().port_table(&passive);
    for (port, class) in table.iter().enumerate() {
        let expected = match port {
            21 | 990 => PortClass::Control,
            20 | 989 => PortClass::ActiveData,
            1 | 50000..=50002 | 65535 => PortClass::PassiveData,
            _ => PortClass::Other,
        };
        assert_eq!(PortClass::from_number(*class), expected, "port {port}");
    }
}

#[test]
fn passive_ports_can_be_left_to_the_servers() {
    let config = parse(&with_ftp("passive_ports = \"auto\"")).unwrap();
    assert_eq!(config.ftp.passive, PassivePorts::Auto);
}

#[test]
fn files_are_loaded_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ftp-guard.toml");
    let missing = Config::load(&path).unwrap_err().to_string();
    let expected = format!("{}: cannot read: ", path.display());
    assert!(missing.starts_with(&expected), "{missing}");
    std::fs::write(&path, b"mode = \"enforce\"\nx = \"\xff\"\n").unwrap();
    let bad = Config::load(&path).unwrap_err().to_string();
    assert_eq!(
        bad,
        format!(
            "{}:2:6: not UTF-8 text; save the file as UTF-8",
            path.display()
        )
    );
    std::fs::write(&path, MINIMAL).unwrap();
    assert_eq!(Config::load(&path).unwrap().path, path);
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_example_file_has_every_key_with_its_default() {
    let text = std::fs::read_to_string(format!("{ROOT}/dist/ftp-guard.toml")).unwrap();
    assert_eq!(parse(&text).unwrap(), parse(MINIMAL).unwrap());
    let document = toml_edit::Document::parse(text.as_str()).unwrap();
    for key in KEYS {
        let table = match key.table {
            "" => document.as_item(),
            PROFILE_KEYS => &document["profile"]["default"],
            table => &document[table],
        };
        let written = table
            .get(key.name)
            .unwrap_or_else(|| panic!("{} is missing", key.path()));
        let expected = match key.default {
            Default::Value(toml) | Default::Required { example: toml, .. } => toml,
            Default::Derived(_) => continue,
        };
        assert_eq!(written.to_string().trim(), expected, "{}", key.path());
    }
}

#[test]
fn the_reference_is_up_to_date() {
    let written = std::fs::read_to_string(format!("{ROOT}/docs/configuration.md"));
    assert!(
        written.is_ok_and(|written| written == reference_markdown()),
        "docs/configuration.md is not what the code says: run `cargo xtask codegen`"
    );
}

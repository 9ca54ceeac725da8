//! Plans from made-up facts.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use ftp_guard_common::config::Mode;

use super::{
    plan::{Plan, Wishes, plan},
    survey::Facts,
};
use crate::{
    config::{Config, PassivePorts, PortRange},
    diagnostic::Diagnostic,
    engine::allowlist::AllowSet,
    host::{
        interfaces::Interface,
        listeners::{Listener, Process},
    },
    server_config::{Examined, Origin, Software, Tls, TlsSetting},
};

const CONFIGURATION: &str = "/etc/ftp-guard/ftp-guard.toml";

fn wishes() -> Wishes {
    Wishes {
        configuration: CONFIGURATION.into(),
        socket: None,
        propose: false,
    }
}

fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
    Interface {
        name: name.to_owned(),
        index,
        kind: None,
        loopback: name == "lo",
        up: true,
        ethernet: true,
        mtu: 1500,
        addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
        lower: None,
        master: None,
    }
}

fn listener(address: &str, ftp_server: Option<&'static str>, program: &str) -> Listener {
    let process = |name: &str| Process {
        pid: 77,
        name: name.to_owned(),
    };
    let programs = Some(program).filter(|program| !program.is_empty());
    Listener {
        address: address.parse().unwrap(),
        processes: programs.map(process).into_iter().collect(),
        ftp_server,
    }
}

fn examined(path: &str, software: Software, range: (u16, u16)) -> Examined {
    let (first, last) = range;
    Examined {
        path: path.into(),
        software: Some(software),
        origins: vec![Origin {
            software,
            file: path.into(),
            line: 7,
            range: Some(PortRange { first, last }),
        }],
        problems: Vec::new(),
        tls: vec![TlsSetting {
            software,
            tls: Tls::Offered,
            file: path.into(),
            line: Some(3),
            conditional: false,
        }],
        tls_problems: Vec::new(),
    }
}

/// A host with one interface and a vsftpd as Debian has it.
fn host() -> Facts {
    Facts {
        interfaces: vec![
            interface(1, "lo", &["127.0.0.1/8"]),
            interface(2, "ens3", &["192.0.2.1/24", "fe80::1/64"]),
        ],
        routed: [2].into(),
        default_route: [2].into(),
        listeners: vec![
            listener("[::]:21", Some("vsftpd"), "vsftpd"),
            listener("0.0.0.0:22", None, "sshd"),
        ],
        configurations: vec![examined(
            "/etc/vsftpd.conf",
            Software::Vsftpd,
            (50_000, 50_010),
        )],
        usual: vec!["/etc/vsftpd.conf".into()],
        ..Facts::default()
    }
}

/// The plan, its texts read as the guard reads them.
#[track_caller]
fn made(facts: &Facts, wishes: &Wishes) -> (Plan, Config, usize) {
    let plan = plan(facts, wishes).unwrap();
    let config = Config::parse(&wishes.configuration, &plan.configuration)
        .unwrap_or_else(|problems| panic!("{problems}\n{}", plan.configuration));
    let list = (Path::new("/x.list"), &*plan.allowlist);
    let set = AllowSet::parse([list], &|name| config.profile_number(name));
    let entries = set
        .unwrap_or_else(|problems| panic!("{problems}\n{}", plan.allowlist))
        .len();
    assert_eq!(config.mode, Mode::Monitor);
    (plan, config, entries)
}

#[test]
fn what_was_found_is_what_the_configuration_says() {
    let (plan, config, entries) = made(&host(), &wishes());
    assert_eq!(config.interfaces, ["ens3"]);
    assert_eq!(config.ftp.control_ports, [21, 990]);
    assert_eq!(config.ftp.active_data_ports, [20, 989]);
    assert_eq!(config.ftp.passive, PassivePorts::Auto);
    assert!(
        config.ftp.server_configs.is_empty(),
        "they are where `auto` looks"
    );
    assert_eq!(entries, 0);
    assert_eq!(plan.remarks, Vec::<String>::new());
    for line in [
        "# Found: ens3: 192.0.2.1/24, fe80::1/64, default route.\ninterfaces = [\"ens3\"]\n",
        "# Found: vsftpd on [::]:21.\ncontrol_ports = [21, 990]\n",
        "# Found: 50000-50010 (vsftpd, /etc/vsftpd.conf:7).\n\
         # TLS: offered (vsftpd, /etc/vsftpd.conf:3).\npassive_ports = \"auto\"\n",
    ] {
        assert!(plan.configuration.contains(line), "{}", plan.configuration);
    }
    assert!(
        plan.allowlist.contains("Nobody had a session"),
        "{}",
        plan.allowlist
    );
}

#[test]
fn what_was_not_found_has_its_default() {
    let (_, config, _) = made(&host(), &wishes());
    let example = include_str!("../../../dist/ftp-guard.toml");
    let example = Config::parse(Path::new(CONFIGURATION), example).unwrap();
    let mut expected = example.clone();
    expected.mode = Mode::Monitor;
    expected.interfaces = vec!["ens3".to_owned()];
    expected.ftp.passive = PassivePorts::Auto;
    assert_eq!(config, expected);
}

#[test]
fn a_host_without_anything_gets_a_file_that_says_what_to_fill_in() {
    let (plan, config, _) = made(&Facts::default(), &wishes());
    assert_eq!(config.interfaces, ["eth0"]);
    assert_eq!(config.ftp.control_ports, [21, 990]);
    let range = PortRange {
        first: 50_000,
        last: 50_100,
    };
    assert_eq!(config.ftp.passive, PassivePorts::Ranges(vec![range]));
    assert_eq!(plan.configuration.matches("# FILL IN:").count(), 2);
    let remarks = plan.remarks.join("\n");
    for part in [
        "no FTP server listens",
        "set `interfaces`",
        "set `ftp.passive_ports`",
    ] {
        assert!(remarks.contains(part), "{remarks}");
    }
}

#[test]
fn interfaces_that_clients_cannot_arrive_on_are_left_out_with_the_reason() {
    let mut facts = host();
    let mut add = |change: &dyn Fn(&mut Interface)| {
        let index = facts.interfaces.len() as u32 + 1;
        let mut new = interface(index, &format!("if{index}"), &["198.51.100.1/24"]);
        change(&mut new);
        facts.interfaces.push(new);
        facts.routed.insert(index);
    };
    add(&|new| new.up = false);
    add(&|new| new.addresses.clear());
    add(&|new| new.addresses = vec!["fe80::2/64".parse().unwrap()]);
    add(&|new| new.ethernet = false);
    add(&|new| {
        new.kind = Some("vlan".to_owned());
        new.lower = Some(2);
    });
    // The device below it is not guarded, and of a veth it is its other end.
    add(&|new| {
        new.kind = Some("vlan".to_owned());
        new.lower = Some(3);
    });
    add(&|new| {
        new.kind = Some("veth".to_owned());
        new.lower = Some(2);
    });
    add(&|_| ());
    facts.routed.remove(&10);
    let (plan, config, _) = made(&facts, &wishes());
    assert_eq!(config.interfaces, ["ens3", "if8", "if9"]);
    let left_out: Vec<_> = plan
        .interfaces
        .iter()
        .filter_map(|judged| Some((&*judged.interface.name, judged.left_out.as_deref()?)))
        .collect();
    assert_eq!(
        left_out,
        [
            ("if3", "it is down"),
            ("if4", "it holds no address"),
            ("if5", "it holds no address but that of the link"),
            (
                "if6",
                "its frames have no Ethernet header, and the programs cannot read them"
            ),
            ("if7", "what passes it passes ens3, which is guarded"),
            ("if10", "no route leads out of it"),
        ]
    );
    assert!(
        plan.configuration
            .contains("# Left out: if3: 198.51.100.1/24: it is down.\n")
    );
}

#[test]
fn servers_on_odd_ports_are_guarded_and_ports_of_others_are_not() {
    let mut facts = host();
    facts.listeners = vec![
        listener("0.0.0.0:20", Some("proftpd"), "proftpd"),
        listener("0.0.0.0:2121", Some("vsftpd"), "vsftpd"),
        listener("[::]:2121", Some("vsftpd"), "vsftpd"),
        listener("127.0.0.1:3121", Some("pyftpdlib"), "python3"),
        listener("0.0.0.0:22", Some("bftpd"), "bftpd"),
        listener("0.0.0.0:990", None, "nginx"),
        listener("0.0.0.0:989", None, "sshd"),
        listener("0.0.0.0:8080", None, "nginx"),
    ];
    let (plan, config, _) = made(&facts, &wishes());
    assert_eq!(config.ftp.control_ports, [20, 21, 2121]);
    assert!(config.ftp.active_data_ports.is_empty(), "{:?}", config.ftp);
    let remarks = plan.remarks.join("\n");
    for part in [
        "port 990 is none of ftp.control_ports: nginx",
        "port 989 is none of ftp.active_data_ports: sshd",
        "port 3121: an FTP server listens on 127.0.0.1 only",
        "port 22: an FTP server listens there",
    ] {
        assert!(remarks.contains(part), "{remarks}");
    }
}

#[test]
fn a_port_of_ftp_counts_where_the_program_tells_nothing() {
    let mut facts = host();
    for program in ["", "systemd", "inetd"] {
        facts.listeners = vec![listener("[::]:21", None, program)];
        let (plan, config, _) = made(&facts, &wishes());
        assert_eq!(plan.servers.len(), 1, "{program}");
        assert_eq!(config.ftp.passive, PassivePorts::Auto, "{program}");
    }
    facts.listeners = vec![listener("[::]:21", None, "sshd")];
    let (plan, config, _) = made(&facts, &wishes());
    assert!(plan.servers.is_empty());
    assert_eq!(config.ftp.control_ports, [990]);
}

#[test]
fn configurations_that_auto_does_not_find_itself_are_named() {
    let mut facts = host();
    facts.configurations[0].path = "/srv/a \"b\".conf".into();
    let (_, config, _) = made(&facts, &wishes());
    assert_eq!(config.ftp.passive, PassivePorts::Auto);
    assert_eq!(
        config.ftp.server_configs,
        [PathBuf::from("/srv/a \"b\".conf")]
    );
    // One that is left there by a server that does not run is not to be read.
    let mut facts = host();
    facts.usual.push("/etc/proftpd/proftpd.conf".into());
    let (_, config, _) = made(&facts, &wishes());
    assert_eq!(
        config.ftp.server_configs,
        [PathBuf::from("/etc/vsftpd.conf")]
    );
}

/// The passive ranges of a configuration that must not say `auto`, and the remarks.
#[track_caller]
fn explicit(facts: &Facts) -> (String, String) {
    let (plan, config, _) = made(facts, &wishes());
    let PassivePorts::Ranges(ranges) = &config.ftp.passive else {
        panic!("{}", plan.configuration);
    };
    assert!(
        plan.configuration.contains("# FILL IN:"),
        "{}",
        plan.configuration
    );
    let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
    (ranges.join(" "), plan.remarks.join("\n"))
}

#[test]
fn where_a_range_is_not_known_there_is_no_auto() {
    // A server whose configuration nobody reads, beside one whose configuration was read.
    let mut facts = host();
    facts
        .listeners
        .push(listener("[::]:8021", Some("pyftpdlib"), "python3"));
    let (ranges, remarks) = explicit(&facts);
    assert_eq!(ranges, "50000-50010");
    assert!(
        remarks.contains("the passive range of pyftpdlib on port 8021"),
        "{remarks}"
    );

    // A mistake in the server's configuration.
    let mut facts = host();
    facts.configurations[0].origins.clear();
    facts.configurations[0].problems = vec![Diagnostic::whole_file(
        Path::new("/etc/vsftpd.conf"),
        "no range",
    )];
    let (ranges, remarks) = explicit(&facts);
    assert_eq!(ranges, "50000-50100", "the example");
    assert!(remarks.contains("/etc/vsftpd.conf: no range"), "{remarks}");

    // A range that cannot be guarded.
    for (range, why) in [((20, 30), "port 21"), ((22, 23), "port of SSH")] {
        let mut facts = host();
        facts.configurations[0] = examined("/etc/vsftpd.conf", Software::Vsftpd, range);
        let (ranges, remarks) = explicit(&facts);
        assert_eq!(ranges, "50000-50100", "the example");
        assert!(remarks.contains(why), "{remarks}");
    }

    // What came out when it was tried.
    let mut facts = host();
    facts.not_auto = vec!["it does not work".to_owned()];
    let (ranges, remarks) = explicit(&facts);
    assert_eq!(ranges, "50000-50010");
    assert!(remarks.contains("it does not work"), "{remarks}");
}

#[test]
fn sources_are_proposed_in_comments_or_listed_on_demand() {
    let mut facts = host();
    for (source, ports) in [
        ("198.51.100.7", [21].into()),
        ("2001:db8::7", [21, 990].into()),
    ] {
        facts
            .sources
            .insert(source.parse::<IpAddr>().unwrap(), ports);
    }
    let (plan, _, entries) = made(&facts, &wishes());
    assert_eq!(entries, 0);
    for line in [
        "# 198.51.100.7  # port 21\n",
        "# 2001:db8::7  # port 21, 990\n",
    ] {
        assert!(plan.allowlist.contains(line), "{}", plan.allowlist);
    }
    // Without its mark each proposal is an entry.
    let listed = Wishes {
        propose: true,
        ..wishes()
    };
    let (plan, _, entries) = made(&facts, &listed);
    assert_eq!(entries, 2, "{}", plan.allowlist);
}

#[test]
fn paths_are_those_of_the_folder_that_it_is_written_to() {
    let elsewhere = Wishes {
        configuration: "/srv/my [guard]/ftp-guard.toml".into(),
        socket: Some("/run/other.sock".into()),
        propose: false,
    };
    let (plan, config, _) = made(&host(), &elsewhere);
    assert_eq!(
        config.allow.cli_file,
        Path::new("/srv/my [guard]/allow.d/cli.list")
    );
    assert_eq!(config.control.socket, Path::new("/run/other.sock"));
    let pattern = glob::Pattern::new(&config.allow.files[0]).unwrap();
    assert!(
        pattern.matches("/srv/my [guard]/allow.d/proposed.list"),
        "{pattern}"
    );
    assert_eq!(
        plan.next[0].0,
        "ftp-guard --config '/srv/my [guard]/ftp-guard.toml' check"
    );
    let (plan, ..) = made(&host(), &wishes());
    assert_eq!(plan.next[0].0, "ftp-guard check");
}

#[test]
fn a_path_that_no_configuration_can_name_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(b"/srv/\xff/ftp-guard.toml");
    let unfit = Wishes {
        configuration: name.into(),
        ..wishes()
    };
    let error = plan(&host(), &unfit).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn next_steps_are_commands_that_there_are() {
    use clap::Parser as _;
    let mut facts = host();
    let (plan, ..) = made(&facts, &wishes());
    for (command, _) in &plan.next {
        let command = command.replace("ADDRESS", "192.0.2.7");
        crate::cli::Cli::try_parse_from(command.split(' ')).unwrap();
    }
    facts.unit = true;
    let (plan, ..) = made(&facts, &wishes());
    assert_eq!(plan.next[1].0, "ftp-guard doctor");
    assert_eq!(plan.next[2].0, "systemctl enable --now ftp-guard");
}

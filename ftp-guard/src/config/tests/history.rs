//! What is kept and handed on.

use std::path::Path;
use std::time::Duration;

use super::super::{ExportFormat, ExportSettings, HistorySettings};
use super::mistakes::one_mistake;
use super::{MINIMAL, parse};

fn history(lines: &str) -> String {
    format!("{MINIMAL}[history]\n{lines}\n")
}

fn export(lines: &str) -> String {
    format!("{MINIMAL}[export]\n{lines}\n")
}

#[test]
fn defaults_keep_three_days_at_least() {
    let config = parse(MINIMAL).unwrap();
    let expected = HistorySettings {
        enabled: true,
        file: "/var/lib/ftp-guard/history.db".into(),
        keep: Duration::from_secs(7 * 24 * 3600),
        max_size: 256 << 20,
    };
    assert_eq!(config.history, expected);
    assert!(config.history.keep >= Duration::from_secs(72 * 3600));
    let expected = ExportSettings {
        file: None,
        journal: false,
        format: ExportFormat::Ecs,
    };
    assert_eq!(config.export, expected);
}

#[test]
fn every_key_can_be_set() {
    let config = parse(&history(
        "enabled = false\nfile = \"/x/y.db\"\nkeep = \"72h\"\nmax_size = \"2 GiB\"",
    ))
    .unwrap();
    assert!(!config.history.enabled);
    assert_eq!(config.history.file, Path::new("/x/y.db"));
    assert_eq!(config.history.keep, Duration::from_secs(72 * 3600));
    assert_eq!(config.history.max_size, 2 << 30);
    for format in ExportFormat::ALL {
        let name = format.as_str();
        let lines = format!("file = \"/log/x.json\"\njournal = true\nformat = {name:?}");
        let config = parse(&export(&lines)).unwrap();
        assert_eq!(
            config.export.file.as_deref(),
            Some(Path::new("/log/x.json"))
        );
        assert!(config.export.journal);
        assert_eq!(config.export.format, format);
    }
}

#[test]
fn sizes_have_units_and_bounds() {
    for (good, bytes) in [("1MiB", 1 << 20), ("1024KiB", 1 << 20), ("1TiB", 1 << 40)] {
        let config = parse(&history(&format!("max_size = {good:?}"))).unwrap();
        assert_eq!(config.history.max_size, bytes);
    }
    for bad in [
        "",
        "256",
        "256MB",
        "MiB",
        "-1MiB",
        "1.5GiB",
        "1023KiB",
        "1025GiB",
        "99999999999999999999TiB",
        "18014398509481984KiB",
    ] {
        let text = history(&format!("max_size = {bad:?}"));
        one_mistake(&text, "5:12", "history.max_size must be a size from");
    }
    one_mistake(&history("max_size = 256"), "5:12", "not an integer");
}

#[test]
fn the_rest_is_checked() {
    one_mistake(&history("enabled = 1"), "5:11", "true or false");
    one_mistake(&history("file = \"history.db\""), "5:8", "absolute path");
    one_mistake(&history("keep = \"0s\""), "5:8", "history.keep must be");
    one_mistake(&history("kep = \"1d\""), "5:1", "did you mean \"keep\"?");
    one_mistake(&export("file = \"x.json\""), "5:8", "absolute path");
    one_mistake(&export("file = true"), "5:8", "export.file");
    one_mistake(&export("journal = \"yes\""), "5:11", "true or false");
    one_mistake(
        &export("format = \"json\""),
        "5:10",
        "export.format must be \"ecs\" or \"zeek\" or \"zeek-tsv\" or \"native\"",
    );
}

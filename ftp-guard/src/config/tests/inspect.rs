//! `[inspect]`.

use ftp_guard_common::config::{FLAG_ODD_PORTS, FLAG_TEXT};

use super::{MINIMAL, mistakes::one_mistake, parse};
use crate::{config::InspectSettings, engine::monitor::FileNames};

fn inspect(lines: &str) -> InspectSettings {
    parse(&format!("{MINIMAL}[inspect]\n{lines}\n"))
        .unwrap()
        .inspect
}

#[test]
fn everything_is_read_by_default() {
    let wanted = InspectSettings {
        enabled: true,
        odd_ports: true,
        file_names: FileNames::Full,
    };
    assert_eq!(parse(MINIMAL).unwrap().inspect, wanted);
    assert_eq!(inspect(""), wanted);
    assert_eq!(wanted.flags(), FLAG_TEXT | FLAG_ODD_PORTS);
}

#[test]
fn every_key_can_be_set() {
    let off = inspect("enabled = false");
    assert!(!off.enabled && off.odd_ports);
    assert_eq!(off.flags(), 0);
    let some = inspect("odd_ports = false\nfile_names = \"hash\"");
    assert_eq!(
        (some.flags(), some.file_names),
        (FLAG_TEXT, FileNames::Hash)
    );
    let omitted = inspect("file_names = \"omit\"");
    assert_eq!(omitted.file_names, FileNames::Omit);
}

#[test]
fn mistakes_are_named() {
    let text = |line: &str| format!("{MINIMAL}[inspect]\n{line}\n");
    one_mistake(&text("enabled = 1"), "5:11", "true or false");
    one_mistake(&text("odd_ports = \"all\""), "5:13", "true or false");
    one_mistake(&text("file_names = \"none\""), "5:14", "\"omit\"");
    one_mistake(&text("file_names = true"), "5:14", "file_names");
    one_mistake(&text("filenames = \"full\""), "5:1", "file_names");
}

//! `[inspect]`.

use toml_edit::Item;

use super::Reader;
use crate::config::inspect::InspectSettings;
use crate::config::problems::Problems;
use crate::config::schema::inspect;
use crate::config::values;
use crate::engine::monitor::FileNames;

impl Reader<'_> {
    pub(super) fn inspect(&mut self) -> Option<InspectSettings> {
        let enabled = self.read(&inspect::ENABLED, values::boolean);
        let odd_ports = self.read(&inspect::ODD_PORTS, values::boolean);
        let file_names = self.read(&inspect::FILE_NAMES, file_names);
        Some(InspectSettings {
            enabled: enabled?,
            odd_ports: odd_ports?,
            file_names: file_names?,
        })
    }
}

fn file_names(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<FileNames> {
    let known = [
        ("full", FileNames::Full),
        ("hash", FileNames::Hash),
        ("omit", FileNames::Omit),
    ];
    values::choice(problems, key, item, &known)
}

//! What is kept and handed on.

use std::path::PathBuf;

use toml_edit::Item;

use super::Reader;
use crate::config::history::{ExportFormat, ExportSettings, HistorySettings};
use crate::config::problems::{Problems, type_name};
use crate::config::schema::{export, history};
use crate::config::values;
use crate::diagnostic::quoted;

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

impl Reader<'_> {
    pub(super) fn history(&mut self) -> Option<HistorySettings> {
        let enabled = self.read(&history::ENABLED, values::boolean);
        let file = self.read(&history::HISTORY_FILE, values::absolute_path);
        let keep = self.read(&history::KEEP, |problems, key, item| {
            values::duration(problems, key, item, "3650d")
        });
        let max_size = self.read(&history::MAX_SIZE, size);
        Some(HistorySettings {
            enabled: enabled?,
            file: file?,
            keep: keep?,
            max_size: max_size?,
        })
    }

    pub(super) fn export(&mut self) -> Option<ExportSettings> {
        let file = self.read(&export::EXPORT_FILE, path_or_off);
        let journal = self.read(&export::EXPORT_JOURNAL, values::boolean);
        let format = self.read(&export::FORMAT, |problems, key, item| {
            let known = ExportFormat::ALL.map(|format| (format.as_str(), format));
            values::choice(problems, key, item, &known)
        });
        Some(ExportSettings {
            file: file?,
            journal: journal?,
            format: format?,
        })
    }
}

/// `Some(None)`: turned off.
fn path_or_off(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Option<PathBuf>> {
    match item.as_str() {
        Some("off") => Some(None),
        _ => values::absolute_path(problems, key, item).map(Some),
    }
}

/// A size from 1 MiB to 1 TiB, in bytes.
fn size(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<u64> {
    let expected = "a size from \"1MiB\" to \"1TiB\", such as \"256MiB\"";
    let Some(text) = item.as_str() else {
        problems.wrong_type(key, item.span(), expected, type_name(item));
        return None;
    };
    let valid = bytes(text).filter(|bytes| (MIB..=TIB).contains(bytes));
    if valid.is_none() {
        let text = quoted(text);
        problems.note(item.span(), format!("{key} must be {expected}, not {text}"));
    }
    valid
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

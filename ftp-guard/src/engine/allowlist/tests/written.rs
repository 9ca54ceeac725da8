//! What is written is what is read.

use std::path::Path;

use proptest::prelude::*;

use super::super::line::{trailing_comment, written_entry, written_prefix};
use super::super::{Entry, check_label, import_list};
use super::arbitrary::entry;
use super::{parse, profile_number};

proptest! {
    #[test]
    fn an_entry_reads_back(entry in entry()) {
        let line = entry.to_string();
        prop_assert_eq!(trailing_comment(&line), None);
        prop_assert_eq!(written_prefix(&line), Some(entry.prefix));
        prop_assert_eq!(written_entry(&line), Some(entry.clone()), "{}", line);
        let commented = format!("  {line}\t# a \"comment\" # more\r");
        prop_assert_eq!(written_entry(&commented), Some(entry), "{}", commented);
        prop_assert_eq!(trailing_comment(&commented), Some("# a \"comment\" # more"));
    }

    #[test]
    fn any_text_is_read_or_refused_with_places_in_it(text in any::<String>()) {
        if let Err(mistakes) = parse(&text) {
            let lines = text.lines().count();
            for mistake in &mistakes.0 {
                prop_assert!((1..=lines).contains(&(mistake.line as usize)), "{}", mistake);
                prop_assert!(!mistake.message.chars().any(char::is_control), "{}", mistake);
            }
        }
    }

    #[test]
    fn near_entries_are_read_or_refused(
        line in r#"!?(10\.0\.0\.[0-9]|::1)(/[0-9]{1,3})?( (profile|expires|label|x)?=?["a-z0-9\\:-]{0,6}){0,3} ?#?"#,
    ) {
        match parse(&line) {
            Ok(set) => prop_assert_eq!(set.len(), 1),
            Err(mistakes) => prop_assert!(!mistakes.0.is_empty()),
        }
    }
}

#[test]
fn an_entry_is_one_line_whatever_its_label_holds() {
    let entry = Entry {
        label: Some("a\n10.0.0.0/8\r\u{1b}[31m\u{85}".to_owned()),
        ..Entry::allow("192.0.2.1/32".parse().unwrap())
    };
    assert!(check_label(entry.label.as_deref().unwrap()).is_err());
    let line = entry.to_string();
    assert!(!line.chars().any(char::is_control), "{line:?}");
    let set = parse(&line).unwrap();
    assert_eq!(set.len(), 1);
    assert!(check_label("ordinary \"text\" \\ ü").is_ok());
}

#[test]
fn an_import_keeps_the_order_of_its_lines() {
    let text =
        "::1 label=\"six\"\n!10.0.0.0/8\n192.0.2.1 profile=bulk expires=2030-01-01T00:00:00Z\n";
    let path = Path::new("import.list");
    let (imported, _) = import_list(path, text, &profile_number).unwrap();
    let written: String = imported.iter().map(|entry| format!("{entry}\n")).collect();
    assert_eq!(written, text);
    let wrong = import_list(path, "::1\nx\n", &profile_number).unwrap_err();
    assert!(
        wrong.to_string().starts_with("import.list:2:1: "),
        "{wrong}"
    );
}

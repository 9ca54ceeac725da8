//! Whole files: what is read from them, which mistakes are named where.

use std::path::Path;

use ftp_guard_common::allow::{AllowValue, EntryKind};

use super::super::{AllowSet, MOST_REPORTED};
use super::{parse, profile_number};

fn mistakes(text: &str) -> Vec<String> {
    let diagnostics = parse(text).expect_err(text);
    diagnostics.0.iter().map(ToString::to_string).collect()
}

/// Asserts that `line` has one mistake, at `column`, whose message contains `part`.
#[track_caller]
fn one_mistake(line: &str, column: usize, part: &str) {
    // Neither what is before nor what is behind matters.
    let found = mistakes(&format!("# first\n{line}\n203.0.113.1\n"));
    assert_eq!(found.len(), 1, "{line}\n{found:#?}");
    let message = found[0]
        .strip_prefix(&format!("a.list:2:{column}: "))
        .unwrap_or_else(|| panic!("not at column {column}: {}", found[0]));
    assert!(message.contains(part), "{message}");
}

#[test]
fn entries_are_read_with_all_their_settings() {
    let text = "\
# partners

192.0.2.7
\t198.51.100.0/24  profile=bulk\texpires=2026-12-31T23:59:59Z label=\"a \\\"b\\\" \\\\ # = c\"# contract
! 198.51.100.66 # guests
2001:DB8:7::/48 label=\"\"
";
    let set = parse(text).unwrap();
    let entries: Vec<_> = set.iter().collect();
    assert_eq!(set.len(), 4);
    assert!(!set.is_empty());

    let [host, net, excluded, six] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(host.to_string(), "192.0.2.7");
    assert_eq!((host.line, &*host.file), (3, Path::new("a.list")));
    assert_eq!(host.profile, "default");
    assert_eq!(host.label, None);

    assert_eq!(net.prefix.to_string(), "198.51.100.0/24");
    assert_eq!(net.kind, EntryKind::Allow);
    assert_eq!(net.profile, "bulk");
    assert_eq!(net.expires, Some("2026-12-31T23:59:59Z".parse().unwrap()));
    assert_eq!(net.label.as_deref(), Some(r#"a "b" \ # = c"#));

    assert_eq!(excluded.to_string(), "!198.51.100.66");
    assert_eq!(excluded.line, 5);

    assert_eq!(six.prefix.to_string(), "2001:db8:7::/48");
    assert_eq!(six.label.as_deref(), Some(""));

    let table = set.table("2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(
        *table.get(&net.prefix).unwrap(),
        AllowValue {
            expires_s: 1_798_761_599,
            profile: 1,
            prefix_len: 24,
            kind: 0,
        }
    );
    assert_eq!(table.get(&excluded.prefix).unwrap().kind, 1);
}

#[test]
fn empty_texts_and_other_line_ends_are_fine() {
    assert!(parse("").unwrap().is_empty());
    assert!(parse("\u{feff}").unwrap().is_empty());
    assert!(parse("\n\r\n   \n# only comments").unwrap().is_empty());
    let set = parse("\u{feff}192.0.2.1\r\n192.0.2.2 label=\"x\"\r\n\r\n#c\r\n192.0.2.3").unwrap();
    let lines: Vec<_> = set
        .iter()
        .map(|entry| (entry.to_string(), entry.line))
        .collect();
    assert_eq!(
        lines,
        [
            ("192.0.2.1".to_owned(), 1),
            ("192.0.2.2 label=\"x\"".to_owned(), 2),
            ("192.0.2.3".to_owned(), 5),
        ]
    );
}

#[test]
fn mistakes_are_named_by_column() {
    one_mistake(
        "192.0.2.256",
        1,
        "expected an IPv4 or IPv6 address or prefix",
    );
    one_mistake("  10.0.0.1/8", 3, "write 10.0.0.0/8");
    one_mistake("!10.0.0.1/8", 2, "write 10.0.0.0/8");
    one_mistake("!", 2, "found \"\"");
    one_mistake("! # x", 3, "found \"\"");
    one_mistake("::ffff:192.0.2.1", 1, "write 192.0.2.1");
    one_mistake(
        "192.0.2.1 bulk",
        11,
        "expected profile=NAME, expires=TIME or label=\"...\", found \"bulk\"",
    );
    one_mistake("192.0.2.1 192.0.2.2", 11, "found \"192.0.2.2\"");
    one_mistake("192.0.2.1 note=x", 11, "unknown key \"note\"");
    one_mistake("192.0.2.1 Label=\"x\"", 11, "unknown key \"Label\"");
    one_mistake("192.0.2.1 note=\"x y\"", 11, "unknown key \"note\"");
    one_mistake("192.0.2.1 =x", 11, "unknown key \"\"");
    one_mistake(
        "192.0.2.1 label=\"a\" label=\"a\"",
        21,
        "label= is given twice",
    );
    one_mistake(
        "192.0.2.1 profile=bulk profile=slow",
        24,
        "profile= is given twice",
    );
    one_mistake("192.0.2.1 profile=none", 19, "unknown profile \"none\"");
    one_mistake("192.0.2.1 profile=", 19, "expected a name after profile=");
    one_mistake("192.0.2.1 profile=#x", 19, "expected a name after profile=");
    one_mistake("192.0.2.1 profile=\"bulk\"", 19, "without quotes");
    one_mistake(
        "192.0.2.1 expires=tomorrow",
        19,
        "such as 2026-12-31T23:59:59Z",
    );
    one_mistake("192.0.2.1 expires=2026-02-30T00:00:00Z", 19, "no such time");
    one_mistake("192.0.2.1 expires=2107-01-01T00:00:00Z", 19, "out of range");
    one_mistake("192.0.2.1 expires=1969-01-01T00:00:00Z", 19, "out of range");
    one_mistake(
        "192.0.2.1 expires=\"2026-12-31T23:59:59Z\"",
        19,
        "without quotes",
    );
    one_mistake("192.0.2.1 label=hall", 17, "in double quotes");
    one_mistake("192.0.2.1 label=\"hall", 17, "not closed");
    one_mistake("192.0.2.1 label=\"hall\\\"", 17, "not closed");
    one_mistake("192.0.2.1 label=\"hall\\", 17, "not closed");
    one_mistake("192.0.2.1 label=\"ä\\n\"", 19, "write a backslash as");
    one_mistake("192.0.2.1 label=\"a\"profile=bulk", 20, "expected a blank");
    one_mistake("192.0.2.1 label=\"a\u{7}b\"", 17, "control character");
    // Columns are characters.
    one_mistake("192.0.2.1 label=\"äöü\" x=1", 23, "unknown key \"x\"");
    one_mistake("192.0.2.1\u{a0}x=1", 11, "unknown key \"x\"");
}

#[test]
fn all_mistakes_of_a_line_and_of_all_files_are_named_in_order() {
    let files = [
        (
            Path::new("a"),
            "10.0.0.1/8 x=1 expires=never profile=bulk\n192.0.2.1\n",
        ),
        (Path::new("b"), "\u{feff}nonsense\r\n192.0.2.2"),
    ];
    let found = AllowSet::parse(files, &profile_number).unwrap_err();
    let places: Vec<_> = found
        .0
        .iter()
        .map(|d| (d.file.to_str().unwrap(), d.line, d.column))
        .collect();
    assert_eq!(
        places,
        [("a", 1, 1), ("a", 1, 12), ("a", 1, 24), ("b", 1, 1)]
    );
}

#[test]
fn many_mistakes_are_counted() {
    let text = "x\n".repeat(MOST_REPORTED + 7);
    let found = mistakes(&text);
    assert_eq!(found.len(), MOST_REPORTED + 1);
    assert_eq!(
        found[MOST_REPORTED],
        "a.list:101:1: 7 more mistakes from here on"
    );
    assert_eq!(mistakes(&"x\n".repeat(MOST_REPORTED)).len(), MOST_REPORTED);
}

#[test]
fn the_same_entry_twice_is_one() {
    let files = [
        (Path::new("a"), "192.0.2.0/24 profile=bulk\n::1\n"),
        (
            Path::new("b"),
            "192.0.2.0/24 label=\"first\" profile=bulk\n",
        ),
        (
            Path::new("c"),
            "192.0.2.0/24 profile=bulk label=\"second\"\n::1 profile=default",
        ),
    ];
    let set = AllowSet::parse(files, &profile_number).unwrap();
    assert_eq!(set.len(), 2);
    let entry = set.get(&"192.0.2.0/24".parse().unwrap()).unwrap();
    assert_eq!(entry.label.as_deref(), Some("first"));
    assert_eq!((&*entry.file, entry.line), (Path::new("a"), 1));
    // Equal moments are equal, however they are written.
    let text = "::1 expires=2026-01-01T01:00:00+01:00\n::1 expires=2026-01-01T00:00:00Z\n";
    assert_eq!(parse(text).unwrap().len(), 1);
}

#[test]
fn the_same_prefix_with_other_settings_is_a_mistake_that_names_both() {
    for other in [
        "!192.0.2.1",
        "192.0.2.1 profile=bulk",
        "192.0.2.1/32 expires=2026-12-31T23:59:59Z",
    ] {
        let files = [
            (Path::new("one"), "\n192.0.2.1\n"),
            (Path::new("two"), other),
        ];
        let found = AllowSet::parse(files, &profile_number).unwrap_err();
        assert_eq!(found.0.len(), 1, "{found}");
        let column = if other.starts_with('!') { 2 } else { 1 };
        let expected =
            format!("two:1:{column}: 192.0.2.1 is listed already, with other settings, at one:2");
        assert!(found.to_string().starts_with(&expected), "{found}");
    }
}

#[test]
fn an_entry_that_is_over_is_read_but_not_in_force() {
    let set = parse("192.0.2.1 expires=2001-01-01T00:00:00Z\n192.0.2.2\n").unwrap();
    assert_eq!(set.len(), 2);
    let table = set.table("2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(table.len(), 1);
}

#[test]
fn the_example_list_is_no_list_and_its_examples_are_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../dist/allow.d/README.list");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(parse(&text).unwrap().is_empty());
    let examples: String = text
        .split_inclusive('\n')
        .filter_map(|line| line.strip_prefix("#>"))
        .collect();
    assert_eq!(parse(&examples).unwrap().len(), 5);
}

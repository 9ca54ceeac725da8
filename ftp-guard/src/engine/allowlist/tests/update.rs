//! A reading by difference is the reading of everything.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::difference::difference;
use super::super::line::parse_line;
use super::super::plain::plain_prefix;
use super::super::{AllowSet, Entry, ListText};
use super::arbitrary::{entry, prefix};
use super::{parse, profile_number};

/// A text that is often nearly another: lines to draw from.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        8 => prefix().prop_map(|prefix| prefix.to_string()),
        2 => entry().prop_map(|entry| entry.to_string()),
        1 => Just(String::new()),
        1 => Just("# a comment".to_owned()),
        1 => (0..4_u8).prop_map(|n| format!("host:h{n}.example.net")),
        1 => prefix().prop_map(|prefix| format!(" {prefix}\r")),
    ];
    vec(line, 0..40)
}

#[derive(Clone, Debug)]
enum Step {
    Remove(Index),
    Insert(Index, String),
    Move(Index, Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let new = prop_oneof![
        8 => entry().prop_map(|entry| entry.to_string()),
        1 => Just("10.0.0.0/33".to_owned()),
        2 => (0..4_u8, any::<bool>()).prop_map(|(n, bulk)| {
            format!("host:h{n}.example.net{}", if bulk { " profile=bulk" } else { "" })
        }),
        1 => Just("10.0.0.0/8 profile=nobody".to_owned()),
    ];
    let step = prop_oneof![
        any::<Index>().prop_map(Step::Remove),
        (any::<Index>(), new).prop_map(|(at, line)| Step::Insert(at, line)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Step::Move(from, to)),
    ];
    vec(step, 0..6)
}

fn changed(mut lines: Vec<String>, steps: &[Step]) -> Vec<String> {
    for step in steps {
        match step {
            Step::Insert(at, line) => lines.insert(at.index(lines.len() + 1), line.clone()),
            _ if lines.is_empty() => {}
            Step::Remove(at) => drop(lines.remove(at.index(lines.len()))),
            Step::Move(from, to) => {
                let line = lines.remove(from.index(lines.len()));
                lines.insert(to.index(lines.len() + 1), line);
            }
        }
    }
    lines
}

/// The first line of each prefix, so that most texts can be read.
fn without_repeats(lines: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let first = |line: &String| {
        parse_line(line, &mut Vec::new())
            .is_none_or(|line| line.host.is_some() || seen.insert(line.prefix))
    };
    lines.into_iter().filter(first).collect()
}

fn files(lines: &[String], split: Index, swap: bool) -> Vec<ListText> {
    let (one, other) = lines.split_at(split.index(lines.len() + 1));
    let mut files = vec![
        ListText::new(Path::new("a.list"), one.join("\n")),
        ListText::new(Path::new("b.list"), other.join("\n") + "\n"),
    ];
    if swap {
        files.remove(0);
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_changed_is_read_as_everything_is(
        lines in lines(),
        steps in steps(),
        (split, then) in (any::<Index>(), any::<Index>()),
        (gone, came) in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        unique in prop::bool::weighted(0.8),
    ) {
        let lines = if unique { without_repeats(lines) } else { lines };
        let new = files(&changed(lines.clone(), &steps), then, gone);
        let Ok(old) = AllowSet::read(files(&lines, split, came), &profile_number) else {
            return Ok(());
        };
        match (old.updated(new.clone(), &profile_number), AllowSet::read(new, &profile_number)) {
            (Ok(updated), Ok(read)) => {
                prop_assert_eq!(&updated.table, &read.table);
                prop_assert_eq!(&updated.files, &read.files);
                prop_assert_eq!(&updated.counts, &read.counts);
                prop_assert_eq!(&updated.repeated, &read.repeated);
                prop_assert_eq!(&updated.expiries, &read.expiries);
                prop_assert_eq!(&updated.hosts, &read.hosts);
                prop_assert!(read.names.iter().all(|pair| updated.names.iter().any(|known| known == pair)));
            }
            (Err(updated), Err(read)) => prop_assert_eq!(updated.0, read.0),
            (updated, read) => prop_assert!(false, "{updated:?} is not {read:?}"),
        }
    }

    #[test]
    fn the_difference_leads_from_one_text_to_the_other(
        lines in vec("[ab]{0,2}|12345[0-9]", 0..80),
        steps in vec((any::<Index>(), "[ab]{0,2}|12345[0-9]", 0..4usize), 0..8),
        ended in any::<bool>(),
    ) {
        let old = lines.join("\n");
        let mut new = lines;
        for (at, line, gone) in steps {
            let at = at.index(new.len() + 1);
            let gone = gone.min(new.len() - at);
            drop(new.splice(at..at + gone, [line]));
        }
        let mut new = new.join("\n");
        if ended {
            new.push('\n');
        }
        let found = difference(&old, &new, usize::MAX).unwrap();
        let mut left: Vec<&str> = old.split_inclusive('\n').collect();
        for line in &found.gone {
            let at = left.iter().position(|known| known == line);
            prop_assert!(at.is_some(), "{:?} is not there", line);
            left.remove(at.unwrap());
        }
        left.extend(&found.new);
        left.sort_unstable();
        let mut expected: Vec<&str> = new.split_inclusive('\n').collect();
        expected.sort_unstable();
        prop_assert_eq!(left, expected);
        prop_assert_eq!(difference(&new, &new, 0).map(|same| same.gone.len() + same.new.len()), Some(0));
    }

    #[test]
    fn a_plain_line_is_what_the_grammar_says(
        line in prop_oneof![
            r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(/[0-9]{1,3})?",
            r"[0-9a-fA-F:]{2,12}(/[0-9]{1,3})?",
            r"(::ffff:)?[0-9.:/a-f ]{0,20}",
            prefix().prop_map(|prefix| prefix.to_string()),
            prefix().prop_map(|prefix| prefix.addr().to_string()),
            any::<String>(),
        ],
    ) {
        if let Some(prefix) = plain_prefix(&line) {
            let mut mistakes = Vec::new();
            let full = parse_line(&line, &mut mistakes);
            prop_assert!(mistakes.is_empty(), "{line}: {mistakes:?}");
            let full = full.map(|line| Entry { kind: line.kind, expires: line.expires, ..Entry::allow(line.prefix) });
            prop_assert_eq!(full, Some(Entry::allow(prefix)), "{}", line);
        }
    }

    #[test]
    fn prefixes_as_they_are_written_are_plain(prefix in prefix()) {
        let line = prefix.to_string();
        let mapped = parse_line(&line, &mut Vec::new()).is_none();
        prop_assert_eq!(plain_prefix(&line).is_none(), mapped || line.len() < 5, "{}", line);
    }
}

fn numbered(lines: impl Iterator<Item = u32>) -> String {
    lines
        .map(|n| format!("10.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255))
        .collect()
}

#[test]
fn scattered_changes_and_blocks_are_found_as_what_they_are() {
    let old = numbered(0..20_000);
    let scattered = numbered((0..20_000).filter(|n| n % 100 != 7));
    let found = difference(&old, &scattered, usize::MAX).unwrap();
    assert_eq!((found.gone.len(), found.new.len()), (200, 0));
    let found = difference(&scattered, &old, usize::MAX).unwrap();
    assert_eq!((found.gone.len(), found.new.len()), (0, 200));
    // A block that came, another that went, one that became another.
    let blocks = numbered((0..5_000).chain(90_000..92_000).chain(5_000..9_000));
    let blocks = blocks + &numbered((9_500..15_000).chain(80_000..80_700).chain(15_300..20_000));
    let found = difference(&old, &blocks, usize::MAX).unwrap();
    // Where one block became another, some lines beside them are told as gone and come.
    assert_eq!(found.new.len() - found.gone.len(), 1_900);
    assert!(
        (800..900).contains(&found.gone.len()),
        "{}",
        found.gone.len()
    );
    assert_eq!(difference(&old, &blocks, 2_000), None);
}

#[test]
fn a_text_that_goes_on_is_not_read_to_its_end_for_a_difference() {
    let (short, long) = (numbered(0..10), numbered(0..1_000));
    for (old, new) in [(&short, &long), (&long, &short)] {
        assert_eq!(difference(old, new, 989), None);
        let found = difference(old, new, 990).unwrap();
        assert_eq!(found.gone.len() + found.new.len(), 990);
    }
}

#[test]
fn an_entry_around_a_prefix_is_the_narrowest() {
    let set = parse("10.0.0.0/8\n10.1.0.0/16\n10.1.2.0/24\n10.1.3.0/24\n2001:db8::/32\n").unwrap();
    let around = |prefix: &str| {
        let found = set.table.around(&prefix.parse().unwrap());
        found.map(|(prefix, _)| prefix.to_string())
    };
    assert_eq!(around("10.1.4.0/24").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(around("10.1.3.0/24").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(around("10.1.3.7/32").as_deref(), Some("10.1.3.0/24"));
    assert_eq!(around("10.2.0.0/16").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(around("10.0.0.0/8"), None);
    assert_eq!(around("9.0.0.0/8"), None);
    assert_eq!(around("11.0.0.0/8"), None);
    assert_eq!(around("2001:db8::1/128").as_deref(), Some("2001:db8::/32"));
    assert_eq!(around("::/0"), None);
}

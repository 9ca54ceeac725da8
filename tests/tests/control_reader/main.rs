//! The guard's readers of the control connection, byte by byte, against a plain reader of whole texts;
//! and both against the page `docs/replies.md`.
//!
//! `PROPTEST_CASES` sets the number of texts of each test.

mod generate;
mod page;

use std::{cell::RefCell, collections::BTreeMap, env};

use ftp_guard_common::ftp::{command::CommandParser, reply::ReplyParser};
use ftp_guard_tests::{
    replies::{
        Asked, Said, client, server, stream,
        variants::{COMMANDS, EPSV_REPLIES, PASV_REPLIES, Variant},
    },
    report,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// Texts of each test.
const CASES: u32 = 10_000;

#[test]
fn known_replies_are_read_as_the_table_says() {
    for variant in PASV_REPLIES.iter().chain(EPSV_REPLIES) {
        let text = variant.bytes();
        check_replies(&text).unwrap_or_else(|error| panic!("{}: {error}", variant.id));
        let ports: Vec<_> = stream::said(&text)
            .into_iter()
            .filter_map(|(_, said)| match said {
                Said::Passive(port) => Some(format!("port {port}")),
                Said::End(_) => None,
            })
            .collect();
        let found = match ports.as_slice() {
            [] => "none".to_owned(),
            ports => ports.join(", "),
        };
        assert_eq!(found, variant.outcome, "{}: {}", variant.id, variant.form);
    }
    report!(
        "control_reader: {} forms of replies",
        PASV_REPLIES.len() + EPSV_REPLIES.len()
    );
}

#[test]
fn known_commands_are_read_as_the_table_says() {
    for variant in COMMANDS {
        let text = variant.bytes();
        check_commands(&text).unwrap_or_else(|error| panic!("{}: {error}", variant.id));
        let asked: Vec<_> = stream::asked(&text)
            .into_iter()
            .map(|(_, asked)| words(asked))
            .collect();
        assert_eq!(
            asked.join(", "),
            variant.outcome,
            "{}: {}",
            variant.id,
            variant.form
        );
    }
    report!("control_reader: {} forms of commands", COMMANDS.len());
}

fn words(asked: Asked) -> String {
    match asked {
        Asked::Other => "other".into(),
        Asked::Auth => "tls".into(),
        Asked::Passive => "passive".into(),
        Asked::Active(None) => "no destination".into(),
        Asked::Active(Some(destination)) => destination.to_string(),
    }
}

/// Every reply of the table ends with its own code, and the one before it does not swallow it.
#[test]
fn forms_follow_one_another() {
    let all: Vec<&Variant> = PASV_REPLIES.iter().chain(EPSV_REPLIES).collect();
    let apart: Vec<_> = all
        .iter()
        .flat_map(|variant| stream::said(&variant.bytes()))
        .map(|(_, said)| said)
        .collect();
    let text: Vec<u8> = all.iter().flat_map(|variant| variant.bytes()).collect();
    let together: Vec<_> = stream::said(&text)
        .into_iter()
        .map(|(_, said)| said)
        .collect();
    assert_eq!(together, apart);
}

#[test]
fn replies_are_read_alike() {
    let counts = run("replies", generate::replies(), |text, count| {
        let mut has_port = false;
        for (_, said) in check_replies(text)? {
            match said {
                Said::Passive(_) => has_port = true,
                Said::End(code) => {
                    count(match (code, std::mem::take(&mut has_port)) {
                        (_, false) => "without a port",
                        (227, true) => "227 with one",
                        (228, true) => "228 with one",
                        (229, true) => "229 with one",
                        (_, true) => "others with one",
                    });
                }
            }
        }
        Ok(())
    });
    let kinds = [
        "without a port",
        "227 with one",
        "228 with one",
        "229 with one",
    ];
    expect_some(&counts, &kinds);
}

#[test]
fn commands_are_read_alike() {
    let counts = run("commands", generate::commands(), |text, count| {
        for (_, asked) in check_commands(text)? {
            count(match asked {
                Asked::Other => "others",
                Asked::Auth => "tls",
                Asked::Passive => "passive",
                Asked::Active(Some(to)) if to.is_ipv6() => "destinations (IPv6)",
                Asked::Active(Some(_)) => "destinations (IPv4)",
                Asked::Active(None) => "no destinations",
            });
        }
        Ok(())
    });
    let kinds = [
        "others",
        "tls",
        "passive",
        "destinations (IPv4)",
        "destinations (IPv6)",
        "no destinations",
    ];
    expect_some(&counts, &kinds);
}

#[test]
fn every_address_is_understood_in_every_form() {
    let counts = run("addresses", generate::destinations(), |text, count| {
        for (_, asked) in check_commands(text)? {
            prop_assert!(matches!(asked, Asked::Active(Some(_))), "{asked:?}");
            count("addresses");
        }
        Ok(())
    });
    expect_some(&counts, &["addresses"]);
}

/// A new entry of the session table is all zeros.
#[test]
fn zeros_are_the_start() {
    // SAFETY: both are made of integers.
    let (reply, command) = unsafe { std::mem::zeroed::<(ReplyParser, CommandParser)>() };
    assert_eq!(reply, ReplyParser::default());
    assert_eq!(command, CommandParser::default());
}

/// What both readers find in a text, in one piece and in two.
fn check_replies(text: &[u8]) -> Result<Vec<(usize, Said)>, TestCaseError> {
    let expected = server::said(text);
    prop_assert_eq!(&stream::said(text), &expected);
    // What is between two bytes is the value alone: each byte meets a copy of what the last one left.
    let mut state = ReplyParser::default();
    for cut in 0..text.len() {
        let (before, after): (Vec<_>, Vec<_>) = expected
            .iter()
            .copied()
            .partition(|(place, _)| *place < cut);
        if text.len() <= LONG {
            prop_assert_eq!(server::said(&text[..cut]), before);
            let rest = stream::said_from(&mut state.clone(), &text[cut..]);
            prop_assert_eq!(moved(rest, cut), after);
        }
        let mut next = state;
        next.feed(text[cut]);
        state = next;
    }
    Ok(expected)
}

/// As [`check_replies`].
fn check_commands(text: &[u8]) -> Result<Vec<(usize, Asked)>, TestCaseError> {
    let expected = client::asked(text);
    prop_assert_eq!(&stream::asked(text), &expected);
    let mut state = CommandParser::default();
    for cut in 0..text.len() {
        let (before, after): (Vec<_>, Vec<_>) = expected
            .iter()
            .copied()
            .partition(|(place, _)| *place < cut);
        if text.len() <= LONG {
            prop_assert_eq!(client::asked(&text[..cut]), before);
            let rest = stream::asked_from(&mut state.clone(), &text[cut..]);
            prop_assert_eq!(moved(rest, cut), after);
        }
        let mut next = state;
        next.feed(text[cut]);
        state = next;
    }
    Ok(expected)
}

/// Texts that are longer are cut nowhere: that takes time in the square of the length.
const LONG: usize = 160;

fn moved<T>(events: Vec<(usize, T)>, by: usize) -> Vec<(usize, T)> {
    events
        .into_iter()
        .map(|(place, event)| (place + by, event))
        .collect()
}

type Counts = BTreeMap<&'static str, u64>;

/// Runs a test on many texts and says what it found in them.
fn run(
    name: &str,
    texts: impl Strategy<Value = Vec<u8>>,
    test: impl Fn(&[u8], &mut dyn FnMut(&'static str)) -> Result<(), TestCaseError>,
) -> Counts {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let counts = RefCell::new(Counts::new());
    let result = TestRunner::new(config.clone()).run(&texts, |text| {
        test(&text, &mut |kind| {
            *counts.borrow_mut().entry(kind).or_default() += 1;
        })
    });
    if let Err(error) = result {
        panic!("{name}: {error}");
    }
    let counts = counts.into_inner();
    let found: Vec<_> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    report!(
        "control_reader: {} texts of {name} read alike: {}",
        config.cases,
        found.join(", ")
    );
    counts
}

/// The generator is not blind.
fn expect_some(counts: &Counts, kinds: &[&str]) {
    for kind in kinds {
        let count = counts.get(kind).copied().unwrap_or(0);
        assert!(count >= 20, "only {count} {kind}");
    }
}

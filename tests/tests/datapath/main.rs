//! Verdict tables: what the XDP program does with single frames, and that it counts each under exactly one
//! cell; and stories, which are sequences of frames through all three programs.
//!
//! Frames below 14 bytes are not in the tables: `BPF_PROG_TEST_RUN` refuses them (`EINVAL`), and so
//! do drivers.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

mod active;
mod allowlist;
mod attack;
mod bans;
mod buckets;
mod cases;
mod challenges;
mod clock;
mod confirm;
mod control;
mod cookies;
mod egress;
mod events;
mod fragments;
mod front;
mod ipv4;
mod ipv6;
mod limits;
mod link;
mod multibuffer;
mod numbers;
mod openings;
mod passive;
mod policy;
mod refusal;
mod reuse;
mod room;
mod row;
mod scene;
mod sessions;
mod sources;
mod speed;
mod strays;
mod tally;
mod tcp;
mod text;
mod text_records;
mod tls;
mod transfers;
mod truncation;
mod unreported;
mod witnessed;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use ftp_guard_common::reason::Reason;
use ftp_guard_tests::program::Guard;
use row::Table;
use scene::{At, Story, Told};

fn tables() -> Vec<Table> {
    let mut tables = vec![cases::table()];
    tables.push(link::table());
    tables.push(ipv4::table());
    tables.push(ipv6::table());
    tables.extend(allowlist::tables());
    tables.extend(bans::tables());
    tables
}

#[test]
fn every_row_holds_in_both_modes() {
    let mut guard = Guard::load().unwrap();
    let mut rows = 0;
    let mut failures = Vec::new();
    for table in tables() {
        rows += table.run(&mut guard, &mut failures).unwrap();
    }
    assert!(
        failures.is_empty(),
        "{} of {rows} rows fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    ftp_guard_tests::report!("datapath: {rows} verdict rows");
}

/// What the classifiers can give, each of which has a story.
const CLASSIFIERS: [(At, &[Reason]); 2] = [
    (
        At::Egress,
        &[
            Reason::NotFtp,
            Reason::Session,
            Reason::DataFlow,
            Reason::Outgoing,
            Reason::ActiveNamed,
            Reason::ActiveClient,
            Reason::ServerAnswer,
            Reason::Killed,
            Reason::SessionTableFull,
            Reason::FlowTableFull,
            Reason::PinholeLimit,
            Reason::PinholeTableFull,
            Reason::Bounce,
            Reason::DataLimit,
            Reason::ActiveLowPort,
            Reason::ControlGap,
            Reason::OutsideRange,
        ],
    ),
    (
        At::Control,
        &[
            Reason::NotFtp,
            Reason::Listed,
            Reason::Session,
            Reason::ControlGap,
            Reason::ActiveUnreadable,
            Reason::TlsRequired,
            Reason::AnonymousRefused,
            Reason::ReadOnly,
            Reason::CommandDenied,
        ],
    ),
];

fn stories() -> Vec<Story> {
    let mut stories = sessions::stories();
    stories.extend(passive::stories());
    stories.extend(front::stories());
    stories.extend(tls::stories());
    stories.extend(limits::stories());
    stories.extend(room::stories());
    stories.extend(numbers::stories());
    stories.extend(transfers::stories());
    stories.extend(strays::stories());
    stories.extend(openings::stories());
    stories.extend(attack::stories());
    stories.extend(challenges::stories());
    stories.extend(bans::stories());
    stories.extend(active::stories());
    stories.extend(egress::stories());
    stories.extend(control::stories());
    stories.extend(cookies::stories());
    stories.extend(policy::stories());
    stories.extend(confirm::stories());
    stories.extend(witnessed::stories());
    stories
}

fn tell() -> Told {
    let mut guard = Guard::load().unwrap();
    let mut told = Told::default();
    let mut failures = Vec::new();
    for story in stories() {
        // One story that fails should not hide the others.
        let run = AssertUnwindSafe(|| story.run(&mut guard, &mut told));
        if let Err(reason) = catch_unwind(run) {
            let reason = reason.downcast_ref::<String>().cloned();
            failures.push(format!("{}: {}", story.name, reason.unwrap_or_default()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} stories fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    told
}

#[test]
fn every_story_holds_and_every_reason_has_a_row() {
    let told = tell();
    ftp_guard_tests::report!("datapath: {} rows of stories{}", told.rows, speed::sample());
    let covered: BTreeSet<Reason> = tables()
        .iter()
        .flat_map(|table| table.rows.iter().map(|row| row.wanted.reason))
        .chain(told.reasons.iter().map(|(_, reason)| *reason))
        .collect();
    for reason in Reason::ALL {
        assert!(covered.contains(reason), "no row for {}", reason.as_str());
    }
    for (at, reasons) in CLASSIFIERS {
        for reason in reasons {
            let name = reason.as_str();
            assert!(
                told.reasons.contains(&(at, *reason)),
                "no row for {name} at {at:?}"
            );
        }
    }
}

#[test]
fn rows_have_names_of_their_own() {
    for table in tables() {
        let mut names = BTreeSet::new();
        for row in &table.rows {
            assert!(names.insert(&row.name), "two rows are called {}", row.name);
        }
    }
}

#[test]
fn frames_without_an_ethernet_header_cannot_be_run() {
    let guard = Guard::load().unwrap();
    let frame = [0; 14];
    assert!(guard.run(&frame[..13]).is_err());
    assert!(guard.run(&frame).unwrap());
}

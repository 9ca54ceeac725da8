//! Bans, one by one and at random.

mod rules;
mod sequences;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{BanBook, BanRequest, Origin, Term, Terms};

const HOUR: i64 = 3_600;

/// `seconds` after the beginning of a test.
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn net(text: &str) -> IpNet {
    crate::engine::allowlist::parse_prefix(text).unwrap()
}

fn book(never: &[&str]) -> BanBook {
    let never = never.iter().map(|text| net(text)).collect();
    let terms = Terms {
        never,
        ..Terms::default()
    };
    BanBook::restore(terms, Vec::new(), Vec::new())
}

fn request(prefix: &str, term: Term) -> BanRequest {
    BanRequest {
        prefix: net(prefix),
        term,
        reason: None,
        origin: Origin::Cli,
        by: "cli".to_owned(),
        force: false,
    }
}

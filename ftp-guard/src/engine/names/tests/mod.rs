//! Names: their grammar, single stories, and what holds whatever happens.

mod always;
mod stories;
mod written;

use std::net::IpAddr;
use std::time::Duration;

use ftp_guard_common::class::Family;

use super::*;

const START: Duration = Duration::from_secs(1_790_000_000);

fn settings() -> Settings {
    Settings {
        min_ttl: Duration::from_secs(30),
        max_ttl: Duration::from_secs(3600),
        linger: Duration::from_secs(600),
        keep: Duration::from_secs(86_400),
        max_addresses: 4,
        private: true,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn v4(text: &str) -> Question {
    Question {
        name: name(text),
        family: Family::Ipv4,
    }
}

fn v6(text: &str) -> Question {
    Question {
        name: name(text),
        family: Family::Ipv6,
    }
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn answer(texts: &[&str], ttl: u64) -> Outcome {
    Outcome::Addresses {
        addresses: addresses(texts),
        ttl: seconds(ttl),
    }
}

fn failed() -> Outcome {
    Outcome::Failed("no server answers".to_owned())
}

fn gone() -> Outcome {
    Outcome::Nothing {
        no_such_name: true,
        ttl: Some(seconds(30)),
    }
}

fn book(names: &[&str]) -> NameBook {
    let mut book = NameBook::new(settings());
    book.want(names.iter().map(|text| name(text)), START);
    book
}

fn held(book: &NameBook, text: &str) -> Vec<IpAddr> {
    book.addresses(&name(text)).into_iter().collect()
}

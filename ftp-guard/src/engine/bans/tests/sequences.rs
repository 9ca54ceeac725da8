//! Random sequences against a plain list of bans.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ftp_guard_common::ban::{BanKind, BanValue};
use ipnet::IpNet;
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{BanBook, BanRequest, BanTable, Origin, Outcome, Term, Terms, deciding},
    at,
};
use crate::engine::allowlist::{Change, plan};

#[derive(Clone, Debug)]
enum Step {
    Add(IpNet, Term),
    Remove(IpNet, bool),
    Never(Vec<IpNet>),
    Sweep,
    Wait(i64),
}

/// Addresses that differ in a few bits, so that prefixes nest and meet.
fn address() -> impl Strategy<Value = IpAddr> {
    const V4: u32 = 0x0001_8103;
    const V6: u128 = 0x0001_0000_0000_8000_0000_0000_0003;
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | bits & V4))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(0x2001 << 112 | bits & V6))),
    ]
}

fn prefix() -> impl Strategy<Value = IpNet> {
    const V4: [u8; 6] = [8, 15, 16, 24, 31, 32];
    const V6: [u8; 6] = [16, 32, 64, 126, 127, 128];
    (address(), select(&V4[..]), select(&V6[..])).prop_map(|(address, v4, v6)| {
        let length = if address.is_ipv4() { v4 } else { v6 };
        IpNet::new_assert(address, length).trunc()
    })
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        3 => Just(Term::Escalating),
        3 => (1..40_u64).prop_map(|seconds| Term::For(Duration::from_secs(seconds))),
        1 => (-10..200_i64).prop_map(|seconds| Term::Until(at(seconds))),
        1 => Just(Term::Forever),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prefix(), term()).prop_map(|(prefix, term)| Step::Add(prefix, term)),
        3 => (prefix(), any::<bool>()).prop_map(|(prefix, forget)| Step::Remove(prefix, forget)),
        1 => vec(prefix(), 0..3).prop_map(Step::Never),
        3 => Just(Step::Sweep),
        3 => (1..30_i64).prop_map(Step::Wait),
    ]
}

fn terms() -> Terms {
    Terms {
        default_time: Duration::from_secs(8),
        max_time: Duration::from_secs(50),
        forget: Duration::from_secs(60),
        ..Terms::default()
    }
}

/// What the kernel decides by a table.
fn banned(table: &BanTable, source: IpAddr, now: Timestamp) -> bool {
    let covering = |prefix: &IpNet| -> Result<Option<BanValue>, Infallible> {
        let covering = table.iter().filter(|(entry, _)| entry.contains(prefix));
        let longest = covering.max_by_key(|(entry, _)| entry.prefix_len());
        Ok(longest.map(|(_, value)| *value))
    };
    let Ok(found) = deciding(source, now.as_second() as u64, covering);
    found.is_some_and(|(_, value)| value.kind == BanKind::Ban as u8)
}

/// The plain list: each ban with its end, and what is never banned.
#[derive(Default)]
struct Model {
    bans: Vec<(IpNet, Option<Timestamp>)>,
    never: Vec<IpNet>,
}

impl Model {
    fn banned(&self, source: IpAddr, now: Timestamp) -> bool {
        let live = |until: &Option<Timestamp>| until.is_none_or(|until| until > now);
        let mut bans = self.bans.iter();
        bans.any(|(prefix, until)| prefix.contains(&source) && live(until))
            && !self.never.iter().any(|prefix| prefix.contains(&source))
    }

    fn live(&self, prefix: IpNet, now: Timestamp) -> Option<Option<Timestamp>> {
        let same = |(other, until): &&(IpNet, Option<Timestamp>)| {
            *other == prefix && until.is_none_or(|until| until > now)
        };
        self.bans.iter().find(same).map(|(_, until)| *until)
    }
}

fn request(prefix: IpNet, term: Term) -> BanRequest {
    BanRequest {
        prefix,
        term,
        reason: None,
        origin: Origin::Cli,
        by: "cli".to_owned(),
        force: false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_table_bans_whom_the_list_bans(steps in vec(step(), 1..40), more in vec(address(), 6)) {
        let mut book = BanBook::restore(terms(), Vec::new(), Vec::new());
        let mut model = Model::default();
        let mut kernel = book.table(at(0));
        let mut clock = 0;
        let mut samples = more;
        for step in steps {
            let now = at(clock);
            match step {
                Step::Add(prefix, term) => {
                    samples.extend([prefix.network(), prefix.broadcast()]);
                    let before = model.live(prefix, now);
                    let protected = model.never.iter().any(|never| never.contains(&prefix));
                    match book.add(now, &request(prefix, term)) {
                        Outcome::Refused(refusal) => {
                            let over = matches!(term, Term::Until(until) if until <= now);
                            prop_assert!(protected || over, "{refusal}");
                        }
                        Outcome::Present(ban) => {
                            prop_assert_eq!(before, Some(ban.until));
                        }
                        Outcome::Banned(ban) => {
                            prop_assert!(before.is_none() && !protected);
                            model.bans.retain(|(other, _)| *other != prefix);
                            model.bans.push((prefix, ban.until));
                        }
                        Outcome::Prolonged(ban) => {
                            let end = before.expect("a ban that is prolonged was there");
                            let longer = ban.until.is_none_or(|until| end < Some(until));
                            prop_assert!(end.is_some() && longer && !protected);
                            model.bans.retain(|(other, _)| *other != prefix);
                            model.bans.push((prefix, ban.until));
                        }
                    }
                    let once = book.clone();
                    let again = book.add(now, &request(prefix, term));
                    prop_assert!(!again.changed(), "{again:?}");
                    prop_assert_eq!(&book, &once, "twice is once");
                }
                Step::Remove(prefix, forget) => {
                    let before = model.live(prefix, now);
                    let removal = book.remove(now, &prefix, forget);
                    prop_assert_eq!(removal.ban.map(|ban| ban.until), before);
                    model.bans.retain(|(other, _)| *other != prefix);
                }
                Step::Never(never) => {
                    samples.extend(never.iter().flat_map(|net| [net.network(), net.broadcast()]));
                    model.never.clone_from(&never);
                    book.set_terms(Terms { never, ..terms() });
                }
                Step::Sweep => {
                    let table = book.table(now);
                    book.sweep(now);
                    prop_assert_eq!(book.table(now), table, "a sweep decides nothing");
                    prop_assert!(!book.is_due(now));
                }
                Step::Wait(seconds) => {
                    clock += seconds;
                    let now = at(clock);
                    for source in &samples {
                        // The kernel lets them expire by itself, as far as it steps over them.
                        let nested = kernel
                            .iter()
                            .filter(|(prefix, value)| {
                                prefix.contains(source) && value.expired(now.as_second() as u64)
                            })
                            .count();
                        if nested <= 4 {
                            prop_assert_eq!(banned(&kernel, *source, now), model.banned(*source, now));
                        }
                    }
                    continue;
                }
            }
            let wanted = book.table(now);
            let before = kernel.clone();
            for change in plan(&before, &wanted) {
                match change {
                    Change::Insert(prefix, value) => drop(kernel.insert(prefix, value)),
                    Change::Remove(prefix) => drop(kernel.remove(&prefix)),
                }
                for source in &samples {
                    let (was, will) = (banned(&before, *source, now), banned(&wanted, *source, now));
                    if was == will {
                        prop_assert_eq!(banned(&kernel, *source, now), was, "{} at {:?}", source, change);
                    }
                }
            }
            for source in &samples {
                prop_assert_eq!(
                    banned(&kernel, *source, now),
                    model.banned(*source, now),
                    "{} at {}", source, now
                );
            }
        }
    }

    #[test]
    fn a_ban_is_never_shorter_than_the_one_before_it(
        waits in vec(0..59_i64, 1..12),
    ) {
        let mut book = BanBook::restore(terms(), Vec::new(), Vec::new());
        let prefix = "192.0.2.7/32".parse().expect("a prefix");
        let (mut now, mut longest) = (0, 0);
        for wait in waits {
            let outcome = book.add(at(now), &request(prefix, Term::Escalating));
            let until = outcome.ban().and_then(|ban| ban.until).expect("an end");
            let length = until.as_second() - at(now).as_second();
            prop_assert!(length >= longest && length <= 50);
            longest = length;
            now += length + wait;
            book.sweep(at(now));
        }
    }
}

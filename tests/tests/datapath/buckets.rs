//! The token buckets are shared by hash: how often a stranger pays for others, and that the hash spreads.
//!
//! A source has a bucket in each of two rows and is refused when both are used up, by itself or by
//! others. When N sources are at their limit, a share f = 1 - e^(-N/65,536) of each row is used up, which
//! is below N/65,536: so a stranger is refused by one kind of bucket with f^2 < (N/65,536)^2. A SYN looks
//! at two kinds, requests and proven connections, of the same table: together 1 - (1 - f^2)^2, below
//! 2 (N/65,536)^2. With limits of networks as well there are four kinds; networks are fewer than sources.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    limits::{BUCKET_SLOTS, Profile, Rate},
    names::STATS_MAP,
    reason::Reason,
    stats::StatsKey,
};
use ftp_guard_tests::{conversation::Conversation, policy::Policy, program::Guard};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::sources::{HOUR, rate};

const SLOTS: f64 = BUCKET_SLOTS as f64;

fn policy(connections: Rate) -> Policy {
    let mut policy = Policy::new().allowing("0.0.0.0/0").allowing("::/0");
    let profile = Profile {
        connections,
        ..Profile::default()
    };
    policy.profiles.insert(0, profile);
    policy
}

fn syn(client: IpAddr) -> Vec<u8> {
    let server: IpAddr = match client {
        IpAddr::V4(_) => "192.0.2.1".parse().unwrap(),
        IpAddr::V6(_) => "2001:db8::1".parse().unwrap(),
    };
    Conversation::new((client, 40_000).into(), (server, 21).into()).client_at(1, TcpFlags::SYN, b"")
}

fn anybody(rng: &mut StdRng) -> IpAddr {
    if rng.random() {
        Ipv4Addr::from(rng.random::<u32>()).into()
    } else {
        Ipv6Addr::from(rng.random::<u128>() >> 3 | 1 << 125).into()
    }
}

/// Makes these sources use up their buckets, each with one SYN: the next one may come in nine hours.
fn exhaust(guard: &mut Guard, sources: impl Iterator<Item = IpAddr>) {
    guard
        .install(&policy(Rate {
            interval_ns: 9 * HOUR,
            burst_ns: 0,
        }))
        .unwrap();
    for source in sources {
        // A few of them are refused for others before them, and their buckets are used up all the same.
        guard.run(&syn(source)).unwrap();
    }
}

/// The share of each row that is used up.
fn used_up(guard: &mut Guard) -> [f64; 2] {
    let buckets = guard.state().buckets().unwrap();
    let (first, second) = buckets.split_at(BUCKET_SLOTS as usize);
    [first, second].map(|row| row.iter().filter(|due| **due != 0).count() as f64 / SLOTS)
}

#[test]
fn strangers_seldom_pay_for_others() {
    let mut guard = Guard::with(&policy(Rate::UNLIMITED)).unwrap();
    let mut rng = StdRng::seed_from_u64(4);
    let probes = crate::speed::scaled(20_000);
    for at_limit in [1_000, 10_000] {
        guard.state().clear_limits().unwrap();
        exhaust(&mut guard, (0..at_limit).map(|_| anybody(&mut rng)));
        let [first, second] = used_up(&mut guard);
        let expected_share = 1.0 - (-f64::from(at_limit) / SLOTS).exp();
        for share in [first, second] {
            assert!(
                (share / expected_share - 1.0).abs() < 0.05,
                "{share} of {expected_share}"
            );
        }
        // Eight at once: what the probes charge themselves uses up no bucket.
        guard.install(&policy(rate(8))).unwrap();
        let mut refused = 0;
        for _ in 0..probes {
            if !guard.run(&syn(anybody(&mut rng))).unwrap() {
                refused += 1;
            }
        }
        let both = first * second;
        let expected = 1.0 - (1.0 - both) * (1.0 - both);
        let bound = 2.0 * (f64::from(at_limit) / SLOTS).powi(2);
        let share = f64::from(refused) / f64::from(probes);
        // Five standard deviations of a binomial distribution.
        let tolerance = 5.0 * (expected / f64::from(probes)).sqrt();
        ftp_guard_tests::report!(
            "datapath: {at_limit} sources at their limit: {refused} of {probes} strangers refused, \
             {share:.5}; expected {expected:.5}, bound {bound:.5}"
        );
        assert!(expected < bound);
        assert!(
            (share - expected).abs() <= tolerance,
            "{share}, not {expected}"
        );
        assert!(share <= bound + tolerance);
    }
    let reasons = StatsKey::all().filter(|key| key.reason == Reason::SourceRate);
    let table = guard.table_of(STATS_MAP).unwrap();
    assert!(
        reasons
            .map(|key| table[key.index() as usize].packets)
            .sum::<u64>()
            > 0
    );
}

/// A row's used buckets are where random ones would be: as many as there must be, and as many in each part
/// of the row.
fn assert_spread(row: &[u64], sources: u32, what: &str) {
    let wanted = 1.0 - (-f64::from(sources) / SLOTS).exp();
    let used = row.iter().filter(|due| **due != 0).count() as f64;
    // The number of occupied cells; its variance is below that of independent cells.
    let deviation = (SLOTS * wanted * (1.0 - wanted)).sqrt();
    assert!(
        (used - SLOTS * wanted).abs() < 5.0 * deviation,
        "{what}: {used} used up, not {}",
        SLOTS * wanted
    );
    for part_length in [256, 1024] {
        let parts = row.chunks(part_length);
        let count = parts.len() as f64;
        let mean = used / count;
        let chi_square: f64 = parts
            .map(|part| part.iter().filter(|due| **due != 0).count() as f64 - mean)
            .map(|difference| difference * difference / (mean * (1.0 - wanted)))
            .sum();
        let freedom = count - 1.0;
        assert!(
            (chi_square - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(),
            "{what}: chi square {chi_square} of {freedom}"
        );
    }
}

#[test]
fn addresses_in_a_row_spread() {
    let mut guard = Guard::with(&policy(Rate::UNLIMITED)).unwrap();
    let number = crate::speed::scaled(10_000);
    let from = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
    let v4 = u32::from(Ipv4Addr::new(10, 0, 0, 0));
    let v6 = from("2001:db8::");
    type Nth = Box<dyn Fn(u32) -> IpAddr>;
    let sequences: [(&str, Nth); 4] = [
        ("IPv4", Box::new(move |n| Ipv4Addr::from(v4 + n).into())),
        (
            "every 256th of IPv4",
            Box::new(move |n| Ipv4Addr::from(v4 + (n << 8)).into()),
        ),
        (
            "/64 of IPv6",
            Box::new(move |n| Ipv6Addr::from(v6 + (u128::from(n) << 64)).into()),
        ),
        (
            "/48 of IPv6",
            Box::new(move |n| Ipv6Addr::from(v6 + (u128::from(n) << 80)).into()),
        ),
    ];
    for (what, nth) in sequences {
        guard.state().clear_limits().unwrap();
        exhaust(&mut guard, (0..number).map(&nth));
        let buckets = guard.state().buckets().unwrap();
        let (first, second) = buckets.split_at(BUCKET_SLOTS as usize);
        // A source that finds both of its buckets used up leaves them; it would not have used another.
        assert_spread(first, number, what);
        assert_spread(second, number, what);
        // The rows are independent: what is used up in both at one place is chance.
        let both = first
            .iter()
            .zip(second)
            .filter(|(a, b)| **a != 0 && **b != 0);
        let share = 1.0 - (-f64::from(number) / SLOTS).exp();
        let wanted = share * share * SLOTS;
        assert!(
            (both.count() as f64 - wanted).abs() < 5.0 * wanted.sqrt() + 5.0,
            "{what}"
        );
    }
}

/// The buckets of a source under a secret.
fn of_secret(guard: &mut Guard, source: IpAddr, secret: [u64; 2]) -> Vec<usize> {
    let mut policy = policy(rate(1));
    policy.limits.secret = secret;
    guard.state().clear_limits().unwrap();
    guard.install(&policy).unwrap();
    assert!(guard.run(&syn(source)).unwrap());
    assert!(!guard.run(&syn(source)).unwrap());
    let buckets = guard.state().buckets().unwrap();
    (0..buckets.len())
        .filter(|slot| buckets[*slot] != 0)
        .collect()
}

#[test]
fn another_secret_gives_other_buckets() {
    let mut guard = Guard::with(&policy(Rate::UNLIMITED)).unwrap();
    let secrets = [
        [1, 2],
        [1, 3],
        [2, 2],
        [1 << 63, 2],
        [1, 2 | 1 << 63],
        [0, 0],
    ];
    for source in ["198.51.100.7", "2001:db8::7"] {
        let source = source.parse().unwrap();
        let slots = secrets.map(|secret| of_secret(&mut guard, source, secret));
        for (number, own) in slots.iter().enumerate() {
            assert_eq!(own.len(), 2);
            assert_eq!(
                *own,
                of_secret(&mut guard, source, secrets[number]),
                "the same again"
            );
            for other in &slots[..number] {
                assert!(
                    own.iter().all(|slot| !other.contains(slot)),
                    "{own:?} and {other:?}"
                );
            }
        }
    }
}

/// Sources that share buckets under one secret do not under another one: who has found out by trying is
/// back at the beginning with the next boot.
#[test]
fn partners_in_a_bucket_change_with_the_secret() {
    let mut guard = Guard::with(&policy(Rate::UNLIMITED)).unwrap();
    let mut rng = StdRng::seed_from_u64(5);
    let sources: Vec<IpAddr> = (0..crate::speed::scaled(4_000))
        .map(|_| anybody(&mut rng))
        .collect();
    let mut refused = Vec::new();
    for secret in [[1, 2], [3, 4]] {
        let mut policy = policy(rate(1));
        policy.limits.secret = secret;
        guard.state().clear_limits().unwrap();
        guard.install(&policy).unwrap();
        let passed = sources
            .iter()
            .map(|source| guard.run(&syn(*source)).unwrap());
        let passed: Vec<bool> = passed.collect();
        refused.push(
            (0..sources.len())
                .filter(|at| !passed[*at])
                .collect::<Vec<_>>(),
        );
    }
    let common = refused[0]
        .iter()
        .filter(|at| refused[1].contains(at))
        .count();
    assert!(common <= 3, "{common} refused under both: {refused:?}");
}

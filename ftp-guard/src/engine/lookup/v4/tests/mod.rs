//! What the writer promises, against a plain model.

mod answers;
mod lanes;
mod room;
mod stores;
mod ways;

use std::{collections::BTreeMap, net::Ipv4Addr};

use ftp_guard_common::allow::{AllowValue, EntryKind};
use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::{V4, plan::Plan4, walk::Listed};
use crate::engine::lookup::{Found, Full, Outcomes, Regions, Sizes};

/// Times at which answers are compared; entries expire between them.
const TIMES: [u64; 4] = [5, 15, 25, 35];

/// A list, searched entry by entry.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model(BTreeMap<IpNet, AllowValue>);

impl Model {
    fn of(entries: impl IntoIterator<Item = Listed>) -> Self {
        Self(entries.into_iter().collect())
    }

    fn list(&self) -> Vec<Listed> {
        self.0
            .iter()
            .map(|(prefix, value)| (*prefix, *value))
            .collect()
    }

    fn prefixes(&self) -> Vec<IpNet> {
        self.0.keys().copied().collect()
    }

    /// By the longest prefix that has not expired.
    fn find(&self, address: u32, now_s: u64) -> Option<Found> {
        (0..=32).rev().find_map(|bits| {
            let prefix = net(address, bits);
            let value = self.0.get(&prefix).filter(|value| !value.expired(now_s))?;
            let says_profile = !value.excludes() || value.expires();
            Some(Found {
                kind: if value.excludes() {
                    EntryKind::Exclude
                } else {
                    EntryKind::Allow
                },
                profile: if says_profile { value.profile } else { 0 },
                expires_s: value.expires_s,
            })
        })
    }

    /// Edges of all prefixes and what is beside them, and one from each /24 and /16 next to them.
    fn edges(&self) -> Vec<u32> {
        let mut edges = vec![0, u32::MAX];
        for prefix in self.0.keys() {
            let IpNet::V4(prefix) = prefix else { continue };
            let first = u32::from(prefix.network());
            let last = u32::from(prefix.broadcast());
            for edge in [first, last, first / 2 + last / 2] {
                edges.extend([edge, edge.wrapping_sub(1), edge.wrapping_add(1)]);
                edges.extend([edge ^ 1 << 8, edge ^ 1 << 14, edge ^ 1 << 16]);
            }
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

/// The writer, and what it was told.
struct World {
    v4: V4,
    outcomes: Outcomes,
    model: Model,
}

impl World {
    /// With so many words for lists, and lines for whatever the tests have.
    fn new(pool: u32) -> Self {
        Self::of((1 << 12, pool))
    }

    /// With so many lines, and words for lists.
    fn of((lines, pool): (u32, u32)) -> Self {
        let regions = Regions::of_vectors(Sizes {
            lines_v4: lines,
            pool_v4: pool,
            lines_v6: 0,
            pool_v6: 0,
        });
        Self {
            v4: V4::new(
                regions.known_v4,
                regions.root_v4,
                regions.bits_v4,
                regions.lines_v4,
                regions.pool_v4,
                regions.head_v4,
            ),
            outcomes: Outcomes::new(regions.rows),
            model: Model::default(),
        }
    }

    /// What is different in another list.
    fn changed(&self, wanted: &Model) -> Vec<IpNet> {
        let all = self.model.0.keys().chain(wanted.0.keys());
        let mut changed: Vec<IpNet> = all
            .filter(|prefix| self.model.0.get(prefix) != wanted.0.get(prefix))
            .copied()
            .collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn prepare(&mut self, wanted: &Model) -> Result<Plan4, Full> {
        self.v4.settle();
        let changed = self.changed(wanted);
        self.v4
            .prepare(&wanted.list(), &changed, &mut self.outcomes)
    }

    fn update(&mut self, wanted: &Model) -> Result<(), Full> {
        let plan = self.prepare(wanted)?;
        self.v4.publish(plan, &|| {});
        self.model = wanted.clone();
        Ok(())
    }

    fn find(&self, address: u32, now_s: u64) -> Option<Found> {
        let outcome = self.v4.find(Ipv4Addr::from(address));
        self.outcomes.found(outcome, now_s)
    }

    /// Compares answers with those of the model.
    fn check(&self, addresses: impl IntoIterator<Item = u32>) {
        for address in addresses {
            for now_s in TIMES {
                assert_eq!(
                    self.find(address, now_s),
                    self.model.find(address, now_s),
                    "{} at {now_s}",
                    Ipv4Addr::from(address)
                );
            }
        }
        self.check_order();
    }

    /// What holds between updates: an entry has a bit, and a main outcome that nobody has is the default.
    fn check_order(&self) {
        use ftp_guard_common::lookup::v4::Memory;
        for root in [0, 0xffff].into_iter().chain(0x0a00..0x0a20) {
            let (default, main) = self.v4.root(root);
            let groups = root << 2..(root + 1) << 2;
            assert!(default == main || groups.clone().any(|group| self.v4.uses_main(group)));
            for group in groups {
                let bits = self.v4.bits(group);
                let slots = (0..64_u32).filter(|slot| {
                    let entry = self.v4.entries.find(&self.v4.lines, group << 6 | slot);
                    assert!(entry.is_none() || bits >> slot & 1 == 1);
                    entry.is_some()
                });
                assert_eq!(slots.count() as u32, self.v4.entries.count(group));
            }
        }
    }
}

fn net(address: u32, bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new(Ipv4Addr::from(address), bits).unwrap().trunc())
}

const fn value(kind: EntryKind, profile: u8, expires_s: u32) -> AllowValue {
    AllowValue {
        expires_s,
        profile: profile as u16,
        prefix_len: 0,
        kind: kind as u8,
    }
}

const fn allow(profile: u8) -> AllowValue {
    value(EntryKind::Allow, profile, 0)
}

fn entry(prefix: &str, value: AllowValue) -> Listed {
    (prefix.parse().unwrap(), value)
}

fn values() -> impl Strategy<Value = AllowValue> {
    let kinds = prop_oneof![3 => Just(EntryKind::Allow), 1 => Just(EntryKind::Exclude)];
    let profiles = prop_oneof![6 => 0_u8..3, 1 => any::<u8>()];
    let expiries = prop_oneof![
        5 => Just(0_u32),
        4 => prop::sample::select(vec![10, 20, 30, 40]),
        1 => any::<u32>(),
    ];
    (kinds, profiles, expiries)
        .prop_map(|(kind, profile, expires_s)| value(kind, profile, expires_s))
}

/// Addresses of which many are near each other.
fn addresses() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => (0_u32..1 << 11).prop_map(|low| 0x0a01_3e00 + low),
        4 => (0_u32..1 << 10, any::<u8>()).prop_map(|(slot, last)| {
            0x0a01_0000 + (slot << 8) + u32::from(last)
        }),
        2 => (0_u32..1 << 20).prop_map(|low| 0x0a00_0000 + low),
        1 => any::<u32>(),
    ]
}

fn entries(bits: impl Strategy<Value = u8>) -> impl Strategy<Value = Listed> {
    (addresses(), bits, values()).prop_map(|(address, bits, value)| (net(address, bits), value))
}

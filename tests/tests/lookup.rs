//! The allowlist's lookup structure, in the arrays that the programs read: what the programs say of an address, what
//! the kernel's longest-prefix trie says of it, and what a plain map says, of random, clustered and adversarial lists
//! that change. Needs root.
//!
//! `FTP_GUARD_SEED` repeats a run.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{LpmTrie, MapData, lpm_trie::Key},
};
use ftp_guard::{
    datapath::allow,
    engine::allowlist::AllowTable,
    frame::{FrameSpec, TcpFlags, tcp_frame},
};
use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    reason::Reason,
};
use ftp_guard_tests::{
    ledger::Ledger,
    model,
    policy::Policy,
    program::{Guard, now_s},
    random::number_from_env,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

type List = BTreeMap<IpNet, AllowValue>;

/// Changes of a list after the first one.
const UPDATES: usize = 6;
/// Addresses that are looked up after each change.
const ADDRESSES: usize = 800;
/// Prefixes of the larger lists, of each family.
const MANY: usize = 4_000;

#[test]
fn random_lists() {
    check("random", 200, &mut |rng| {
        let length = [0, 8, 12, 16, 17, 20, 24, 24, 25, 28, 32, 32];
        let address = rng.random_range(0x0100_0000..0xe000_0000_u32);
        net4(address, *length.choose(rng).unwrap())
    });
    check("random", MANY, &mut |rng| {
        let address = rng.random_range(0x0100_0000..0xe000_0000_u32);
        net4(address, rng.random_range(8..=32))
    });
    check("random", 200, &mut |rng| {
        net6(
            rng.random::<u128>() >> 3 | 1 << 125,
            rng.random_range(0..=128),
        )
    });
    check("random", MANY, &mut |rng| {
        net6(
            rng.random::<u128>() >> 3 | 1 << 125,
            rng.random_range(16..=80),
        )
    });
}

/// In few /16s, and few units of 48 bits.
#[test]
fn clustered_lists() {
    check("clustered", MANY, &mut |rng| {
        let cluster = [0xc612_0000_u32, 0xc633_0000, 0x0a00_0000];
        let address = cluster.choose(rng).unwrap() | u32::from(rng.random::<u16>());
        net4(address, rng.random_range(14..=32))
    });
    check("clustered", MANY, &mut |rng| {
        let unit: u128 = 0x2001_0db8 << 96 | u128::from(rng.random_range(0..4_u8)) << 80;
        let low = rng.random::<u128>() >> 48;
        // Half of them in few networks.
        let low = match rng.random() {
            true => low & 0x3_0000_0000_0000_00ff,
            false => low,
        };
        net6(unit | low, rng.random_range(20..=128))
    });
}

/// One inside the other, each beside the other, and all differences in the last bits.
#[test]
fn adversarial_lists() {
    check("nested", 33, &mut |rng| {
        net4(0xc633_6401, rng.random_range(0..=32))
    });
    check("neighbours", 700, &mut |rng| {
        let address = 0xc633_6400 | rng.random_range(0..0x400);
        net4(address, rng.random_range(29..=32))
    });
    check("edges", 200, &mut |rng| {
        let edge = *[0, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 0x0100_0000]
            .choose(rng)
            .unwrap();
        net4(edge, rng.random_range(0..=32))
    });
    check("nested", 129, &mut |rng| {
        net6(0x2001_0db8 << 96 | 1, rng.random_range(0..=128))
    });
    check("neighbours", 3_000, &mut |rng| {
        let unit: u128 = 0x2001_0db8_0007 << 80;
        let high = u128::from(rng.random_range(0..2_u8)) << 64;
        let low = u128::from(rng.random_range(0..0x2000_u16));
        net6(unit | high | low, rng.random_range(124..=128))
    });
    check("edges", 400, &mut |rng| {
        let edge = *[0, u128::MAX, 1 << 127, (1 << 127) - 1, 1 << 80]
            .choose(rng)
            .unwrap();
        net6(edge, rng.random_range(0..=128))
    });
}

/// A list of so many prefixes as `draw` draws them, and changes of it.
fn check(name: &str, count: usize, draw: &mut dyn FnMut(&mut StdRng) -> IpNet) {
    let seed = number_from_env("FTP_GUARD_SEED", rand::random()).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let now = now_s();
    let mut list = List::new();
    for _ in 0..4 * count {
        if list.len() < count {
            let prefix = draw(&mut rng);
            list.insert(prefix, value(prefix, now, &mut rng));
        }
    }
    let version = list.keys().next().map_or(0, bits);
    ftp_guard_tests::report!(
        "lookup: {name}, {} prefixes of {version} bits, FTP_GUARD_SEED={seed}",
        list.len()
    );
    // Room for the first prefixes, so that larger arrays are needed at some time.
    let few: AllowTable = table(&list).into_iter().take(count / 8).collect();
    let mut guard = Guard::load_for(allow::sizes(&few)).unwrap();
    let mut trie = Trie::load(2 * count);
    let mut installed = List::new();
    for update in 0..=UPDATES {
        if update > 0 {
            change(&mut list, update, now, &mut rng, draw);
        }
        if guard.install_list(&table(&list)).is_err() {
            // The daemon lets programs with larger arrays take the place of these.
            guard = Guard::load_for(allow::sizes(&table(&list))).unwrap();
            guard.install_list(&table(&list)).unwrap();
        }
        trie.follow(&mut installed, &list);
        look_up(&mut guard, &trie, &list, now, &mut rng)
            .unwrap_or_else(|error| panic!("{name}, FTP_GUARD_SEED={seed}, {update}: {error}"));
    }
}

/// Compares what is found of addresses at the edges of prefixes, inside them and anywhere.
fn look_up(
    guard: &mut Guard,
    trie: &Trie,
    list: &List,
    now: u64,
    rng: &mut StdRng,
) -> Result<(), String> {
    let mut policy = Policy::new();
    policy.allow.clone_from(list);
    guard.install(&policy).unwrap();
    let mut ledger = Ledger::new(guard).unwrap();
    let prefixes: Vec<IpNet> = list.keys().copied().collect();
    for _ in 0..ADDRESSES {
        let source = address(*prefixes.choose(rng).unwrap(), rng);
        let frame = tcp_frame(&FrameSpec {
            source,
            destination: match source {
                IpAddr::V4(_) => "192.0.2.1".parse().unwrap(),
                IpAddr::V6(_) => "2001:db8:ffff::1".parse().unwrap(),
            },
            source_port: 40_000,
            destination_port: 21,
            flags: TcpFlags::SYN,
            vlans: Vec::new(),
            payload: Vec::new(),
        });
        let wanted = model::judge(&frame, &policy, now);
        if let Some(mismatch) = ledger.check(&frame, wanted).unwrap() {
            return Err(format!("of {source} the programs say\n{mismatch}"));
        }
        let said = trie.judge(source, now);
        if said != wanted.key.reason {
            return Err(format!("of {source} the trie says {said:?}, {wanted:?}"));
        }
    }
    match ledger.settle().unwrap() {
        None => Ok(()),
        Some(mismatch) => Err(format!("the programs say\n{mismatch}")),
    }
}

/// Entries that come, go and change: a few of them, or a half.
fn change(
    list: &mut List,
    update: usize,
    now: u64,
    rng: &mut StdRng,
    draw: &mut dyn FnMut(&mut StdRng) -> IpNet,
) {
    let some = match update {
        UPDATES => list.len() / 2,
        _ => list.len().div_ceil(100),
    };
    let keys: Vec<IpNet> = list.keys().copied().collect();
    for _ in 0..some {
        let known = *keys.choose(rng).unwrap();
        match rng.random_range(0..3) {
            0 => {
                list.remove(&known);
            }
            1 => {
                list.insert(known, value(known, now, rng));
            }
            _ => {
                let prefix = draw(rng);
                list.insert(prefix, value(prefix, now, rng));
            }
        }
    }
}

/// Entries that differ in all that entries differ in. Times are far enough from now for the run.
fn value(prefix: IpNet, now: u64, rng: &mut StdRng) -> AllowValue {
    let kind = match rng.random_bool(0.2) {
        true => EntryKind::Exclude,
        false => EntryKind::Allow,
    };
    let now = u32::try_from(now).unwrap();
    AllowValue {
        expires_s: match rng.random_range(0..10) {
            0..7 => 0,
            7 => now - rng.random_range(1..4),
            _ => now + 100_000 + rng.random_range(0..4),
        },
        profile: match kind {
            EntryKind::Exclude => 0,
            EntryKind::Allow => rng.random_range(0..3),
        },
        prefix_len: prefix.prefix_len(),
        kind: kind as u8,
    }
}

/// At the edge of a prefix, beside it, inside it, or anywhere.
fn address(prefix: IpNet, rng: &mut StdRng) -> IpAddr {
    let turn = rng.random_range(0..6);
    match prefix {
        IpNet::V4(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            Ipv4Addr::from_bits(match turn {
                0 => first,
                1 => last,
                2 => first.wrapping_sub(1),
                3 => last.wrapping_add(1),
                4 => rng.random_range(first..=last),
                _ => rng.random(),
            })
            .into()
        }
        IpNet::V6(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            Ipv6Addr::from_bits(match turn {
                0 => first,
                1 => last,
                2 => first.wrapping_sub(1),
                3 => last.wrapping_add(1),
                4 => rng.random_range(first..=last),
                _ => rng.random::<u128>() >> 3 | 1 << 125,
            })
            .into()
        }
    }
}

/// The kernel's longest-prefix tries.
struct Trie {
    ebpf: Ebpf,
}

impl Trie {
    fn load(entries: usize) -> Self {
        let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trie.o"));
        let entries = u32::try_from(entries + 64).unwrap();
        let ebpf = EbpfLoader::new()
            .map_max_entries("TRIE_V4", entries)
            .map_max_entries("TRIE_V6", entries)
            .load(object)
            .unwrap();
        Self { ebpf }
    }

    fn follow(&mut self, installed: &mut List, wanted: &List) {
        for prefix in installed.keys() {
            if !wanted.contains_key(prefix) {
                self.set(prefix, None);
            }
        }
        for (prefix, value) in wanted {
            if installed.get(prefix) != Some(value) {
                self.set(prefix, Some(*value));
            }
        }
        installed.clone_from(wanted);
    }

    fn set(&mut self, prefix: &IpNet, value: Option<AllowValue>) {
        let length = u32::from(prefix.prefix_len());
        match prefix {
            IpNet::V4(net) => {
                let map = self.ebpf.map_mut("TRIE_V4").unwrap();
                let mut trie: LpmTrie<&mut MapData, [u8; 4], AllowValue> = map.try_into().unwrap();
                let key = Key::new(length, net.network().octets());
                match value {
                    Some(value) => trie.insert(&key, value, 0).unwrap(),
                    None => trie.remove(&key).unwrap(),
                }
            }
            IpNet::V6(net) => {
                let map = self.ebpf.map_mut("TRIE_V6").unwrap();
                let mut trie: LpmTrie<&mut MapData, [u8; 16], AllowValue> = map.try_into().unwrap();
                let key = Key::new(length, net.network().octets());
                match value {
                    Some(value) => trie.insert(&key, value, 0).unwrap(),
                    None => trie.remove(&key).unwrap(),
                }
            }
        }
    }

    /// What the longest prefix of at most `length` bits says.
    fn get(&self, source: IpAddr, length: u32) -> Option<AllowValue> {
        match source {
            IpAddr::V4(source) => {
                let map = self.ebpf.map("TRIE_V4").unwrap();
                let trie: LpmTrie<&MapData, [u8; 4], AllowValue> = map.try_into().unwrap();
                trie.get(&Key::new(length, source.octets()), 0).ok()
            }
            IpAddr::V6(source) => {
                let map = self.ebpf.map("TRIE_V6").unwrap();
                let trie: LpmTrie<&MapData, [u8; 16], AllowValue> = map.try_into().unwrap();
                trie.get(&Key::new(length, source.octets()), 0).ok()
            }
        }
    }

    fn judge(&self, source: IpAddr, now: u64) -> Reason {
        let mut length = u32::from(IpNet::from(source).prefix_len());
        let mut unlisted = Reason::NotListed;
        while let Some(entry) = self.get(source, length) {
            if !entry.expired(now) {
                return match entry.excludes() {
                    true => Reason::Excluded,
                    false => Reason::Listed,
                };
            }
            unlisted = Reason::Expired;
            match entry.prefix_len {
                0 => break,
                shorter => length = u32::from(shorter) - 1,
            }
        }
        unlisted
    }
}

fn table(list: &List) -> AllowTable {
    list.iter()
        .map(|(prefix, value)| (*prefix, *value))
        .collect()
}

fn bits(prefix: &IpNet) -> u8 {
    prefix.max_prefix_len()
}

fn net4(address: u32, length: u8) -> IpNet {
    Ipv4Net::new_assert(address.into(), length).trunc().into()
}

fn net6(address: u128, length: u8) -> IpNet {
    Ipv6Net::new_assert(address.into(), length).trunc().into()
}

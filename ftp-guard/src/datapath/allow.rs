//! The allowlist's arrays, mapped into memory, and what is written into them.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{Relaxed, Release},
        },
    },
    thread,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData},
};
use ftp_guard_common::{
    allow::{AllowCounts, AllowValue},
    lookup::{
        lines::{LANES, LINES_WORDS},
        outcome, v4, v6,
    },
    names,
};
use ipnet::IpNet;

use super::{
    error::DatapathError,
    load,
    mapped::{Mapped, Word},
    pins::Pins,
};
use crate::engine::{
    allowlist::AllowTable,
    lookup::{Full, Lookup, Regions, Sizes},
};

/// How much memory the allowlist takes, and what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowMemory {
    /// Bytes of all arrays.
    pub bytes: u64,
    /// Bytes of them in use. Arrays whose size does not depend on the list count whole.
    pub used: u64,
    /// Entries of IPv4, exclusions included.
    pub entries_v4: u32,
    /// Entries of IPv6, exclusions included.
    pub entries_v6: u32,
}

/// The allowlist of one loaded object.
pub struct Allow {
    lookup: Lookup,
    counts: Mapped<AtomicU32>,
    table: AllowTable,
}

impl Allow {
    /// The numbers of entries that the arrays are made with, by name, as the loader wants them.
    #[must_use]
    pub fn entries(sizes: Sizes) -> [(&'static str, u32); 4] {
        [
            (names::ALLOW_V4_LINES_MAP, sizes.lines_v4),
            (names::ALLOW_V4_POOL_MAP, sizes.pool_v4),
            (names::ALLOW_V6_LINES_MAP, sizes.lines_v6),
            (names::ALLOW_V6_POOL_MAP, sizes.pool_v6),
        ]
    }

    /// Maps the arrays of an object that has just been loaded.
    ///
    /// # Errors
    ///
    /// An object without them; the kernel refuses.
    pub fn of(ebpf: &Ebpf) -> Result<Self, DatapathError> {
        Self::open(ebpf, false)
    }

    /// As [`Allow::of`], of an object that has been in use and is not any more: the arrays are emptied.
    ///
    /// # Errors
    ///
    /// As [`Allow::of`].
    pub fn emptied(ebpf: &Ebpf) -> Result<Self, DatapathError> {
        Self::open(ebpf, true)
    }

    fn open(ebpf: &Ebpf, clear: bool) -> Result<Self, DatapathError> {
        let regions = Regions {
            rows: region(ebpf, names::ALLOW_ROWS_MAP, outcome::ROWS, clear)?,
            known_v4: region(ebpf, names::ALLOW_V4_KNOWN_MAP, v4::KNOWN_WORDS, clear)?,
            root_v4: region(ebpf, names::ALLOW_V4_ROOT_MAP, v4::ROOTS, clear)?,
            bits_v4: region(ebpf, names::ALLOW_V4_BITS_MAP, v4::GROUPS, clear)?,
            lines_v4: pool(ebpf, names::ALLOW_V4_LINES_MAP, LANES as u32, clear)?,
            pool_v4: pool(ebpf, names::ALLOW_V4_POOL_MAP, 1, clear)?,
            head_v4: region(ebpf, names::ALLOW_V4_HEAD_MAP, LINES_WORDS, clear)?,
            root_v6: region(ebpf, names::ALLOW_V6_ROOT_MAP, v6::ROOTS, clear)?,
            filter_v6: region(ebpf, names::ALLOW_V6_FILTER_MAP, v6::FILTER_WORDS, clear)?,
            lines_v6: pool(ebpf, names::ALLOW_V6_LINES_MAP, LANES as u32, clear)?,
            pool_v6: pool(ebpf, names::ALLOW_V6_POOL_MAP, 1, clear)?,
            head_v6: region(ebpf, names::ALLOW_V6_HEAD_MAP, v6::HEAD_WORDS, clear)?,
        };
        let counts = mapped(ebpf, names::ALLOW_COUNTS_MAP, 2)?;
        Ok(Self {
            lookup: Lookup::new(regions, Arc::new(grace)),
            counts,
            table: AllowTable::default(),
        })
    }

    /// What is applied.
    #[must_use]
    pub fn table(&self) -> &AllowTable {
        &self.table
    }

    /// Makes the programs find what `wanted` says, of which `changed` are the prefixes that the table before has
    /// not or has with another value, and those that it has alone.
    ///
    /// # Errors
    ///
    /// [`Full`]: nothing has changed, and larger arrays are needed.
    pub fn update(&mut self, wanted: &AllowTable, changed: &[IpNet]) -> Result<(), Full> {
        self.lookup.update(wanted.as_slice(), changed)?;
        self.table = wanted.clone();
        let counts = counts(wanted);
        self.counts[0].store(counts.v4, Release);
        self.counts[1].store(counts.v6, Release);
        Ok(())
    }

    /// As [`Allow::update`], of a table that was empty before.
    ///
    /// # Errors
    ///
    /// As [`Allow::update`].
    pub fn fill(&mut self, wanted: &AllowTable) -> Result<(), Full> {
        let all: Vec<IpNet> = wanted.keys().copied().collect();
        self.update(wanted, &all)
    }

    /// The entry that decides about a source at `now_s` (Unix time, seconds), found as the programs find it: the
    /// longest prefix, expired entries stepped over.
    #[must_use]
    pub fn lookup(&self, source: std::net::IpAddr, now_s: u64) -> Option<(IpNet, AllowValue)> {
        deciding(&self.table, source, now_s)
    }

    /// How much memory it takes.
    #[must_use]
    pub fn memory(&self) -> AllowMemory {
        let usage = self.lookup.usage();
        AllowMemory {
            bytes: usage.bytes,
            used: usage.used,
            entries_v4: self.counts[0].load(Relaxed),
            entries_v6: self.counts[1].load(Relaxed),
        }
    }
}

/// What a list needs.
#[must_use]
pub fn sizes(table: &AllowTable) -> Sizes {
    Lookup::sizes(table.as_slice())
}

/// How many entries the pinned allowlist has.
pub(super) fn pinned_counts(pins: &Pins) -> Result<AllowCounts, DatapathError> {
    let failed = |error| DatapathError::kernel("read the size of the allowlist", error);
    let map = MapData::from_pin(pins.map(names::ALLOW_COUNTS_MAP)).map_err(failed)?;
    let map: Array<_, AllowCounts> = Map::Array(map).try_into().map_err(failed)?;
    map.get(&0, 0).map_err(failed)
}

fn counts(table: &AllowTable) -> AllowCounts {
    let [(_, v4), (_, v6)] = table.families();
    AllowCounts {
        v4: v4.len() as u32,
        v6: v6.len() as u32,
    }
}

fn deciding(
    table: &AllowTable,
    source: std::net::IpAddr,
    now_s: u64,
) -> Option<(IpNet, AllowValue)> {
    let host = IpNet::from(source);
    let exact = table.get(&host).map(|value| (host, *value));
    let (mut entry, mut value) = exact.or_else(|| table.around(&host))?;
    while value.expired(now_s) {
        (entry, value) = table.around(&entry)?;
    }
    Some((entry, value))
}

/// Returns when no program can read any more what it could read at the call.
///
/// A program runs in a read-side section of RCU. The kernel waits for those that run as part of this call;
/// where it does not offer that (CPUs without ticks, a filter of system calls), time serves: a program has at most a
/// million instructions.
fn grace() {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: the call takes no memory.
    let done = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if done != 0 {
        thread::sleep(Duration::from_millis(50));
    }
}

/// Maps the first words of an object's array into memory.
fn mapped<T>(ebpf: &Ebpf, name: &'static str, words: u32) -> Result<Mapped<T>, DatapathError> {
    match ebpf.map(name) {
        Some(Map::Array(map)) => Mapped::of(map, name, words as usize),
        _ => Err(load::missing(name)),
    }
}

fn region<T: Word>(
    ebpf: &Ebpf,
    name: &'static str,
    words: u32,
    clear: bool,
) -> Result<Box<dyn Deref<Target = [T]> + Send>, DatapathError> {
    let mapped = mapped(ebpf, name, words)?;
    if clear {
        mapped.iter().for_each(T::clear);
    }
    Ok(Box::new(mapped))
}

/// An array of as many values as the loader has made it for, of `words` each.
fn pool(
    ebpf: &Ebpf,
    name: &'static str,
    words: u32,
    clear: bool,
) -> Result<Box<dyn Deref<Target = [AtomicU64]> + Send>, DatapathError> {
    let Some(Map::Array(map)) = ebpf.map(name) else {
        return Err(load::missing(name));
    };
    let entries = map
        .info()
        .map_err(|error| DatapathError::kernel(format!("examine the map {name}"), error))?
        .max_entries();
    region(ebpf, name, entries * words, clear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(prefixes: &[&str]) -> AllowTable {
        let value = AllowValue {
            expires_s: 0,
            profile: 0,
            prefix_len: 0,
            kind: 0,
        };
        prefixes
            .iter()
            .map(|prefix| (prefix.parse().unwrap(), value))
            .collect()
    }

    #[test]
    fn the_narrowest_entry_around_is_found_past_those_beside() {
        let table = table(&[
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.3.7/32",
            "2001:db8::/32",
            "2001:db8:1::1/128",
        ]);
        for (source, wanted) in [
            ("10.1.2.9", Some("10.1.2.0/24")),
            ("10.1.3.7", Some("10.1.3.7/32")),
            ("10.1.3.8", Some("10.1.0.0/16")),
            ("10.200.0.1", Some("10.0.0.0/8")),
            ("11.0.0.0", None),
            ("9.255.255.255", None),
            ("2001:db8:ffff::1", Some("2001:db8::/32")),
            ("2001:db8:1::1", Some("2001:db8:1::1/128")),
            ("2001:db7::", None),
            ("::", None),
        ] {
            let source: std::net::IpAddr = source.parse().unwrap();
            let found = deciding(&table, source, 0).map(|(prefix, _)| prefix);
            assert_eq!(
                found,
                wanted.map(|prefix| prefix.parse().unwrap()),
                "{source}"
            );
        }
    }

    #[test]
    fn the_grace_ends() {
        grace();
    }
}

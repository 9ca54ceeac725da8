//! Long lists while packets come as fast as a CPU can make them: what stays listed is never absent, and what is not
//! listed never passes, through small changes, large ones, and arrays that grow.

use std::{
    fs,
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use ftp_guard_tests::{
    lab::{
        Family,
        flood::{Rig, RigFlood},
        guard::{Guard, Settings},
        wait_until,
    },
    lists::{self, Shape},
};
use ipnet::IpNet;

/// Prefixes of each family that all lists have.
const LASTING: usize = 500;
/// Prefixes of each family that come and go, and how many one change replaces.
const OTHERS: usize = 2_500;
const REPLACED: usize = 30;
/// Entries of each family of the list that the first arrays have no room for.
const LONG: usize = 40_000;
/// Addresses of each family that send.
const POOL: usize = 1 << 14;
/// Small changes.
const CHANGES: usize = 8;
/// Bursts of the flood that come while the list changes a little.
const BURSTS: usize = 2 * CHANGES;
/// Processor time of a burst.
const BURST: Duration = Duration::from_millis(60);
/// Frames of others in all that time.
const FOREIGN: u64 = 32;
/// Time for a list to be in force.
const LIMIT: Duration = Duration::from_secs(60);

/// Lists, and who sends.
struct Lists {
    lasting: Vec<IpNet>,
    others: Vec<IpNet>,
}

impl Lists {
    fn new() -> Self {
        let of = |count, seed| {
            let mut list = lists::v4(count, Shape::Random, seed);
            list.extend(lists::v6(count, Shape::Clustered, seed));
            list
        };
        let lasting = of(LASTING, 1);
        // Nothing else may speak of who lasts, nor of strangers.
        let mut others = of(LONG, 2);
        others.retain(|net| {
            let apart = |other: &IpNet| !net.contains(other) && !other.contains(net);
            lasting.iter().all(apart) && strangers().iter().all(apart)
        });
        // Both families in each part.
        others.sort_by_key(fold);
        Self { lasting, others }
    }

    /// The lasting ones, and those of the others that are in a range.
    fn text(&self, others: std::ops::Range<usize>) -> String {
        let last = others.end.min(self.others.len());
        let some = &self.others[others.start..last];
        let all: Vec<IpNet> = self.lasting.iter().chain(some).copied().collect();
        lists::text(&all).join("\n") + "\n"
    }

    fn pool(&self, family: Family) -> Vec<IpAddr> {
        let list: Vec<IpNet> = self
            .lasting
            .iter()
            .filter(|net| net.addr().is_ipv6() == (family == Family::V6))
            .copied()
            .collect();
        lists::inside(&list, POOL, 3)
    }
}

/// Networks that no list has.
fn strangers() -> [IpNet; 2] {
    [
        IpNet::new_assert([203, 0, 113, 0].into(), 24),
        IpNet::new_assert([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into(), 32),
    ]
}

/// Some number of a prefix.
fn fold(net: &IpNet) -> u64 {
    let bits = match net.network() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64 ^ address.to_bits() as u64,
    };
    bits.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Frames that have arrived: of those who are on all lists, and of those who are on none.
#[derive(Default)]
struct Sent {
    lasting: u64,
    strangers: u64,
}

/// What is sent, in turns.
struct Traffic<'a> {
    rig: &'a Rig,
    lasting: [RigFlood; 2],
    strangers: [RigFlood; 2],
}

impl Traffic<'_> {
    /// A burst of each.
    fn burst(&mut self, sent: &mut Sent) -> Result<()> {
        for (lasting, stranger) in self.lasting.iter_mut().zip(&mut self.strangers) {
            sent.lasting += lasting.turn(self.rig, BURST)?.frames;
            sent.strangers += stranger.turn(self.rig, BURST / 4)?.frames;
        }
        Ok(())
    }
}

#[test]
fn lists_change_and_grow_under_a_flood_without_a_wrong_verdict() -> Result<()> {
    let rig = Rig::new(0)?;
    let lists = Lists::new();
    let list = lists.text(0..OTHERS).lines().map(str::to_owned).collect();
    let mut guard = Guard::start(
        &rig.server,
        Settings {
            interfaces: vec![Rig::INTERFACE.to_owned()],
            list,
            max_entries: 100_000,
            ..Settings::default()
        },
    )?;
    // The port of active data: a connection request there is refused right after the look-up, with another reason
    // when the sender is listed.
    let flood = |family, sources: &[IpNet], pool: &[IpAddr]| rig.flood(family, 20, sources, pool);
    let [v4, v6] = strangers();
    let mut traffic = Traffic {
        rig: &rig,
        lasting: [
            flood(Family::V4, &[v4], &lists.pool(Family::V4))?,
            flood(Family::V6, &[v6], &lists.pool(Family::V6))?,
        ],
        strangers: [
            flood(Family::V4, &[v4], &[])?,
            flood(Family::V6, &[v6], &[])?,
        ],
    };
    // Preparing a flood sends a frame.
    let before = counts(&guard)?;

    let mut sent = Sent::default();
    let bursts = AtomicUsize::new(0);
    let changes = thread::scope(|scope| {
        let reloads = scope.spawn(|| reloads(&mut guard, &lists, &bursts));
        while !reloads.is_finished() {
            traffic.burst(&mut sent)?;
            bursts.fetch_add(1, Ordering::Relaxed);
        }
        reloads
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let after = counts(&guard)?;
    let [listed, unlisted, other, passed, foreign] =
        std::array::from_fn(|at| after[at] - before[at]);
    ftp_guard_tests::report!(
        "lists: {} frames of listed sources and {} of others through {} reloads",
        sent.lasting,
        sent.strangers,
        changes + 3
    );
    // What the attacker's own stack says now and then (IPv6 looks for routers) is among the frames that arrived.
    let arrived = sent.lasting + sent.strangers;
    ensure!(
        other == 0
            && passed == 0
            && foreign <= FOREIGN
            && (arrived - foreign..=arrived).contains(&(listed + unlisted))
            && listed <= sent.lasting
            && unlisted <= sent.strangers,
        "refused as listed {listed}, as not listed {unlisted}, otherwise {other}; passed {passed}, and {foreign} of \
         others; of {} and {}",
        sent.lasting,
        sent.strangers
    );
    Ok(())
}

/// Small changes, at least [`CHANGES`] and until a few bursts have come, then more than the arrays have room for, then a
/// few entries again. How many small changes there were.
fn reloads(guard: &mut Guard, lists: &Lists, bursts: &AtomicUsize) -> Result<usize> {
    let mut changes = 0;
    while changes < CHANGES || bursts.load(Ordering::Relaxed) < BURSTS {
        ensure!(changes < 20 * CHANGES, "there is no flood");
        changes += 1;
        let first = changes * REPLACED;
        reload(guard, &lists.text(first..first + OTHERS))?;
    }
    reload(guard, &lists.text(0..2 * LONG))?;
    let said = guard.daemon()?.stderr();
    ensure!(said.contains("moves to larger arrays"), "{said}");
    reload(guard, &lists.text(0..1))?;
    reload(guard, &lists.text(0..OTHERS))?;
    Ok(changes)
}

fn reload(guard: &mut Guard, text: &str) -> Result<()> {
    let target = guard.folder().outside(&guard.settings().list_file());
    fs::write(&target, text)?;
    guard.ask(&["reload"])?;
    let lines = text.lines().count() as u64;
    wait_until("the kernel holds the list", LIMIT, || {
        let list = &guard.status()?["allowlist"];
        let held = list["ipv4"].as_u64().unwrap_or(0) + list["ipv6"].as_u64().unwrap_or(0);
        Ok((held == lines).then_some(()))
    })
}

/// Frames that the guard refused as listed ones, as not listed ones, and for other reasons; those for ports of FTP
/// that it let pass, and all others.
fn counts(guard: &Guard) -> Result<[u64; 5]> {
    let all = guard.dropped()?;
    let of = |reason: &str| all.get(reason).copied().unwrap_or(0);
    let (listed, unlisted) = (of("active_data_syn"), of("not_listed"));
    let passed = guard.counted(&[("verdict", "pass")])?;
    let foreign = guard.counted(&[("verdict", "pass"), ("class", "other")])?;
    Ok([
        listed,
        unlisted,
        all.values().sum::<u64>() - listed - unlisted,
        passed - foreign,
        foreign,
    ])
}

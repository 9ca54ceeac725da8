//! The embedded kernel program with private maps, run frame by frame through `BPF_PROG_TEST_RUN`.

use std::{collections::BTreeMap, os::fd::AsFd};

use anyhow::{Context, bail, ensure};
use aya::{
    Ebpf, EbpfLoader, TestRun, TestRunOptions,
    maps::{Array, LpmTrie, Map, MapData, lpm_trie::Key},
    programs::Xdp,
};
use ftp_guard_common::{
    allow::AllowValue,
    config::GuardConfig,
    names,
    ports::PortTable,
    stats::{Counter, STATS_LEN, StatsKey},
    trace::{TRACE_GLOBAL, TRACE_OFF},
};
use ipnet::IpNet;

use crate::{policy::Policy, sys};

/// Return value of an XDP program that discards the frame.
pub const XDP_DROP: u32 = 1;
/// Return value of an XDP program that hands the frame on to the stack.
pub const XDP_PASS: u32 = 2;

/// What the program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it returned `XDP_PASS`; else it was `XDP_DROP`.
    pub passed: bool,
    /// By how much each counter cell moved, by index; cells that did not move are left out.
    pub moved: BTreeMap<u32, Counter>,
}

impl Outcome {
    /// The one cell that moved, and by how much.
    ///
    /// # Errors
    ///
    /// Another number of cells moved, or the cell belongs to no key.
    pub fn only_cell(&self) -> anyhow::Result<(StatsKey, Counter)> {
        ensure!(
            self.moved.len() == 1,
            "{} counter cells moved: {:?}",
            self.moved.len(),
            self.moved
        );
        let (index, counter) = self.moved.iter().next().context("no cell")?;
        let key = StatsKey::all()
            .find(|key| key.index() == *index)
            .with_context(|| format!("cell {index} belongs to no key"))?;
        Ok((key, *counter))
    }
}

/// A loaded program with maps of its own; nothing is pinned or attached.
pub struct Guard {
    ebpf: Ebpf,
    cpus: usize,
    installed: BTreeMap<IpNet, AllowValue>,
}

impl Guard {
    /// Loads the embedded object, with an empty allowlist and a port table of zeros.
    ///
    /// # Errors
    ///
    /// What aya or the kernel says: without privilege the load fails.
    pub fn load() -> anyhow::Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .override_global(TRACE_GLOBAL, &TRACE_OFF, true)
            .load(ftp_guard::datapath::object::bytes())
            .context("cannot load the kernel object (root is needed)")?;
        let program: &mut Xdp = ebpf
            .program_mut(names::XDP_PROGRAM)
            .with_context(|| format!("the object has no program {}", names::XDP_PROGRAM))?
            .try_into()?;
        program.load().context("the kernel refuses the program")?;
        let cpus =
            aya::util::nr_cpus().map_err(|(file, error)| anyhow::anyhow!("{file}: {error}"))?;
        Ok(Self {
            ebpf,
            cpus,
            installed: BTreeMap::new(),
        })
    }

    /// Loads the embedded object and installs a policy.
    ///
    /// # Errors
    ///
    /// As [`Guard::load`] and [`Guard::install`].
    pub fn with(policy: &Policy) -> anyhow::Result<Self> {
        let mut guard = Self::load()?;
        guard.install(policy)?;
        Ok(guard)
    }

    /// Makes the maps say what the policy says; the clock is the host's.
    ///
    /// # Errors
    ///
    /// A map that is missing or of another kind, or what the kernel says.
    pub fn install(&mut self, policy: &Policy) -> anyhow::Result<()> {
        self.set_config(GuardConfig {
            mode: policy.mode as u32,
            tai_offset_ns: sys::tai_offset_s()? * 1_000_000_000,
            ..GuardConfig::default()
        })?;
        let mut ports: Array<&mut MapData, PortTable> =
            map_mut(&mut self.ebpf, names::PORTS_MAP)?.try_into()?;
        ports.set(0, *policy.ports, 0)?;

        for prefix in self.installed.keys() {
            if !policy.allow.contains_key(prefix) {
                change_entry(&mut self.ebpf, *prefix, None)?;
            }
        }
        for (prefix, value) in &policy.allow {
            if self.installed.get(prefix) != Some(value) {
                change_entry(&mut self.ebpf, *prefix, Some(*value))?;
            }
        }
        self.installed = policy.allow.clone();
        Ok(())
    }

    /// Overwrites the configuration block.
    ///
    /// # Errors
    ///
    /// As [`Guard::install`].
    pub fn set_config(&mut self, config: GuardConfig) -> anyhow::Result<()> {
        let mut block: Array<&mut MapData, GuardConfig> =
            map_mut(&mut self.ebpf, names::CONFIG_MAP)?.try_into()?;
        block.set(0, config, 0)?;
        Ok(())
    }

    /// The program, to attach or to time it.
    ///
    /// # Errors
    ///
    /// The object has no such program.
    pub fn program(&mut self) -> anyhow::Result<&mut Xdp> {
        Ok(self
            .ebpf
            .program_mut(names::XDP_PROGRAM)
            .context("the object has no XDP program")?
            .try_into()?)
    }

    /// Runs the program on a frame; returns whether it passes.
    ///
    /// # Errors
    ///
    /// What the kernel says: `EINVAL` for a frame below 14 bytes, which the kernel does not run; or
    /// the program returned neither `XDP_PASS` nor `XDP_DROP`.
    pub fn run(&self, frame: &[u8]) -> anyhow::Result<bool> {
        self.run_linear(frame, None)
    }

    /// As [`Guard::run`], with only the first `linear` bytes of the frame in the linear part of the
    /// buffer and the others in fragments (kernel 6.18; older ones: `EINVAL`).
    ///
    /// # Errors
    ///
    /// As [`Guard::run`].
    pub fn run_linear(&self, frame: &[u8], linear: Option<u32>) -> anyhow::Result<bool> {
        let program: &Xdp = self
            .ebpf
            .program(names::XDP_PROGRAM)
            .context("the object has no XDP program")?
            .try_into()?;
        let context = linear.map(sys::linear_context);
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            ctx_in: context.as_ref().map(|context| context.as_slice()),
            ..TestRunOptions::new()
        })?;
        match result.return_value {
            XDP_PASS => Ok(true),
            XDP_DROP => Ok(false),
            other => bail!("the program returned {other}"),
        }
    }

    /// All counter cells, added up over the CPUs; [`STATS_LEN`] of them.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn table(&self) -> anyhow::Result<Vec<Counter>> {
        sys::counters(self.stats()?.fd().as_fd(), self.cpus).context("cannot read the counters")
    }

    /// One counter cell, added up over the CPUs.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn cell(&self, key: StatsKey) -> anyhow::Result<Counter> {
        let map: aya::maps::PerCpuArray<_, Counter> =
            aya::maps::PerCpuArray::try_from(self.map(names::STATS_MAP)?)?;
        let mut sum = Counter::default();
        for share in map.get(&key.index(), 0)?.iter() {
            sum.packets += share.packets;
            sum.bytes += share.bytes;
        }
        Ok(sum)
    }

    /// Runs the program on a frame and compares the whole counter table before and after.
    ///
    /// # Errors
    ///
    /// As [`Guard::run`].
    pub fn observe(&self, frame: &[u8]) -> anyhow::Result<Outcome> {
        self.observe_run(|guard| guard.run(frame))
    }

    /// Compares the whole counter table before and after `run`.
    ///
    /// # Errors
    ///
    /// What `run` or the kernel says, or a counter that went backwards.
    pub fn observe_run(
        &self,
        run: impl FnOnce(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Outcome> {
        let before = self.table()?;
        let passed = run(self)?;
        let after = self.table()?;
        let mut moved = BTreeMap::new();
        for index in 0..STATS_LEN {
            let (before, after) = (before[index as usize], after[index as usize]);
            if before != after {
                ensure!(
                    after.packets >= before.packets && after.bytes >= before.bytes,
                    "cell {index} went backwards: {before:?}, then {after:?}"
                );
                moved.insert(
                    index,
                    Counter {
                        packets: after.packets - before.packets,
                        bytes: after.bytes - before.bytes,
                    },
                );
            }
        }
        Ok(Outcome { passed, moved })
    }

    fn map(&self, name: &str) -> anyhow::Result<&Map> {
        self.ebpf
            .map(name)
            .with_context(|| format!("the object has no map {name}"))
    }

    fn stats(&self) -> anyhow::Result<&MapData> {
        match self.map(names::STATS_MAP)? {
            Map::PerCpuArray(data) => Ok(data),
            other => bail!("{} is no per-CPU array: {other:?}", names::STATS_MAP),
        }
    }
}

fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Map> {
    ebpf.map_mut(name)
        .with_context(|| format!("the object has no map {name}"))
}

fn change_entry(ebpf: &mut Ebpf, prefix: IpNet, value: Option<AllowValue>) -> anyhow::Result<()> {
    let length = u32::from(prefix.prefix_len());
    match prefix {
        IpNet::V4(prefix) => {
            let mut trie: LpmTrie<&mut MapData, [u8; 4], AllowValue> =
                map_mut(ebpf, names::ALLOW_V4_MAP)?.try_into()?;
            let key = Key::new(length, prefix.network().octets());
            match value {
                Some(value) => trie.insert(&key, value, 0)?,
                None => trie.remove(&key)?,
            }
        }
        IpNet::V6(prefix) => {
            let mut trie: LpmTrie<&mut MapData, [u8; 16], AllowValue> =
                map_mut(ebpf, names::ALLOW_V6_MAP)?.try_into()?;
            let key = Key::new(length, prefix.network().octets());
            match value {
                Some(value) => trie.insert(&key, value, 0)?,
                None => trie.remove(&key)?,
            }
        }
    }
    Ok(())
}

/// Unix time of the host, in seconds.
#[must_use]
pub fn now_s() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

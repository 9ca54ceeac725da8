//! The embedded kernel programs with private maps, run frame by frame through `BPF_PROG_TEST_RUN`.

mod counters;
mod pool;
mod tries;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use aya::{
    Ebpf, EbpfLoader, TestRun, TestRunOptions,
    maps::{Array, HashMap, Map, MapData},
    programs::{SchedClassifier, Xdp},
};
use ftp_guard::{
    datapath::{CommandTable, Hook, allow::Allow},
    engine::{
        allowlist::{AllowTable, Change, plan},
        lookup::Sizes,
    },
};
use ftp_guard_common::{
    ban::BanValue,
    config::GuardConfig,
    limits::{CommandKey, Profile},
    names,
    ports::PortTable,
    trace::{TRACE_GLOBAL, TRACE_OFF},
};
use ipnet::IpNet;

pub use self::counters::Outcome;
use self::{pool::Lease, tries::follow};
use crate::{policy::Policy, state::State, sys};

/// Return value of an XDP program that discards the frame.
pub const XDP_DROP: u32 = 1;
/// Return value of an XDP program that hands the frame on to the stack.
pub const XDP_PASS: u32 = 2;
/// Return value of an XDP program that answers the frame by another one, on the same interface.
pub const XDP_TX: u32 = 3;
/// Return value of a classifier that leaves the packet to the next one: -1.
pub const TC_ACT_UNSPEC: u32 = u32::MAX;
/// Return value of a classifier that discards the packet.
pub const TC_ACT_SHOT: u32 = 2;
/// Return value of a classifier that has made the packet its own answer, on the same interface.
pub const TC_ACT_REDIRECT: u32 = 7;

/// Room for the allowlists of the suites.
const ALLOW_SIZES: Sizes = Sizes {
    lines_v4: 1 << 12,
    pool_v4: 1 << 16,
    lines_v6: 1 << 12,
    pool_v6: 1 << 16,
};

/// What the XDP program did with a frame, and what it made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its return value.
    pub action: u32,
    /// The frame as it left it.
    pub frame: Vec<u8>,
}

/// The loaded programs with maps of their own; nothing is pinned or attached. The program on sockets has
/// no test run.
pub struct Guard {
    ebpf: Lease,
    cpus: usize,
    allow: Allow,
    banned: BTreeMap<IpNet, BanValue>,
    profiles: BTreeMap<u16, Profile>,
    commands: CommandTable,
    /// As [`GuardConfig::allow_generation`], for the next [`Guard::install`].
    pub allow_generation: u32,
    /// As [`GuardConfig::adopt_until_ns`], for the next [`Guard::install`].
    pub adopt_until_ns: u64,
}

impl Guard {
    /// Loads the embedded object, with an empty allowlist and a port table of zeros. Programs that another test
    /// of the same process has loaded and dropped are taken again, with their maps as empty.
    ///
    /// # Errors
    ///
    /// What aya or the kernel says: without privilege the load fails.
    pub fn load() -> anyhow::Result<Self> {
        let ebpf = Lease::take(|| Self::load_programs(ALLOW_SIZES))?;
        Self::of(ebpf)
    }

    /// As [`Guard::load`], with the allowlist's arrays of these sizes, and of programs that no other test has had.
    ///
    /// # Errors
    ///
    /// As [`Guard::load`].
    pub fn load_for(sizes: Sizes) -> anyhow::Result<Self> {
        Self::of(Lease::only(Self::load_programs(sizes)?))
    }

    fn of(ebpf: Lease) -> anyhow::Result<Self> {
        let cpus =
            aya::util::nr_cpus().map_err(|(file, error)| anyhow::anyhow!("{file}: {error}"))?;
        let allow = Allow::of(&ebpf)?;
        Ok(Self {
            ebpf,
            cpus,
            allow,
            banned: BTreeMap::new(),
            profiles: BTreeMap::new(),
            commands: CommandTable::new(),
            allow_generation: 0,
            adopt_until_ns: 0,
        })
    }

    fn load_programs(sizes: Sizes) -> anyhow::Result<Ebpf> {
        let mut loader = EbpfLoader::new();
        loader.override_global(TRACE_GLOBAL, &TRACE_OFF, true);
        for (name, entries) in Allow::entries(sizes) {
            loader.map_max_entries(name, entries);
        }
        let mut ebpf = loader
            .load(ftp_guard::datapath::object::bytes())
            .context("cannot load the kernel object (root is needed)")?;
        let program: &mut Xdp = ebpf
            .program_mut(names::XDP_PROGRAM)
            .with_context(|| format!("the object has no program {}", names::XDP_PROGRAM))?
            .try_into()?;
        program.load().context("the kernel refuses the program")?;
        for hook in Hook::ALL {
            let program: &mut SchedClassifier = ebpf
                .program_mut(hook.program())
                .with_context(|| format!("the object has no program {}", hook.program()))?
                .try_into()?;
            program
                .load()
                .with_context(|| format!("the kernel refuses {}", hook.program()))?;
        }
        Ok(ebpf)
    }

    /// Makes all maps as empty as those of programs that were just loaded.
    ///
    /// # Errors
    ///
    /// What the kernel says, or a map of a kind that nobody has said how to empty.
    pub fn blank(&mut self) -> anyhow::Result<()> {
        self.banned.clear();
        self.profiles.clear();
        self.commands.clear();
        pool::blank(&mut self.ebpf)?;
        self.allow = Allow::of(&self.ebpf)?;
        Ok(())
    }

    /// The names of the maps that hold anything, in order; what is in ring buffers is taken out.
    ///
    /// # Errors
    ///
    /// As [`Guard::blank`].
    pub fn used_maps(&mut self) -> anyhow::Result<Vec<String>> {
        pool::used(&mut self.ebpf)
    }

    /// Puts something into every map but the ring buffers; returns the number of those maps.
    ///
    /// # Errors
    ///
    /// As [`Guard::blank`].
    pub fn soil_maps(&mut self) -> anyhow::Result<usize> {
        pool::soil(&mut self.ebpf)
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
        self.install_bans(policy)?;
        let mut ports: Array<&mut MapData, PortTable> =
            map_mut(&mut self.ebpf, names::PORTS_MAP)?.try_into()?;
        ports.set(0, *policy.ports, 0)?;

        self.install_list(&policy.allow.clone().into_iter().collect())?;
        self.install_commands(&policy.commands)?;
        self.install_profiles(&policy.profiles)
    }

    /// As [`Guard::install`], of the configuration block and the bans alone: what the programs have noted
    /// in the port table stays.
    ///
    /// # Errors
    ///
    /// As [`Guard::install`].
    pub fn install_bans(&mut self, policy: &Policy) -> anyhow::Result<()> {
        self.set_config(GuardConfig {
            tai_offset_ns: sys::tai_offset_s()? * 1_000_000_000,
            allow_generation: self.allow_generation,
            adopt_until_ns: self.adopt_until_ns,
            ..policy.config()
        })?;
        let tries = (names::BAN_V4_MAP, names::BAN_V6_MAP);
        follow(&mut self.ebpf, tries, &mut self.banned, &policy.bans)
    }

    /// Makes the allowlist be this one, as the daemon does.
    ///
    /// # Errors
    ///
    /// A list that does not fit.
    pub fn install_list(&mut self, wanted: &AllowTable) -> anyhow::Result<()> {
        let changed: Vec<IpNet> = plan(self.allow.table(), wanted)
            .into_iter()
            .map(|change| match change {
                Change::Insert(prefix, _) | Change::Remove(prefix) => prefix,
            })
            .collect();
        if self.allow.update(wanted, &changed).is_ok() {
            return Ok(());
        }
        // In the daemon programs with larger arrays take the place of these.
        self.allow = Allow::emptied(&self.ebpf)?;
        Ok(self.allow.fill(wanted)?)
    }

    /// The allowlist, to change it while others run frames.
    pub fn allow_mut(&mut self) -> &mut Allow {
        &mut self.allow
    }

    fn install_commands(&mut self, wanted: &CommandTable) -> anyhow::Result<()> {
        if self.commands == *wanted {
            return Ok(());
        }
        let mut table: HashMap<&mut MapData, CommandKey, u8> =
            map_mut(&mut self.ebpf, names::COMMANDS_MAP)?.try_into()?;
        for gone in self.commands.keys().filter(|it| !wanted.contains_key(*it)) {
            table.remove(gone)?;
        }
        for (key, reason) in wanted {
            table.insert(key, reason, 0)?;
        }
        self.commands.clone_from(wanted);
        Ok(())
    }

    fn install_profiles(&mut self, wanted: &BTreeMap<u16, Profile>) -> anyhow::Result<()> {
        let mut table: Array<&mut MapData, Profile> =
            map_mut(&mut self.ebpf, names::PROFILES_MAP)?.try_into()?;
        let gone = self.profiles.keys().filter(|it| !wanted.contains_key(it));
        for number in gone {
            table.set(u32::from(*number), Profile::default(), 0)?;
        }
        for (number, profile) in wanted {
            if self.profiles.get(number) != Some(profile) {
                table.set(u32::from(*number), profile, 0)?;
            }
        }
        self.profiles.clone_from(wanted);
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
        self.ebpf.keep();
        Ok(self
            .ebpf
            .program_mut(names::XDP_PROGRAM)
            .context("the object has no XDP program")?
            .try_into()?)
    }

    /// A classifier, to attach it.
    ///
    /// # Errors
    ///
    /// The object has no such program.
    pub fn classifier(&mut self, hook: Hook) -> anyhow::Result<&mut SchedClassifier> {
        self.ebpf.keep();
        Ok(self
            .ebpf
            .program_mut(hook.program())
            .with_context(|| format!("the object has no program {}", hook.program()))?
            .try_into()?)
    }

    /// Runs the program on a frame; returns whether it passes.
    ///
    /// # Errors
    ///
    /// What the kernel says: `EINVAL` for a frame below 14 bytes, which the kernel does not run; or
    /// the program returned none of `XDP_PASS`, `XDP_DROP` and `XDP_TX`.
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
        let context = linear.map(sys::linear_context);
        let result = self.xdp()?.test_run(TestRunOptions {
            data_in: Some(frame),
            ctx_in: context.as_ref().map(|context| context.as_slice()),
            ..TestRunOptions::new()
        })?;
        match result.return_value {
            XDP_PASS => Ok(true),
            XDP_DROP | XDP_TX => Ok(false),
            other => bail!("the program returned {other}"),
        }
    }

    /// Runs the program on a frame, and returns what it made of it.
    ///
    /// # Errors
    ///
    /// As [`Guard::run`], but for the return value.
    pub fn transform(&self, frame: &[u8]) -> anyhow::Result<Ran> {
        // More than any frame that the suites transform.
        let mut output = vec![0; 4096];
        let result = self.xdp()?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut output),
            ..TestRunOptions::new()
        })?;
        output.truncate(result.data_size_out as usize);
        Ok(Ran {
            action: result.return_value,
            frame: output,
        })
    }

    fn xdp(&self) -> anyhow::Result<&Xdp> {
        Ok(self
            .ebpf
            .program(names::XDP_PROGRAM)
            .context("the object has no XDP program")?
            .try_into()?)
    }

    /// The state tables, to prepare and to read.
    pub fn state(&mut self) -> State<'_> {
        State::of(&mut self.ebpf)
    }

    /// Runs the egress classifier on a frame, with its Ethernet header; returns whether it goes on.
    ///
    /// # Errors
    ///
    /// As [`Guard::run`]; the program returned none of `TC_ACT_UNSPEC`, `TC_ACT_SHOT` and `TC_ACT_REDIRECT`.
    pub fn run_egress(&self, frame: &[u8]) -> anyhow::Result<bool> {
        self.run_classifier(Hook::Egress, frame)
    }

    /// Runs the ingress classifier, as [`Guard::run_egress`].
    ///
    /// # Errors
    ///
    /// As [`Guard::run_egress`].
    pub fn run_control(&self, frame: &[u8]) -> anyhow::Result<bool> {
        self.run_classifier(Hook::Control, frame)
    }

    fn run_classifier(&self, hook: Hook, frame: &[u8]) -> anyhow::Result<bool> {
        let result = self.tc(hook)?.test_run(TestRunOptions {
            data_in: Some(frame),
            ..TestRunOptions::new()
        })?;
        match result.return_value {
            TC_ACT_UNSPEC => Ok(true),
            TC_ACT_SHOT | TC_ACT_REDIRECT => Ok(false),
            other => bail!("{} returned {other}", hook.program()),
        }
    }

    /// Runs the ingress classifier on a frame, and returns what it made of it.
    ///
    /// # Errors
    ///
    /// As [`Guard::run_egress`], but for the return value.
    pub fn transform_control(&self, frame: &[u8]) -> anyhow::Result<Ran> {
        // More than any frame that the suites transform.
        let mut output = vec![0; 4096];
        let result = self.tc(Hook::Control)?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut output),
            ..TestRunOptions::new()
        })?;
        output.truncate(result.data_size_out as usize);
        Ok(Ran {
            action: result.return_value,
            frame: output,
        })
    }

    fn tc(&self, hook: Hook) -> anyhow::Result<&SchedClassifier> {
        Ok(self
            .ebpf
            .program(hook.program())
            .with_context(|| format!("the object has no program {}", hook.program()))?
            .try_into()?)
    }

    fn map(&self, name: &str) -> anyhow::Result<&Map> {
        self.ebpf
            .map(name)
            .with_context(|| format!("the object has no map {name}"))
    }

    fn stats(&self, name: &str) -> anyhow::Result<&MapData> {
        match self.map(name)? {
            Map::PerCpuArray(data) => Ok(data),
            other => bail!("{name} is no per-CPU array: {other:?}"),
        }
    }
}

fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Map> {
    ebpf.map_mut(name)
        .with_context(|| format!("the object has no map {name}"))
}

/// Unix time of the host, in seconds.
#[must_use]
pub fn now_s() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

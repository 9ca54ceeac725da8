//! Floods of a kernel program: live frames of `BPF_PROG_TEST_RUN` (kernel 5.18).

use std::{
    io,
    net::IpAddr,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aya::{
    Ebpf, EbpfLoader, Pod, TestRun, TestRunAttrs, TestRunOptions,
    maps::{Array, Map},
    programs::{ProgramError, Xdp},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

use super::recipe::{
    Prepared, Recipe,
    program::{FLAG_POOL, FRAME_WORDS, Source, Template},
};
use crate::{lab::Host, sys};

/// Names in the object.
const PROGRAM: &str = "ftpg_flood";
const TEMPLATE_MAP: &str = "FLOOD_TEMPLATE";
const SOURCES_MAP: &str = "FLOOD_SOURCES";
const POOL_MAP: &str = "FLOOD_POOL";

/// No flood lasts longer, whatever it is told.
const LONGEST: Duration = Duration::from_secs(180);
/// Frames that are sent before the receiver is asked to take them: less than the 256 of veth's ring,
/// which loses the rest.
const BATCH: u32 = 64;
/// Frames of a system call at full speed: some 10 ms.
const FULL_CALL: u32 = 1 << 15;
/// Time between two system calls of a paced flood. Each call makes a pool of pages and takes some 100 us
/// for that.
const TICK: Duration = Duration::from_millis(2);
/// A flood that was kept from sending for longer does not make up for it: the burst would be another
/// flood than the one asked for.
const BACKLOG: Duration = Duration::from_millis(50);

/// How fast a flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As fast as one CPU can send.
    Full,
    /// So many frames a second.
    PerSecond(u32),
}

/// What a flood has sent.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// Frames.
    pub frames: u64,
    /// From the first to the last.
    pub time: Duration,
}

impl Offered {
    /// Frames a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.frames as f64 / self.time.as_secs_f64()
    }
}

/// A flood that goes on until its time is over, it is stopped, or dropped.
pub struct Generator {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    spent_ns: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<Duration>>>,
}

impl Generator {
    /// Starts a flood that leaves `host` by `interface`, for `time` at the most. It stays on one CPU,
    /// when one is named; the peer of a veth takes the frames there too.
    ///
    /// # Errors
    /// When the program does not load, or a first frame cannot be sent.
    pub fn start(
        host: &Host,
        interface: &str,
        recipe: &Recipe,
        rate: Rate,
        time: Duration,
        cpu: Option<usize>,
    ) -> Result<Self> {
        ensure!(time <= LONGEST, "a flood of {time:?}");
        let index = host.enter(|| nix::net::if_::if_nametoindex(interface));
        let index = index.with_context(|| format!("{} has no {interface}", host.name()))?;
        let prepared = recipe.prepare()?;
        let mut ebpf = load(&prepared, index, &[])?;
        let length = 8 * prepared.words as usize;
        // What is wrong with the program or the interface shows now.
        host.enter(|| send(&mut ebpf, length, 1))?;

        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(1));
        let spent_ns = Arc::new(AtomicU64::new(0));
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let spent = Arc::clone(&spent_ns);
        let thread = host.thread(move || {
            if let Some(cpu) = cpu {
                stay_on(cpu)?;
            }
            let mut debt = match rate {
                Rate::Full => None,
                Rate::PerSecond(rate) => Some(Debt { rate, settled: 0 }),
            };
            let start = Instant::now();
            while !stopped.load(Ordering::Relaxed) && start.elapsed() < time {
                let frames = debt
                    .as_mut()
                    .map_or(FULL_CALL, |debt| debt.take(start.elapsed()));
                if frames == 0 {
                    thread::sleep(TICK);
                    continue;
                }
                send(&mut ebpf, length, frames)?;
                counter.fetch_add(frames.into(), Ordering::Relaxed);
                let time = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
                spent.store(u64::try_from(time.as_nanos())?, Ordering::Relaxed);
            }
            Ok(start.elapsed())
        });
        Ok(Self {
            stop,
            sent,
            spent_ns,
            thread: Some(thread),
        })
    }

    /// How many frames were sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Processor time that it has spent so far. The peer of a veth takes the frames in that time too, but
    /// for those that the kernel leaves to its thread for such work.
    #[must_use]
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed))
    }

    /// Whether it still sends.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let thread = self.thread.as_ref();
        thread.is_some_and(|thread| !thread.is_finished())
    }

    /// Ends the flood.
    ///
    /// # Errors
    /// When sending failed before.
    pub fn stop(mut self) -> Result<Offered> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the flood has ended")?;
        let time = thread
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))?;
        let frames = self.sent();
        Ok(Offered { frames, time })
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever drops a flood does not ask how it went.
            let _ = thread.join();
        }
    }
}

/// What a paced flood owes.
struct Debt {
    rate: u32,
    /// Frames that were sent, and those that are owed no longer.
    settled: u64,
}

impl Debt {
    /// How many frames are due after `elapsed`; 0 until there is a tick's worth of them.
    fn take(&mut self, elapsed: Duration) -> u32 {
        let frames =
            |time: Duration| (u128::from(self.rate) * time.as_nanos() / 1_000_000_000) as u64;
        let owed = frames(elapsed).saturating_sub(self.settled);
        if owed < frames(TICK).max(1) {
            return 0;
        }
        self.settled += owed;
        u32::try_from(owed.min(frames(BACKLOG))).unwrap_or(u32::MAX)
    }
}

pub(super) fn load(prepared: &Prepared, interface: u32, pool: &[IpAddr]) -> Result<Ebpf> {
    let words = pool_words(pool);
    let pool_count = u32::try_from(pool.len())?;
    let flags = match pool {
        [] => prepared.flags,
        _ => prepared.flags | FLAG_POOL,
    };
    let sources = u32::try_from(prepared.sources.len())?;
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/flood.o"));
    let mut ebpf = EbpfLoader::new()
        .override_global("INTERFACE", &interface, true)
        .override_global("WORDS", &prepared.words, true)
        .override_global("NETWORK", &prepared.network, true)
        .override_global("TRANSPORT", &prepared.transport, true)
        .override_global("SOURCE_COUNT", &sources, true)
        .override_global("PORT_COUNT", &prepared.port_count, true)
        .override_global("FLAGS", &flags, true)
        .override_global("POOL_COUNT", &pool_count, true)
        .map_max_entries(POOL_MAP, u32::try_from(words.len().max(1))?)
        .load(object)
        .context("cannot load the program of floods (root is needed)")?;
    let map = ebpf.map_mut(TEMPLATE_MAP).context("no template")?;
    Array::try_from(map)?.set(0, prepared.template, 0)?;
    let map = ebpf.map_mut(SOURCES_MAP).context("no sources")?;
    let mut map = Array::try_from(map)?;
    for (number, source) in (0..).zip(&prepared.sources) {
        map.set(number, *source, 0)?;
    }
    if let Map::Array(pool) = ebpf.map(POOL_MAP).context("no pool")?
        && !words.is_empty()
    {
        sys::set_words(pool.fd().as_fd(), &words)?;
    }
    program(&mut ebpf)?.load()?;
    Ok(ebpf)
}

/// Addresses as the program takes them.
fn pool_words(pool: &[IpAddr]) -> Vec<u64> {
    let mut words = Vec::new();
    for address in pool {
        match address {
            IpAddr::V4(address) => words.push(u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                words.extend([(bits >> 64) as u64, bits as u64]);
            }
        }
    }
    words
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let program = ebpf.program_mut(PROGRAM).context("no program of floods")?;
    Ok(program.try_into()?)
}

/// Sends `frames` frames of `length` bytes in one system call.
pub(super) fn send(ebpf: &mut Ebpf, length: usize, frames: u32) -> Result<()> {
    let page = [0; 8 * FRAME_WORDS];
    // `struct xdp_md`: `data` is its first 32-bit field, `data_end` its second.
    let mut context = [0; 24];
    context[4..8].copy_from_slice(&u32::try_from(length)?.to_ne_bytes());
    let program = program(ebpf)?;
    let result = program.test_run(TestRunOptions {
        data_in: Some(&page[..length]),
        ctx_in: Some(&context),
        repeat: frames,
        attrs: TestRunAttrs::new().xdp_live_frames(BATCH.min(frames)),
        ..TestRunOptions::default()
    });
    match result {
        Ok(_) => Ok(()),
        // A signal for another thread may come here.
        Err(ProgramError::SyscallError(error))
            if error.io_error.kind() == io::ErrorKind::Interrupted =>
        {
            Ok(())
        }
        Err(error) => Err(error).context("the flood ended"),
    }
}

pub(super) fn stay_on(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

// SAFETY: arrays of integers without padding.
unsafe impl Pod for Template {}
// SAFETY: arrays of integers without padding.
unsafe impl Pod for Source {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_flood_owes_what_its_rate_says() {
        let mut debt = Debt {
            rate: 1_000_000,
            settled: 0,
        };
        let mut at = |ms| debt.take(Duration::from_millis(ms));
        assert_eq!(at(1), 0);
        assert_eq!(at(3), 3000);
        assert_eq!(at(4), 0);
        assert_eq!(at(1000), 50_000);
        assert_eq!(at(1001), 0);
        assert_eq!(at(1003), 3000);
    }
}

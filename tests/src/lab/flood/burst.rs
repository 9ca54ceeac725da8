//! Floods in bursts, for measurements that take turns: all is prepared once, and a burst is a system call.

use std::{fs, net::IpAddr, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use nix::time::{ClockId, clock_gettime};

use super::{
    generator::{load, send, stay_on},
    recipe::Recipe,
};
use crate::lab::Host;

/// Frames of a system call.
const CALL: u32 = 1 << 15;
/// No burst takes more processor time, whatever it is told.
const LONGEST: Duration = Duration::from_secs(5);

/// A flood that is sent in bursts, as fast as one CPU can. The peer of a veth takes the frames on that CPU
/// too, in the time of the sender.
pub struct Burst {
    host: Host,
    ebpf: Ebpf,
    length: usize,
    cpu: usize,
}

/// What a burst was.
#[derive(Clone, Copy, Debug)]
pub struct Fired {
    /// Frames that were sent.
    pub frames: u64,
    /// Processor time of sending them, and of taking those that arrive on a veth.
    pub spent: Duration,
}

impl Burst {
    /// Prepares a flood that leaves `host` by `interface`, made on one CPU. The sources are those of `pool`
    /// in turn or, when it is empty, those of the recipe.
    ///
    /// # Errors
    /// When the program does not load, a first frame cannot be sent, or the pool is of another IP version
    /// than the recipe.
    pub fn prepare(
        host: &Host,
        interface: &str,
        recipe: &Recipe,
        pool: &[IpAddr],
        cpu: usize,
    ) -> Result<Self> {
        let v6 = recipe.target.is_ipv6();
        ensure!(
            pool.iter().all(|source| source.is_ipv6() == v6),
            "sources and target of a flood are of one IP version"
        );
        let index = host.enter(|| nix::net::if_::if_nametoindex(interface));
        let index = index.with_context(|| format!("{} has no {interface}", host.name()))?;
        let prepared = recipe.prepare()?;
        let mut ebpf = load(&prepared, index, pool)?;
        let length = 8 * prepared.words as usize;
        // What is wrong with the program or the interface shows now.
        host.enter(|| send(&mut ebpf, length, 1))?;
        Ok(Self {
            host: host.clone(),
            ebpf,
            length,
            cpu,
        })
    }

    /// Sends until this much processor time is spent.
    ///
    /// # Errors
    /// When the kernel refuses to send.
    pub fn fire(&mut self, time: Duration) -> Result<Fired> {
        let time = time.min(LONGEST);
        let Self {
            host,
            ebpf,
            length,
            cpu,
        } = self;
        host.enter(|| {
            stay_on(*cpu)?;
            let (start, others) = (own_time()?, kernel_thread_time(*cpu));
            let mut frames = 0;
            loop {
                send(ebpf, *length, CALL)?;
                frames += u64::from(CALL);
                let own = own_time()? - start;
                if own < time {
                    continue;
                }
                // The kernel may still have some of them in hand.
                thread::yield_now();
                let others = kernel_thread_time(*cpu).saturating_sub(others);
                return Ok(Fired {
                    frames,
                    spent: own + others,
                });
            }
        })
    }
}

/// Processor time of the calling thread.
fn own_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// Processor time of the kernel's thread that takes frames of this CPU where the sender does not.
fn kernel_thread_time(cpu: usize) -> Duration {
    let name = format!("ksoftirqd/{cpu}\n");
    let Ok(processes) = fs::read_dir("/proc") else {
        return Duration::ZERO;
    };
    for process in processes.flatten() {
        let path = process.path();
        // A process may end between two looks.
        if fs::read_to_string(path.join("comm")).is_ok_and(|found| found == name) {
            let times = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            let nanoseconds = times.split(' ').next().and_then(|time| time.parse().ok());
            return Duration::from_nanos(nanoseconds.unwrap_or_default());
        }
    }
    Duration::ZERO
}

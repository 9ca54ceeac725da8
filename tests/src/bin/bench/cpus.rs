//! Who runs on which CPU.

use std::{panic, thread};

use anyhow::{Context, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The calling thread.
const THIS: Pid = Pid::from_raw(0);

/// Keeps this thread and all that it starts on every CPU but the last, which is returned: the floods'. Nothing
/// where there is but one.
pub fn divide() -> Result<Option<usize>> {
    let cpus = allowed()?;
    let [others @ .., last] = &cpus[..] else {
        return Ok(None);
    };
    if others.is_empty() {
        return Ok(None);
    }
    let mut set = CpuSet::new();
    for cpu in others {
        set.set(*cpu)?;
    }
    sched_setaffinity(THIS, &set)?;
    Ok(Some(*last))
}

/// Runs `work` on a thread that stays on this CPU.
pub fn on<T: Send>(cpu: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut set = CpuSet::new();
            set.set(cpu)?;
            sched_setaffinity(THIS, &set)?;
            work()
        });
        thread
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

/// The last CPU that may be used: the first serves most interrupts.
pub fn last() -> Result<usize> {
    allowed()?.last().copied().context("no CPU to run on")
}

fn allowed() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(THIS)?;
    Ok((0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu) == Ok(true))
        .collect())
}

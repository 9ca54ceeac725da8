//! Who runs on which CPU.

use std::{panic, sync::OnceLock, thread};

use anyhow::{Context, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The calling thread.
const THIS: Pid = Pid::from_raw(0);

/// The CPUs there were before they were divided.
static ALL: OnceLock<Vec<usize>> = OnceLock::new();

/// Keeps this thread and all that it starts on every CPU but the last, which is returned: the floods'. Nothing
/// where there is but one.
pub fn divide() -> Result<Option<usize>> {
    let cpus = allowed()?;
    let cpus = ALL.get_or_init(|| cpus);
    let [others @ .., last] = &cpus[..] else {
        return Ok(None);
    };
    if others.is_empty() {
        return Ok(None);
    }
    stay_on(others)?;
    Ok(Some(*last))
}

/// Runs `work` on a thread that stays on this CPU.
pub fn on<T: Send>(cpu: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    on_these(&[cpu], work)
}

/// Runs `work` on a thread that may use all CPUs, as may all that it starts, also when they have been divided.
pub fn undivided<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    match ALL.get() {
        Some(cpus) => on_these(cpus, work),
        None => work(),
    }
}

fn on_these<T: Send>(cpus: &[usize], work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            stay_on(cpus)?;
            work()
        });
        thread
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

fn stay_on(cpus: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(THIS, &set)?)
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

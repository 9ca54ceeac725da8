//! What a process uses, proc(5).

use std::fs;

use anyhow::{Context, Result, ensure};

/// Processor time, in seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after) = stat.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<_> = after.split_whitespace().collect();
    // utime and stime are fields 14 and 15; the state behind the name is field 3.
    let ticks = |index: usize| -> Result<f64> { Ok(fields[index].parse()?) };
    ensure!(fields.len() > 12, "stat is cut");
    // USER_HZ is 100 on every architecture with BPF.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// Resident memory, in KiB.
pub fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// Resident memory at its highest so far, in KiB.
pub fn highest_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next());
    Ok(value.with_context(|| format!("no {name}"))?.parse()?)
}

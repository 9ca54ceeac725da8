//! What the guard costs. Needs root.
//!
//! Usage: `bench [packets|transfer|flood|monitor] [--json] [--rounds N] [--repeat N] [--size MIB] [--quick]
//! [--only WORD]`

mod flood;
mod monitor;
mod packets;
mod process;
mod transfer;

use std::fs;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    match options.suite {
        Suite::Packets => packets::run(&options),
        Suite::Transfer => transfer::run(&options),
        Suite::Flood => flood::run(&options),
        Suite::Monitor => monitor::run(&options),
    }
}

/// What is measured.
#[derive(Clone, Copy)]
enum Suite {
    /// Single packets.
    Packets,
    /// Whole transfers.
    Transfer,
    /// What partners notice of floods.
    Flood,
    /// What it costs to read many sessions.
    Monitor,
}

struct Options {
    suite: Suite,
    json: bool,
    rounds: Option<usize>,
    /// Runs of a packet in a round.
    repeat: u32,
    /// Size of a transfer.
    size_mib: u32,
    /// Less: to see that it works.
    quick: bool,
    /// Of floods, those alone that have all of these in the names of contender, flood and rate.
    only: Vec<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            suite: Suite::Packets,
            json: false,
            rounds: None,
            repeat: 200_000,
            size_mib: 4096,
            quick: false,
            only: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u32> {
                let value = arguments.next().unwrap_or_default();
                let number = value.parse().ok().filter(|number| *number > 0);
                number
                    .with_context(|| format!("{argument} needs a number above 0, not \"{value}\""))
            };
            match argument.as_str() {
                "packets" => options.suite = Suite::Packets,
                "transfer" => options.suite = Suite::Transfer,
                "flood" => options.suite = Suite::Flood,
                "monitor" => options.suite = Suite::Monitor,
                "--quick" => options.quick = true,
                "--only" => options
                    .only
                    .push(arguments.next().context("--only needs a word")?),
                "--json" => options.json = true,
                "--rounds" => options.rounds = Some(number()? as usize),
                "--repeat" => options.repeat = number()?,
                "--size" => options.size_mib = number()?,
                other => bail!(
                    "unknown argument \"{other}\": packets, transfer, flood, monitor, --json, --rounds N, --repeat N, \
                     --size MIB, --quick or --only WORD"
                ),
            }
        }
        Ok(options)
    }

    /// The number of rounds, by default `usual`.
    fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(usual)
    }
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

/// Processor and kernel.
fn machine() -> (String, String) {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        cpuinfo
            .lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let virtual_machine = field("flags").is_some_and(|flags| flags.contains("hypervisor"));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    (
        format!("{model}{}", if virtual_machine { ", virtual" } else { "" }),
        kernel.trim().to_owned(),
    )
}

/// Mean number of processes that wanted a CPU in the last minute.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

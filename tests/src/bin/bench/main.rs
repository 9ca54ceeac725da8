//! What the guard costs. Needs root.
//!
//! Usage: `bench [all|packets|drops|lists|loading|transfer|flood|monitor] [--json] [--rounds N] [--repeat N]
//! [--size MIB] [--quick] [--only WORD] [--output DIR]`

mod all;
mod cpus;
mod drops;
mod flood;
mod lists;
mod loading;
mod monitor;
mod packets;
mod process;
mod report;
mod transfer;
mod trie;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    match options.measured {
        Measured::All => all::run(&options),
        Measured::Packets => packets::run(&options),
        Measured::Transfer => transfer::run(&options),
        Measured::Flood => flood::run(&options),
        Measured::Monitor => monitor::run(&options),
        Measured::Drops => {
            let cpu = all::divide()?;
            all::alone(drops::Drops::new(&options, cpu)?, &options)
        }
        Measured::Lists => {
            let cpu = all::divide()?;
            all::alone(lists::Lists::new(&options, cpu)?, &options)
        }
        Measured::Loading => {
            let cpu = all::divide()?;
            all::alone(loading::Loading::new(&options, cpu), &options)
        }
    }
}

/// What is measured.
#[derive(Clone, Copy)]
enum Measured {
    /// All but floods and the monitor, for the page.
    All,
    /// Single packets.
    Packets,
    /// Frames that are discarded.
    Drops,
    /// What the length of the list costs.
    Lists,
    /// Loading a long list.
    Loading,
    /// Whole transfers.
    Transfer,
    /// What partners notice of floods.
    Flood,
    /// What it costs to read many sessions.
    Monitor,
}

/// A suite that measures in rounds, in each of which everything that is compared has its turn. Rounds of one
/// suite come between those of others.
trait Suite {
    fn name(&self) -> &'static str;
    fn rounds(&self) -> usize;
    fn round(&mut self, round: usize) -> Result<()>;
    /// What the rounds so far have found.
    fn section(&self) -> Result<report::Section>;
}

struct Options {
    measured: Measured,
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
    /// Where the page goes.
    output: PathBuf,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            measured: Measured::All,
            json: false,
            rounds: None,
            repeat: 200_000,
            size_mib: 4096,
            quick: false,
            only: Vec::new(),
            output: PathBuf::from("docs/benchmarks"),
        };
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u32> {
                let value = arguments.next().unwrap_or_default();
                let number = value.parse().ok().filter(|number| *number > 0);
                number
                    .with_context(|| format!("{argument} needs a number above 0, not \"{value}\""))
            };
            match argument.as_str() {
                "all" => options.measured = Measured::All,
                "packets" => options.measured = Measured::Packets,
                "drops" => options.measured = Measured::Drops,
                "lists" => options.measured = Measured::Lists,
                "loading" => options.measured = Measured::Loading,
                "transfer" => options.measured = Measured::Transfer,
                "flood" => options.measured = Measured::Flood,
                "monitor" => options.measured = Measured::Monitor,
                "--output" => {
                    options.output = arguments.next().context("--output needs a folder")?.into();
                }
                "--quick" => options.quick = true,
                "--only" => options
                    .only
                    .push(arguments.next().context("--only needs a word")?),
                "--json" => options.json = true,
                "--rounds" => options.rounds = Some(number()? as usize),
                "--repeat" => options.repeat = number()?,
                "--size" => options.size_mib = number()?,
                other => bail!(
                    "unknown argument \"{other}\": all, packets, drops, lists, loading, transfer, flood, monitor, \
                     --json, --rounds N, --repeat N, --size MIB, --quick, --only WORD or --output DIR"
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

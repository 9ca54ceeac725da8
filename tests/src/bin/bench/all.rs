//! One run of several suites, for the page.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::{
    Options, Suite, cpus,
    drops::Drops,
    lists::Lists,
    loading::Loading,
    packets::Packets,
    report::{self, Run, Section},
    transfer::Transfers,
};

/// Rounds and size of transfers, on the way to a page.
const TRANSFER_ROUNDS: usize = 5;
const TRANSFER_MIB: u32 = 2048;
const QUICK_TRANSFER_ROUNDS: usize = 1;
const QUICK_TRANSFER_MIB: u32 = 512;
/// Runs of a packet in a round of a quick run.
const QUICK_REPEAT: u32 = 50_000;

/// Keeps this process off the last CPU, which is returned: floods are made there.
pub fn divide() -> Result<usize> {
    let cpu = cpus::divide()?;
    cpu.map_or_else(cpus::last, Ok)
}

/// Runs one suite and prints what it found.
pub fn alone(mut suite: impl Suite, options: &Options) -> Result<()> {
    measure(&mut [&mut suite])?;
    report::print(&suite.section()?, options.json)
}

/// Runs the suites and writes the page.
pub fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    // Transfers take what CPUs there are, as long as nobody has divided them.
    let (rounds, size) = if options.quick {
        (QUICK_TRANSFER_ROUNDS, QUICK_TRANSFER_MIB)
    } else {
        (TRANSFER_ROUNDS, TRANSFER_MIB)
    };
    let mut transfer = Transfers::new(options, rounds, size)?;
    measure(&mut [&mut transfer])?;

    let cpu = divide()?;
    let repeat = if options.quick {
        options.repeat.min(QUICK_REPEAT)
    } else {
        options.repeat
    };
    let mut packets = Packets::new(options, repeat, cpu)?;
    let mut drops = Drops::new(options, cpu)?;
    let mut lists = Lists::new(options, cpu)?;
    let mut loading = Loading::new(options, cpu);
    measure(&mut [&mut packets, &mut drops, &mut lists, &mut loading])?;

    let suites: [&dyn Suite; 5] = [&packets, &drops, &lists, &loading, &transfer];
    let sections: Result<Vec<Section>> = suites.iter().map(|suite| suite.section()).collect();
    let sections = sections?;
    let run = Run {
        quick: options.quick,
        seconds: start.elapsed().as_secs(),
    };
    report::write(&options.output, &run, &sections)?;
    print!("{}", report::ratios(&sections));
    Ok(())
}

/// Runs the rounds of all suites, spread evenly over the whole time, so that what changes on the machine
/// changes for all of them.
fn measure(suites: &mut [&mut dyn Suite]) -> Result<()> {
    let most = suites.iter().map(|suite| suite.rounds()).max();
    let most = most.context("no suites")?;
    for step in 0..most {
        for suite in suites.iter_mut() {
            let rounds = suite.rounds();
            let due = |step: usize| step * rounds / most;
            if due(step + 1) > due(step) {
                eprintln!("{}: round {} of {rounds}", suite.name(), due(step) + 1);
                suite
                    .round(due(step))
                    .with_context(|| format!("{}, round {}", suite.name(), due(step) + 1))?;
            }
        }
    }
    Ok(())
}

//! What partners notice of a flood: logins and a download of a partner while the attacker floods the
//! server, with the guard and with what others would put in its place, in turns.
//!
//! Attacker and partner have a cable each. Everything but the flood runs on the first CPU; the flood is
//! made on the last one, and the kernel takes and judges its frames there too: a contender's drop rate at
//! full speed is that of one CPU that makes the frames as well.

mod cell;
mod contender;
mod report;

use std::time::Duration;

use anyhow::{Context, Result};
use ftp_guard_tests::lab::flood::Rate;

use self::{
    cell::{Extent, Measured, Scenario, measure},
    contender::Contender,
};
use crate::{Options, cpus};

/// Frames a second that are offered, each to every contender.
const RATES: [Rate; 5] = [
    Rate::PerSecond(250_000),
    Rate::PerSecond(500_000),
    Rate::PerSecond(1_000_000),
    Rate::PerSecond(2_000_000),
    Rate::Full,
];
const QUICK_RATES: [Rate; 2] = [Rate::PerSecond(250_000), Rate::Full];

const EXTENT: Extent = Extent {
    download: Duration::from_secs(3),
    logins: 100,
    every: Duration::from_millis(30),
    flood: Duration::from_secs(3),
};
const QUICK_EXTENT: Extent = Extent {
    download: Duration::from_secs(1),
    logins: 20,
    every: Duration::from_millis(30),
    flood: Duration::from_secs(1),
};
/// The long flood, in which the guard's daemon alone is measured.
const LONG: Duration = Duration::from_secs(60);
const QUICK_LONG: Duration = Duration::from_secs(10);
const LONG_RATE: Rate = Rate::PerSecond(1_000_000);

/// A contender, a scenario and a rate, and what each round measured.
struct Row {
    contender: Contender,
    scenario: Scenario,
    rate: Rate,
    rounds: Vec<Measured>,
}

/// Measures all and prints it.
pub fn run(options: &Options) -> Result<()> {
    let flood_cpu = cpus::divide()?;
    let (rates, extent) = if options.quick {
        (&QUICK_RATES[..], QUICK_EXTENT)
    } else {
        (&RATES[..], EXTENT)
    };
    let mut rows = Vec::new();
    for scenario in Scenario::ALL {
        for rate in rates {
            rows.extend(Contender::ALL.map(|contender| Row {
                contender,
                scenario,
                rate: *rate,
                rounds: Vec::new(),
            }));
        }
    }
    rows.retain(|row| {
        let name = format!(
            "{}/{}/{}",
            row.contender,
            row.scenario,
            report::name(row.rate)
        );
        options.only.iter().all(|word| name.contains(word.as_str()))
    });
    let rounds = options.rounds(if options.quick { 1 } else { 3 });
    for round in 0..rounds {
        for group in rows.chunk_by_mut(|a, b| (a.scenario, a.rate) == (b.scenario, b.rate)) {
            // Whoever comes first in a round comes last in the next.
            group.rotate_left(usize::from(round > 0));
            for row in group {
                eprintln!(
                    "round {} of {rounds}: {}, {}, {}",
                    round + 1,
                    row.scenario,
                    report::name(row.rate),
                    row.contender
                );
                let measured = measure(row.contender, row.scenario, row.rate, extent, flood_cpu);
                let measured = measured.with_context(|| {
                    format!(
                        "{} under {}, {}",
                        row.contender,
                        row.scenario,
                        report::name(row.rate)
                    )
                })?;
                row.rounds.push(measured);
            }
        }
    }
    let long = if options.only.is_empty() {
        Some(long_flood(options.quick, flood_cpu)?)
    } else {
        None
    };
    report::print(rows, long, rounds, options)
}

/// What the guard's daemon takes in a long flood, the worst of the three for it: sources that are listed
/// get further than others.
fn long_flood(quick: bool, flood_cpu: Option<usize>) -> Result<(Duration, Measured)> {
    let flood = if quick { QUICK_LONG } else { LONG };
    eprintln!("a flood of {flood:?} for the daemon");
    let extent = Extent {
        flood,
        ..QUICK_EXTENT
    };
    let measured = measure(
        Contender::Guard,
        Scenario::ListedSyn,
        LONG_RATE,
        extent,
        flood_cpu,
    )?;
    Ok((flood, measured))
}

//! How many frames of a flood a host discards: the guard, and what others would put in its place, in turns.
//!
//! Each contender has a rig of its own. One CPU makes the frames and takes them, in the time of the sender; a
//! rate is that of frames taken in a second of that CPU's time.

mod contender;

use std::time::Duration;

use anyhow::Result;
use ftp_guard_tests::{
    lab::{
        Family,
        flood::{Rig, RigFlood},
    },
    lists as entries,
};
use ipnet::IpNet;
use serde_json::json;

use self::contender::{Contender, Installed};
use crate::{
    Options, Suite,
    report::{Better, Plot, PlotKind, Ratio, Section, Table, median_of},
};

/// Entries of the list that all have.
const ENTRIES: usize = 10;
const SEED: u64 = 6;
/// Sources of a flood that are listed.
const POOL: usize = 1 << 12;
/// Processor time of a turn.
const TURN: Duration = Duration::from_millis(120);

/// What is sent to the control port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// Connection requests from anywhere.
    Unlisted,
    /// Connection requests that pretend to come from sources of the list.
    Listed,
}

impl Scenario {
    const ALL: [Self; 2] = [Self::Unlisted, Self::Listed];

    fn name(self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted",
            Self::Listed => "listed",
        }
    }
}

/// A contender and its floods, or why it cannot run here.
struct Row {
    contender: Contender,
    ready: Result<Ready, String>,
}

struct Ready {
    rig: Rig,
    floods: Vec<RigFlood>,
    /// Frames a second of each round, of each scenario.
    rates: Vec<Vec<f64>>,
    /// The least share of the frames sent that was taken.
    taken: f64,
    _installed: Installed,
}

/// The suite.
pub struct Drops {
    rounds: usize,
    rows: Vec<Row>,
}

impl Drops {
    pub fn new(options: &Options, cpu: usize) -> Result<Self> {
        let list = entries::v4(ENTRIES, entries::Shape::Random, SEED);
        let mut rows = Vec::new();
        for contender in Contender::ALL {
            eprintln!("drops: setting up {}", contender.name());
            let ready = Ready::new(contender, &list, cpu).map_err(|error| format!("{error:#}"));
            if let Err(reason) = &ready {
                eprintln!("drops: {} cannot run here: {reason}", contender.name());
            }
            rows.push(Row { contender, ready });
        }
        Ok(Self {
            rounds: options.rounds(if options.quick { 5 } else { 15 }),
            rows,
        })
    }

    fn rates(&self, contender: Contender, scenario: usize) -> Option<&[f64]> {
        let row = self.rows.iter().find(|row| row.contender == contender)?;
        Some(&row.ready.as_ref().ok()?.rates[scenario])
    }
}

impl Ready {
    fn new(contender: Contender, list: &[IpNet], cpu: usize) -> Result<Self> {
        let rig = Rig::new(cpu)?;
        let installed = contender.install(&rig, list)?;
        let anywhere = ["0.0.0.0/0".parse()?];
        let mut floods = Vec::new();
        for scenario in Scenario::ALL {
            let pool = match scenario {
                Scenario::Unlisted => Vec::new(),
                Scenario::Listed => entries::inside(list, POOL, SEED),
            };
            floods.push(rig.flood(Family::V4, 21, &anywhere, &pool)?);
        }
        Ok(Self {
            rig,
            floods,
            rates: vec![Vec::new(); Scenario::ALL.len()],
            taken: 1.0,
            _installed: installed,
        })
    }
}

impl Suite for Drops {
    fn name(&self) -> &'static str {
        "drops"
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn round(&mut self, round: usize) -> Result<()> {
        let count = self.rows.len();
        for scenario in 0..Scenario::ALL.len() {
            for turn in 0..count {
                // Whoever comes first in a round comes later in the next.
                let row = &mut self.rows[(turn + round) % count];
                let Ok(ready) = &mut row.ready else { continue };
                let turn = ready.floods[scenario].turn(&ready.rig, TURN)?;
                ready.rates[scenario].push(turn.rate);
                ready.taken = ready.taken.min(turn.taken);
            }
        }
        Ok(())
    }

    fn section(&self) -> Result<Section> {
        let mut ratios = Vec::new();
        for (number, scenario) in Scenario::ALL.into_iter().enumerate() {
            let Some(guard) = self.rates(Contender::Guard, number) else {
                continue;
            };
            for contender in Contender::ALL {
                if contender == Contender::Guard {
                    continue;
                }
                if let Some(other) = self.rates(contender, number) {
                    let name = format!("drops/{}: guard to {}", scenario.name(), contender.name());
                    let ratio = Ratio::of(name, Better::Higher, guard, other);
                    ratios.push(match (contender.aim(), scenario) {
                        (Some(aim), Scenario::Unlisted) => ratio.aiming(aim),
                        _ => ratio,
                    });
                }
            }
        }
        let mut tables = Vec::new();
        let mut data = Vec::new();
        for (number, scenario) in Scenario::ALL.into_iter().enumerate() {
            tables.push(self.table(number, scenario));
            for row in &self.rows {
                data.push(match &row.ready {
                    Ok(ready) => json!({
                        "scenario": scenario.name(),
                        "contender": row.contender.name(),
                        "frames_per_second": ready.rates[number],
                        "least_share_taken": ready.taken,
                    }),
                    Err(reason) => json!({
                        "scenario": scenario.name(),
                        "contender": row.contender.name(),
                        "cannot_run": reason,
                    }),
                });
            }
        }
        let bars = self.rows.iter().filter_map(|row| {
            let rate = median_of(&row.ready.as_ref().ok()?.rates[0]);
            Some((row.contender.name().to_owned(), rate / 1e6))
        });
        Ok(Section {
            name: "drops",
            title: "Frames discarded",
            about: format!(
                "Connection requests for port 21 over a pair of veth interfaces, made by a kernel program as fast \
                 as one CPU can. That CPU takes the frames too: a rate has the making of a frame in it, and is in \
                 frames a second of that CPU's time, so that other programs on the machine matter little. All \
                 have the same list of {ENTRIES} IPv4 prefixes. {} rounds; in each of them every contender has \
                 its turn of {} ms, and a ratio is that of two turns of one round.",
                self.rounds,
                TURN.as_millis()
            ),
            ratios,
            tables,
            plots: vec![Plot {
                file: "drops",
                title: "Unlisted sources: frames discarded by one CPU".to_owned(),
                kind: PlotKind::Bars {
                    unit: "million frames a second, making them included",
                    bars: bars.collect(),
                },
            }],
            data: json!({ "entries": ENTRIES, "rows": data }),
        })
    }
}

impl Drops {
    fn table(&self, number: usize, scenario: Scenario) -> Table {
        let (title, meaning) = match scenario {
            Scenario::Unlisted => (
                "From anywhere",
                "None of these frames is wanted. \"More than XDP_DROP\" is what a contender takes to find that out; \
                 the rest is what making, sending and freeing a frame takes. xdp-filter knows addresses, not \
                 prefixes: as \"sources\" it denies all but the first address of each entry, whatever the port; as \
                 \"port\" it denies port 21 to everybody.",
            ),
            Scenario::Listed => (
                "From listed sources",
                "The addresses are spoofed: the sources are on the list, and no partner is behind them. The guard \
                 applies the limits of their profile. The others let them pass where the list says so, and the \
                 kernel's stack answers each.",
            ),
        };
        let mut table = Table::new(
            title,
            &[
                "contender",
                "to XDP_DROP",
                "Mpps",
                "ns a frame",
                "ns more than XDP_DROP",
            ],
            meaning,
        );
        let plain = self.rates(Contender::XdpDrop, number);
        for row in &self.rows {
            let mut cells = vec![row.contender.name().to_owned()];
            match (&row.ready, plain) {
                (Ok(ready), Some(plain)) => {
                    let rates = &ready.rates[number];
                    let name = String::new();
                    let ratio = Ratio::of(name, Better::Higher, rates, plain).median();
                    let (own, floor) = (1e9 / median_of(rates), 1e9 / median_of(plain));
                    cells.extend([
                        format!("{ratio:.3}"),
                        format!("{:.2}", 1e3 / own),
                        format!("{own:.0}"),
                        format!("{:.0}", own - floor),
                    ]);
                }
                (Err(reason), _) => {
                    let reason = reason.replace(['\n', '|'], " ");
                    cells.push(format!("cannot run here: {reason}"));
                    cells.extend([const { String::new() }; 3]);
                }
                (Ok(_), None) => cells.extend([const { String::new() }; 4]),
            }
            table.rows.push(cells);
        }
        table
    }
}

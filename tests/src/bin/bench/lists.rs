//! What the length of the list costs: drop rates with 10 to 1,000,000 entries, of the guard and of a program
//! with the kernel's longest-prefix trie, in turns.

use std::{net::IpAddr, os::fd::OwnedFd, time::Duration};

use anyhow::Result;
use ftp_guard_tests::{
    lab::{
        Family,
        flood::{Rig, RigFlood},
        guard::{self, Guard},
    },
    lists::{self as entries, Shape},
};
use ipnet::IpNet;
use serde_json::json;

use crate::{
    Options, Suite,
    report::{Better, Plot, PlotKind, Ratio, Section, Table, median_of},
    trie,
};

/// Entries of a list, of each IP version; the first one is what the others are compared with.
const SIZES: [usize; 4] = [10, 1000, 100_000, 1_000_000];
const QUICK_SIZES: [usize; 2] = [10, 1_000_000];
const SEED: u64 = 66;
/// Listed sources of a flood: many more than caches hold of a long list.
const POOL_V4: usize = 1 << 18;
const POOL_V6: usize = 1 << 17;
/// Time for a daemon to start with the longest list.
const START_LIMIT: Duration = Duration::from_secs(300);
/// Processor time of a turn.
const TURN: Duration = Duration::from_millis(60);
/// That of active data: whom the list lets through is refused there right after the look-up. On a control port he would
/// meet the limits of his profile, which take longer than all else; and one in seventy-five random addresses is on a list
/// of a million entries.
const PORT: u16 = 20;

/// Who looks sources up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Guard,
    Trie,
}

impl Reader {
    const ALL: [Self; 2] = [Self::Guard, Self::Trie];

    fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Trie => "LPM trie",
        }
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traffic {
    family: Family,
    listed: bool,
}

impl Traffic {
    const ALL: [Self; 4] = [
        Self::new(Family::V4, false),
        Self::new(Family::V4, true),
        Self::new(Family::V6, false),
        Self::new(Family::V6, true),
    ];

    const fn new(family: Family, listed: bool) -> Self {
        Self { family, listed }
    }

    fn name(self) -> &'static str {
        match (self.family, self.listed) {
            (Family::V4, false) => "IPv4 unlisted",
            (Family::V4, true) => "IPv4 listed",
            (Family::V6, false) => "IPv6 unlisted",
            (Family::V6, true) => "IPv6 listed",
        }
    }

    /// What the rate with the longest list should be, of that with the shortest, at the least.
    fn aim(self) -> f64 {
        match (self.family, self.listed) {
            (_, false) => 0.8,
            (Family::V4, true) => 0.6,
            (Family::V6, true) => 0.55,
        }
    }
}

/// A reader with a list, and its floods.
struct Cell {
    reader: Reader,
    shape: Shape,
    entries: usize,
    rig: Rig,
    floods: Vec<RigFlood>,
    /// Frames a second of each round, of each traffic.
    rates: Vec<Vec<f64>>,
    taken: f64,
    _guard: Option<Guard>,
    _link: Option<OwnedFd>,
}

impl Cell {
    fn new(reader: Reader, list: &List, cpu: usize) -> Result<Self> {
        eprintln!(
            "lists: setting up {} with {} entries, {}",
            reader.name(),
            list.entries,
            list.shape.name()
        );
        let rig = Rig::new(cpu)?;
        let both: Vec<IpNet> = list.v4.iter().chain(&list.v6).copied().collect();
        let (mut guard, mut link) = (None, None);
        match reader {
            Reader::Guard => {
                let settings = guard::Settings {
                    interfaces: vec![Rig::INTERFACE.to_owned()],
                    list: entries::text(&both),
                    max_entries: u32::try_from(list.entries.max(20_000))?,
                    ..guard::Settings::default()
                };
                let mut started = Guard::prepare(&rig.server, settings)?;
                started.launch_within(START_LIMIT)?;
                guard = Some(started);
            }
            Reader::Trie => link = Some(trie::attach_with(&rig, &both)?),
        }
        let v4 = vec!["0.0.0.0/0".parse()?];
        let v6: Result<Vec<IpNet>, _> = entries::V6_ALLOCATED
            .iter()
            .map(|net| net.parse())
            .collect();
        let v6 = v6?;
        let floods = Traffic::ALL.map(|traffic| {
            let (sources, pool) = match traffic.family {
                Family::V4 => (&v4, &list.pool_v4),
                Family::V6 => (&v6, &list.pool_v6),
            };
            let pool: &[IpAddr] = if traffic.listed { pool } else { &[] };
            rig.flood(traffic.family, PORT, sources, pool)
        });
        Ok(Self {
            reader,
            shape: list.shape,
            entries: list.entries,
            floods: floods.into_iter().collect::<Result<_>>()?,
            rates: vec![Vec::new(); Traffic::ALL.len()],
            taken: 1.0,
            rig,
            _guard: guard,
            _link: link,
        })
    }
}

/// A list, and addresses inside it.
struct List {
    shape: Shape,
    entries: usize,
    v4: Vec<IpNet>,
    v6: Vec<IpNet>,
    pool_v4: Vec<IpAddr>,
    pool_v6: Vec<IpAddr>,
}

impl List {
    fn new(entries: usize, shape: Shape) -> Self {
        let (v4, v6) = (
            entries::v4(entries, shape, SEED),
            entries::v6(entries, shape, SEED),
        );
        Self {
            shape,
            entries,
            pool_v4: entries::inside(&v4, POOL_V4, SEED),
            pool_v6: entries::inside(&v6, POOL_V6, SEED),
            v4,
            v6,
        }
    }
}

/// The suite.
pub struct Lists {
    rounds: usize,
    sizes: &'static [usize],
    cells: Vec<Cell>,
}

impl Lists {
    pub fn new(options: &Options, cpu: usize) -> Result<Self> {
        let (sizes, shapes) = if options.quick {
            (&QUICK_SIZES[..], &Shape::ALL[..1])
        } else {
            (&SIZES[..], &Shape::ALL[..])
        };
        let mut cells = Vec::new();
        for shape in shapes {
            for size in sizes {
                let list = List::new(*size, *shape);
                for reader in Reader::ALL {
                    cells.push(Cell::new(reader, &list, cpu)?);
                }
            }
        }
        Ok(Self {
            rounds: options.rounds(if options.quick { 5 } else { 15 }),
            sizes,
            cells,
        })
    }

    fn shapes(&self) -> impl Iterator<Item = Shape> {
        Shape::ALL
            .into_iter()
            .filter(|shape| self.cells.iter().any(|cell| cell.shape == *shape))
    }

    fn rates(&self, reader: Reader, shape: Shape, entries: usize, traffic: usize) -> &[f64] {
        let wanted = (reader, shape, entries);
        let found = self
            .cells
            .iter()
            .find(|cell| (cell.reader, cell.shape, cell.entries) == wanted);
        found.map_or(&[], |cell| &cell.rates[traffic])
    }

    /// The rate of each round with so many entries to that of the same round with the fewest.
    fn ratio(&self, reader: Reader, shape: Shape, entries: usize, traffic: usize) -> Ratio {
        let name = format!(
            "lists/{}, {}: {} with {entries} to {} entries",
            Traffic::ALL[traffic].name(),
            shape.name(),
            reader.name(),
            self.sizes[0]
        );
        Ratio::of(
            name,
            Better::Higher,
            self.rates(reader, shape, entries, traffic),
            self.rates(reader, shape, self.sizes[0], traffic),
        )
    }
}

impl Suite for Lists {
    fn name(&self) -> &'static str {
        "lists"
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn round(&mut self, round: usize) -> Result<()> {
        let count = self.cells.len();
        for traffic in 0..Traffic::ALL.len() {
            for turn in 0..count {
                // Whoever comes first in a round comes later in the next.
                let cell = &mut self.cells[(turn + round) % count];
                let turn = cell.floods[traffic].turn(&cell.rig, TURN)?;
                cell.rates[traffic].push(turn.rate);
                cell.taken = cell.taken.min(turn.taken);
            }
        }
        Ok(())
    }

    fn section(&self) -> Result<Section> {
        let (first, last) = (self.sizes[0], self.sizes[self.sizes.len() - 1]);
        let mut ratios = Vec::new();
        for shape in self.shapes() {
            for (traffic, sent) in Traffic::ALL.iter().enumerate() {
                let ratio = self.ratio(Reader::Guard, shape, last, traffic);
                let quick = shape == Shape::Random;
                ratios.push(ratio.aiming(sent.aim()).in_quick_runs(quick));
                // By itself, or a slower start would look like a better ratio.
                let beside = Ratio::of(
                    format!(
                        "lists/{}, {}: guard to LPM trie with {last} entries",
                        sent.name(),
                        shape.name()
                    ),
                    Better::Higher,
                    self.rates(Reader::Guard, shape, last, traffic),
                    self.rates(Reader::Trie, shape, last, traffic),
                );
                ratios.push(beside.in_quick_runs(quick));
            }
        }
        let tables = self.shapes().map(|shape| self.table(shape)).collect();
        let data: Vec<_> = self
            .cells
            .iter()
            .flat_map(|cell| {
                Traffic::ALL
                    .iter()
                    .zip(&cell.rates)
                    .map(|(traffic, rates)| {
                        json!({
                            "reader": cell.reader.name(),
                            "list": cell.shape.name(),
                            "entries": cell.entries,
                            "traffic": traffic.name(),
                            "frames_per_second": rates,
                            "least_share_taken": cell.taken,
                        })
                    })
            })
            .collect();
        Ok(Section {
            name: "lists",
            title: "Length of the list",
            about: format!(
                "As above but to port 20, with lists of {first} to {last} entries of each IP version. Random lists have IPv4 \
                 prefixes of /24 to /32 from everywhere, and IPv6 prefixes of /32 to /64 (half of them /48) and \
                 hosts from what registries give out; clustered ones have them in a few /16 and /32. Unlisted \
                 sources are random addresses; listed ones are {POOL_V4} (IPv6: {POOL_V6}) random addresses \
                 inside random entries, so that caches hold as little of a long list as they would in a flood. \
                 Beside the guard: a program of a few lines with the kernel's longest-prefix trie and the same \
                 list. {} rounds, turns of {} ms.",
                self.rounds,
                TURN.as_millis()
            ),
            ratios,
            tables,
            plots: self.plots(),
            data: json!({ "rows": data }),
        })
    }
}

impl Lists {
    fn table(&self, shape: Shape) -> Table {
        let mut columns = vec!["sources".to_owned(), "look-up".to_owned()];
        for entries in self.sizes {
            columns.push(format!("{entries} entries, Mpps"));
        }
        for entries in &self.sizes[1..] {
            columns.push(format!("{entries} to {}", self.sizes[0]));
        }
        let mut table = Table {
            title: format!("A {} list", shape.name()),
            columns,
            rows: Vec::new(),
            meaning: "The making of a frame is in the rates, as in the ones above.".to_owned(),
        };
        for (traffic, sent) in Traffic::ALL.iter().enumerate() {
            for reader in Reader::ALL {
                let mut row = vec![sent.name().to_owned(), reader.name().to_owned()];
                for entries in self.sizes {
                    let rate = median_of(self.rates(reader, shape, *entries, traffic));
                    row.push(format!("{:.2}", rate / 1e6));
                }
                for entries in &self.sizes[1..] {
                    let ratio = self.ratio(reader, shape, *entries, traffic);
                    row.push(format!("{:.3}", ratio.median()));
                }
                table.rows.push(row);
            }
        }
        table
    }

    fn plots(&self) -> Vec<Plot> {
        let files = ["lists-v4", "lists-v6"];
        let families = [Family::V4, Family::V6];
        let plot = |(file, family): (&'static str, Family)| {
            let mut lines = Vec::new();
            for reader in Reader::ALL {
                for (traffic, sent) in Traffic::ALL.iter().enumerate() {
                    if sent.family != family {
                        continue;
                    }
                    let points = self.sizes.iter().map(|entries| {
                        let ratio = self.ratio(reader, Shape::Random, *entries, traffic);
                        (*entries as f64, ratio.median())
                    });
                    let listed = if sent.listed { "listed" } else { "unlisted" };
                    let name = format!("{}, {listed}", reader.name());
                    lines.push((name, points.collect()));
                }
            }
            let version = if family == Family::V4 { "IPv4" } else { "IPv6" };
            Plot {
                file,
                title: format!("Drop rate by length of the list, {version}, random"),
                kind: PlotKind::Lines {
                    across: "entries",
                    up: "rate, of that with 10 entries",
                    lines,
                },
            }
        };
        files.into_iter().zip(families).map(plot).collect()
    }
}

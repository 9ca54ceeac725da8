//! What it takes to load a long list, and to change a hundredth of it: the guard, and nftables with the same set.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use ftp_guard_tests::{
    lab::{
        Process,
        flood::Rig,
        guard::{self, Guard},
    },
    lists::{self as entries, Shape},
};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::{
    Options, Suite, cpus, process,
    report::{Better, Plot, PlotKind, Ratio, Section, Table, median_of},
};

/// Entries of the lists, and of the short one before them.
const SIZES: [usize; 2] = [100_000, 1_000_000];
/// Those of a quick run.
const QUICK_SIZES: usize = 1;
const BEFORE: usize = 10;
const SEED: u64 = 666;
/// One entry in so many is another one after the change.
const CHANGED: usize = 100;
/// Time for a program to load a list.
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks at a program's memory.
const LOOK: Duration = Duration::from_millis(5);
/// Where the kernel keeps the elements of nftables' sets.
const SLABS: [&str; 1] = ["SUnreclaim"];

/// What one of them took, in a value of each round.
#[derive(Default)]
struct Taken {
    /// Seconds to load the list.
    load: Vec<f64>,
    /// Seconds to change a hundredth of it.
    change: Vec<f64>,
    /// MiB of the kernel for it.
    kernel: Vec<f64>,
    /// MiB of the program: of the daemon afterwards, of the tool at its highest.
    program: Vec<f64>,
}

/// A list of one length, and what it takes.
struct List {
    entries: usize,
    cpu: usize,
    before: Vec<IpNet>,
    list: Vec<IpNet>,
    /// After the change.
    changed: Vec<IpNet>,
    guard: Taken,
    nft: Taken,
    /// Seconds from the start of a daemon with the short list, and with the long one, until it answers.
    start_short: Vec<f64>,
    start_long: Vec<f64>,
    /// MiB of the daemon at its highest, and with the short list.
    highest: Vec<f64>,
    resident_short: Vec<f64>,
    nft_cannot: Option<String>,
}

impl List {
    fn new(entries: usize, cpu: usize) -> Self {
        let changed = entries / CHANGED;
        // None inside another: nftables refuses overlaps.
        let mut list = entries::v4(entries + changed, Shape::Random, SEED);
        let into = list.split_off(entries);
        let (head, tail) = list.split_at(BEFORE);
        let changed = [head, &into, &tail[changed..]].concat();
        Self {
            entries,
            cpu,
            before: list[..BEFORE].to_vec(),
            changed,
            list,
            guard: Taken::default(),
            nft: Taken::default(),
            start_short: Vec::new(),
            start_long: Vec::new(),
            highest: Vec::new(),
            resident_short: Vec::new(),
            nft_cannot: None,
        }
    }

    fn load_guard(&mut self) -> Result<()> {
        eprintln!("loading: the guard, {} entries", self.entries);
        let rig = Rig::new(self.cpu)?;
        let settings = guard::Settings {
            interfaces: vec![Rig::INTERFACE.to_owned()],
            list: entries::text(&self.before),
            max_entries: u32::try_from(self.entries + self.entries / CHANGED)?,
            ..guard::Settings::default()
        };
        let (long, changed) = (lines(&self.list), lines(&self.changed));
        let file = settings.list_file();
        let mut guard = Guard::prepare(&rig.server, settings)?;
        self.start_short
            .push(seconds(|| guard.launch_within(LIMIT))?);
        let pid = guard.daemon()?.id();
        let kernel = maps_kib(pid)?;
        self.resident_short
            .push(process::resident_kib(pid)? as f64 / 1024.0);

        rig.lab.folder().write(&file, long)?;
        let reload = |guard: &Guard| {
            let command = guard.command(&["reload"])?;
            seconds(|| {
                let output = rig.server.run(command, LIMIT)?;
                ensure!(output.success(), "reload: {}", output.stderr);
                Ok(())
            })
        };
        self.guard.load.push(reload(&guard)?);
        rig.lab.folder().write(&file, changed)?;
        self.guard.change.push(reload(&guard)?);

        let more = maps_kib(pid)? as f64 - kernel as f64;
        self.guard.kernel.push(more / 1024.0);
        self.guard
            .program
            .push(process::resident_kib(pid)? as f64 / 1024.0);
        self.highest
            .push(process::highest_kib(pid)? as f64 / 1024.0);
        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;

        self.start_long
            .push(seconds(|| guard.launch_within(LIMIT))?);
        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;
        Ok(())
    }

    fn load_nft(&mut self) -> Result<()> {
        eprintln!("loading: nftables, {} entries", self.entries);
        let rig = Rig::new(self.cpu)?;
        let folder = rig.lab.folder();
        folder.write(
            "rules.nft",
            format!(
                "table netdev guard {{\n  set listed {{ type ipv4_addr; flags interval; elements = {{ {} }} }}\n  \
                 chain guard {{\n    type filter hook ingress device {} priority 0; policy accept;\n    \
                 tcp dport 21 ip saddr @listed accept\n    tcp dport 21 drop\n  }}\n}}\n",
                elements(&self.before),
                Rig::INTERFACE
            ),
        )?;
        // Elements that are deleted one by one take nft longer than a set that is filled anew: minutes for a
        // thousand of a hundred thousand.
        let replace = |list: &[IpNet]| {
            format!(
                "flush set netdev guard listed\nadd element netdev guard listed {{ {} }}\n",
                elements(list)
            )
        };
        folder.write("list.nft", replace(&self.list))?;
        folder.write("change.nft", replace(&self.changed))?;
        let run = |file: &str| -> Result<(f64, f64)> {
            let mut command = Command::new("nft");
            command.arg("-f").arg(folder.inside(file));
            let start = Instant::now();
            let mut process = rig.server.spawn(command)?;
            let highest = watch(&mut process)?;
            let seconds = start.elapsed().as_secs_f64();
            let output = process.output(LIMIT)?;
            ensure!(output.success(), "nft: {}", brief(&output.stderr));
            Ok((seconds, highest as f64 / 1024.0))
        };
        run("rules.nft")?;
        let kernel = kernel_kib(&SLABS)?;
        let (load, highest) = run("list.nft")?;
        let more = kernel_kib(&SLABS)? as f64 - kernel as f64;
        let (change, highest_change) = run("change.nft")?;
        self.nft.load.push(load);
        self.nft.change.push(change);
        self.nft.kernel.push(more / 1024.0);
        self.nft.program.push(highest.max(highest_change));
        Ok(())
    }

    fn round(&mut self, round: usize) -> Result<()> {
        let guard_first = round.is_multiple_of(2);
        if guard_first {
            self.load_guard()?;
        }
        if self.nft_cannot.is_none()
            && let Err(error) = self.load_nft()
        {
            let reason = format!("{error:#}");
            eprintln!("loading: nftables cannot run here: {reason}");
            self.nft_cannot = Some(reason);
            self.nft = Taken::default();
        }
        if !guard_first {
            self.load_guard()?;
        }
        Ok(())
    }

    fn ratios(&self) -> Vec<Ratio> {
        let entries = self.entries;
        let ratio = |what: &str, of: &[f64], to: &[f64]| {
            Ratio::of(
                format!("loading/{entries} entries, {what}"),
                Better::Lower,
                of,
                to,
            )
            .in_quick_runs(SIZES[..QUICK_SIZES].contains(&entries))
        };
        let (guard, nft) = (&self.guard, &self.nft);
        let mut ratios = vec![
            ratio("1 % reload to whole load", &guard.change, &guard.load),
            ratio(
                "daemon's start with the list to start without",
                &self.start_long,
                &self.start_short,
            ),
        ];
        if self.nft_cannot.is_none() {
            ratios.push(ratio("load: guard to nftables", &guard.load, &nft.load));
            ratios.push(ratio(
                "change of 1 %: guard to nftables",
                &guard.change,
                &nft.change,
            ));
        }
        ratios
    }

    fn bars(&self) -> Vec<(String, f64)> {
        let (guard, nft) = (&self.guard, &self.nft);
        let mut bars = vec![
            ("guard, load".to_owned(), median_of(&guard.load)),
            ("guard, 1 % reload".to_owned(), median_of(&guard.change)),
        ];
        if self.nft_cannot.is_none() {
            bars.push(("nft -f, load".to_owned(), median_of(&nft.load)));
            bars.push(("nft -f, change of 1 %".to_owned(), median_of(&nft.change)));
        }
        bars
    }

    fn data(&self) -> Value {
        let taken = |taken: &Taken| {
            json!({
                "load_seconds": taken.load,
                "change_seconds": taken.change,
                "kernel_mib": taken.kernel,
                "program_mib": taken.program,
            })
        };
        json!({
            "entries": self.entries,
            "guard": taken(&self.guard),
            "nftables": taken(&self.nft),
            "nftables_cannot_run": self.nft_cannot,
            "daemon_start_seconds": { "short": self.start_short, "long": self.start_long },
            "daemon_highest_mib": self.highest,
            "daemon_short_mib": self.resident_short,
        })
    }

    /// Adds the rows of the list.
    fn tell(&self, table: &mut Table) {
        let number = |values: &[f64], digits: usize| format!("{:.digits$}", median_of(values));
        let guard = &self.guard;
        table.rows.push(vec![
            format!("ftp-guard, {}", self.entries),
            number(&guard.load, 3),
            number(&guard.change, 3),
            number(&guard.kernel, 1),
            number(&guard.program, 0),
            number(&self.highest, 0),
        ]);
        let nft = &self.nft;
        table.rows.push(match &self.nft_cannot {
            None => vec![
                format!("nftables, {}", self.entries),
                number(&nft.load, 3),
                number(&nft.change, 3),
                number(&nft.kernel, 1),
                String::new(),
                number(&nft.program, 0),
            ],
            Some(reason) => {
                let mut row = vec![
                    format!("nftables, {}", self.entries),
                    format!("cannot run here: {reason}"),
                ];
                row.resize(table.columns.len(), String::new());
                row
            }
        });
    }
}

/// The suite.
pub struct Loading {
    rounds: usize,
    lists: Vec<List>,
}

impl Loading {
    pub fn new(options: &Options, cpu: usize) -> Self {
        let sizes = if options.quick {
            &SIZES[..QUICK_SIZES]
        } else {
            &SIZES
        };
        Self {
            rounds: options.rounds(if options.quick { 1 } else { 5 }),
            lists: sizes.iter().map(|size| List::new(*size, cpu)).collect(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(
            "Times and memory",
            &[
                "",
                "load, s",
                "change of 1 %, s",
                "kernel memory, MiB",
                "program, MiB",
                "program at its highest, MiB",
            ],
            "Kernel memory of the guard is that of its maps, as the kernel accounts for them, over those with the \
             short list. That of nftables is what the kernel's unreclaimable slabs grew by, the whole machine's: \
             rough, but a set of this size stands out. The guard's program is its daemon, which goes on; nft ends, \
             so that it has a highest value only.",
        );
        for list in &self.lists {
            list.tell(&mut table);
        }
        table
    }

    fn starts(&self) -> Table {
        let mut table = Table::new(
            "A daemon's start",
            &["entries", "from its start until it answers, s"],
            "With loading and attaching the programs.",
        );
        let starts = |list: &List| (list.entries, list.start_long.clone());
        let short = self.lists.iter().flat_map(|list| list.start_short.clone());
        let all = [(BEFORE, short.collect())];
        for (entries, seconds) in all.into_iter().chain(self.lists.iter().map(starts)) {
            let seconds = format!("{:.2}", median_of(&seconds));
            table.rows.push(vec![entries.to_string(), seconds]);
        }
        table
    }
}

impl Suite for Loading {
    fn name(&self) -> &'static str {
        "loading"
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn round(&mut self, round: usize) -> Result<()> {
        cpus::undivided(|| self.lists.iter_mut().try_for_each(|list| list.round(round)))
    }

    fn section(&self) -> Result<Section> {
        let Some(longest) = self.lists.last() else {
            bail!("no lists");
        };
        let sizes: Vec<String> = self
            .lists
            .iter()
            .map(|list| list.entries.to_string())
            .collect();
        Ok(Section {
            name: "loading",
            title: "Loading a long list",
            about: format!(
                "Random IPv4 prefixes of /24 to /32, none inside another, in a file: {}. The guard runs with {BEFORE} \
                 entries, and `ftp-guard reload` takes it to the whole list, then to one in which 1 % are others; it \
                 ends when the new list is enforced. nftables gets the same by `nft -f`, each time as a set that is \
                 emptied and filled in one transaction: deleting single elements of a set of this size takes it \
                 longer than that. Both may use all CPUs of the machine. {} rounds.",
                sizes.join(" and "),
                self.rounds
            ),
            ratios: self.lists.iter().flat_map(List::ratios).collect(),
            tables: vec![self.table(), self.starts()],
            plots: vec![Plot {
                file: "loading",
                title: format!(
                    "Time to load {} prefixes, and to change 1 %",
                    longest.entries
                ),
                kind: PlotKind::Bars {
                    unit: "seconds",
                    bars: longest.bars(),
                },
            }],
            data: self.lists.iter().map(List::data).collect(),
        })
    }
}

fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn lines(list: &[IpNet]) -> String {
    entries::text(list).join("\n") + "\n"
}

fn elements(list: &[IpNet]) -> String {
    entries::text(list).join(", ")
}

/// The first line of what a program said: nft quotes the whole command.
fn brief(said: &str) -> String {
    said.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

/// Waits for the end of a program; its memory at its highest, in KiB.
fn watch(process: &mut Process) -> Result<u64> {
    let (start, id) = (Instant::now(), process.id());
    let mut highest = 0;
    while process.ended()?.is_none() {
        // It may end between the two looks.
        highest = highest.max(process::highest_kib(id).unwrap_or_default());
        ensure!(start.elapsed() < LIMIT, "it takes longer than {LIMIT:?}");
        thread::sleep(LOOK);
    }
    Ok(highest)
}

/// What the kernel accounts for the maps that a process holds open, in KiB.
fn maps_kib(pid: u32) -> Result<u64> {
    let mut maps = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))?.flatten() {
        // A file may be closed between two looks.
        let Ok(text) = fs::read_to_string(entry.path()) else {
            continue;
        };
        let field = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        if let (Some(id), Some(bytes)) = (field("map_id:"), field("memlock:")) {
            maps.insert(id, bytes);
        }
    }
    ensure!(!maps.is_empty(), "the daemon holds no map");
    Ok(maps.values().sum::<u64>() / 1024)
}

/// What `/proc/meminfo` says of these, together, in KiB.
fn kernel_kib(fields: &[&str]) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let values = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.split_whitespace().next()?;
        fields.contains(&name).then(|| value.parse::<u64>().ok())?
    });
    Ok(values.sum())
}

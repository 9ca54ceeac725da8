//! What the guard costs a transfer at full speed: vsftpd and curl over a pair of veth interfaces,
//! without a program on the server's, with one that only returns `XDP_PASS`, with the guard, and with a
//! guard that does not read control connections.
//!
//! The second is there because of veth: an XDP program on an interface makes its peer send segments
//! of wire size one by one instead of 64 KiB at once (no GSO into XDP). That is the price of any XDP
//! program on veth and not the guard's; network cards cut segments to wire size anyway.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::{
    lab::{
        CLIENT, End, Family, Lab, PASSWORD, SERVER, Site, USER,
        guard::{self, Guard},
        servers::{self, FtpServer, Make},
    },
    sys,
};
use serde_json::json;

use crate::{
    Options, Suite, load, machine, median,
    report::{Better, Ratio, Section, Table, median_of},
};

/// Time for one transfer.
const LIMIT: Duration = Duration::from_secs(600);
const MEANING: &str = "Any XDP program on a veth interface makes its peer send segments of wire size one by one: \
    \"guard to XDP_PASS\" is what the guard costs where segments have wire size anyway, on a network card; \
    \"guard to nothing\" has the loss of veth's own shortcut in it, which is in \"XDP_PASS\" as well.";

/// What is on the server's interface.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setting {
    Nothing,
    Pass,
    Guard,
    Unread,
}

impl Setting {
    const ALL: [Self; 4] = [Self::Nothing, Self::Pass, Self::Guard, Self::Unread];
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Pass => "XDP_PASS",
            Self::Guard => "guard",
            Self::Unread => "guard, inspect off",
        })
    }
}

/// Which way the bytes go, for the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Download,
    Upload,
}

impl Way {
    const ALL: [Self; 2] = [Self::Download, Self::Upload];

    fn name(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// MiB a second, of each round.
struct Rates {
    way: Way,
    setting: Setting,
    rates: Vec<f64>,
}

impl Rates {
    fn median(&self) -> f64 {
        let mut sorted = self.rates.clone();
        sorted.sort_by(f64::total_cmp);
        median(&sorted)
    }
}

/// Measures in rounds and prints the medians.
pub fn run(options: &Options) -> Result<()> {
    let mut suite = Transfers::new(options, 5, options.size_mib)?;
    for round in 0..suite.rounds {
        suite.round(round)?;
    }
    print(&suite.all, options)
}

/// The suite.
pub struct Transfers {
    rounds: usize,
    bench: Bench,
    all: Vec<Rates>,
}

impl Transfers {
    /// By default `rounds` rounds of transfers of `size_mib` MiB.
    pub fn new(options: &Options, rounds: usize, size_mib: u32) -> Result<Self> {
        let rates = |way| {
            Setting::ALL.map(|setting| Rates {
                way,
                setting,
                rates: Vec::new(),
            })
        };
        Ok(Self {
            rounds: options.rounds(rounds),
            bench: Bench::new(size_mib)?,
            all: Way::ALL.into_iter().flat_map(rates).collect(),
        })
    }

    fn rates(&self, way: Way, setting: Setting) -> &[f64] {
        let wanted = |rates: &&Rates| (rates.way, rates.setting) == (way, setting);
        let found = self.all.iter().find(wanted);
        found.map_or(&[], |found| &found.rates)
    }
}

impl Suite for Transfers {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    /// Every setting has its turn.
    fn round(&mut self, round: usize) -> Result<()> {
        for turn in 0..Setting::ALL.len() {
            // Whoever comes first in a round comes last in the next.
            let setting = Setting::ALL[(turn + round) % Setting::ALL.len()];
            let on = self.bench.set(setting)?;
            for measured in self.all.iter_mut().filter(|rates| rates.setting == setting) {
                measured.rates.push(self.bench.transfer(measured.way)?);
            }
            on.take_off()?;
        }
        Ok(())
    }

    fn section(&self) -> Result<Section> {
        let mut ratios = Vec::new();
        let mut columns = vec!["transfer".to_owned()];
        columns.extend(Setting::ALL.map(|setting| format!("{setting}, MiB/s")));
        let mut rows = Vec::new();
        for way in Way::ALL {
            let guard = self.rates(way, Setting::Guard);
            for other in [Setting::Pass, Setting::Nothing, Setting::Unread] {
                ratios.push(Ratio::of(
                    format!("transfer/{}: guard to {other}", way.name()),
                    Better::Higher,
                    guard,
                    self.rates(way, other),
                ));
            }
            let mut row = vec![way.name().to_owned()];
            row.extend(
                Setting::ALL.map(|setting| format!("{:.0}", median_of(self.rates(way, setting)))),
            );
            rows.push(row);
        }
        let rates: Vec<_> = self
            .all
            .iter()
            .map(|rates| {
                json!({
                    "way": rates.way.name(),
                    "setting": rates.setting.to_string(),
                    "mib_s": rates.rates,
                })
            })
            .collect();
        Ok(Section {
            name: "transfer",
            title: "Transfers",
            about: format!(
                "Files of {} MiB between vsftpd and curl over veth, {} rounds, in each of which every setting has \
                 its turn.",
                self.bench.size_mib, self.rounds
            ),
            ratios,
            tables: vec![Table {
                title: String::new(),
                columns,
                rows,
                meaning: MEANING.to_owned(),
            }],
            plots: Vec::new(),
            data: json!({ "size_mib": self.bench.size_mib, "rates": rates }),
        })
    }
}

/// A server and a client with one cable between them.
struct Bench {
    lab: Lab,
    server: ftp_guard_tests::lab::Host,
    client: ftp_guard_tests::lab::Host,
    ftp: FtpServer,
    size_mib: u32,
}

/// What is on the interface for the time of a turn.
enum On {
    Nothing,
    Pass(#[expect(dead_code, reason = "held, not read")] OwnedFd),
    Guard(Box<Guard>),
}

impl On {
    fn take_off(self) -> Result<()> {
        if let Self::Guard(mut guard) = self {
            guard.cli(&["detach"])?.expect(0)?;
            guard.join()?;
        }
        Ok(())
    }
}

impl Bench {
    /// The file that is sent; sparse, so that no disk is measured.
    const FILE: &str = "large.bin";

    fn new(size_mib: u32) -> Result<Self> {
        let lab = Lab::new()?;
        lab.install_accounts()?;
        let (server, client) = (lab.host("server")?, lab.host("client")?);
        let interface = Site::INTERFACE;
        let ends = [&server, &client].map(|host| End { host, interface });
        lab.connect(ends[0], ends[1])?;
        server.configure(interface, &SERVER)?;
        client.configure(interface, &CLIENT)?;
        let ftp = FtpServer::start(Make::Vsftpd, &server, &servers::Settings::default())?;
        ftp.put(Self::FILE, &[])?;
        let path = lab.folder().outside("home").join(Self::FILE);
        let file = std::fs::OpenOptions::new().write(true).open(path)?;
        file.set_len(u64::from(size_mib) << 20)?;
        Ok(Self {
            lab,
            server,
            client,
            ftp,
            size_mib,
        })
    }

    fn set(&self, setting: Setting) -> Result<On> {
        Ok(match setting {
            Setting::Nothing => On::Nothing,
            Setting::Pass => {
                let program = sys::load_pass_program()?;
                let link = self.server.enter(|| -> Result<OwnedFd> {
                    let index = nix::net::if_::if_nametoindex(Site::INTERFACE)?;
                    Ok(sys::attach_xdp(program.as_fd(), index)?)
                })?;
                On::Pass(link)
            }
            Setting::Guard => {
                let guard = Guard::start(&self.server, guard::Settings::default())?;
                On::Guard(Box::new(guard))
            }
            Setting::Unread => {
                let settings = guard::Settings {
                    more: vec!["[inspect]\nenabled = false".to_owned()],
                    ..guard::Settings::default()
                };
                On::Guard(Box::new(Guard::start(&self.server, settings)?))
            }
        })
    }

    /// Makes a transfer; its rate in MiB a second.
    fn transfer(&self, way: Way) -> Result<f64> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--user"]);
        command.arg(format!("{USER}:{PASSWORD}"));
        let server = SERVER.at(Family::V4, self.ftp.port());
        match way {
            Way::Download => command.args(["--output", "/dev/null"]),
            // The same file, from the folder that both have.
            Way::Upload => command
                .arg("--upload-file")
                .arg(self.lab.folder().inside("home").join(Self::FILE)),
        };
        let target = match way {
            Way::Download => Self::FILE,
            // What is written there is not kept.
            Way::Upload => "sink",
        };
        command.arg(format!("ftp://{server}/{target}"));
        let start = Instant::now();
        let output = self.client.run(command, LIMIT)?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(output.success(), "{}: {}", way.name(), output.stderr);
        Ok(f64::from(self.size_mib) / seconds)
    }
}

fn print(all: &[Rates], options: &Options) -> Result<()> {
    let of = |way, setting| -> Result<f64> {
        let found = all
            .iter()
            .find(|rates| rates.way == way && rates.setting == setting);
        Ok(found.context("not measured")?.median())
    };
    let (processor, kernel) = machine();
    let rounds = options.rounds(5);
    let mut rows = Vec::new();
    for way in Way::ALL {
        let [nothing, pass, guard, unread] = [
            of(way, Setting::Nothing)?,
            of(way, Setting::Pass)?,
            of(way, Setting::Guard)?,
            of(way, Setting::Unread)?,
        ];
        rows.push((way.name(), nothing, pass, guard, unread));
    }
    if options.json {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(way, nothing, pass, guard, unread)| {
                json!({
                    "way": way,
                    "nothing_mib_s": nothing,
                    "pass_mib_s": pass,
                    "guard_mib_s": guard,
                    "unread_mib_s": unread,
                    "guard_to_nothing": guard / nothing,
                    "guard_to_pass": guard / pass,
                    "guard_to_unread": guard / unread,
                })
            })
            .collect();
        let rates: Vec<_> = all
            .iter()
            .map(|rates| {
                json!({
                    "way": rates.way.name(),
                    "setting": rates.setting.to_string(),
                    "mib_s": rates.rates,
                })
            })
            .collect();
        let result = json!({
            "processor": processor,
            "kernel": kernel,
            "load": load(),
            "rounds": rounds,
            "size_mib": options.size_mib,
            "transfers": rows,
            "rates": rates,
        });
        println!("{}", serde_json::to_string_pretty(&result)?);
        return Ok(());
    }
    println!(
        "Transfers of {} MiB between vsftpd and curl over veth, medians of {rounds} interleaved rounds, \
         MiB/s.\n\n{processor}; Linux {kernel}; load {}.\n\n\
         | transfer | nothing | XDP_PASS | guard | guard, inspect off | guard to nothing | guard to XDP_PASS \
         | guard to inspect off |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        options.size_mib,
        load()
    );
    for (way, nothing, pass, guard, unread) in rows {
        println!(
            "| {way} | {nothing:.0} | {pass:.0} | {guard:.0} | {unread:.0} | {:.3} | {:.3} | {:.3} |",
            guard / nothing,
            guard / pass,
            guard / unread
        );
    }
    println!("\n{MEANING}");
    Ok(())
}

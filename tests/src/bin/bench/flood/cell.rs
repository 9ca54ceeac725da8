//! One measurement: a contender under a flood.

use std::{
    fmt, fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Arena, Family, SERVER, Spoofed,
    clients::{
        download::Download,
        logins::{self, Plan},
    },
    driver_counters,
    flood::{Generator, Kind, Rate},
    servers::{self, FtpServer, Make},
};

use super::contender::Contender;
use crate::process;

/// The file that is sent; sparse, so that no disk is measured, and longer than any measurement.
const FILE: &str = "endless.bin";
const FILE_BYTES: u64 = 1 << 40;
/// Time for a flood to show its effect, and for a download to get to its rate.
const WARM_UP: Duration = Duration::from_millis(500);
/// Time for a login.
const LOGIN_LIMIT: Duration = Duration::from_secs(5);
/// No measurement takes longer.
const FLOOD_LIMIT: Duration = Duration::from_secs(120);

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Connection requests from anywhere.
    RandomSyn,
    /// Connection requests that pretend to come from partners.
    ListedSyn,
    /// Acknowledgements of no connection that pretend to come from partners.
    ListedAck,
}

impl Scenario {
    pub const ALL: [Self; 3] = [Self::RandomSyn, Self::ListedSyn, Self::ListedAck];

    fn kind(self) -> (Kind, Spoofed) {
        match self {
            Self::RandomSyn => (Kind::SynWithOptions, Spoofed::Anywhere),
            Self::ListedSyn => (Kind::SynWithOptions, Spoofed::Listed),
            Self::ListedAck => (Kind::Ack, Spoofed::Listed),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RandomSyn => "SYNs, random sources",
            Self::ListedSyn => "SYNs, listed sources",
            Self::ListedAck => "ACKs, listed sources",
        })
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How long the download is measured.
    pub download: Duration,
    /// How many logins there are.
    pub logins: usize,
    /// Time between two of them.
    pub every: Duration,
    /// How long the flood lasts at the least.
    pub flood: Duration,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Frames a second that the attacker sent.
    pub offered: f64,
    /// Frames a second that the server's interface took; what is missing was lost before, in the
    /// cable's queue, for want of processor time.
    pub taken: f64,
    /// Frames taken in a second of processor time, of making and taking them: what other programs on the
    /// machine do not change.
    pub taken_per_cpu: f64,
    /// Of those, frames that a program on the interface dropped.
    pub dropped: f64,
    /// Of those, frames that a program on the interface answered.
    pub answered: f64,
    /// Bytes a second of the partner's download.
    pub goodput: f64,
    /// Logins that were tried.
    pub logins: usize,
    /// Times of those that succeeded, in milliseconds.
    pub login_ms: Vec<f64>,
    /// Of the guard's daemon.
    pub daemon: Option<Daemon>,
}

/// What the guard's daemon took.
#[derive(Clone, Copy, Debug)]
pub struct Daemon {
    /// Share of one CPU during the flood.
    pub cpu: f64,
    /// Resident memory before the flood, in KiB.
    pub rss_before: u64,
    /// And at its end.
    pub rss_after: u64,
}

/// Measures in an arena of its own.
pub fn measure(
    contender: Contender,
    scenario: Scenario,
    rate: Rate,
    extent: Extent,
    flood_cpu: Option<usize>,
) -> Result<Measured> {
    let arena = Arena::new()?;
    let ftp = FtpServer::start(Make::Vsftpd, &arena.server, &servers::Settings::default())?;
    ftp.put(FILE, &[])?;
    let path = arena.lab.folder().outside("home").join(FILE);
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(FILE_BYTES)?;
    let mut installed = contender.install(&arena)?;
    let pid = match &mut installed.guard {
        Some(guard) => Some(guard.daemon()?.id()),
        None => None,
    };

    let download = Download::start(&arena.partner, Family::V4, ftp.port(), FILE)?;
    thread::sleep(WARM_UP);
    let rss_before = pid.map(process::resident_kib).transpose()?;
    let (kind, spoofed) = scenario.kind();
    let recipe = arena.recipe(kind, spoofed, Family::V4, &[ftp.port()])?;
    let flood = Generator::start(
        &arena.attacker,
        Arena::ATTACKER_SIDE,
        &recipe,
        rate,
        FLOOD_LIMIT,
        flood_cpu,
    )?;
    thread::sleep(WARM_UP);

    let start = Instant::now();
    let frames_before = Frames::read(&arena)?;
    let (sent_before, spent_before) = (flood.sent(), spent(&flood, flood_cpu)?);
    let cpu_before = pid.map(process::cpu_seconds).transpose()?;
    let goodput = download.rate_over(extent.download);
    drop(download);
    let plan = Plan {
        count: extent.logins,
        every: extent.every,
        limit: LOGIN_LIMIT,
    };
    let server = SERVER.at(Family::V4, ftp.port());
    let logins = logins::log_in(&arena.partner, server, plan);
    thread::sleep(extent.flood.saturating_sub(start.elapsed()));
    ensure!(flood.is_running(), "the flood ended too soon");
    let seconds = start.elapsed().as_secs_f64();
    let (sent, frames) = (flood.sent(), Frames::read(&arena)?);
    let spent = spent(&flood, flood_cpu)? - spent_before;
    let daemon = match (pid, cpu_before, rss_before) {
        (Some(pid), Some(cpu_before), Some(rss_before)) => Some(Daemon {
            cpu: (process::cpu_seconds(pid)? - cpu_before) / seconds,
            rss_before,
            rss_after: process::resident_kib(pid)?,
        }),
        _ => None,
    };
    flood.stop()?;
    installed.remove()?;

    let succeeded = logins.iter().flatten();
    Ok(Measured {
        offered: (sent - sent_before) as f64 / seconds,
        taken: (frames.taken - frames_before.taken) as f64 / seconds,
        taken_per_cpu: (frames.taken - frames_before.taken) as f64 / spent,
        dropped: (frames.dropped - frames_before.dropped) as f64 / seconds,
        answered: (frames.answered - frames_before.answered) as f64 / seconds,
        goodput,
        logins: logins.len(),
        login_ms: succeeded.map(|time| time.as_secs_f64() * 1e3).collect(),
        daemon,
    })
}

/// What has come to the server by the attacker's cable.
struct Frames {
    taken: u64,
    dropped: u64,
    answered: u64,
}

impl Frames {
    fn read(arena: &Arena) -> Result<Self> {
        let counters = driver_counters(&arena.server, Arena::ATTACKER_SIDE)?;
        let sum = |suffix: &str| {
            let queues = counters
                .iter()
                .filter(|(name, _)| name.starts_with("rx_queue_") && name.ends_with(suffix));
            queues.map(|(_, count)| count).sum()
        };
        Ok(Self {
            taken: sum("_xdp_packets"),
            dropped: sum("_xdp_drops"),
            answered: sum("_xdp_tx"),
        })
    }
}

/// Processor time of a flood and of the kernel's thread that takes its frames where the flood itself
/// does not, in seconds.
fn spent(flood: &Generator, cpu: Option<usize>) -> Result<f64> {
    let mut seconds = flood.spent().as_secs_f64();
    let name = format!("ksoftirqd/{}\n", cpu.unwrap_or_default());
    for entry in fs::read_dir("/proc")?.flatten() {
        let id = entry.file_name();
        let Some(id) = id.to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        // A process may end between two looks.
        if fs::read_to_string(entry.path().join("comm")).is_ok_and(|found| found == name) {
            seconds += process::cpu_seconds(id)?;
        }
    }
    Ok(seconds)
}

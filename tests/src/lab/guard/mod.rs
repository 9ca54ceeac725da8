//! The guard itself: the real binary, run as a daemon and as a command on a host of the lab.

mod settings;

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

pub use self::settings::Settings;
use super::{Folder, Host, Identity, Output, Process, wait_until};

/// Time for a daemon to come up, or to end: for one that hangs, as one that ends instead is noticed at once. Under
/// emulation the verifier alone takes most of a minute, and more beside another machine.
const DAEMON_LIMIT: Duration = Duration::from_secs(240);
/// Time for a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// How often a daemon is asked whether it is there while its socket says that it is not. To ask takes a process,
/// which where the processor is emulated takes from the daemon the time that it needs to come up.
const ASK_ANYWAY: Duration = Duration::from_secs(5);

/// A guard of one host: its files and, while it runs, its daemon.
pub struct Guard {
    host: Host,
    settings: Settings,
    daemon: Option<Process>,
}

impl Guard {
    /// Where Prometheus finds the guard, on its own host.
    pub const METRICS: &str = "127.0.0.1:9721";

    /// Writes the guard's configuration; nothing runs yet.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn prepare(host: &Host, settings: Settings) -> Result<Self> {
        let folder = host.folder();
        folder.write(&settings.file(), settings.toml(&folder))?;
        folder.write(&settings.list_file(), settings.list.join("\n") + "\n")?;
        Ok(Self {
            host: host.clone(),
            settings,
            daemon: None,
        })
    }

    /// Prepares a guard and starts its daemon.
    ///
    /// # Errors
    /// When the daemon does not come up, with what it said.
    pub fn start(host: &Host, settings: Settings) -> Result<Self> {
        let mut guard = Self::prepare(host, settings)?;
        guard.launch()?;
        Ok(guard)
    }

    /// Starts the daemon and waits until it answers.
    ///
    /// # Errors
    /// When it ends instead, with what it said.
    pub fn launch(&mut self) -> Result<()> {
        self.launch_within(DAEMON_LIMIT)
    }

    /// As [`Guard::launch`], with so much time for it: long lists take long on a busy machine.
    ///
    /// # Errors
    /// As [`Guard::launch`].
    pub fn launch_within(&mut self, limit: Duration) -> Result<()> {
        ensure!(self.daemon.is_none(), "the daemon runs already");
        let mut daemon = self.host.spawn(self.command(&["run"])?)?;
        let socket = self.folder().outside(&self.settings.socket());
        let mut asked = Instant::now();
        wait_until("the daemon answers", limit, || {
            if let Some(status) = daemon.ended()? {
                bail!("it ended, {status}: {}{}", daemon.stdout(), daemon.stderr());
            }
            if asked.elapsed() < ASK_ANYWAY && UnixStream::connect(&socket).is_err() {
                return Ok(None);
            }
            asked = Instant::now();
            Ok(self.cli(&["status"])?.success().then_some(()))
        })?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Starts a daemon that is expected to end by itself, and waits for that.
    ///
    /// # Errors
    /// When it goes on.
    pub fn run_in_vain(&self, identity: Identity) -> Result<Output> {
        self.host
            .run_as(identity, self.command(&["run"])?, DAEMON_LIMIT)
    }

    /// Ends the daemon by SIGKILL.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill9(&mut self) -> Result<()> {
        self.stop(Signal::SIGKILL).map(drop)
    }

    /// Ends the daemon by SIGTERM.
    ///
    /// # Errors
    /// When there is none, or it does not end.
    pub fn terminate(&mut self) -> Result<Output> {
        self.stop(Signal::SIGTERM)
    }

    fn stop(&mut self, signal: Signal) -> Result<Output> {
        let daemon = self.daemon.take().context("no daemon runs")?;
        daemon.signal(signal)?;
        daemon.output(DAEMON_LIMIT)
    }

    /// The running daemon.
    ///
    /// # Errors
    /// When there is none.
    pub fn daemon(&mut self) -> Result<&mut Process> {
        self.daemon.as_mut().context("no daemon runs")
    }

    /// The memory that the daemon has made its own, in KiB: neither code nor maps of the kernel.
    ///
    /// # Errors
    /// When none runs.
    pub fn memory_kib(&mut self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon()?.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let value = line.and_then(|line| line.split_whitespace().next());
        Ok(value.context("no RssAnon")?.parse()?)
    }

    /// Waits for a daemon that has been told to end, as `detach` tells it.
    ///
    /// # Errors
    /// When there is none, or it does not end.
    pub fn join(&mut self) -> Result<Output> {
        self.daemon
            .take()
            .context("no daemon runs")?
            .output(DAEMON_LIMIT)
    }

    /// The settings it was prepared with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The lab's folder, where the guard's files are.
    #[must_use]
    pub fn folder(&self) -> Folder {
        self.host.folder()
    }

    /// Runs a command of the CLI.
    ///
    /// # Errors
    /// When it does not end. A failing exit code is no error.
    pub fn cli(&self, arguments: &[&str]) -> Result<Answer> {
        let output = self.host.run(self.command(arguments)?, COMMAND_LIMIT)?;
        Ok(Answer {
            command: arguments.join(" "),
            output,
        })
    }

    /// Runs a command of the CLI with `--json` that is expected to succeed.
    ///
    /// # Errors
    /// When it fails or prints no JSON.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let answer = self.cli(&[arguments, &["--json"]].concat())?;
        answer.expect(0)?;
        answer.json()
    }

    /// The guard's status, with a daemon (exit code 0) or without (exit code 1).
    ///
    /// # Errors
    /// When the exit code and what is said of the daemon do not agree.
    pub fn status(&self) -> Result<Value> {
        let answer = self.cli(&["status", "--json"])?;
        let status = answer.json()?;
        answer.expect(i32::from(status["running"] != true))?;
        Ok(status)
    }

    /// The interfaces that the guard is attached to, as the kernel tells it.
    ///
    /// # Errors
    /// As [`Guard::status`].
    pub fn attached(&self) -> Result<Vec<String>> {
        let status = self.status()?;
        let interfaces = status["interfaces"]
            .as_array()
            .context("no interfaces in the status")?;
        let names = interfaces
            .iter()
            .filter_map(|interface| interface["interface"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// How many packets the kernel has counted whose labels are these, for example
    /// `("verdict", "drop")`.
    ///
    /// # Errors
    /// When the guard does not tell.
    pub fn counted(&self, labels: &[(&str, &str)]) -> Result<u64> {
        let status = self.status()?;
        let counters = status["counters"]
            .as_array()
            .context("no counters in the status")?;
        let wanted = |counter: &&Value| labels.iter().all(|(name, value)| counter[*name] == *value);
        Ok(counters
            .iter()
            .filter(wanted)
            .filter_map(|counter| counter["packets"].as_u64())
            .sum())
    }

    /// How many packets were dropped, by reason; of use in the message of a failed test.
    ///
    /// # Errors
    /// When the guard does not tell.
    pub fn dropped(&self) -> Result<BTreeMap<String, u64>> {
        let mut dropped = BTreeMap::new();
        let status = self.status()?;
        let counters = status["counters"].as_array();
        for counter in counters.context("no counters in the status")? {
            if let (Some("drop"), Some(reason)) =
                (counter["verdict"].as_str(), counter["reason"].as_str())
            {
                let packets = counter["packets"].as_u64().unwrap_or_default();
                *dropped.entry(reason.to_owned()).or_default() += packets;
            }
        }
        Ok(dropped)
    }

    /// The guard's command line, ready to be run on its host.
    ///
    /// # Errors
    /// When the binary is not built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .env("NO_COLOR", "1")
            // Which of its arenas glibc takes is chance, and what they keep is more than what a test would call a leak.
            .env("MALLOC_ARENA_MAX", "1")
            .arg("--config")
            .arg(self.folder().inside(&self.settings.file()))
            .args(arguments);
        Ok(command)
    }
}

/// The guard's binary: `FTP_GUARD_BIN`, by default that of the workspace's debug build.
fn binary() -> Result<PathBuf> {
    let path = env::var_os("FTP_GUARD_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/ftp-guard"),
        PathBuf::from,
    );
    path.canonicalize().with_context(|| {
        format!(
            "{} is missing: run `cargo build`, or set FTP_GUARD_BIN",
            path.display()
        )
    })
}

/// What a command of the CLI left.
pub struct Answer {
    command: String,
    output: Output,
}

impl Answer {
    /// Whether the exit code is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.output.success()
    }

    /// Checks the exit code.
    ///
    /// # Errors
    /// When it is another one.
    pub fn expect(&self, code: i32) -> Result<&Self> {
        ensure!(
            self.output.code() == code,
            "exit code {code} expected of {self}"
        );
        Ok(self)
    }

    /// Checks that the command said this, on either stream.
    ///
    /// # Errors
    /// When it did not.
    pub fn says(&self, text: &str) -> Result<&Self> {
        let said = self.output.stdout.contains(text) || self.output.stderr.contains(text);
        ensure!(said, "{text:?} expected of {self}");
        Ok(self)
    }

    /// Standard output.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.output.stdout
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.output.stdout).with_context(|| format!("no JSON from {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, output } = self;
        let (code, stdout, stderr) = (output.code(), &output.stdout, &output.stderr);
        write!(
            f,
            "`ftp-guard {command}`, which ended with {code}: {stdout}{stderr}"
        )
    }
}

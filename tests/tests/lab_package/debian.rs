//! A clean Debian 12 with systemd as its first process, on a host of the lab.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{Host, Output, Process, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
/// Enters all namespaces of the oldest systemd that the lab's processes see.
const ENTER: &str = "exec nsenter -t \"$(pgrep -o -x systemd)\" -a --root --wd \
                     env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb \
                     SYSTEMD_PAGER= DEBIAN_FRONTEND=noninteractive \"$@\"";

/// The running system.
pub struct Debian {
    host: Host,
    process: Process,
}

impl Debian {
    /// Boots it, with these packages in its `/root`.
    pub fn boot(host: &Host, packages: &[PathBuf]) -> Result<Self> {
        let root = below("FTP_GUARD_LAB", "lab")?.join("root");
        ensure!(
            root.join("lib/systemd/systemd").exists(),
            "{} is no Debian: run `cargo xtask setup --only debian`",
            root.display()
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab_package/boot.sh");
        let mut boot = Command::new(script);
        boot.arg(root.canonicalize()?)
            .arg(host.folder().inside("debian"));
        fs::create_dir_all(host.folder().outside("debian"))?;
        let mut process = host.spawn({
            boot.args(packages);
            boot
        })?;
        let debian = |process| Self {
            host: host.clone(),
            process,
        };
        wait_until("systemd is up", LIMIT, || {
            if let Some(status) = process.ended()? {
                anyhow::bail!("it ended, {status}: {}", process.stderr());
            }
            let mut asked = Command::new("sh");
            asked.args([
                "-c",
                ENTER,
                "sh",
                "systemctl",
                "is-active",
                "multi-user.target",
            ]);
            Ok(host.run(asked, LIMIT)?.success().then_some(()))
        })?;
        Ok(debian(process))
    }

    /// Runs a program in it.
    pub fn run(&self, command: &[&str]) -> Result<Output> {
        let mut enter = Command::new("sh");
        enter.args(["-c", ENTER, "sh"]).args(command);
        self.host.run(enter, LIMIT)
    }

    /// Runs a program that succeeds; what it printed, without white space at the end. It is told as on a terminal:
    /// docs/quickstart.md is from there.
    pub fn ok(&self, command: &[&str]) -> Result<String> {
        let output = self.run(command)?;
        println!(
            "# {}\n{}{}",
            command.join(" "),
            output.stdout,
            output.stderr
        );
        ensure!(
            output.success(),
            "`{}` ended with {}: {}{}",
            command.join(" "),
            output.code(),
            output.stdout,
            output.stderr
        );
        Ok(output.stdout.trim_end().to_owned())
    }

    /// Runs a line of shell that succeeds.
    pub fn sh(&self, line: &str) -> Result<String> {
        self.ok(&["sh", "-ec", line])
    }

    /// A property of the unit.
    pub fn unit(&self, property: &str) -> Result<String> {
        self.ok(&[
            "systemctl",
            "show",
            "--value",
            "--property",
            property,
            "ftp-guard",
        ])
    }

    /// Ends it.
    pub fn halt(mut self) -> Result<()> {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -KILL \"$(pgrep -o -x systemd)\""]);
        self.host.run(kill, LIMIT)?;
        self.process.wait(LIMIT).map(drop)
    }
}

/// The package of the suite's own build with this revision.
pub fn package(revision: u32) -> Result<PathBuf> {
    let folder = below("FTP_GUARD_DIST", "dist/dev")?;
    let ending = format!("-{revision}_");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("no packages in {}", folder.display()))?;
    let mut names = entries.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(&ending) && name.ends_with(".deb")
    });
    let found = names.next().with_context(|| {
        format!(
            "no package of revision {revision} in {}: run `cargo xtask dist --profile dev \
             --revision {revision}`",
            folder.display()
        )
    })?;
    Ok(found.canonicalize()?)
}

fn below(variable: &str, usual: &str) -> Result<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target")
        .join(usual);
    Ok(env::var_os(variable).map_or(usual, PathBuf::from))
}

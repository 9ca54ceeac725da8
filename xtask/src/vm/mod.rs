//! `test --kernel`: suites on another kernel, under QEMU.
//!
//! The machine is a Debian kernel and a first file system with the test programs, what they need
//! and an init script that runs them. It talks over its serial console; lines that begin with
//! [`console::MARK`] are the script's own.

mod console;
mod image;
mod modules;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    shell,
    test::{Options, Row, Suite, stream},
    workspace::Workspace,
};

/// The suites that need neither servers nor clients of their own, in the order in which they run: some rows
/// of `datapath` wait until the machine has been up for some minutes.
pub(crate) const SUITES: [&str; 5] = [
    "object",
    "verifier",
    "kernel_lab",
    "lab_cookies",
    "datapath",
];

/// For booting and all suites, without hardware support, beside another machine.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Boots all kernels of `options`, runs the suites there and returns a row for each. The machines run
/// at the same time: each is busy with one processor for the most part. The first one's lines are printed as
/// they come, those of the others when they have ended.
///
/// # Errors
///
/// When a machine cannot be made or started.
pub(crate) fn run_all(
    workspace: &Workspace,
    suites: &[&Suite],
    binary: &Path,
    options: &Options,
) -> Result<Vec<Row>> {
    let Some((first, others)) = options.kernels.split_first() else {
        return Ok(Vec::new());
    };
    thread::scope(|scope| {
        let others: Vec<_> = others
            .iter()
            .map(|series| {
                let mut lines = Vec::new();
                let machine = scope.spawn(move || {
                    let keep = |line: &str| lines.push(line.to_owned());
                    let rows = run(workspace, series, suites, binary, options, keep);
                    (rows, lines)
                });
                (series, machine)
            })
            .collect();
        shell::say(format!("kernel {first}"));
        let show = |line: &str| println!("{line}");
        let mut rows = run(workspace, first, suites, binary, options, show)?;
        for (series, machine) in others {
            shell::say(format!("kernel {series}"));
            let (result, lines) = machine.join().map_err(|_| {
                anyhow!("the thread that watches the machine of kernel {series} has died")
            })?;
            for line in lines {
                println!("{line}");
            }
            rows.extend(result?);
        }
        Ok(rows)
    })
}

/// Boots a kernel, runs the suites there and returns a row for each.
fn run(
    workspace: &Workspace,
    series: &str,
    suites: &[&Suite],
    binary: &Path,
    options: &Options,
    mut read: impl FnMut(&str),
) -> Result<Vec<Row>> {
    let kernel = Kernel::find(&workspace.kernels().join(series))?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let initrd = image::make(folder.path(), workspace, &kernel, suites, binary, options)
        .with_context(|| format!("the machine for kernel {series} cannot be made"))?;

    let start = Instant::now();
    let mut log = console::Log::default();
    let ended = stream(&mut qemu(workspace, &kernel, &initrd), LIMIT, |line| {
        read(line);
        log.add(line, start.elapsed());
    })?;
    if ended.is_none() {
        shell::say(format!(
            "kernel {series}: ended after {} s",
            LIMIT.as_secs()
        ));
    }
    let names = suites.iter().map(|suite| suite.name.as_str());
    Ok(log.rows(series, names, start.elapsed()))
}

/// A kernel that setup unpacked.
pub(crate) struct Kernel {
    /// The folder of the package.
    folder: PathBuf,
    image: PathBuf,
    /// As `uname -r` prints it.
    release: String,
}

impl Kernel {
    fn find(folder: &Path) -> Result<Self> {
        let boot = folder.join("boot");
        for entry in fs::read_dir(&boot).with_context(|| format!("no {}", boot.display()))? {
            let image = entry?.path();
            let name = image
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if let Some(release) = name.strip_prefix("vmlinuz-") {
                return Ok(Self {
                    folder: folder.to_path_buf(),
                    release: release.to_owned(),
                    image,
                });
            }
        }
        bail!(
            "{} holds no kernel: remove {} and run `cargo xtask setup --only kernels`",
            boot.display(),
            folder.display()
        );
    }
}

fn qemu(workspace: &Workspace, kernel: &Kernel, initrd: &Path) -> Command {
    let folder = workspace.kernels().join("qemu/usr");
    let mut qemu = Command::new(folder.join("bin/qemu-system-x86_64"));
    for firmware in ["share/qemu", "share/seabios"] {
        qemu.arg("-L").arg(folder.join(firmware));
    }
    qemu.args([
        "-M",
        "q35",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "2048",
        "-nodefaults",
    ])
    // Hardware support is not to be had in most machines that run this, and hangs in some.
    .args(["-accel", "tcg"])
    .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
    .arg("-kernel")
    .arg(&kernel.image)
    .arg("-initrd")
    .arg(initrd)
    // A panic ends the machine.
    .args(["-append", "console=ttyS0 quiet panic=-1"]);
    qemu
}

//! Debian's packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// Installs the packages that are not there.
///
/// # Errors
///
/// Without apt or without root, naming what to install by hand; when apt fails.
pub(crate) fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    shell::say(format!("{purpose}: installing {}", missing.join(" ")));
    let by_hand = format!(
        "apt-get install --no-install-recommends {}",
        missing.join(" ")
    );
    ensure!(
        shell::is_root(),
        "packages are missing and installing them needs root: run `cargo xtask setup` as root or \
         `{by_hand}`"
    );
    with_fresh_lists(&missing, || {
        shell::run(
            apt_get()
                .args(["install", "-qq", "--yes", "--no-install-recommends"])
                // A conflict is for the owner of the machine to settle.
                .arg("--no-remove")
                .args(&missing),
        )
    })
    .with_context(|| {
        format!(
            "{purpose}: `{by_hand}` does not work; are the archives within reach, and is the security \
             suite among the machine's sources?"
        )
    })
}

/// Unpacks packages into a folder, without installing them. The folder appears whole or not at all.
///
/// # Errors
///
/// Without apt, when apt does not find a package, or on a full or read-only disk.
pub(crate) fn unpack(packages: &[&str], folder: &Path) -> Result<()> {
    let parent = folder
        .parent()
        .context("the root is no folder to unpack into")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let temporary = tempfile::Builder::new()
        .prefix(".unpack-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot create a folder in {}", parent.display()))?;
    let downloads = temporary.path().join("downloads");
    let unpacked = temporary.path().join("unpacked");
    fs::create_dir(&downloads)?;
    fs::create_dir(&unpacked)?;
    with_fresh_lists(packages, || {
        let mut download = apt_get();
        download.args(["download", "-qq"]).args(packages);
        shell::run(download.current_dir(&downloads))
    })?;
    for file in fs::read_dir(&downloads)? {
        let mut extract = Command::new("dpkg-deb");
        extract.arg("--extract").arg(file?.path()).arg(&unpacked);
        shell::run(&mut extract)?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::rename(&unpacked, folder)
        .with_context(|| format!("cannot move what was unpacked to {}", folder.display()))
}

/// The packages whose name matches a regular expression of apt, by whatever the machine's lists
/// say, refreshed if they know none.
///
/// # Errors
///
/// Without apt.
pub(crate) fn search(pattern: &str) -> Result<Vec<String>> {
    let search = || -> Result<Vec<String>> {
        let mut search = Command::new("apt-cache");
        search.args(["search", "--names-only", pattern]);
        let found = shell::output(&mut search).context("setup needs apt")?;
        let names = found.lines().filter_map(|line| line.split(' ').next());
        Ok(names.map(String::from).collect())
    };
    let found = search()?;
    if !found.is_empty() {
        return Ok(found);
    }
    update()?;
    search()
}

fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output();
    // It fails when a package is unknown, and tells of the others all the same.
    let Ok(query) = query else {
        bail!(
            "setup knows Debian only, and there is no dpkg here: install by hand what these \
             packages of Debian 12 hold: {}",
            packages.join(" ")
        );
    };
    let status = String::from_utf8_lossy(&query.stdout);
    let installed: Vec<&str> = status
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .collect();
    let is_missing = |package: &&&str| !installed.contains(*package);
    Ok(packages.iter().filter(is_missing).copied().collect())
}

/// Runs `action`, which needs these packages, with package lists that know them: refreshes the
/// lists when they do not, or when the action fails (a stale list names files that are gone).
fn with_fresh_lists(packages: &[&str], action: impl Fn() -> Result<()>) -> Result<()> {
    let mut show = Command::new("apt-cache");
    show.args(["show", "--quiet=2", "--no-all-versions"]);
    if !shell::succeeds(show.args(packages)) && update()? {
        return action();
    }
    match action() {
        Err(_) if update()? => action(),
        result => result,
    }
}

/// Refreshes the package lists, once in a run. False when that was done already.
fn update() -> Result<bool> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return Ok(false);
    }
    shell::say("refreshing the package lists");
    shell::run(apt_get().args(["update", "-qq"]))
        .context("the package lists cannot be refreshed")?;
    Ok(true)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // dpkg wants ldconfig and others of /sbin, which a root shell made by su lacks.
        .env("PATH", shell::path_with_sbin())
        // A progress bar in a log is a line of a thousand characters.
        .args(["-o", "Dpkg::Use-Pty=0"])
        // Unpacking in a folder of root's is no reason for a warning.
        .args(["-o", "APT::Sandbox::User=root"]);
    command
}

/// A file that tells what `unpack` left in a folder.
pub(crate) fn stamp(folder: &Path) -> PathBuf {
    folder.join(".packages")
}

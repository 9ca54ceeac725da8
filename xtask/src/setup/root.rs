//! A clean Debian, into which a suite installs the package.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use super::apt;
use crate::shell;

/// The oldest Debian that the package is for.
const RELEASE: &str = "bookworm";
/// What is there beside the base: what the package depends on and what its unit needs.
const INCLUDED: &str = "adduser,iproute2,systemd";

/// Makes the folder if it is not there or was made otherwise. It appears whole or not at all.
///
/// # Errors
///
/// When debootstrap fails.
pub(crate) fn ensure(folder: &Path) -> Result<()> {
    let wanted = format!("{RELEASE} {INCLUDED}");
    if fs::read_to_string(apt::stamp(folder)).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    shell::say(format!(
        "debian: making a clean one in {} (a minute or two)",
        folder.display()
    ));
    let parent = folder.parent().context("the root is no folder to make")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let temporary = tempfile::Builder::new()
        .prefix(".root-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot create a folder in {}", parent.display()))?;
    let made = temporary.path().join("root");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .env("PATH", shell::path_with_sbin())
        .args([
            "--variant=minbase",
            &format!("--include={INCLUDED}"),
            RELEASE,
        ])
        .arg(&made)
        .args(archive());
    shell::run(&mut debootstrap).context("is the archive within reach?")?;
    fs::write(apt::stamp(&made), wanted)?;
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::rename(&made, folder).with_context(|| format!("cannot move it to {}", folder.display()))
}

/// Where this machine's packages of that release come from; nothing when it has none of them, and debootstrap
/// then takes what it knows.
fn archive() -> Option<String> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI)"]);
    targets.args(["Created-By: Packages", "Component: main"]);
    let found = shell::output(targets.arg(format!("Release: {RELEASE}"))).ok()?;
    found.lines().next().map(str::to_owned)
}

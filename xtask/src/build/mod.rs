//! `build`: the daemon, with the kernel programs in it.

mod reproducible;

use std::path::PathBuf;

use anyhow::Result;

use crate::{shell, workspace::Workspace};

/// Build ftp-guard with its kernel programs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// With optimisation
    #[arg(long)]
    release: bool,
    /// Instead build the kernel programs in two folders and compare the bytes
    #[arg(long, conflicts_with = "release")]
    check_reproducible: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.check_reproducible {
        return reproducible::check(workspace);
    }
    let binary = binary(workspace, options.release)?;
    shell::say(format!("built {}", binary.display()));
    Ok(())
}

/// Builds the daemon and returns where it is.
///
/// # Errors
///
/// When it does not build.
pub(crate) fn binary(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    let mut build = workspace.cargo();
    build.args(["build", "--locked", "--package", "ftp-guard", "--bins"]);
    if release {
        build.arg("--release");
    }
    shell::run(&mut build)?;
    let profile = if release { "release" } else { "debug" };
    Ok(workspace.target.join(profile).join("ftp-guard"))
}

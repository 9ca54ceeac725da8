//! cargo-deb, in a folder of its own: it is no tool that developers call by themselves.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{shell, workspace::Workspace};

/// What `[package.metadata.deb]` was written for.
const VERSION: &str = "3.8.0";

/// Installs it if it is not there; returns the program.
///
/// # Errors
///
/// When it does not build.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("tools");
    let program = folder.join("bin/cargo-deb");
    if version(&program).as_deref() == Some(VERSION) {
        return Ok(program);
    }
    shell::say(format!(
        "package: installing cargo-deb {VERSION} into {} (one to three minutes)",
        folder.display()
    ));
    let mut install = workspace.cargo();
    install
        .args(["install", "cargo-deb", "--version", VERSION, "--force"])
        .args(["--locked", "--root"])
        .arg(&folder)
        .arg("--target-dir")
        .arg(folder.join("build"))
        // It compresses two packages: what makes it faster takes longer to build than it saves.
        .envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        ]);
    shell::run(&mut install).context("cargo-deb does not build: are the crates within reach?")?;
    ensure!(
        version(&program).as_deref() == Some(VERSION),
        "{} was installed and does not start",
        program.display()
    );
    Ok(program)
}

fn version(program: &PathBuf) -> Option<String> {
    let said = shell::output(Command::new(program).arg("--version")).ok()?;
    said.strip_prefix("cargo-deb ").map(str::to_owned)
}

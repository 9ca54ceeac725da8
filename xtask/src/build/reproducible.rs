//! `build --check-reproducible`: the kernel programs have the same bytes wherever they are built.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{compiler::cargo_home, shell, workspace::Workspace};

/// Builds the object in the repository and in a copy of it, with another home of cargo and a
/// longer path with a space, and compares.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let temporary = tempfile::tempdir().context("cannot create a temporary folder")?;
    let script = compile_script(workspace, temporary.path())?;

    let here = temporary.path().join("here");
    shell::say(format!(
        "building the programs in {}",
        workspace.root.display()
    ));
    let first = build(&script, &workspace.root, &here, None)?;

    let copy = temporary.path().join("another folder").join("copy");
    copy_sources(&workspace.root, &copy)?;
    let home = other_home(temporary.path())?;
    shell::say(format!("building the programs in {}", copy.display()));
    let second = build(&script, &copy, &temporary.path().join("there"), Some(&home))?;

    let (first, second) = (fs::read(first)?, fs::read(second)?);
    let differs = first.iter().zip(&second).position(|(a, b)| a != b);
    match differs {
        None if first.len() == second.len() => {
            println!(
                "reproducible: {} bytes, the same from both folders",
                first.len()
            );
            Ok(())
        }
        _ => bail!(
            "the object is not reproducible: {} and {} bytes, which differ from byte {} on",
            first.len(),
            second.len(),
            differs.unwrap_or(first.len().min(second.len()))
        ),
    }
}

/// The build script of `ftp-guard` by itself, so that the daemon's crates need not be built.
fn compile_script(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let program = folder.join("build-script");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o"]).arg(&program);
    shell::run(rustc.arg(workspace.root.join("ftp-guard/build.rs")))?;
    Ok(program)
}

fn build(script: &Path, root: &Path, out: &Path, home: Option<&Path>) -> Result<PathBuf> {
    fs::create_dir(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut command = Command::new(script);
    command
        .env("CARGO_MANIFEST_DIR", root.join("ftp-guard"))
        .env("OUT_DIR", out);
    if let Some(home) = home {
        command.env("CARGO_HOME", home);
    }
    shell::output(&mut command)?;
    Ok(out.join("ftp-guard.o"))
}

/// A home of cargo elsewhere, which shares the crates and programs of the real one.
fn other_home(folder: &Path) -> Result<PathBuf> {
    let real = cargo_home().context("neither CARGO_HOME nor HOME is set")?;
    let home = folder.join("home");
    fs::create_dir(&home)?;
    for shared in ["registry", "bin", "config.toml"] {
        if real.join(shared).exists() {
            std::os::unix::fs::symlink(real.join(shared), home.join(shared))?;
        }
    }
    Ok(home)
}

/// Everything but what builds made and what tools keep in hidden folders.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.as_encoded_bytes().starts_with(b".") {
                copy_sources(&entry.path(), &target)?;
            }
        } else {
            fs::copy(entry.path(), target)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

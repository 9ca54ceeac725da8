//! Rust's own tools: the compiler of the kernel programs, their linker, rustfmt and clippy.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    compiler::{Compiler, PINNED_RUST, RUSTC_VARIABLE, linker_path},
    setup::apt,
    shell,
    workspace::Workspace,
};

/// What links with the LLVM of rustc 1.95. A newer one serves as well.
const LINKER_VERSION: &str = "0.13.0";
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Installs what is not there.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let compiler = ensure_compiler()?;
    ensure_checkers(workspace, &compiler)?;
    ensure_linker(workspace)
}

fn ensure_compiler() -> Result<Compiler> {
    let why = match Compiler::find() {
        Ok(compiler) => return Ok(compiler),
        Err(why) => why,
    };
    if env::var_os(RUSTC_VARIABLE).is_some_and(|rustc| !rustc.is_empty()) {
        bail!("{why}");
    }
    shell::say(format!(
        "build: the kernel programs need the sources of core and a compiler with LLVM 22: \
         installing rust-src for Rust {PINNED_RUST}"
    ));
    if let Err(error) = install_with_rustup() {
        shell::say(format!(
            "build: rustup does not bring it ({error:#}); taking Debian's rustc-web"
        ));
        apt::install("build", &["rustc-web", "rust-web-src"])?;
    }
    Compiler::find().map_err(|why| anyhow::anyhow!(why))
}

fn install_with_rustup() -> Result<()> {
    let mut stable = Command::new("rustup");
    let stable = shell::output(stable.args(["run", "stable", "rustc", "--version"]));
    let is_pinned = stable.is_ok_and(|version| version.split(' ').nth(1) == Some(PINNED_RUST));
    let mut install = Command::new("rustup");
    if is_pinned {
        install.args([
            "component",
            "add",
            "--toolchain",
            "stable",
            "rust-src",
            "clippy",
        ]);
    } else {
        install.args(["toolchain", "install", PINNED_RUST, "--no-self-update"]);
        install.args(["--profile", "minimal", "--component", "rust-src,clippy"]);
    }
    shell::run(&mut install)
}

/// rustfmt and clippy of the toolchain at work, clippy beside the compiler of the programs.
fn ensure_checkers(workspace: &Workspace, compiler: &Compiler) -> Result<()> {
    let has = |tool| shell::succeeds(workspace.cargo().args([tool, "--version"]));
    if !has("fmt") || !has("clippy") {
        shell::say("build: installing rustfmt and clippy");
        let mut install = Command::new("rustup");
        if shell::run(install.args(["component", "add", "rustfmt", "clippy"])).is_err() {
            apt::install("build", &["rustfmt-web", "rust-web-clippy"])?;
        }
    }
    let has_clippy = || shell::succeeds(compiler.cargo("clippy").arg("--version"));
    if has_clippy() {
        return Ok(());
    }
    shell::say(format!(
        "build: installing clippy for {}",
        compiler.description
    ));
    if compiler.sysroot == Path::new("/usr") {
        apt::install("build", &["rust-web-clippy"])?;
    } else if let Some(toolchain) = compiler.sysroot.file_name() {
        let mut install = Command::new("rustup");
        install.args(["component", "add", "clippy", "--toolchain"]);
        shell::run(install.arg(toolchain))?;
    }
    if !has_clippy() {
        bail!("{} still has no clippy", compiler.description);
    }
    Ok(())
}

fn ensure_linker(workspace: &Workspace) -> Result<()> {
    let found = linker_version();
    if found.as_deref().is_some_and(is_new_enough) {
        return Ok(());
    }
    match found {
        Some(found) => shell::say(format!(
            "build: replacing bpf-linker {found} by {LINKER_VERSION} (one to three minutes)"
        )),
        None => shell::say(format!(
            "build: installing bpf-linker {LINKER_VERSION} (one to three minutes)"
        )),
    }
    let mut path = OsString::from(LLVM_PREFIX);
    path.push("/bin:");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut install = workspace.cargo();
    install
        .args([
            "install",
            "bpf-linker",
            "--version",
            LINKER_VERSION,
            "--force",
        ])
        .args(["--locked", "--no-default-features", "--features", "llvm-22"])
        // llvm-config is searched for elsewhere otherwise.
        .env("LLVM_PREFIX", LLVM_PREFIX)
        .env("PATH", path);
    shell::run(&mut install).context(
        "bpf-linker does not build: are gcc, libc6-dev and llvm-22-dev installed, and the crates \
         within reach?",
    )?;
    match linker_version() {
        Some(version) if is_new_enough(&version) => Ok(()),
        _ => bail!("bpf-linker was installed and does not start: try `bpf-linker --version`"),
    }
}

/// The version of the bpf-linker that a build would use, if it starts.
fn linker_version() -> Option<String> {
    let programs = linker_path()
        .into_iter()
        .map(|folder| folder.join("bpf-linker"));
    let program: PathBuf = programs.into_iter().find(|program| program.is_file())?;
    let version = shell::output(Command::new(program).arg("--version")).ok()?;
    Some(version.strip_prefix("bpf-linker ")?.to_owned())
}

fn is_new_enough(version: &str) -> bool {
    let numbers = |version: &str| -> Option<Vec<u32>> {
        version
            .split('.')
            .map(|number| number.parse().ok())
            .collect()
    };
    numbers(version) >= numbers(LINKER_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linker_versions_compare_by_number() {
        assert!(is_new_enough("0.13.0"));
        assert!(is_new_enough("0.14.1"));
        assert!(is_new_enough("1.0.0"));
        assert!(!is_new_enough("0.9.15"));
        assert!(!is_new_enough("0.13"));
        assert!(!is_new_enough("unknown"));
    }
}

//! Which compiler builds the kernel programs. The build script and `cargo xtask` share this file.
//!
//! The BPF target has no prebuilt `core`, so that its sources must lie beside the compiler, and the
//! linker's LLVM must not be older than the compiler's. The programs therefore have a compiler of
//! their own, whatever builds the rest; it is the first of these that is there:
//!
//! 1. the `rustc` that `FTP_GUARD_BPF_RUSTC` names,
//! 2. rustup's toolchain 1.95.0, under that name or as `stable`, with the component `rust-src`,
//! 3. Debian's `rustc-web` with `rust-web-src`, which is `/usr/bin/rustc`.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

/// The variable that names a `rustc` for the programs; its sysroot holds the sources of `core`.
pub(crate) const RUSTC_VARIABLE: &str = "FTP_GUARD_BPF_RUSTC";
/// A newer one needs a newer bpf-linker, built with a newer LLVM.
pub(crate) const PINNED_RUST: &str = "1.95.0";
/// The target of the programs: little-endian BPF.
pub(crate) const TARGET: &str = "bpfel-unknown-none";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler for the programs, and the cargo that drives it.
pub(crate) struct Compiler {
    /// Name and version, for messages.
    pub(crate) description: String,
    /// The folder it lives in, as it says itself.
    pub(crate) sysroot: PathBuf,
    driver: Driver,
}

enum Driver {
    /// A rustup toolchain of this name, with the cargo it brings.
    Toolchain(&'static str),
    /// This `rustc`, driven by the cargo that is at work: any one will do.
    Rustc(OsString),
}

impl Compiler {
    /// The first compiler that is there, or what to do to get one.
    pub(crate) fn find() -> Result<Self, String> {
        if let Some(rustc) = env::var_os(RUSTC_VARIABLE).filter(|rustc| !rustc.is_empty()) {
            return Self::probe(Driver::Rustc(rustc)).map_err(|why| {
                format!("{RUSTC_VARIABLE} names a rustc that does not serve: {why}")
            });
        }
        let mut tried = String::new();
        for driver in [
            Driver::Toolchain(PINNED_RUST),
            Driver::Toolchain("stable"),
            Driver::Rustc(DEBIAN_RUSTC.into()),
        ] {
            match Self::probe(driver) {
                Ok(compiler) => return Ok(compiler),
                Err(why) => {
                    tried.push_str("\n  - ");
                    tried.push_str(&why);
                }
            }
        }
        Err(format!(
            "no compiler for the kernel programs. Run `cargo xtask setup`, which installs one, or \
             `rustup toolchain install {PINNED_RUST} --profile minimal --component rust-src`, or \
             `apt-get install rustc-web rust-web-src` (Debian's security suite), or name a rustc \
             with its sources in {RUSTC_VARIABLE}. Tried:{tried}"
        ))
    }

    /// Asks the compiler where it lives and makes sure that the sources of `core` are there.
    fn probe(driver: Driver) -> Result<Self, String> {
        let name = driver.name();
        let version = driver.ask("--version")?;
        if matches!(driver, Driver::Toolchain(_)) && version.split(' ').nth(1) != Some(PINNED_RUST)
        {
            return Err(format!("{name}: is {version}, not {PINNED_RUST}"));
        }
        let sysroot = PathBuf::from(driver.ask("--print=sysroot")?);
        let core = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml");
        if !core.exists() {
            return Err(format!(
                "{name}: the sources of core are missing ({})",
                core.display()
            ));
        }
        Ok(Self {
            description: format!("{name}, {version}"),
            sysroot,
            driver,
        })
    }

    /// A cargo that compiles for the BPF target, with `subcommand` (`build`, `clippy`) and what it
    /// takes to compile `core` along.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match &self.driver {
            Driver::Toolchain(toolchain) => {
                let mut command = clean_command("rustup");
                command.args(["run", toolchain, "cargo", subcommand]);
                command
            }
            Driver::Rustc(rustc) => {
                let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                let mut command = match subcommand {
                    // Clippy is a compiler itself: it must be the one beside this rustc.
                    "clippy" => clean_command(Path::new(rustc).with_file_name("cargo-clippy")),
                    _ => clean_command(&cargo),
                };
                command
                    .env("CARGO", &cargo)
                    .env("RUSTC", rustc)
                    .arg(subcommand);
                command
            }
        };
        command
            // A stable compiler refuses `-Z build-std` otherwise.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["--locked", "--target", TARGET, "-Z", "build-std=core"]);
        command
    }
}

impl Driver {
    fn name(&self) -> String {
        match self {
            Driver::Toolchain(toolchain) => format!("rustup's toolchain {toolchain}"),
            Driver::Rustc(rustc) => rustc.display().to_string(),
        }
    }

    fn ask(&self, question: &str) -> Result<String, String> {
        let mut command = match self {
            Driver::Toolchain(toolchain) => {
                let mut command = clean_command("rustup");
                command.args(["run", toolchain, "rustc"]);
                command
            }
            Driver::Rustc(rustc) => clean_command(rustc),
        };
        let name = self.name();
        let output = command.arg(question).output().map_err(|error| {
            let program = command.get_program().display();
            format!("{name}: {program} does not start: {error}")
        })?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name}: {}", message.trim().replace('\n', " ")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// The folders in which bpf-linker is looked for: `PATH`, then where `cargo install` puts it.
pub(crate) fn linker_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = cargo_home().map(|home| home.join("bin"));
    env::split_paths(&path).chain(installed).collect()
}

/// The folder of cargo's caches and installed programs.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let given = env::var_os("CARGO_HOME").map(PathBuf::from);
    given.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
}

/// A command without what the outer cargo exports: it would leak into the inner build.
fn clean_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if is_inherited(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    // A missing toolchain is for `cargo xtask setup` to install, not for a build.
    command.env("RUSTUP_AUTO_INSTALL", "0");
    command
}

fn is_inherited(name: &str) -> bool {
    const KEPT: &[&str] = &["CARGO_HOME", "RUSTUP_HOME"];
    // Proxies, certificates, mirrors: how this machine reaches the crates.
    const KEPT_PREFIXES: &[&str] = &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "RUSTUP_DIST_"];
    const LOST: &[&str] = &[
        "TARGET",
        "HOST",
        "OUT_DIR",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
    ];
    if KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    name.starts_with("CARGO") || name.starts_with("RUST") || LOST.contains(&name)
}

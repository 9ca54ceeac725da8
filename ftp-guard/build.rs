//! Compiles the kernel programs (package `ftp-guard-ebpf`) and leaves the object in `OUT_DIR`.
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
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The variable that names a `rustc` for the programs; its sysroot holds the sources of `core`.
const RUSTC_VARIABLE: &str = "FTP_GUARD_BPF_RUSTC";
/// Newer ones need a newer bpf-linker, built with a newer LLVM.
const PINNED_RUST: &str = "1.95.0";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const TARGET: &str = "bpfel-unknown-none";
const PROFILE: &str = "bpf";
const PACKAGE: &str = "ftp-guard-ebpf";
const OBJECT: &str = "ftp-guard";

/// What the object is made of. Nothing else rebuilds it.
const SOURCES: &[&str] = &[
    "ftp-guard-ebpf/src",
    "ftp-guard-ebpf/Cargo.toml",
    "ftp-guard-common/src",
    "ftp-guard-common/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let workspace = path_variable("CARGO_MANIFEST_DIR")?
        .parent()
        .ok_or("the package is not in a workspace")?
        .to_path_buf();
    for source in SOURCES {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    println!("cargo::rerun-if-env-changed={RUSTC_VARIABLE}");

    let out = path_variable("OUT_DIR")?;
    let compiler = Compiler::find()?;
    let target_dir = out.join("bpf");
    let flags = rust_flags(&workspace, &compiler.sysroot, &target_dir);
    let status = compiler
        .cargo()?
        .current_dir(&workspace)
        .env("PATH", path_with_linker()?)
        // A stable compiler refuses `-Z build-std` otherwise.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .args([
            "build",
            "--locked",
            "--package",
            PACKAGE,
            "--profile",
            PROFILE,
        ])
        .args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"])
        .arg(&target_dir)
        .status()
        .map_err(|error| format!("cannot start cargo for the kernel programs: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the kernel programs do not build with {}: see the messages above",
            compiler.description
        ));
    }
    let built = target_dir.join(TARGET).join(PROFILE).join(OBJECT);
    let object = out.join("ftp-guard.o");
    fs::copy(&built, &object).map_err(|error| {
        format!(
            "cannot copy {} to {}: {error}",
            built.display(),
            object.display()
        )
    })?;
    Ok(())
}

/// A compiler for the programs, and the cargo that drives it.
struct Compiler {
    description: String,
    sysroot: PathBuf,
    driver: Driver,
}

enum Driver {
    /// A rustup toolchain of this name, with the cargo it brings.
    Toolchain(&'static str),
    /// This `rustc`, driven by the cargo that runs this script: any one will do.
    Rustc(OsString),
}

impl Compiler {
    fn find() -> Result<Self, String> {
        if let Some(rustc) = env::var_os(RUSTC_VARIABLE).filter(|rustc| !rustc.is_empty()) {
            let driver = Driver::Rustc(rustc.clone());
            return Self::probe(driver)
                .map_err(|why| format!("{RUSTC_VARIABLE}={}: {why}", rustc.display()));
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
        let name = match &driver {
            Driver::Toolchain(toolchain) => format!("rustup's toolchain {toolchain}"),
            Driver::Rustc(rustc) => rustc.display().to_string(),
        };
        let ask = |question: &[&str]| {
            let mut command = match &driver {
                Driver::Toolchain(toolchain) => {
                    let mut command = clean_command("rustup");
                    command.args(["run", toolchain, "rustc"]);
                    command
                }
                Driver::Rustc(rustc) => clean_command(rustc),
            };
            let output = command
                .args(question)
                .output()
                .map_err(|error| format!("{name}: does not start: {error}"))?;
            if !output.status.success() {
                let message = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{name}: {}", message.trim().replace('\n', " ")));
            }
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let version = ask(&["--version"])?;
        if matches!(driver, Driver::Toolchain(_)) && version.split(' ').nth(1) != Some(PINNED_RUST)
        {
            return Err(format!("{name}: is {version}, not {PINNED_RUST}"));
        }
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?);
        let core = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml");
        if !core.exists() {
            return Err(format!(
                "{name}: the sources of core are missing ({})",
                core.display()
            ));
        }
        Ok(Self {
            description: format!("{name} ({version})"),
            sysroot,
            driver,
        })
    }

    fn cargo(&self) -> Result<Command, String> {
        Ok(match &self.driver {
            Driver::Toolchain(toolchain) => {
                let mut command = clean_command("rustup");
                command.args(["run", toolchain, "cargo"]);
                command
            }
            Driver::Rustc(rustc) => {
                let mut command = clean_command(path_variable("CARGO")?);
                command.env("RUSTC", rustc);
                command
            }
        })
    }
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

/// The flags, in cargo's encoding. Folders of this machine are renamed in what the object says of
/// its sources, so that every machine gets the same bytes.
fn rust_flags(workspace: &Path, sysroot: &Path, target_dir: &Path) -> OsString {
    let mut flags: Vec<OsString> = ["-Clinker=bpf-linker", "-Clink-arg=--btf"]
        .map(OsString::from)
        .into();
    // The last one that fits wins: the inner folders come after the outer ones.
    let folders = [
        (Some(workspace.to_path_buf()), "/ftp-guard"),
        (cargo_home(), "/cargo"),
        // A cache shared by several homes is a link.
        (cargo_home().map(|home| home.join("registry")), "/cargo/registry"),
        (Some(sysroot.to_path_buf()), "/rust"),
        (Some(target_dir.to_path_buf()), "/target"),
    ];
    for (folder, name) in folders {
        let Some(folder) = folder else { continue };
        // Cargo hands out a path as it was given, or with links resolved, as it likes.
        let resolved = folder
            .canonicalize()
            .ok()
            .filter(|resolved| *resolved != folder);
        for folder in [Some(folder), resolved].into_iter().flatten() {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder);
            flag.push("=");
            flag.push(name);
            flags.push(flag);
        }
    }
    flags.join(OsStr::new("\u{1f}"))
}

/// `PATH` with the folder in which `cargo install` puts bpf-linker, once bpf-linker is found.
fn path_with_linker() -> Result<OsString, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path)
        .chain(cargo_home().map(|home| home.join("bin")))
        .collect();
    if !folders
        .iter()
        .any(|folder| folder.join("bpf-linker").is_file())
    {
        return Err("bpf-linker is missing: run `cargo xtask setup`, which installs it".into());
    }
    env::join_paths(folders).map_err(|error| format!("PATH cannot be extended: {error}"))
}

fn cargo_home() -> Option<PathBuf> {
    let given = env::var_os("CARGO_HOME").map(PathBuf::from);
    given.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
}

fn path_variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name)
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo did not set {name}"))
}

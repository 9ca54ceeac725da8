//! Compiles a package of kernel programs and leaves its object in `OUT_DIR`. The build scripts of
//! `ftp-guard` and of the suites share this file.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::compiler::{Compiler, RUSTC_VARIABLE, TARGET, cargo_home, linker_path};

const PROFILE: &str = "bpf";

/// What an object is made of.
pub(crate) struct Object<'a> {
    /// The package, and its binary; the object is called like that, with `.o` behind.
    pub(crate) package: &'a str,
    pub(crate) binary: &'a str,
    /// Files and folders below the workspace. Nothing else rebuilds the object.
    pub(crate) sources: &'a [&'a str],
}

impl Object<'_> {
    /// The whole of a build script.
    pub(crate) fn main(&self) -> ExitCode {
        match self.build() {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                for line in message.lines() {
                    println!("cargo::error={line}");
                }
                ExitCode::FAILURE
            }
        }
    }

    fn build(&self) -> Result<(), String> {
        let workspace = path_variable("CARGO_MANIFEST_DIR")?
            .parent()
            .ok_or("the package is not in a workspace")?
            .to_path_buf();
        for source in self.sources {
            let source = workspace.join(source);
            println!("cargo::rerun-if-changed={}", source.display());
        }
        println!("cargo::rerun-if-env-changed={RUSTC_VARIABLE}");

        let out = path_variable("OUT_DIR")?;
        let target_dir = out.join("bpf");
        let compiler = Compiler::find()?;
        let flags = rust_flags(&workspace, &compiler.sysroot, &target_dir);
        let status = compiler
            .cargo("build")
            .current_dir(&workspace)
            .env("PATH", path_with_linker()?)
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .args(["--package", self.package, "--profile", PROFILE])
            .arg("--target-dir")
            .arg(&target_dir)
            .status()
            .map_err(|error| format!("cannot start cargo for the kernel programs: {error}"))?;
        if !status.success() {
            let compiler = compiler.description;
            return Err(format!(
                "the kernel programs do not build with {compiler}: see the messages of that build"
            ));
        }
        let built = target_dir.join(TARGET).join(PROFILE).join(self.binary);
        fs::copy(&built, out.join(self.binary).with_extension("o"))
            .map_err(|error| format!("cannot copy the object {}: {error}", built.display()))?;
        Ok(())
    }
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
        // A cache that several homes share is a link.
        (
            cargo_home().map(|home| home.join("registry")),
            "/cargo/registry",
        ),
        (Some(sysroot.join("lib/rustlib/src/rust")), "/rust"),
        (Some(target_dir.to_path_buf()), "/target"),
    ];
    for (folder, name) in folders {
        let Some(folder) = folder else { continue };
        // Paths reach the compiler as they were given, or with links resolved.
        let resolved = folder.canonicalize().ok();
        let resolved = resolved.filter(|resolved| *resolved != folder);
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

fn path_with_linker() -> Result<OsString, String> {
    let folders = linker_path();
    let mut programs = folders.iter().map(|folder| folder.join("bpf-linker"));
    if !programs.any(|program| program.is_file()) {
        return Err("bpf-linker is missing: run `cargo xtask setup`, which installs it".into());
    }
    env::join_paths(folders).map_err(|error| format!("PATH cannot be extended: {error}"))
}

fn path_variable(name: &str) -> Result<PathBuf, String> {
    let value = env::var_os(name).map(PathBuf::from);
    value.ok_or_else(|| format!("cargo did not set {name}"))
}

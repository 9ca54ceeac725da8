//! Debian packages that are unpacked, not installed: FTP servers exclude each other as packages, and
//! some start a service when they are installed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

/// Below which folder of `lib` Debian puts shared libraries.
const TRIPLET: &str = match env::consts::ARCH.as_bytes() {
    b"aarch64" => "aarch64-linux-gnu",
    _ => "x86_64-linux-gnu",
};

/// The folder of an unpacked package, with the packages of its shared libraries.
pub struct Package(PathBuf);

impl Package {
    /// Finds a package below `FTP_GUARD_LAB`, by default `target/lab` of the workspace.
    ///
    /// # Errors
    /// When it is not there.
    pub fn find(name: &str) -> Result<Self> {
        let root = env::var_os("FTP_GUARD_LAB").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lab"),
            PathBuf::from,
        );
        let folder = root.join(name);
        ensure!(
            folder.is_dir(),
            "the lab's package {name} is not in {}: run `cargo xtask setup`",
            root.display()
        );
        Ok(Self(folder.canonicalize()?))
    }

    /// A path in the package.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A program of the package, with its shared libraries.
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let path = self.path(program);
        ensure!(
            path.is_file(),
            "{} is missing: run `cargo xtask setup`",
            path.display()
        );
        let mut command = Command::new(path);
        command.env("LD_LIBRARY_PATH", self.libraries());
        Ok(command)
    }

    /// The search path for shared libraries of the package.
    pub(super) fn libraries(&self) -> String {
        let folders = ["usr/lib", "lib"].map(|lib| self.path(lib).join(TRIPLET));
        folders.map(|folder| folder.display().to_string()).join(":")
    }
}

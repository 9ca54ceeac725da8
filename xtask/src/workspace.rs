//! Where things are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::shell;

/// The folders of this checkout.
pub(crate) struct Workspace {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment puts it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        // Set by `cargo run`; the other one is for a binary started by hand.
        let manifest =
            env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest)
            .parent()
            .context("xtask is not in a workspace")?
            .to_path_buf();
        let metadata = shell::output(cargo(&root).args([
            "metadata",
            "--no-deps",
            "--locked",
            "--format-version=1",
        ]))?;
        let metadata: serde_json::Value =
            serde_json::from_str(&metadata).context("cargo metadata printed no JSON")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target folder")?
            .into();
        ensure!(
            root.join("ftp-guard-ebpf").is_dir(),
            "{} is not the ftp-guard repository",
            root.display()
        );
        Ok(Self { root, target })
    }

    /// The cargo that runs this, at the root of the repository.
    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// The FTP servers and tools that are unpacked, not installed.
    pub(crate) fn lab(&self) -> PathBuf {
        self.target.join("lab")
    }

    /// The kernels that tests boot, a folder each.
    pub(crate) fn kernels(&self) -> PathBuf {
        self.target.join("kernels")
    }
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What `cargo run` says of this package would reach the packages that are built now.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

//! What the suites, the demo and the bench find in their environment.
//!
//! | variable | value |
//! | --- | --- |
//! | `FTP_GUARD_BIN` | the built `ftp-guard` |
//! | `FTP_GUARD_LAB` | folder of the unpacked servers and tools, one folder each |
//! | `FTP_GUARD_DIST` | folder of the packages that the suites install |
//! | `FTP_GUARD_TRACES` | folder of captures, when one was given |
//! | `FTP_GUARD_FRAMES` | frames of the differential suite, when a number was given |
//! | `FTP_GUARD_SEED` | seed of random suites, when one was given |

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, workspace::Workspace};

/// Choices that the suites read from their environment.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct SuiteOptions {
    /// Folder of captures (.pcap) that suites replay
    #[arg(long, value_name = "DIR")]
    pub(crate) traces: Option<PathBuf>,
    /// Random frames of the differential suite
    #[arg(long, value_name = "N")]
    pub(crate) frames: Option<u64>,
    /// Seed of random suites; they print the one they use
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
}

/// The variables, for any number of programs.
pub(crate) struct Environment(Vec<(&'static str, OsString)>);

impl Environment {
    /// # Errors
    ///
    /// When the folder of captures is not there or holds none.
    pub(crate) fn new(
        workspace: &Workspace,
        binary: &Path,
        options: &SuiteOptions,
    ) -> Result<Self> {
        let lab = workspace.lab();
        // promtool, prometheus
        let mut path = vec![lab.join("prometheus/usr/bin")];
        path.extend(env::split_paths(&shell::path_with_sbin()));
        let mut variables = vec![
            ("FTP_GUARD_BIN", binary.as_os_str().to_owned()),
            ("FTP_GUARD_LAB", lab.into_os_string()),
            (
                "FTP_GUARD_DIST",
                workspace.target.join("dist/dev").into_os_string(),
            ),
            (
                "PATH",
                env::join_paths(path).context("PATH cannot be extended")?,
            ),
        ];
        if let Some(traces) = &options.traces {
            variables.push(("FTP_GUARD_TRACES", traces_folder(traces)?.into_os_string()));
        }
        if let Some(frames) = options.frames {
            variables.push(("FTP_GUARD_FRAMES", frames.to_string().into()));
        }
        if let Some(seed) = options.seed {
            variables.push(("FTP_GUARD_SEED", seed.to_string().into()));
        }
        Ok(Self(variables))
    }

    /// Gives the variables to a program.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Namespaces, maps and programs are root's.
pub(crate) fn require_root(what: &str) -> Result<()> {
    ensure!(
        shell::is_root(),
        "{what} needs root: it makes network namespaces and loads programs into the kernel. Use a \
         root shell in which cargo works, or `sudo env \"PATH=$PATH\" \"HOME=$HOME\" cargo xtask ...`"
    );
    Ok(())
}

fn traces_folder(folder: &Path) -> Result<PathBuf> {
    let name = folder.display();
    let entries = fs::read_dir(folder)
        .with_context(|| format!("--traces {name}: the folder cannot be read"))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("--traces {name}: the folder cannot be read"))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "pcap")
        {
            return Ok(folder.canonicalize()?);
        }
    }
    bail!("--traces {name}: no file there ends in .pcap");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_captures_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(traces_folder(&folder.path().join("none")).is_err());
        assert!(traces_folder(folder.path()).is_err());
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(traces_folder(folder.path()).is_err());
        fs::write(folder.path().join("a.pcap"), "").unwrap();
        assert!(traces_folder(folder.path()).is_ok());
    }
}

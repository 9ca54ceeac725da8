//! `codegen`: the pages of `docs` that are made from the code.

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

use crate::{build, shell, workspace::Workspace};

/// The pages, by what the hidden verb `ftp-guard codegen` calls them.
const PAGES: &[(&str, &str)] = &[
    ("configuration", "docs/configuration.md"),
    ("reasons", "docs/reasons.md"),
    ("metrics", "docs/metrics.md"),
    ("detections", "docs/detections.md"),
    ("doctor", "docs/doctor.md"),
];

/// Write the generated pages of docs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only say whether they are up to date
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let binary = build::binary(workspace, false)?;
    let mut stale = Vec::new();
    for (page, path) in PAGES {
        let mut text = shell::output(Command::new(&binary).args(["codegen", page]))?;
        text.push('\n');
        let file = workspace.root.join(path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        if options.check {
            stale.push(*path);
            continue;
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
        shell::say(format!("wrote {path}"));
    }
    if !stale.is_empty() {
        bail!(
            "not what the code says any more: {}; run `cargo xtask codegen`",
            stale.join(", ")
        );
    }
    Ok(())
}

impl Options {
    /// As `--check` would have it.
    pub(crate) fn check() -> Self {
        Self { check: true }
    }
}

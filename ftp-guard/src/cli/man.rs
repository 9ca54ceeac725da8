//! `ftp-guard man`

use std::{io, path::PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, Outcome, output};
use crate::control::protocol::Failure;

/// Print the manual page, or write those of all verbs to a folder.
///
/// To read it: `ftp-guard man | man -l -`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write ftp-guard.1 and a page for each verb to this folder, which must exist.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Outcome {
        let failed = |error: io::Error| Failure::failed(format!("cannot write the page: {error}"));
        match self.output {
            Some(folder) => clap_mangen::generate_to(Cli::command(), &folder)
                .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?,
            None => {
                let mut page = Vec::new();
                Man::new(Cli::command()).render(&mut page).map_err(failed)?;
                output::print(&String::from_utf8_lossy(&page))?;
            }
        }
        Ok(0)
    }
}

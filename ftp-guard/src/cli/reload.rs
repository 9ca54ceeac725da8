//! `ftp-guard reload`

use super::{
    Global, Outcome,
    output::{print, print_json},
    target::Target,
};
use crate::{
    control::{protocol::Request, view::ReloadReport},
    daemon::reload::{summary, timing},
    progress::Progress,
};

/// Read the configuration and all allowlists again and apply the difference.
///
/// With a mistake in any file nothing changes: all mistakes are reported, and the exit code is 78.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let progress = Progress::of("reloading");
        let report: ReloadReport = Target::of(global).connect()?.ask(&Request::Reload)?;
        drop(progress);
        if self.json {
            print_json(&report)?;
            return Ok(0);
        }
        for key in &report.restart_needed {
            eprintln!(
                "warning: {key} has changed; it takes effect when the daemon is started again"
            );
        }
        print(&format!(
            "reloaded: {}; {}\n",
            summary(&report),
            timing(&report.timings)
        ))?;
        Ok(0)
    }
}

//! `ftp-guard mode`

use super::{
    Global, Outcome,
    output::{print, print_json},
    target::Target,
};
use crate::control::{
    protocol::{ModeName, Request},
    view::ModeReport,
};
use ftp_guard_common::config::Mode;

/// Tell or change the mode: `enforce` drops, `monitor` only counts what it would drop.
///
/// A change is written to the configuration file before the kernel is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The mode to change to.
    mode: Option<ModeName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let report: ModeReport = Target::of(global)
            .connect()?
            .ask(&Request::Mode { set: self.mode })?;
        if self.json {
            print_json(&report)?;
            return Ok(0);
        }
        let name = Mode::from(report.mode).as_str();
        print(&match (self.mode, report.changed) {
            (None, _) => format!("{name}\n"),
            (Some(_), true) => format!("mode is now {name}\n"),
            (Some(_), false) => format!("mode is {name} already\n"),
        })?;
        Ok(0)
    }
}

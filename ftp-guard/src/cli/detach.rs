//! `ftp-guard detach`

use super::{
    Global, Outcome,
    output::{print, print_json},
    target::Target,
};
use crate::{
    control::{protocol::Request, view::Detached},
    datapath,
};

/// End enforcement: take the guard off all interfaces, remove its tables, end the daemon.
///
/// Works without a daemon as well. Nothing to take off is no error.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let target = Target::of(global);
        let detached: Detached = match target.connect_if_running()? {
            Some(mut client) => client.ask(&Request::Detach)?,
            None => {
                // Guessing the pins could take down another guard.
                if let Some(problem) = target.problem {
                    return Err(problem);
                }
                Detached {
                    interfaces: datapath::detach_pinned(&target.pin_path)?,
                }
            }
        };
        if self.json {
            print_json(&detached)?;
        } else if detached.interfaces.is_empty() {
            print("nothing was attached\n")?;
        } else {
            print(&format!(
                "detached from {}; FTP is open to everyone now\n",
                detached.interfaces.join(", ")
            ))?;
        }
        Ok(0)
    }
}

//! `ftp-guard run`

use super::{Global, Outcome};
use crate::daemon;

/// Run the daemon: enforce the configuration until `detach`.
///
/// It stays in the foreground and logs to standard error (RUST_LOG sets the level). SIGHUP reloads.
/// SIGTERM and SIGINT end the daemon and leave enforcement in place.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Log every packet that the kernel program drops. For a diagnosis, not for a busy host.
    #[arg(long)]
    trace_packets: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        daemon::run(&daemon::Options {
            config: global.config.clone(),
            socket: global.socket.clone(),
            trace_packets: self.trace_packets,
        })?;
        Ok(0)
    }
}

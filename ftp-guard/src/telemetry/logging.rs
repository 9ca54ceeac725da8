//! The log on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The netlink library warns of every attribute that the kernel knows and it does not.
const QUIET: &str = "netlink_packet_route=error,netlink_proto=error";

/// Sets the log up: one line an event on standard error, filtered by `RUST_LOG`, from `default` up
/// if that is not set or cannot be read.
///
/// A second call changes nothing.
pub fn init(default: &str) {
    let filter = |wanted: &str| EnvFilter::try_new(format!("{QUIET},{wanted}"));
    let wanted = std::env::var("RUST_LOG").ok();
    let (filter, complaint) = match wanted.as_deref().map(filter) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(format!("{QUIET},{default}")), Some(error)),
        None => (EnvFilter::new(format!("{QUIET},{default}")), None),
    };
    let set = tracing_subscriber::fmt()
        .compact()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
    if let (Ok(()), Some(error)) = (set, complaint) {
        tracing::warn!("RUST_LOG cannot be read ({error}); logging from {default} up");
    }
}

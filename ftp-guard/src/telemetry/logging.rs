//! The log on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sets the log up: one line an event on standard error, filtered by `RUST_LOG`, from `default` up
/// if that is not set or cannot be read.
///
/// A second call changes nothing.
pub fn init(default: &str) {
    let wanted = std::env::var("RUST_LOG").ok();
    let (filter, complaint) = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(default), Some(error)),
        None => (EnvFilter::new(default), None),
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

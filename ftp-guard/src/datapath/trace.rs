//! The programs' own log, as `run --trace-packets` shows it.

use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::io::unix::AsyncFd;

use super::error::DatapathError;

/// Forwards the programs' log records to the daemon's log until the runtime ends.
pub fn forward(ebpf: &mut Ebpf) -> Result<(), DatapathError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        DatapathError::kernel("open the log of the programs", error)
    };
    let logger = EbpfLogger::init(ebpf).map_err(|error| failed(error.into()))?;
    // SAFETY: the logger owns the descriptor that it names, and the `AsyncFd` owns the logger.
    let ring = unsafe { AsyncFd::register(logger) };
    let mut ring = ring.map_err(|error| failed(error.into()))?;
    tokio::spawn(async move {
        while let Ok(mut ready) = ring.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}

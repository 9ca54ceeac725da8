//! What the daemon tells about itself: its log and its metrics.

pub mod catalogue;
pub mod exporter;
pub mod flood;
pub mod kept;
pub mod kinds;
pub mod logging;
pub mod metrics;
mod session_catalogue;
mod session_metrics;
pub mod sessions;

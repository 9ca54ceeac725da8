//! What the daemon tells about itself: its log and its metrics.

pub mod catalogue;
pub mod exporter;
pub mod flood;
pub mod logging;
pub mod metrics;

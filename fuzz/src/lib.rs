//! The monitor alone: its sources are compiled here once more, so that neither the kernel programs nor the
//! rest of the daemon have to be built for a fuzzer.

#[path = "../../ftp-guard/src/engine/monitor/mod.rs"]
pub mod monitor;

//! ftp-guard as a library: what the `ftp-guard` binary is made of and what the test suites use.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod datapath;
pub mod diagnostic;
pub mod doctor;
pub mod engine;
pub mod frame;
pub mod host;
pub mod netlink;
pub mod progress;
pub mod server_config;
pub mod setup;
pub mod sockets;
pub mod store;
pub mod telemetry;

//! ftp-guard as a library: what the `ftp-guard` binary is made of and what the test suites use.

pub mod config;
pub mod datapath;
pub mod diagnostic;
pub mod engine;
pub mod frame;
pub mod store;

//! The `ftp-guard` command.

use std::process::ExitCode;

use clap::Parser;
use ftp_guard::cli::{self, Cli};

fn main() -> ExitCode {
    ExitCode::from(cli::main(Cli::parse()))
}

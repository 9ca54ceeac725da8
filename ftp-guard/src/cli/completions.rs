//! `ftp-guard completions`

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Outcome, output};

/// Print a completion script for a shell.
///
/// For bash: `ftp-guard completions bash > /etc/bash_completion.d/ftp-guard`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

impl Args {
    pub(super) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "ftp-guard", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

//! `bench`: what the guard costs.

use anyhow::Result;

use crate::{program, workspace::Workspace};

/// Measure what a packet costs, or with `-- transfer` a transfer, against a program that only returns
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For the bench itself
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    program::run(workspace, "bench", true, &options.arguments)
}

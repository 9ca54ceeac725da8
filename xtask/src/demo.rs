//! `demo`: real FTP servers behind the guard, a listed and an unlisted client.

use anyhow::Result;

use crate::{program, workspace::Workspace};

/// Run the demonstration: real servers, the guard, a listed and an unlisted client.
#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(workspace: &Workspace, _: &Options) -> Result<()> {
    program::run(workspace, "demo", false, &[])
}

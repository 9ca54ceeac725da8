//! `ci`: everything that must hold before a change lands.

use anyhow::Result;

use crate::{
    environment::{SuiteOptions, require_root},
    lint,
    setup::{self, Group, KERNELS},
    test,
    workspace::Workspace,
};

/// Lint, then run all suites, on this kernel and on the older ones.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    suites: SuiteOptions,
}

pub(crate) fn run(workspace: &Workspace, options: Options) -> Result<()> {
    require_root("ci")?;
    setup::ensure(workspace, &[Group::Build], &[])?;
    lint::run(workspace, &lint::Options {})?;
    test::run_on(
        workspace,
        &test::Options {
            suites: options.suites,
            kernels: KERNELS.map(String::from).into(),
            ..test::Options::default()
        },
        true,
    )
}

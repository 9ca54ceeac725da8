//! `bench`: what a packet costs.

use anyhow::Result;

use crate::{
    build,
    environment::{Environment, SuiteOptions, require_root},
    setup::{self, Group},
    shell,
    workspace::Workspace,
};

/// Measure what a packet costs, as the difference to a program that only returns.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For the bench itself
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    require_root("the bench")?;
    setup::ensure(workspace, &[Group::Build, Group::Lab], &[])?;
    let binary = build::binary(workspace, true)?;
    let environment = Environment::new(workspace, &binary, &SuiteOptions::default())?;
    let mut bench = workspace.cargo();
    bench.args(["run", "--locked", "--release", "--package=ftp-guard-tests"]);
    bench.args(["--bin=bench", "--"]);
    shell::run(environment.apply(&mut bench).args(&options.arguments))
}

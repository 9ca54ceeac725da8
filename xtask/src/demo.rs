//! `demo`: a real FTP server behind the guard, a listed and an unlisted client.

use anyhow::Result;

use crate::{
    build,
    environment::{Environment, SuiteOptions, require_root},
    setup::{self, Group},
    shell,
    workspace::Workspace,
};

/// Run the demonstration: real servers, the guard, a listed and an unlisted client.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For the demonstration itself
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    require_root("the demonstration")?;
    setup::ensure(workspace, &[Group::Build, Group::Lab], &[])?;
    let binary = build::binary(workspace, false)?;
    let environment = Environment::new(workspace, &binary, &SuiteOptions::default())?;
    let mut demo = workspace.cargo();
    demo.args([
        "run",
        "--locked",
        "--package=ftp-guard-tests",
        "--bin=demo",
        "--",
    ]);
    shell::run(environment.apply(&mut demo).args(&options.arguments))
}

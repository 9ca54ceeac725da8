//! Programs of the suites' package that `demo` and `bench` run.

use anyhow::Result;

use crate::{
    build,
    environment::{Environment, SuiteOptions, require_root},
    setup::{self, Group},
    shell,
    workspace::Workspace,
};

/// Builds the daemon and the program `name`, and runs the program as the suites are run.
///
/// # Errors
///
/// Without root, when something does not install or build, and when the program fails.
pub(crate) fn run(
    workspace: &Workspace,
    name: &str,
    release: bool,
    arguments: &[String],
) -> Result<()> {
    require_root(&format!("`cargo xtask {name}`"))?;
    setup::ensure(workspace, &[Group::Build, Group::Lab], &[])?;
    let binary = build::binary(workspace, release)?;
    let environment = Environment::new(workspace, &binary, &SuiteOptions::default())?;
    let mut program = workspace.cargo();
    program.args(["run", "--locked", "--package=ftp-guard-tests"]);
    if release {
        program.arg("--release");
    }
    program.args(["--bin", name, "--"]).args(arguments);
    shell::run(environment.apply(&mut program))
}

//! `test`: all rings, those of the lab that only wait two at a time, and a table at the end. Nothing is skipped silently.

mod stream;
mod suites;
mod summary;

use anyhow::{Result, bail};

pub(crate) use stream::stream;
pub(crate) use suites::Suite;
pub(crate) use summary::{Counts, Row, Summary};

use crate::{
    build, dist,
    environment::{Environment, SuiteOptions, require_root},
    setup::{self, Group},
    shell, vm,
    workspace::Workspace,
};

/// The row of the tests that need no root: those of the default members.
const UNIT: &str = "unit";
/// The suite that installs the package, and one that was built again.
const PACKAGED: &str = "lab_package";

/// Run the suites: unit tests, the object, the datapath, the differential test and the lab.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) suites: SuiteOptions,
    /// Boot Debian's kernel of this series (6.1, 6.12) in QEMU and run there what fits, instead of
    /// all on this machine; may be repeated
    #[arg(long = "kernel", value_name = "VERSION")]
    pub(crate) kernels: Vec<String>,
    /// Only this suite (unit, or a file of tests/tests); may be repeated
    #[arg(long, value_name = "SUITE")]
    pub(crate) only: Vec<String>,
    /// For the test programs: names of tests, --nocapture, ...
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    run_on(workspace, options, options.kernels.is_empty())
}

/// Runs the suites on this machine too, if `here`, and then on the kernels.
pub(crate) fn run_on(workspace: &Workspace, options: &Options, here: bool) -> Result<()> {
    require_root("the test command")?;
    setup::ensure(workspace, &[Group::Build, Group::Lab], &[])?;
    if !options.kernels.is_empty() {
        setup::ensure(workspace, &[Group::Kernels], &options.kernels)?;
    }
    let binary = build::binary(workspace, false)?;
    let environment = Environment::new(workspace, &binary, &options.suites)?;
    let suites = suites::discover(workspace)?;
    check_names(options, &suites)?;

    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    let mut summary = Summary::default();
    if here && wanted(PACKAGED) && suites.iter().any(|suite| suite.name == PACKAGED) {
        setup::ensure(workspace, &[Group::Debian], &[])?;
        for revision in ["1", "2"] {
            dist::make(workspace, &dist::Options::of_suites(revision))?;
        }
    }
    if here {
        if wanted(UNIT) {
            shell::say(format!("suite {UNIT}"));
            let mut unit = workspace.cargo();
            unit.args(["test", "--locked", "--no-fail-fast", "--"]);
            unit.args(&options.arguments);
            summary.add(suites::run(UNIT, environment.apply(&mut unit), options)?);
        }
        let wanted: Vec<&Suite> = suites.iter().filter(|suite| wanted(&suite.name)).collect();
        let prepare = |suite: &Suite| {
            let mut program = suite.command(workspace);
            program.args(&options.arguments);
            environment.apply(&mut program);
            program
        };
        for suite in wanted.iter().filter(|suite| !suites::is_patient(suite)) {
            shell::say(format!("suite {}", suite.name));
            summary.add(suites::run(&suite.name, &mut prepare(suite), options)?);
        }
        let patient = wanted.iter().filter(|suite| suites::is_patient(suite));
        let patient = patient.map(|suite| (suite.name.as_str(), prepare(suite)));
        for row in suites::run_pairs(patient, options)? {
            summary.add(row);
        }
    }
    if !options.kernels.is_empty() {
        let fitting: Vec<&Suite> = vm::SUITES
            .iter()
            .filter(|name| wanted(name))
            .filter_map(|name| suites.iter().find(|suite| suite.name == *name))
            .collect();
        for row in vm::run_all(workspace, &fitting, &binary, options)? {
            summary.add(row);
        }
    }
    summary.finish()
}

/// A name that is no suite's would otherwise test nothing.
fn check_names(options: &Options, suites: &[Suite]) -> Result<()> {
    let mut known: Vec<&str> = vec![UNIT];
    known.extend(suites.iter().map(|suite| suite.name.as_str()));
    if let Some(unknown) = options
        .only
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        bail!(
            "--only {unknown}: no such suite; there are {}",
            known.join(", ")
        );
    }
    if !options.kernels.is_empty() {
        let missing = vm::SUITES.iter().find(|name| !known.contains(name));
        if let Some(missing) = missing {
            bail!("the suite {missing}, which runs on every kernel, is not there any more");
        }
    }
    Ok(())
}

//! `cargo xtask VERB`: builds, tests, runs and packages ftp-guard. A file, or a folder, per verb.

mod bench;
mod build;
mod ci;
mod codegen;
mod demo;
mod dist;
mod environment;
mod lint;
mod program;
mod setup;
mod shell;
mod test;
mod vm;
mod workspace;

#[path = "../../ftp-guard/build/compiler.rs"]
mod compiler;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, tests, runs and packages ftp-guard.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Bench(bench::Options),
    Build(build::Options),
    Ci(ci::Options),
    Codegen(codegen::Options),
    Demo(demo::Options),
    Dist(dist::Options),
    Lint(lint::Options),
    Setup(setup::Options),
    Test(test::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match verb {
        Verb::Bench(options) => bench::run(&workspace, &options),
        Verb::Build(options) => build::run(&workspace, &options),
        Verb::Ci(options) => ci::run(&workspace, options),
        Verb::Codegen(options) => codegen::run(&workspace, &options),
        Verb::Demo(options) => demo::run(&workspace, &options),
        Verb::Dist(options) => dist::run(&workspace, &options),
        Verb::Lint(options) => lint::run(&workspace, &options),
        Verb::Setup(options) => setup::run(&workspace, &options),
        Verb::Test(options) => test::run(&workspace, &options),
    }
}

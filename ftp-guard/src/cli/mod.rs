//! The command line: a file per verb. Verbs that ask or change a running guard are thin clients of
//! its control socket.

mod allow;
mod ban;
mod check;
mod codegen;
mod completions;
mod detach;
mod doctor;
mod escape;
mod events;
mod expiry;
mod explain;
mod init;
mod kill;
mod man;
mod mode;
mod output;
mod past;
mod reload;
mod report;
mod run;
mod sessions;
mod sources;
mod status;
mod target;
mod time;
mod top;
mod would_drop;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    config::Config,
    control::protocol::{EXIT_CONFIGURATION, Failure},
    telemetry::logging,
};

/// Access enforcer for FTP hosts: drops FTP traffic of sources that are not on the allowlist in the
/// kernel, before the server sees it.
#[derive(Debug, Parser)]
#[command(
    name = "ftp-guard",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done (also when there was nothing to do), 1 failed, 2 usage, \
                  77 not permitted, 78 bad configuration."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const GLOBAL: &str = "Options of every verb";

/// What all verbs take.
#[derive(Debug, clap::Args)]
struct Global {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = Config::DEFAULT_PATH, help_heading = GLOBAL)]
    config: PathBuf,
    /// Control socket [default: the one in the configuration file].
    #[arg(long, global = true, value_name = "PATH", help_heading = GLOBAL)]
    socket: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Args),
    Check(check::Args),
    Status(status::Args),
    Sessions(sessions::Args),
    Top(top::Args),
    Events(events::Args),
    Report(report::Args),
    Kill(kill::Args),
    Allow(allow::Args),
    Ban(ban::Args),
    Mode(mode::Args),
    Reload(reload::Args),
    Detach(detach::Args),
    Doctor(doctor::Args),
    Explain(explain::Args),
    Init(init::Args),
    Completions(completions::Args),
    Man(man::Args),
    Codegen(codegen::Args),
}

/// What a verb ends with: the exit code, or what to complain about.
type Outcome = Result<u8, Failure>;

/// Carries out a command line; returns the exit code. Complaints are on standard error.
#[must_use]
pub fn main(cli: Cli) -> u8 {
    logging::init(match cli.verb {
        Verb::Run(_) => "info",
        _ => "warn",
    });
    let global = &cli.global;
    let outcome = match cli.verb {
        Verb::Run(args) => args.run(global),
        Verb::Check(args) => args.run(global),
        Verb::Status(args) => args.run(global),
        Verb::Sessions(args) => args.run(global),
        Verb::Top(args) => args.run(global),
        Verb::Events(args) => args.run(global),
        Verb::Report(args) => args.run(global),
        Verb::Kill(args) => args.run(global),
        Verb::Allow(args) => args.run(global),
        Verb::Ban(args) => args.run(global),
        Verb::Mode(args) => args.run(global),
        Verb::Reload(args) => args.run(global),
        Verb::Detach(args) => args.run(global),
        Verb::Doctor(args) => args.run(global),
        Verb::Explain(args) => args.run(global),
        Verb::Init(args) => args.run(global),
        Verb::Completions(args) => args.run(),
        Verb::Man(args) => args.run(),
        Verb::Codegen(args) => args.run(),
    };
    outcome.unwrap_or_else(|failure| {
        complain(&failure);
        failure.exit_code
    })
}

/// One line on standard error, or one for each diagnostic.
fn complain(failure: &Failure) {
    for diagnostic in &failure.diagnostics {
        eprintln!("{diagnostic}");
    }
    // Mistakes in files say all that there is to say.
    if failure.diagnostics.is_empty() || failure.exit_code != EXIT_CONFIGURATION {
        eprintln!("ftp-guard: {}", failure.message);
    }
}

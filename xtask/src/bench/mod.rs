//! `bench`: what the guard costs, and what it spares.

mod check;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{program, shell, workspace::Workspace};

/// Measure, and write docs/benchmarks: packets, drop rates beside other firewalls, long lists, loading, transfers
///
/// Without --suite all of these run, and the page, its values and its pictures are written. With --suite one of
/// them runs, or one of the two that are not on the page, and prints its tables.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One suite alone, printed instead of written
    #[arg(long, value_enum, conflicts_with_all = ["output", "check"])]
    suite: Option<Suite>,
    /// Less of it: under two minutes for the whole page
    #[arg(long)]
    quick: bool,
    /// Where the page goes
    #[arg(long, value_name = "DIR", default_value = PAGE)]
    output: PathBuf,
    /// Measure quickly, write nothing, and fail when a ratio is worse than the committed one
    #[arg(long, conflicts_with_all = ["output", "json"])]
    check: bool,
    /// Rounds that medians are taken of
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Print JSON instead of tables, with --suite
    #[arg(long, requires = "suite")]
    json: bool,
    /// For the bench itself
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// The folder of the committed page, in the repository.
const PAGE: &str = "docs/benchmarks";
/// The values in a folder of a page.
const RESULTS: &str = "results.json";

/// A suite of measurements.
#[derive(clap::ValueEnum, Clone, Copy)]
enum Suite {
    /// What single packets cost in the kernel programs
    Packets,
    /// How many frames are discarded: the guard, XDP_DROP, xdp-filter, nftables, iptables with ipset
    Drops,
    /// What a list of up to a million entries costs, beside the kernel's trie
    Lists,
    /// Loading a million prefixes and changing one in a hundred, beside nftables
    Loading,
    /// What the guard costs a transfer at full speed
    Transfer,
    /// What partners notice of floods: with the guard, nftables, SYN cookies, XDP_DROP, nothing
    Flood,
    /// What it costs the daemon to read two thousand sessions
    Monitor,
}

impl Options {
    /// As the bench itself takes them; a page goes to `output`.
    fn arguments(&self, output: &Path) -> Vec<String> {
        let suite = match self.suite {
            None => "all",
            Some(Suite::Packets) => "packets",
            Some(Suite::Drops) => "drops",
            Some(Suite::Lists) => "lists",
            Some(Suite::Loading) => "loading",
            Some(Suite::Transfer) => "transfer",
            Some(Suite::Flood) => "flood",
            Some(Suite::Monitor) => "monitor",
        };
        let mut arguments = vec![suite.to_owned()];
        if self.quick || self.check {
            arguments.push("--quick".to_owned());
        }
        if self.suite.is_none() {
            arguments.extend(["--output".to_owned(), output.display().to_string()]);
        }
        if let Some(rounds) = self.rounds {
            arguments.extend(["--rounds".to_owned(), rounds.to_string()]);
        }
        if self.json {
            arguments.push("--json".to_owned());
        }
        // Last: what stands there prevails.
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.check {
        return check_committed(workspace, options);
    }
    let output = match options.output == Path::new(PAGE) {
        // Wherever this was started.
        true => workspace.root.join(PAGE),
        false => std::path::absolute(&options.output)
            .with_context(|| format!("{} is no folder", options.output.display()))?,
    };
    program::run(workspace, "bench", true, &options.arguments(&output))
}

/// Compares a quick run with the committed values.
fn check_committed(workspace: &Workspace, options: &Options) -> Result<()> {
    // First: without it there is nothing to measure for.
    let committed = check::read(&workspace.root.join(PAGE).join(RESULTS))?;
    let folder = tempfile::tempdir().context("cannot create a folder")?;
    let arguments = options.arguments(folder.path());
    program::run(workspace, "bench", true, &arguments)?;
    let measured = check::read(&folder.path().join(RESULTS))?;
    for note in check::differences(&committed, &measured) {
        shell::say(note);
    }
    let report = check::compare(&committed, &measured)?;
    print!("{report}");
    report.verdict()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn arguments(line: &[&str]) -> Vec<String> {
        let line = ["bench"].iter().chain(line);
        Line::parse_from(line).options.arguments(Path::new("/page"))
    }

    #[test]
    fn options_reach_the_bench() {
        assert_eq!(arguments(&[]), ["all", "--output", "/page"]);
        assert_eq!(
            arguments(&["--quick"]),
            ["all", "--quick", "--output", "/page"]
        );
        assert_eq!(
            arguments(&["--suite", "flood", "--quick", "--rounds", "2", "--json"]),
            ["flood", "--quick", "--rounds", "2", "--json"]
        );
        assert_eq!(
            arguments(&["--suite", "packets", "--", "transfer", "--size", "64"])[1..],
            ["transfer", "--size", "64"]
        );
    }

    #[test]
    fn a_check_is_quick_and_writes_elsewhere() {
        assert_eq!(
            arguments(&["--check"]),
            ["all", "--quick", "--output", "/page"]
        );
        assert!(Line::try_parse_from(["bench", "--check", "--output", "x"]).is_err());
        assert!(Line::try_parse_from(["bench", "--check", "--suite", "packets"]).is_err());
        assert!(Line::try_parse_from(["bench", "--json"]).is_err());
    }
}

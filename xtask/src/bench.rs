//! `bench`: what the guard costs, and what it spares.

use anyhow::Result;

use crate::{program, workspace::Workspace};

/// Measure packets, transfers, floods beside what others would do about them, or the monitor
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What is measured
    #[arg(long, value_enum, default_value_t)]
    suite: Suite,
    /// Less of it, to see that it works (floods, monitor)
    #[arg(long)]
    quick: bool,
    /// Rounds that medians are taken of
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// For the bench itself
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// A suite of measurements.
#[derive(clap::ValueEnum, Clone, Copy, Default)]
enum Suite {
    /// What single packets cost in the kernel programs
    #[default]
    Packets,
    /// What the guard costs a transfer at full speed
    Transfer,
    /// What partners notice of floods: with the guard, nftables, SYN cookies, XDP_DROP, nothing
    Flood,
    /// What it costs the daemon to read two thousand sessions
    Monitor,
}

impl Options {
    /// As the bench itself takes them.
    fn arguments(&self) -> Vec<String> {
        let suite = match self.suite {
            Suite::Packets => "packets",
            Suite::Transfer => "transfer",
            Suite::Flood => "flood",
            Suite::Monitor => "monitor",
        };
        let mut arguments = vec![suite.to_owned()];
        if self.quick {
            arguments.push("--quick".to_owned());
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
    program::run(workspace, "bench", true, &options.arguments())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Options;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn arguments(line: &[&str]) -> Vec<String> {
        let line = ["bench"].iter().chain(line);
        Line::parse_from(line).options.arguments()
    }

    #[test]
    fn options_reach_the_bench() {
        assert_eq!(arguments(&[]), ["packets"]);
        assert_eq!(
            arguments(&["--suite", "flood", "--quick", "--rounds", "2", "--json"]),
            ["flood", "--quick", "--rounds", "2", "--json"]
        );
        assert_eq!(
            arguments(&["--", "transfer", "--size", "64"])[1..],
            ["transfer", "--size", "64"]
        );
    }
}

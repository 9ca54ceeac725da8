//! `ftp-guard report`

mod html;
mod page;
mod text;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use jiff::Timestamp;

use super::{Global, Outcome, output::print, target::Target, time::time};
use crate::{
    control::{
        past::ReportWanted,
        protocol::{Failure, Request},
    },
    engine::report::Report,
    store::write_atomically,
};

/// Summarise who used FTP and how, what was found, and what is in force: logins in clear text, anonymous
/// access, server software and its holes, ports, files, bans, drops, limits, the width of the allowlist.
///
/// It needs the history (`[history]` of the configuration).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// From this time on; RFC 3339, or how long ago, such as 7d.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "72h")]
    since: Timestamp,
    /// Until this time [default: now].
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// What it looks like.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write it to this file.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// One page without scripts, that needs no other file.
    Html,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let request = Request::Report(ReportWanted {
            since: Some(self.since),
            until: self.until,
        });
        let report: Report = Target::of(global).connect()?.ask(&request)?;
        let text = match self.format {
            Format::Text => text::render(&page::of(&report)),
            Format::Html => html::render(&page::of(&report)),
            Format::Json => {
                serde_json::to_string_pretty(&report)
                    .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?
                    + "\n"
            }
        };
        match &self.output {
            Some(file) => {
                write_atomically(file, &text)
                    .map_err(|error| Failure::failed(error.to_string()))?;
            }
            None => print(&text)?,
        }
        Ok(0)
    }
}

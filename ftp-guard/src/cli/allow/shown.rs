//! What `allow import` shows before it is done.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::Serialize;

use super::super::output::counted;
use crate::{
    control::view::AddReport,
    engine::exchange::{Aggregated, Comparison, Format, Imported, Overlap},
};

/// The report as JSON; the daemon's counts stand at its top, all 0 until it is applied.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) result: AddReport,
    pub(super) applied: bool,
    file: PathBuf,
    format: &'static str,
    /// Entries of the file that were understood.
    read: u64,
    /// Prefixes that they come to, at the end.
    prefixes: u64,
    /// Names of hosts among them.
    names: u64,
    unknown: u64,
    unknown_first: Vec<Unknown>,
    left_out: u64,
    expired: u64,
    duplicates: u64,
    /// Whether there was an allowlist to compare with.
    pub(super) compared: bool,
    listed_already: u64,
    listed_otherwise: u64,
    redundant: u64,
    redundant_first: Vec<Inside>,
    differing: u64,
    differing_first: Vec<Inside>,
    aggregation: Option<Aggregation>,
}

#[derive(Debug, Serialize)]
struct Unknown {
    line: u32,
    message: String,
}

#[derive(Debug, Serialize)]
struct Inside {
    prefix: IpNet,
    line: u32,
    inside: IpNet,
    inside_listed: bool,
}

impl From<&Overlap> for Inside {
    fn from(overlap: &Overlap) -> Self {
        Self {
            prefix: overlap.prefix,
            line: overlap.line,
            inside: overlap.inside,
            inside_listed: overlap.listed,
        }
    }
}

#[derive(Debug, Serialize)]
struct Aggregation {
    before: u64,
    after: u64,
    redundant: u64,
    merged: u64,
    widest: Vec<Widest>,
}

#[derive(Debug, Serialize)]
struct Widest {
    prefix: IpNet,
    parts: u32,
}

/// How many lines that are not understood are shown.
const MOST_UNKNOWN: usize = 10;

impl Report {
    pub(super) fn new(
        file: &Path,
        format: Format,
        imported: &Imported,
        comparison: &Comparison,
        aggregated: &Option<Aggregated>,
    ) -> Self {
        let unknown_first = imported.mistakes.iter().take(MOST_UNKNOWN);
        Self {
            result: AddReport::default(),
            applied: false,
            file: file.to_owned(),
            format: format.name(),
            read: imported.read,
            prefixes: imported.items.len() as u64,
            names: imported.hosts.len() as u64,
            unknown: imported.unknown,
            unknown_first: unknown_first
                .map(|mistake| Unknown {
                    line: mistake.line,
                    message: mistake.message.clone(),
                })
                .collect(),
            left_out: imported.left_out,
            expired: imported.expired,
            duplicates: comparison.duplicates,
            compared: false,
            listed_already: comparison.present,
            listed_otherwise: comparison.changed,
            redundant: comparison.redundant,
            redundant_first: comparison.redundant_first.iter().map(Into::into).collect(),
            differing: comparison.differing,
            differing_first: comparison.differing_first.iter().map(Into::into).collect(),
            aggregation: aggregated.as_ref().map(|done| Aggregation {
                before: done.before,
                after: done.after,
                redundant: done.redundant,
                merged: done.merged,
                widest: done
                    .widest
                    .iter()
                    .map(|new| Widest {
                        prefix: new.prefix,
                        parts: new.parts,
                    })
                    .collect(),
            }),
        }
    }
}

/// The report for people. Nothing that is zero is mentioned.
pub(super) fn text(report: &Report, detected: bool) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, report, detected);
    text
}

fn write(out: &mut String, report: &Report, detected: bool) -> std::fmt::Result {
    let file = report.file.display();
    let how = if detected { "looks like" } else { "read as" };
    writeln!(
        out,
        "{file}: {how} {}: {} read",
        report.format,
        counted(report.read, "entry", "entries")
    )?;
    for (count, what) in [
        (report.names, "names of hosts, resolved by the daemon"),
        (report.unknown, "not understood, skipped"),
        (report.left_out, "left out as not asked for"),
        (report.expired, "over, left out"),
        (report.duplicates, "twice in the file"),
        (report.listed_already, "listed already"),
        (report.listed_otherwise, "listed with other settings"),
    ] {
        if count > 0 {
            writeln!(out, "  {count} {what}")?;
        }
    }
    for unknown in &report.unknown_first {
        writeln!(out, "    {file}:{}: {}", unknown.line, unknown.message)?;
    }
    for (count, first, what) in [
        (
            report.redundant,
            &report.redundant_first,
            "inside others that say the same (redundant)",
        ),
        (
            report.differing,
            &report.differing_first,
            "inside others that say something else (the longer prefix decides)",
        ),
    ] {
        if count > 0 {
            writeln!(out, "  {count} {what}")?;
        }
        for overlap in first {
            let whose = if overlap.inside_listed { "listed " } else { "" };
            writeln!(
                out,
                "    {} inside {whose}{}",
                overlap.prefix, overlap.inside
            )?;
        }
    }
    if let Some(done) = &report.aggregation {
        writeln!(
            out,
            "  aggregation: {} become {}, {} redundant, {} joined anew",
            counted(done.before, "prefix", "prefixes"),
            done.after,
            done.redundant,
            done.merged
        )?;
        for new in &done.widest {
            writeln!(out, "    {} from {} parts", new.prefix, new.parts)?;
        }
    }
    if !report.compared {
        writeln!(out, "  no daemon answers: not compared with the allowlist")?;
    }
    Ok(())
}

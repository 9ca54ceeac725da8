//! `ftp-guard codegen`: pages of the documentation that are made from the code.

use std::fmt::Write as _;

use ftp_guard_common::reason::Reason;

use super::{Outcome, output};
use crate::{
    config::reference_markdown,
    engine::events::Severity,
    telemetry::{
        catalogue::METRICS,
        kinds::{ENDINGS, TypeClass, VerbClass},
    },
};

/// Print a page of the documentation.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Args {
    /// The page.
    page: Page,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    /// docs/configuration.md
    Configuration,
    /// docs/reasons.md
    Reasons,
    /// docs/metrics.md
    Metrics,
}

impl Args {
    pub(super) fn run(self) -> Outcome {
        output::print(&match self.page {
            Page::Configuration => reference_markdown(),
            Page::Reasons => reasons(),
            Page::Metrics => metrics(),
        })?;
        Ok(0)
    }
}

fn reasons() -> String {
    let mut page = String::from(
        "<!-- Made from the code by `cargo xtask codegen`. Do not edit. -->\n\n\
         # Reasons\n\n\
         Every packet that the guard sees is counted with one of these reasons. Numbers and names \
         are append-only: a retired one is never used again. *Drop* is what enforce mode does; in \
         monitor mode the packet passes and counts as `would_drop`.\n\n\
         | Number | Name | Verdict | Explanation |\n\
         | ---: | --- | --- | --- |\n",
    );
    for reason in Reason::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {} | `{}` | {} | {} |",
            *reason as u8,
            reason.as_str(),
            reason.verdict().as_str(),
            reason.explanation().trim().replace('|', "\\|")
        );
    }
    page
}

fn metrics() -> String {
    let mut page = String::from(
        "<!-- Made from the code by `cargo xtask codegen`. Do not edit. -->\n\n\
         # Metrics\n\n\
         The daemon serves the Prometheus text format at `/metrics` on `metrics.listen` (default \
         127.0.0.1:9721; `\"off\"` turns it off). Each scrape reads the kernel; when that fails, the \
         answer is status 500, not a part of the truth. No client address is ever a label, nor \
         is a user or a file. Counters of packets belong to the pinned tables: they survive a restart of \
         the daemon and begin anew after `ftp-guard detach`. Those of what sessions do begin anew with \
         the daemon. Names of reasons are in [reasons.md](reasons.md). Whoever may connect \
         to the address may read the metrics: keep it on the loopback interface, or behind a \
         firewall.\n\n\
         | Name | Type | Labels | Meaning |\n\
         | --- | --- | --- | --- |\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind,
            labels.join(", "),
            metric.help
        );
    }
    page.push_str(
        "\nBeside these there are the usual `process_*` metrics of the daemon: CPU time, memory, \
         file descriptors, threads and start time.\n\n\
         | Label | Values |\n\
         | --- | --- |\n\
         | `verdict` | `pass`, `drop`, `would_drop` (monitor mode: enforce mode would have dropped) |\n\
         | `class` | `control`, `active_data`, `passive_data`, `other` (no FTP port, or none that the packet shows) |\n\
         | `family` | `ipv4`, `ipv6`, `other` |\n",
    );
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let _ = writeln!(
        page,
        "| `type` | {}, by [what the path ends with](#types-of-files); `none`: with nothing, `hidden`: \
         it cannot be read |\n\
         | `group` | {} (of no standard; the verb itself is kept nowhere) |\n\
         | `tls` | `clear`, `explicit` (AUTH), `implicit` (from the first byte), `unknown` (taken over \
         in its middle); of `ftp_guard_sessions`: `clear`, `tls`, `unknown` |\n\
         | `severity` | {} |\n\
         | `rule` | names of detections |\n\n\
         ## Types of files\n\n\
         | `type` | Endings |\n\
         | --- | --- |",
        names(&TypeClass::ALL.map(TypeClass::as_str)),
        names(&VerbClass::ALL.map(VerbClass::as_str)),
        names(&Severity::ALL.map(Severity::as_str)),
    );
    for (class, endings) in ENDINGS {
        let _ = writeln!(page, "| `{}` | {} |", class.as_str(), endings.join(", "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(name: &str) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/");
        std::fs::read_to_string(format!("{path}{name}")).unwrap_or_default()
    }

    #[test]
    fn the_reason_page_is_current() {
        let hint = "run `cargo xtask codegen`";
        assert!(committed("reasons.md") == reasons(), "{hint}");
    }

    #[test]
    fn the_metric_page_is_current() {
        let hint = "run `cargo xtask codegen`";
        assert!(committed("metrics.md") == metrics(), "{hint}");
    }

    #[test]
    fn every_reason_has_a_row() {
        let page = reasons();
        for reason in Reason::ALL {
            assert!(page.contains(&format!("| `{}` | ", reason.as_str())));
        }
        assert!(
            page.contains("| 16 | `not_listed` | drop | The source is not on the allowlist. |")
        );
    }
}

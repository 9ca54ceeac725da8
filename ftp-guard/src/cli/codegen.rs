//! `ftp-guard codegen`: pages of the documentation that are made from the code.

use std::fmt::Write as _;

use ftp_guard_common::reason::Reason;

use super::{Outcome, output};
use crate::{
    config::reference_markdown,
    doctor,
    engine::{
        detect::{patterns::PATTERNS, rule::Rule, vulnerabilities::Vulnerabilities},
        events::Severity,
    },
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
    /// docs/detections.md
    Detections,
    /// docs/doctor.md
    Doctor,
}

impl Args {
    pub(super) fn run(self) -> Outcome {
        output::print(&match self.page {
            Page::Configuration => reference_markdown(),
            Page::Reasons => reasons(),
            Page::Metrics => metrics(),
            Page::Detections => detections(),
            Page::Doctor => doctor::markdown(),
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

fn detections() -> String {
    let mut page = String::from(
        "<!-- Made from the code by `cargo xtask codegen`. Do not edit. -->\n\n\
         # Detections\n\n\
         The daemon reads what sessions say on their control connections and applies these rules. Each \
         finding is an event `detection` with the rule's name, a severity, the source, the server and a \
         count (`ftp-guard events --reason RULE`, `--severity LEVEL`), and a count in the metrics. The same \
         of the same source is told once in `detect.repeat`, with the number of times meanwhile; one that \
         matters more is told at once. Names are append-only.\n\n\
         Rules in `detect.ban` ban their source with the finding, within the moment; the ban ends all its \
         sessions, is one of [bans](bans.md) like others, and spares `bans.never_ban`. Where a source can \
         be forged a rule cannot ban. `[detect]` in [configuration.md](configuration.md) has all numbers.\n\n\
         A server behind TLS shows no commands: of such sessions there are timing, data connections and \
         what the guard dropped. What is remembered of sources is bounded: 16,384 of them, and whoever was \
         not seen for the longest time is forgotten first, which is counted.\n\n\
         | Rule | Severity at most | Can ban |\n\
         | --- | --- | --- |\n",
    );
    for rule in Rule::ALL {
        let name = rule.as_str();
        let bans = if rule.banning().obstacle().is_none() {
            "yes"
        } else {
            "no"
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| [`{name}`](#{name}) | {} | {bans} |",
            rule.severity().as_str()
        );
    }
    page.push_str(
        "\n| Severity | Meaning |\n| --- | --- |\n\
         | info | Worth knowing. |\n\
         | low | Bad practice. |\n\
         | medium | A weakness, or what may be an attempt. |\n\
         | high | An attempt, or a serious weakness. |\n\
         | critical | An attack, or a hole that is used. |\n",
    );
    for rule in Rule::ALL {
        let _ = write!(
            page,
            "\n## {}\n\nSeverity: {}.",
            rule.as_str(),
            rule.severity().as_str()
        );
        if let Some(obstacle) = rule.banning().obstacle() {
            let _ = write!(page, " Cannot ban: {obstacle}.");
        }
        let _ = write!(
            page,
            "\n\n{}\n\n**What to do:** {}\n",
            rule.means(),
            rule.advice()
        );
        if *rule == Rule::DangerousCommand {
            page.push_str("\n| What | Why | Severity |\n| --- | --- | --- |\n");
            for pattern in &PATTERNS {
                let _ = writeln!(
                    page,
                    "| {} | {} | {} |",
                    pattern.what.replace('|', "\\|"),
                    pattern.why.replace('|', "\\|"),
                    pattern.severity.as_str()
                );
            }
        }
    }
    page.push_str(&vulnerabilities());
    page
}

fn vulnerabilities() -> String {
    let mut page = String::from(
        "\n# Known vulnerabilities\n\n\
         The built-in table of `vulnerable_software`: what the sources say, no more. It is not complete, and \
         a server that is not in it may have holes all the same. `detect.cve_file` names another of the \
         same columns: CSV with a header; `affected` is `< 2.3.3`, `<= 3.0.2`, `1.3.1 - 1.3.5` (both \
         included), `2.3.4` (exactly) or `>= 10 < 10.7.1`, with `;` between several. `1.3.5rc3` comes before \
         `1.3.5`, and `1.3.5a` behind it.\n\n\
         | CVE | Product | Versions | CVSS | Severity | What it is | Source |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in Vulnerabilities::default().rows() {
        let _ = writeln!(
            page,
            "| {} | {} | `{}` | {} | {} | {} | {} |",
            row.cve,
            row.product,
            row.affected,
            row.score(),
            row.severity.map_or("not rated", Severity::as_str),
            row.title.replace('|', "\\|"),
            row.source
        );
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
    fn the_page_of_detections_is_current() {
        let hint = "run `cargo xtask codegen`";
        assert!(committed("detections.md") == detections(), "{hint}");
    }

    #[test]
    fn the_page_of_the_doctor_is_current() {
        let hint = "run `cargo xtask codegen`";
        assert!(committed("doctor.md") == doctor::markdown(), "{hint}");
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

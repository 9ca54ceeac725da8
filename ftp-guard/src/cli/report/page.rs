//! What the report says, in the order in which people read it; text and HTML only differ in how it looks.

use crate::{
    cli::output::{bytes, counted},
    engine::{
        events::Severity,
        report::{Count, Detected, Finding, Report, Volume},
    },
};

/// A report for people.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) sections: Vec<Section>,
}

/// A part of it.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// Names and what there is to say.
    pub(super) facts: Vec<(String, String)>,
    pub(super) tables: Vec<Table>,
}

/// A table; the cells of some columns are numbers.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Section {
    fn new(title: &'static str) -> Self {
        Self {
            title,
            facts: Vec::new(),
            tables: Vec::new(),
        }
    }

    fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push((name.to_owned(), value.to_string()));
        self
    }

    /// A fact that is only worth a line if there is something to say.
    fn note(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    fn table(mut self, title: &str, header: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        if !rows.is_empty() {
            self.tables.push(Table {
                title: title.to_owned(),
                header: header.to_vec(),
                rows,
            });
        }
        self
    }

    fn counts(self, title: &str, what: &'static str, counts: &[Count]) -> Self {
        let rows = counts
            .iter()
            .map(|count| vec![count.name.clone(), count.count.to_string()]);
        let rows = rows.collect();
        self.table(title, &[what, "count"], rows)
    }

    fn volumes(self, title: &str, what: &'static str, volumes: &[Volume]) -> Self {
        let row = |volume: &Volume| {
            vec![
                volume.name.clone(),
                volume.transfers.to_string(),
                bytes(volume.bytes_up),
                bytes(volume.bytes_down),
            ]
        };
        let rows = volumes.iter().map(row).collect();
        self.table(title, &[what, "files", "up", "down"], rows)
    }

    fn findings(self, title: &str, findings: &[Finding]) -> Self {
        let row = |finding: &Finding| {
            vec![
                finding.severity.as_str().to_owned(),
                finding.server.clone().unwrap_or_else(|| "-".to_owned()),
                finding.message.clone(),
                finding.last.strftime("%FT%TZ").to_string(),
            ]
        };
        let rows = findings.iter().map(row).collect();
        self.table(title, &["severity", "server", "what", "last seen"], rows)
    }
}

/// The page of a report.
pub(super) fn of(report: &Report) -> Page {
    Page {
        title: format!(
            "FTP report, {} to {}",
            report.since.strftime("%FT%TZ"),
            report.until.strftime("%FT%TZ")
        ),
        sections: vec![
            coverage(report),
            sessions(report),
            logins(report),
            exposure(report),
            transfers(report),
            detections(report),
            refused(report),
            posture(report),
            allowlist(report),
        ],
    }
}

fn coverage(report: &Report) -> Section {
    let known = &report.coverage;
    let some = |count: u64| (count > 0).then_some(count);
    Section::new("What is known")
        .fact("made", report.made.strftime("%FT%TZ"))
        .note(
            "nothing is known before",
            known.begins.map(|time| time.strftime("%FT%TZ").to_string()),
        )
        .note("starts of the daemon", some(known.starts))
        .note(
            "entries that could not be written",
            some(known.lost_entries),
        )
        .note("events that came too fast", some(known.missed_events))
        .note(
            "bytes of control connections not seen",
            some(known.unseen_bytes),
        )
        .note("sessions seen in part", some(known.partial_sessions))
        .note(
            "lists",
            known
                .cut
                .then_some("some had too many names; what came last is left out"),
        )
}

fn sessions(report: &Report) -> Section {
    let sessions = &report.sessions;
    let share = sessions.clear_share;
    Section::new("Control connections")
        .fact("sessions", sessions.total)
        .fact("client addresses", sessions.clients)
        .fact("in clear text", sessions.clear)
        .fact("with TLS (AUTH)", sessions.explicit_tls)
        .fact("with TLS from the start", sessions.implicit_tls)
        .fact("not known", sessions.unknown)
        .note(
            "share in clear text",
            share.map(|share| format!("{:.1} %", share * 100.0)),
        )
        .counts("Versions of TLS", "version", &sessions.tls_versions)
}

fn logins(report: &Report) -> Section {
    let logins = &report.logins;
    Section::new("Logins in clear text")
        .fact("accepted, with a password on the wire", logins.accepted)
        .fact("accepted, anonymous", logins.anonymous)
        .fact("refused", logins.refused)
        .fact("refused, anonymous", logins.anonymous_refused)
        .counts("Users", "user", &logins.users)
        .counts("Sources", "source", &logins.sources)
        .counts(
            "Sources of anonymous logins",
            "source",
            &logins.anonymous_sources,
        )
        .counts(
            "Sources of refused logins",
            "source",
            &logins.refused_sources,
        )
        .counts("Names of refused logins", "user", &logins.refused_users)
}

fn exposure(report: &Report) -> Section {
    let holes = &report.vulnerabilities;
    let of = |severity: Severity| {
        holes
            .iter()
            .filter(|hole| hole.severity == severity)
            .count()
    };
    let by_severity: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .filter(|severity| of(*severity) > 0)
        .map(|severity| format!("{} {}", of(severity), severity.as_str()))
        .collect();
    let software = report.software.iter().map(|software| {
        vec![
            software.product.clone(),
            software.version.clone().unwrap_or_else(|| "-".to_owned()),
            software.sessions.to_string(),
            software.servers.join(", "),
        ]
    });
    Section::new("Servers and exposure")
        .fact(
            "known holes",
            match by_severity.is_empty() {
                true => "none found".to_owned(),
                false => by_severity.join(", "),
            },
        )
        .fact("FTP on other ports", report.odd_ports.len())
        .fact(
            "other protocols on ports of FTP",
            report.foreign_protocols.len(),
        )
        .table(
            "Software",
            &["product", "version", "sessions", "servers"],
            software.collect(),
        )
        .findings("Known holes", holes)
        .findings("FTP on other ports", &report.odd_ports)
        .findings("Other protocols on ports of FTP", &report.foreign_protocols)
}

fn transfers(report: &Report) -> Section {
    let transfers = &report.transfers;
    let amount = |count, sum| format!("{count}, {}", bytes(sum));
    Section::new("Transfers")
        .fact("uploads", amount(transfers.uploads, transfers.bytes_up))
        .fact(
            "downloads",
            amount(transfers.downloads, transfers.bytes_down),
        )
        .fact("lists of files", transfers.listings)
        .fact(
            "under TLS",
            amount(transfers.hidden, transfers.bytes_hidden),
        )
        .fact("files not complete", transfers.incomplete)
        .volumes("Types of files", "type", &transfers.file_types)
        .volumes("Users", "user", &transfers.users)
        .volumes("Sources", "source", &transfers.sources)
}

fn detections(report: &Report) -> Section {
    let row = |detected: &Detected| {
        let sources = detected.sources.iter().map(|source| source.name.as_str());
        vec![
            detected.severity.as_str().to_owned(),
            detected.rule.clone(),
            detected.count.to_string(),
            detected.banned.to_string(),
            sources.collect::<Vec<_>>().join(", "),
        ]
    };
    let sum: u64 = report
        .detections
        .iter()
        .map(|detected| detected.count)
        .sum();
    let rows = report.detections.iter().map(row).collect();
    let header = ["severity", "rule", "count", "banned", "sources"];
    Section::new("Detections")
        .fact("detections", sum)
        .table("Rules", &header, rows)
}

fn refused(report: &Report) -> Section {
    let bans = &report.bans;
    let all = report.posture.drops.iter().map(|drop| {
        vec![
            drop.reason.clone(),
            drop.verdict.clone(),
            drop.packets.to_string(),
            bytes(drop.bytes),
        ]
    });
    Section::new("Refused and ended")
        .fact("bans added", bans.added)
        .fact("bans prolonged", bans.prolonged)
        .fact("bans removed", bans.removed)
        .fact("bans that ended", bans.expired)
        .fact("bans in force now", report.posture.bans)
        .fact("attacks", report.attacks)
        .counts("Bans by", "by", &bans.by)
        .counts(
            "Sessions ended by the guard",
            "reason",
            &report.sessions.ended,
        )
        .counts("Dropped packets in this time", "reason", &report.drops)
        .table(
            "Dropped packets since the tables were made",
            &["reason", "verdict", "packets", "bytes"],
            all.collect(),
        )
}

fn posture(report: &Report) -> Section {
    let posture = &report.posture;
    let list = |names: &[String]| match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    let ports: Vec<String> = posture
        .control_ports
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut section = Section::new("What is in force")
        .fact("version", &posture.version)
        .fact("mode", &posture.mode)
        .fact("role", &posture.role)
        .fact("interfaces", list(&posture.interfaces))
        .fact("interfaces left out", list(&posture.uncovered_interfaces))
        .fact("control ports", list(&ports))
        .fact("passive ports", list(&posture.passive_ports));
    for warning in &posture.warnings {
        section = section.fact("warning", warning);
    }
    for profile in &posture.profiles {
        let title = format!(
            "Profile {}, {}",
            profile.name,
            counted(profile.entries, "entry", "entries")
        );
        section = section.table(&title, &["setting", "value"], settings(&profile.settings));
    }
    section.table("Limits", &["setting", "value"], settings(&posture.limits))
}

fn settings(settings: &serde_json::Map<String, serde_json::Value>) -> Vec<Vec<String>> {
    let shown = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "no limit".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let rows = settings
        .iter()
        .map(|(name, value)| vec![name.clone(), shown(value)]);
    rows.collect()
}

fn allowlist(report: &Report) -> Section {
    let width = &report.posture.allowlist;
    let widest = width.widest.iter().map(|entry| {
        vec![
            entry.prefix.to_string(),
            entry.profile.clone(),
            entry.label.clone().unwrap_or_else(|| "-".to_owned()),
            entry
                .expires
                .map_or_else(|| "-".to_owned(), |end| end.strftime("%FT%TZ").to_string()),
        ]
    });
    Section::new("Allowlist")
        .fact("entries", width.entries)
        .fact("without an end", width.without_end)
        .fact("exclusions", width.exclusions)
        .fact("IPv4 addresses", width.ipv4_addresses)
        .fact("IPv6 addresses", large(width.ipv6_addresses))
        .table(
            "The widest entries",
            &["prefix", "profile", "label", "expires"],
            widest.collect(),
        )
}

/// Exactly while that is short, then as a power of two.
fn large(count: f64) -> String {
    match count {
        ..1e6 => format!("{count:.0}"),
        _ => format!("about 2^{:.0}", count.log2()),
    }
}

//! Servers: where they are, and what they are.

use super::{
    Detector, Look,
    report::{Hit, Subject},
    rule::Rule,
    shown,
    version::Version,
    vulnerabilities::Vulnerability,
};
use crate::engine::{events::Severity, monitor::record::Software};

/// Vulnerabilities that a message names.
const MOST_NAMED: usize = 10;

impl Detector {
    pub(super) fn odd_port(&mut self, text: &str, look: &mut Look<'_>) {
        let server = look.about.server;
        let message = format!(
            "a server on port {}, which is not in ftp.control_ports, speaks FTP: {:?}",
            server.port(),
            shown(text)
        );
        let hit = self.of_server(Rule::OddPort, server, message);
        self.hit(hit, look);
    }

    pub(super) fn software(&mut self, software: &Software, look: &mut Look<'_>) {
        let Some(text) = &software.version else {
            return;
        };
        let Some(version) = Version::read(text) else {
            return;
        };
        let vulnerabilities = &self.rules.vulnerabilities;
        let found = vulnerabilities.of(&software.product, &version);
        let Some(worst) = found.iter().map(|found| found.weight()).max() else {
            return;
        };
        let name = shown(&format!("{} {text}", software.product));
        let message = format!("{name} has known vulnerabilities: {}", listed(&found));
        let server = look.about.server;
        let hit = self.of_server(Rule::VulnerableSoftware, server, message);
        let hit = Hit {
            subject: Subject::Named(Some(server), name),
            ..hit.severity(worst.max(Severity::Low))
        };
        self.hit(hit, look);
    }
}

fn listed(found: &[&Vulnerability]) -> String {
    let named: Vec<String> = found
        .iter()
        .take(MOST_NAMED)
        .map(ToString::to_string)
        .collect();
    match found.len().saturating_sub(MOST_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

//! What is no FTP: other protocols, lines that are too long, bytes that are no text.

use super::{Detector, Look, report::Hit, rule::Rule};
use crate::engine::{
    events::Severity,
    monitor::{observation::Protocol, told::Side},
};

impl Detector {
    pub(super) fn foreign(&mut self, side: Side, protocol: Protocol, look: &mut Look<'_>) {
        let name = protocol.as_str();
        let message = match side {
            Side::Client => format!("a client speaks {name}"),
            Side::Server => format!("the server speaks {name} on an FTP port"),
        };
        let hit = self.of_side(side, Rule::ForeignProtocol, look, message);
        let severity = match protocol {
            Protocol::Tls => Severity::Low,
            _ => hit.severity,
        };
        self.hit(hit.severity(severity), look);
    }

    pub(super) fn overlong(&mut self, side: Side, look: &mut Look<'_>) {
        let message = match side {
            Side::Client => "a client sent a line that is longer than any of FTP",
            Side::Server => "the server sent a line that is longer than any of FTP",
        };
        let hit = self.of_side(side, Rule::OverlongLine, look, message.to_owned());
        let severity = match side {
            Side::Client => hit.severity,
            Side::Server => Severity::Low,
        };
        self.hit(hit.severity(severity), look);
    }

    pub(super) fn binary(&mut self, side: Side, look: &mut Look<'_>) {
        let message = match side {
            Side::Client => "a client sent bytes that are no text",
            Side::Server => "the server sent bytes that are no text",
        };
        let hit = self.of_side(side, Rule::BinaryJunk, look, message.to_owned());
        self.hit(hit, look);
    }

    /// Of whoever said it. What the server says is not the client's fault.
    fn of_side(&self, side: Side, rule: Rule, look: &Look<'_>, message: String) -> Hit {
        match side {
            Side::Client => self.of_client(rule, look.about, message),
            Side::Server => self.of_server(rule, look.about.server, message),
        }
    }
}

//! What dropped packets and ended sessions mean.

use std::net::{IpAddr, SocketAddr};

use super::{
    report::{Hit, Subject},
    rule::Rule,
    settings::Rules,
};
use crate::engine::events::{EventKind, Packet, SessionEnded, Severity};

/// Reasons for which the guard refuses what a profile forbids, of packets and of sessions.
const POLICY: [&str; 4] = [
    "tls_required",
    "anonymous_refused",
    "read_only",
    "command_denied",
];

/// What the rules see in an event: one thing at most.
pub(super) fn hit(rules: &Rules, kind: &EventKind) -> Option<Hit> {
    match kind {
        EventKind::Drop(packet) => dropped(rules, packet),
        EventKind::TableFull(full) => table_full(&full.table),
        EventKind::SessionEnded(ended) => of_session(rules, ended),
        _ => None,
    }
}

fn dropped(rules: &Rules, packet: &Packet) -> Option<Hit> {
    let reason = packet.reason.as_str();
    let (rule, message, proven) = match reason {
        "bounce" | "active_low_port" => return bounce(rules, packet),
        "pasv_theft" => {
            let message = "a connection to a passive port that somebody else has negotiated".into();
            (Rule::PasvTheft, message, false)
        }
        "pinhole_limit" => {
            let message = "a session negotiates passive ports without using them (pinhole_limit)";
            (Rule::PortExhaustion, message.into(), true)
        }
        "data_limit" => {
            let message = "more data connections than the profile permits (data_limit)".into();
            (Rule::PortExhaustion, message, false)
        }
        _ if POLICY.contains(&reason) => (Rule::PolicyRefusal, refused(reason), true),
        _ => return None,
    };
    let source = packet.remote()?;
    let hit = of_source(rules, rule, source, message)?;
    Some(Hit {
        server: server(packet),
        proven,
        ..hit
    })
}

/// The server tried: who made it do so is another matter, which PORT and EPRT in clear text tell.
fn bounce(rules: &Rules, packet: &Packet) -> Option<Hit> {
    let to: SocketAddr = match packet.hook.as_str() {
        "egress" => (packet.destination?, packet.destination_port?).into(),
        _ => return None,
    };
    if rules.ignores(to.ip()) {
        return None;
    }
    let server: SocketAddr = (packet.source?, packet.source_port?).into();
    let rule = Rule::BounceAttempt;
    Some(Hit {
        rule,
        severity: rule.severity(),
        // Its port is another each time, where it is not 20.
        subject: Subject::Named(None, format!("{} {}", server.ip(), packet.reason)),
        source: None,
        server: Some(server),
        session: 0,
        user: None,
        message: format!(
            "the server tried to open a data connection to {to} ({})",
            packet.reason
        ),
        count: 1,
        proven: false,
    })
}

fn table_full(table: &str) -> Option<Hit> {
    let rule = Rule::PortExhaustion;
    matches!(table, "flows" | "pinholes").then(|| Hit {
        rule,
        severity: Severity::High,
        subject: Subject::Host,
        source: None,
        server: None,
        session: 0,
        user: None,
        message: format!("the table of {table} is full"),
        count: 1,
        proven: false,
    })
}

fn of_session(rules: &Rules, ended: &SessionEnded) -> Option<Hit> {
    let reason = ended.reason.as_str();
    let (rule, message) = match reason {
        "ports_held" => {
            let message = "a session was ended that held passive ports without using them";
            (Rule::PortExhaustion, message.to_owned())
        }
        _ if POLICY.contains(&reason) => (Rule::PolicyRefusal, refused(reason)),
        _ => return None,
    };
    let hit = of_source(rules, rule, ended.client.ip(), message)?;
    Some(Hit {
        server: Some(ended.server),
        // It is ended already.
        session: 0,
        ..hit
    })
}

fn refused(reason: &str) -> String {
    format!("the profile forbids it: {reason}")
}

fn of_source(rules: &Rules, rule: Rule, source: IpAddr, message: String) -> Option<Hit> {
    (!rules.ignores(source)).then(|| Hit {
        rule,
        severity: match rule {
            // A full table is worse.
            Rule::PortExhaustion => Severity::Medium,
            _ => rule.severity(),
        },
        subject: Subject::Source(rules.source_of(source)),
        source: Some(source),
        server: None,
        session: 0,
        user: None,
        message,
        count: 1,
        proven: true,
    })
}

/// The server's end.
fn server(packet: &Packet) -> Option<SocketAddr> {
    let (address, port) = match packet.hook.as_str() {
        "egress" => (packet.source, packet.source_port),
        _ => (packet.destination, packet.destination_port),
    };
    Some((address?, port?).into())
}

//! Events and sessions with the field names of the Elastic Common Schema, version 8.17.
//!
//! What has no field there is below `ftp_guard`. Absent fields are left out, as the schema asks for.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::line::Subject;
use crate::engine::{
    events::{
        BanEvent, DetectionEvent, Event, EventKind, LoginEvent, Packet, SessionEnded, Severity,
        TransferEvent,
    },
    monitor::record::{Direction, LoginState, SessionRecord, TlsMode},
};

/// The version of the schema.
const VERSION: &str = "8.17.0";

/// The document of an event or a session.
#[must_use]
pub fn of(subject: &Subject) -> Value {
    match subject {
        Subject::Event(event) => of_event(event),
        Subject::Session(record) => of_session(record),
    }
}

fn of_event(event: &Event) -> Value {
    let mut document = Document::new(event.time, event.kind.name(), event.kind.to_string());
    match &event.kind {
        EventKind::Drop(packet) => document.packet(packet),
        EventKind::TableFull(full) => {
            document.packet(&full.packet);
            document.put("ftp_guard.table", &*full.table);
        }
        EventKind::BanAdded(ban) => document.ban(ban, &["creation"]),
        EventKind::BanProlonged(ban) => document.ban(ban, &["change"]),
        EventKind::BanRemoved(ban) | EventKind::BanExpired(ban) => {
            document.ban(ban, &["deletion"]);
        }
        EventKind::AttackBegin(attack) => {
            document.class("alert", &["network", "threat"], &["start"]);
            document.put("event.severity", severity(Severity::High));
            document.put("ftp_guard.attack.number", attack.attacks);
            let rate = attack.packets_per_second;
            document.put("ftp_guard.attack.packets_per_second", rate);
        }
        EventKind::AttackEnd(attack) => {
            document.class("alert", &["network", "threat"], &["end"]);
            document.put("event.duration", nanoseconds(attack.seconds));
        }
        EventKind::CookiesOn(cookies) => {
            document.class("event", &["configuration"], &["change"]);
            document.put("ftp_guard.cookies.setting", &*cookies.setting);
        }
        EventKind::CookiesOff(cookies) => {
            document.class("event", &["configuration"], &["change"]);
            document.put("event.reason", &*cookies.why);
        }
        EventKind::SessionEnded(ended) => document.session_ended(ended),
        EventKind::Login(login) => document.login(login),
        EventKind::Transfer(transfer) => document.transfer(transfer),
        EventKind::Detection(detection) => document.detection(detection),
        EventKind::Lost(lost) => {
            document.class("pipeline_error", &[], &[]);
            document.put("ftp_guard.lost.count", lost.count);
        }
        EventKind::ModeFellBack(fell) => {
            document.class("event", &["configuration"], &["change"]);
            document.put("event.reason", "not confirmed in time");
            document.put("ftp_guard.mode.deadline", fell.deadline.to_string());
        }
        EventKind::NameChanged(changed) => {
            document.class("event", &["configuration"], &["change"]);
            let texts = |addresses: &[IpAddr]| -> Vec<String> {
                addresses.iter().map(ToString::to_string).collect()
            };
            document.put("ftp_guard.name.name", &*changed.name);
            document.put("ftp_guard.name.added", texts(&changed.added));
            document.put("ftp_guard.name.removed", texts(&changed.removed));
        }
    }
    document.into_value()
}

fn of_session(record: &SessionRecord) -> Value {
    let end = record.ended.unwrap_or(record.began);
    let message = format!("session {} of {} ended", record.id, record.client);
    let mut document = Document::new(end, "session", message);
    document.class("event", &["session", "network"], &["connection", "end"]);
    document.put("event.start", record.began.to_string());
    document.put("event.end", record.ended.map(|end| end.to_string()));
    let duration = end.duration_since(record.began).as_nanos();
    document.put("event.duration", u64::try_from(duration).unwrap_or(0));
    document.ends(record.client, record.server);
    document.ftp();
    document.put("source.bytes", record.bytes_up);
    document.put("destination.bytes", record.bytes_down);
    document.put("user.name", record.user.as_deref());
    document.put("tls.established", record.tls.mode != TlsMode::Clear);
    document.put("tls.version", record.tls.version.as_deref());
    document.put("tls.client.server_name", record.tls.server_name.as_deref());
    document.put("ftp_guard.tls.mode", record.tls.mode.as_str());
    document.put("ftp_guard.tls.cleared", record.tls.cleared);
    document.put("user_agent.original", record.client_software.as_deref());
    if let Some(software) = &record.server_software {
        document.put("service.name", &*software.product);
        document.put("service.version", software.version.as_deref());
    }
    document.put("event.reason", record.end_reason.as_deref());
    let login = match record.login {
        LoginState::None => "none",
        LoginState::Asked => "asked",
        LoginState::Failed => "failed",
        LoginState::Accepted => "accepted",
        LoginState::Hidden => "hidden",
    };
    document.put("ftp_guard.session.id", record.id.to_string());
    document.put("ftp_guard.session.partial", record.partial);
    document.put("ftp_guard.session.login", login);
    document.put("ftp_guard.session.anonymous", record.anonymous);
    document.put("ftp_guard.session.failed_logins", record.failed_logins);
    document.put("ftp_guard.session.commands", record.commands);
    document.put(
        "ftp_guard.session.unknown_commands",
        record.unknown_commands,
    );
    document.put("ftp_guard.session.replies", record.replies);
    document.put("ftp_guard.session.transfers", record.transfer_count);
    document.put(
        "ftp_guard.session.data_connections",
        record.data_connections,
    );
    document.put("ftp_guard.session.lost_bytes", record.lost_bytes);
    document.into_value()
}

/// The schema wants a number for it; the larger, the worse. These are those that its users map words to.
const fn severity(severity: Severity) -> u64 {
    match severity {
        Severity::Info => 10,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    // Saturates, and nothing but a number becomes 0.
    (seconds * 1e9) as u64
}

/// A document in the making.
struct Document(Map<String, Value>);

impl Document {
    fn new(time: Timestamp, action: &str, message: String) -> Self {
        let mut document = Self(Map::new());
        document.put("@timestamp", time.to_string());
        document.put("ecs.version", VERSION);
        document.put("event.module", "ftp_guard");
        document.put("event.dataset", format!("ftp_guard.{action}"));
        document.put("event.action", action);
        document.put("message", message);
        document.put("observer.product", "ftp-guard");
        document.put("observer.version", env!("CARGO_PKG_VERSION"));
        document
    }

    /// Sets a field by its path, unless the value is null.
    fn put(&mut self, path: &str, value: impl Into<Value>) {
        let value = value.into();
        if value.is_null() {
            return;
        }
        let (folders, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut at = &mut self.0;
        for folder in folders.split('.').filter(|folder| !folder.is_empty()) {
            let inner = at
                .entry(folder)
                .or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = inner else { return };
            at = inner;
        }
        at.insert(name.to_owned(), value);
    }

    fn class(&mut self, kind: &str, categories: &[&str], types: &[&str]) {
        self.put("event.kind", kind);
        if !categories.is_empty() {
            self.put("event.category", json!(categories));
        }
        if !types.is_empty() {
            self.put("event.type", json!(types));
        }
    }

    fn ends(&mut self, client: SocketAddr, server: SocketAddr) {
        self.put("source.ip", client.ip().to_string());
        self.put("source.port", client.port());
        self.put("destination.ip", server.ip().to_string());
        self.put("destination.port", server.port());
        self.put("network.transport", "tcp");
        self.put(
            "network.type",
            if client.is_ipv4() { "ipv4" } else { "ipv6" },
        );
        self.put("related.ip", json!([client.ip(), server.ip()]));
    }

    fn ftp(&mut self) {
        self.put("network.protocol", "ftp");
        // Of control connections: clients open them.
        self.put("network.direction", "inbound");
    }

    fn user(&mut self, user: Option<&str>) {
        self.put("user.name", user);
        self.put("related.user", user.map(|user| json!([user])));
    }

    fn packet(&mut self, packet: &Packet) {
        self.class("event", &["network"], &["connection", "denied"]);
        self.put("event.reason", &*packet.reason);
        self.put(
            "event.outcome",
            match &*packet.verdict {
                "drop" => "success",
                // In monitor mode it passed.
                _ => "failure",
            },
        );
        self.put("source.ip", packet.source.map(|ip| ip.to_string()));
        self.put("source.port", packet.source_port);
        self.put(
            "destination.ip",
            packet.destination.map(|ip| ip.to_string()),
        );
        self.put("destination.port", packet.destination_port);
        if let (Some(source), Some(destination)) = (packet.source, packet.destination) {
            self.put("related.ip", json!([source, destination]));
        }
        self.put("network.transport", "tcp");
        self.put(
            "network.type",
            match &*packet.family {
                "ipv4" | "ipv6" => Some(&*packet.family),
                _ => None,
            },
        );
        self.put("network.bytes", packet.bytes);
        self.put(
            "network.direction",
            match &*packet.hook {
                "egress" => "outbound",
                _ => "inbound",
            },
        );
        self.put("ftp_guard.drop.verdict", &*packet.verdict);
        self.put("ftp_guard.drop.hook", &*packet.hook);
        self.put("ftp_guard.drop.class", &*packet.class);
        self.put("ftp_guard.drop.tcp_flags", packet.flags.as_deref());
        self.put("ftp_guard.drop.suppressed", packet.suppressed);
    }

    fn ban(&mut self, ban: &BanEvent, types: &[&str]) {
        self.class("event", &["network", "configuration"], types);
        self.put("event.reason", ban.reason.as_deref());
        // A field for an address takes no prefix.
        if ban.prefix.prefix_len() == ban.prefix.max_prefix_len() {
            self.put("source.ip", ban.prefix.addr().to_string());
            self.put("related.ip", json!([ban.prefix.addr()]));
        }
        self.put("ftp_guard.ban.prefix", ban.prefix.to_string());
        self.put(
            "ftp_guard.ban.until",
            ban.until.map(|until| until.to_string()),
        );
        self.put("ftp_guard.ban.origin", &*ban.origin);
        self.put("ftp_guard.ban.by", &*ban.by);
        self.put("ftp_guard.ban.count", ban.count);
        if ban.origin == "rule" {
            self.put("rule.name", &*ban.by);
        }
    }

    fn session_ended(&mut self, ended: &SessionEnded) {
        self.class("event", &["session", "network"], &["end", "denied"]);
        self.ends(ended.client, ended.server);
        self.ftp();
        self.put("event.reason", &*ended.reason);
        self.session(ended.id);
        self.put("ftp_guard.ended.part", &*ended.part);
        self.put("ftp_guard.profile", &*ended.profile);
    }

    fn login(&mut self, login: &LoginEvent) {
        self.class("event", &["authentication", "session"], &["start"]);
        self.put(
            "event.outcome",
            if login.accepted { "success" } else { "failure" },
        );
        self.put("event.code", login.code.to_string());
        self.ends(login.client, login.server);
        self.ftp();
        self.user(login.user.as_deref());
        self.session(login.session);
        self.put("ftp_guard.login.anonymous", login.anonymous);
    }

    fn transfer(&mut self, event: &TransferEvent) {
        let transfer = &event.transfer;
        let types: &[&str] = match transfer.direction {
            Direction::Upload => &["creation"],
            Direction::Download | Direction::Listing => &["access"],
            Direction::Hidden => &["info"],
        };
        self.class("event", &["file", "network"], types);
        if transfer.code.is_some() {
            let outcome = if transfer.complete {
                "success"
            } else {
                "failure"
            };
            self.put("event.outcome", outcome);
        }
        self.put("event.code", transfer.code.map(|code| code.to_string()));
        self.put("event.start", transfer.began.to_string());
        self.put("event.duration", nanoseconds(transfer.seconds));
        self.ends(event.client, event.server);
        self.ftp();
        self.user(event.user.as_deref());
        let path = transfer.path.as_deref();
        self.put("file.path", path);
        self.put(
            "file.name",
            path.map(|path| path.rsplit('/').next().unwrap_or(path)),
        );
        self.put("file.extension", transfer.file_type.as_deref());
        if matches!(transfer.direction, Direction::Upload | Direction::Download) {
            self.put("file.size", transfer.bytes);
        }
        self.put("network.bytes", transfer.bytes);
        self.session(event.session);
        self.put("ftp_guard.transfer.direction", transfer.direction.as_str());
        self.put("ftp_guard.transfer.command", transfer.command.as_deref());
        self.put("ftp_guard.transfer.mode", transfer.mode.as_deref());
        self.put("ftp_guard.transfer.complete", transfer.complete);
        self.put("ftp_guard.transfer.encrypted", transfer.encrypted);
        for (end, address) in [
            ("client", transfer.data_client),
            ("server", transfer.data_server),
        ] {
            let address = address.map(|address| address.to_string());
            self.put(&format!("ftp_guard.transfer.data_{end}"), address);
        }
    }

    fn detection(&mut self, detection: &DetectionEvent) {
        self.class("alert", &["intrusion_detection", "network"], &["info"]);
        self.put("event.severity", severity(detection.severity));
        self.put("event.reason", &*detection.message);
        self.put("rule.name", &*detection.rule);
        self.put("rule.ruleset", "ftp-guard");
        self.put("source.ip", detection.source.map(|ip| ip.to_string()));
        if let Some(server) = detection.server {
            self.put("destination.ip", server.ip().to_string());
            self.put("destination.port", server.port());
        }
        let ends = [detection.source, detection.server.map(|server| server.ip())];
        let ends: Vec<_> = ends.into_iter().flatten().collect();
        if !ends.is_empty() {
            self.put("related.ip", json!(ends));
        }
        self.ftp();
        self.user(detection.user.as_deref());
        self.session(detection.session);
        self.put("ftp_guard.detection.severity", detection.severity.as_str());
        self.put("ftp_guard.detection.count", detection.count);
        self.put("ftp_guard.detection.banned", detection.banned);
    }

    /// Numbers of sessions are as large as 64 bits get, which not every reader of JSON can count.
    fn session(&mut self, id: u64) {
        if id != 0 {
            self.put("ftp_guard.session.id", id.to_string());
        }
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

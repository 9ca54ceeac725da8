//! `ftp-guard sessions`

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Global, Outcome,
    escape::{columns, cut, cut_front, padded, plain},
    output::{bytes, compact, counted, duration, print, print_json},
    past, sources,
    target::Target,
    time::time,
};
use crate::{
    control::{
        past::PastSessionsWanted,
        protocol::{Prefix, Request},
        record_view::RecordView,
        session_view::{DataView, SessionMember, SessionView, SessionsReport},
    },
    engine::monitor::record::{Direction, LoginState, TlsMode},
};

/// List the live sessions: control connections, each with its data connections; or with --past those of the
/// history.
///
/// Bytes are the TCP payload of the control connection and of the data connections that are open
/// now. Below a session stands the transfer that is under way, with its bytes so far and its mean speed, and in
/// monitor mode why nothing of its client would pass in enforce mode.
/// Before a user stands what became of the login, unless it was accepted; under TLS names of users and
/// files cannot be told. `ftp-guard top` shows the same as it changes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of this client, or of clients in this prefix.
    #[arg(long, value_name = "PREFIX")]
    client: Option<Prefix>,
    /// List sources instead, each with what its connections amount to and what its profile permits.
    #[arg(long, conflicts_with = "past")]
    sources: bool,
    /// More columns: server, profile, refused logins, server name of TLS, counts, software of both ends.
    #[arg(long, short = 'v', visible_alias = "verbose", conflicts_with_all = ["json", "sources"])]
    wide: bool,
    /// List sessions of the history instead: those that have ended, and those that live as they were last
    /// written.
    #[arg(long)]
    past: bool,
    /// Of the history: those that lived at this time or later; RFC 3339, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "past")]
    since: Option<Timestamp>,
    /// Of the history: those that began until this time.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "past")]
    until: Option<Timestamp>,
    /// Of the history: those whose last login was by this name.
    #[arg(long, value_name = "NAME", requires = "past")]
    user: Option<String>,
    /// Of the history: the last N.
    #[arg(long, value_name = "N", requires = "past")]
    limit: Option<u64>,
    /// Of the history: read it from this file instead of asking the daemon.
    #[arg(long, value_name = "FILE", requires = "past")]
    file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
pub(super) struct Listing {
    /// Live sessions.
    pub(super) sessions: Vec<SessionView>,
    /// Data connections that belong to none of them.
    pub(super) other_data: Vec<DataView>,
}

impl Listing {
    pub(super) fn add(&mut self, member: SessionMember) {
        match member {
            SessionMember::Session(session) => self.sessions.push(session),
            SessionMember::Data(data) => self.other_data.push(data),
        }
    }

    /// For people: a line for each session, one below it for a transfer under way. `wide`: all that is known.
    pub(super) fn text(&self, wide: bool) -> String {
        let mut text = match (self.sessions.is_empty(), wide) {
            (true, _) => String::new(),
            (false, false) => table_text(&self.sessions),
            (false, true) => table(&WIDE_HEADER, &self.sessions, wide_row),
        };
        for data in &self.other_data {
            text.push_str(&format!(
                "data connection of no live session: {}, {} with {}, {} in, {} out\n",
                data.kind,
                data.server,
                data.client,
                bytes(data.bytes_in),
                bytes(data.bytes_out)
            ));
        }
        text
    }
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        if self.past {
            let wanted = PastSessionsWanted {
                since: self.since,
                until: self.until,
                client: self.client,
                user: self.user,
                limit: self.limit,
            };
            past::sessions(global, self.file.as_deref(), wanted, self.json)?;
            return Ok(0);
        }
        if self.sources {
            return sources::run(global, self.client, self.json);
        }
        let request = Request::Sessions {
            client: self.client,
        };
        let mut listing = Listing::default();
        let mut client = Target::of(global).connect()?;
        let report: SessionsReport = client.call(&request, |member| listing.add(member))?;
        if self.json {
            print_json(&listing)?;
            return Ok(0);
        }
        print(&listing.text(self.wide))?;
        let sessions = counted(report.sessions, "session", "sessions");
        let data = counted(
            report.data_connections,
            "data connection",
            "data connections",
        );
        print(&format!("{sessions}, {data}\n"))?;
        Ok(0)
    }
}

const HEADER: [&str; 8] = ["ID", "CLIENT", "USER", "TLS", "AGE", "IDLE", "IN", "OUT"];

const WIDE_HEADER: [&str; 18] = [
    "ID",
    "CLIENT",
    "SERVER",
    "PROFILE",
    "USER",
    "LOGIN",
    "FAILED",
    "TLS",
    "SNI",
    "AGE",
    "IDLE",
    "DATA",
    "PINHOLES",
    "COMMANDS",
    "TRANSFERS",
    "IN",
    "OUT",
    "SOFTWARE",
];

/// A name in the short table, columns.
const NAME: usize = 17;

/// The short table.
pub(super) fn table_text(sessions: &[SessionView]) -> String {
    table(&HEADER, sessions, row)
}

/// The header and a line for each session, followed by one each if its client may not be here and if a transfer is
/// under way.
fn table<const N: usize>(
    header: &[&str; N],
    sessions: &[SessionView],
    row: impl Fn(&SessionView) -> [String; N],
) -> String {
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(sessions.iter().map(row));
    let table = aligned(&rows);
    let mut lines = table.lines();
    let mut text = String::new();
    for (number, line) in lines.by_ref().enumerate() {
        text.push_str(line);
        text.push('\n');
        let session = number.checked_sub(1).and_then(|place| sessions.get(place));
        if let Some(reason) = session.and_then(|session| session.would_drop.as_deref()) {
            text.push_str(&format!("    would drop: {}\n", plain(reason)));
        }
        if let Some(transfer) = session.and_then(transfer) {
            text.push_str(&format!("    {transfer}\n"));
        }
    }
    text
}

fn row(session: &SessionView) -> [String; 8] {
    let (into, out) = amounts(session);
    [
        session.id.to_string(),
        session.client.to_string(),
        cut(&who(session), NAME),
        short_tls(session),
        compact(session.age_seconds as u64),
        compact(session.idle_seconds as u64),
        into,
        out,
    ]
}

fn wide_row(session: &SessionView) -> [String; 18] {
    let (into, out) = amounts(session);
    let record = session.record.as_deref();
    let count = |of: fn(&RecordView) -> u64| {
        record.map_or_else(|| "-".to_owned(), |record| of(record).to_string())
    };
    let server_name = record.and_then(|record| record.tls.server_name.as_deref());
    [
        session.id.to_string(),
        session.client.to_string(),
        session.server.to_string(),
        session.profile.clone(),
        plain(user(session)),
        login(session).to_owned(),
        count(|record| record.failed_logins.into()),
        tls(session),
        plain(server_name.unwrap_or("-")),
        duration(session.age_seconds as u64),
        duration(session.idle_seconds as u64),
        session.data.len().to_string(),
        session.pinholes.len().to_string(),
        count(|record| record.commands),
        count(|record| record.transfer_count),
        into,
        out,
        software(session),
    ]
}

/// Payload of the control connection and of the data connections that are open now.
fn amounts(session: &SessionView) -> (String, String) {
    let sum = |own: u64, of: fn(&DataView) -> u64| {
        let data = session.data.iter().map(of);
        bytes(data.fold(own, u64::saturating_add))
    };
    (
        sum(session.bytes_in, |data| data.bytes_in),
        sum(session.bytes_out, |data| data.bytes_out),
    )
}

pub(super) fn user(session: &SessionView) -> &str {
    let record = session.record.as_deref();
    record
        .and_then(|record| record.user.as_deref())
        .unwrap_or("-")
}

/// The name, and before it what became of it unless its login was accepted.
pub(super) fn who(session: &SessionView) -> String {
    let record = session.record.as_deref();
    let user = record.and_then(|record| record.user.as_deref());
    match (user, login(session)) {
        (Some(user), "yes") => user.to_owned(),
        (Some(user), login) => format!("({login}) {user}"),
        (None, "yes") => "(logged in)".to_owned(),
        (None, "hidden") => "(hidden)".to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// What became of logins: the monitor's word, or what the programs have read.
pub(super) fn login(session: &SessionView) -> &str {
    match session.record.as_deref().map(|record| record.login) {
        Some(LoginState::Accepted) => "yes",
        Some(LoginState::Failed) => "refused",
        Some(LoginState::Asked) => "asked",
        Some(LoginState::Hidden) => "hidden",
        Some(LoginState::None) | None => &session.login,
    }
}

/// How the control connection is encrypted: `clear`, `tls`, `explicit 1.3`, or that it was killed.
pub(super) fn tls(session: &SessionView) -> String {
    let record = session.record.as_deref();
    match record.map(|record| (record.tls.mode, record.tls.version.as_deref())) {
        _ if session.killed => "killed".to_owned(),
        Some((mode @ (TlsMode::Explicit | TlsMode::Implicit), version)) => {
            let version = version.map(|version| format!(" {}", cut(version, 4)));
            format!("{}{}", mode.as_str(), version.unwrap_or_default())
        }
        _ => session.tls.clone(),
    }
}

/// The same in few letters: `tls 1.3` is explicit, `ftps 1.3` implicit.
pub(super) fn short_tls(session: &SessionView) -> String {
    let text = tls(session);
    text.replace("explicit", "tls").replace("implicit", "ftps")
}

/// What the two ends call themselves: `client > server`.
fn software(session: &SessionView) -> String {
    let record = session.record.as_deref();
    let client = record.and_then(|record| record.client_software.as_deref());
    let server = record.and_then(|record| record.server_software.as_ref());
    let server = server.map(|software| match &software.version {
        Some(version) => format!("{} {version}", software.product),
        None => software.product.clone(),
    });
    match (client, server) {
        (None, None) => "-".to_owned(),
        (client, server) => format!(
            "{} > {}",
            cut(client.unwrap_or("-"), 32),
            cut(server.as_deref().unwrap_or("-"), 32)
        ),
    }
}

/// The transfer under way, in words.
fn transfer(session: &SessionView) -> Option<String> {
    let transfer = session.record.as_deref()?.transferring.as_ref()?;
    let mut text = match transfer.direction {
        Direction::Hidden => "transfer under TLS".to_owned(),
        direction => direction.as_str().to_owned(),
    };
    if let Some(path) = &transfer.path {
        text.push(' ');
        text.push_str(&cut_front(path, 52));
    }
    if let Some(sum) = transfer.bytes {
        text.push_str(&format!(": {}", bytes(sum)));
    }
    if let Some(rate) = transfer.bytes_per_second {
        text.push_str(&format!(", {}/s", bytes(rate.max(0.0) as u64)));
    }
    Some(text)
}

/// Columns as wide as what is in them.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| columns(&row[column])).max();
    let widths: Vec<usize> = (0..N).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells.map(|(cell, width)| padded(cell, *width)).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;

//! `ftp-guard sessions`

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Global, Outcome,
    output::{bytes, counted, duration, print, print_json},
    past, sources,
    target::Target,
    time::time,
};
use crate::control::{
    past::PastSessionsWanted,
    protocol::{Prefix, Request},
    session_view::{DataView, SessionMember, SessionView, SessionsReport},
};

/// List the live sessions: control connections, each with its data connections; or with --past those of the
/// history.
///
/// Bytes are the TCP payload of the control connection and of the data connections that are open
/// now. Whether somebody has logged in cannot be told under TLS.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of this client, or of clients in this prefix.
    #[arg(long, value_name = "PREFIX")]
    client: Option<Prefix>,
    /// List sources instead, each with what its connections amount to and what its profile permits.
    #[arg(long, conflicts_with = "past")]
    sources: bool,
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

    /// For people.
    pub(super) fn text(&self) -> String {
        let header = [
            "ID", "CLIENT", "SERVER", "PROFILE", "LOGIN", "AGE", "IDLE", "TLS", "DATA", "PINHOLES",
            "IN", "OUT",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.sessions.iter().map(row));
        let mut text = String::new();
        if !self.sessions.is_empty() {
            text.push_str(&aligned(&rows));
        }
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
        print(&listing.text())?;
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

fn row(session: &SessionView) -> [String; 12] {
    let sum = |own: u64, of: fn(&DataView) -> u64| {
        let data = session.data.iter().map(of);
        bytes(data.fold(own, u64::saturating_add))
    };
    [
        session.id.to_string(),
        session.client.to_string(),
        session.server.to_string(),
        session.profile.clone(),
        session.login.clone(),
        duration(session.age_seconds as u64),
        duration(session.idle_seconds as u64),
        match session.killed {
            true => "killed".to_owned(),
            false => session.tls.clone(),
        },
        session.data.len().to_string(),
        session.pinholes.len().to_string(),
        sum(session.bytes_in, |data| data.bytes_in),
        sum(session.bytes_out, |data| data.bytes_out),
    ]
}

/// Columns as wide as what is in them.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max();
    let widths: Vec<usize> = (0..N).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> DataView {
        DataView {
            client: "192.0.2.7:40001".parse().unwrap(),
            server: "198.51.100.1:50003".parse().unwrap(),
            kind: "passive".to_owned(),
            established: true,
            age_seconds: 2.0,
            idle_seconds: 0.0,
            bytes_in: 10,
            bytes_out: 3 << 20,
        }
    }

    fn session() -> SessionView {
        SessionView {
            id: 17,
            client: "192.0.2.7:40000".parse().unwrap(),
            server: "198.51.100.1:21".parse().unwrap(),
            tls: "clear".to_owned(),
            age_seconds: 3_700.0,
            idle_seconds: 0.25,
            adopted: false,
            killed: false,
            bytes_in: 90,
            bytes_out: 0,
            profile: "partners".to_owned(),
            login: "yes".to_owned(),
            data: vec![data()],
            pinholes: Vec::new(),
        }
    }

    #[test]
    fn a_session_is_a_line() {
        let listing = Listing {
            sessions: vec![session()],
            other_data: vec![data()],
        };
        assert_eq!(
            listing.text(),
            "\
ID  CLIENT           SERVER           PROFILE   LOGIN  AGE        IDLE  TLS    DATA  PINHOLES  IN     OUT
17  192.0.2.7:40000  198.51.100.1:21  partners  yes    1 h 1 min  0 s   clear  1     0         100 B  3.00 MiB
data connection of no live session: passive, 198.51.100.1:50003 with 192.0.2.7:40001, 10 B in, 3.00 MiB out
"
        );
        assert_eq!(Listing::default().text(), "");
    }

    #[test]
    fn members_are_told_apart() {
        let mut listing = Listing::default();
        for member in [
            SessionMember::Session(session()),
            SessionMember::Data(data()),
        ] {
            let text = serde_json::to_string(&member).unwrap();
            listing.add(serde_json::from_str(&text).unwrap());
        }
        assert_eq!(listing.sessions, [session()]);
        assert_eq!(listing.other_data, [data()]);
    }
}

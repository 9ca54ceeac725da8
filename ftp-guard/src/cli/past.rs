//! What `events` and `sessions` show of the past: from the daemon, or from a file of the history itself.

use std::{
    io::{self, Write},
    ops::ControlFlow,
    path::Path,
};

use serde::Serialize;

use super::{
    Global,
    output::{bytes, counted, duration, finish, print, print_json},
    sessions::aligned,
    target::Target,
};
use crate::{
    control::{
        event_view::EventsReport,
        past::{PastEventsWanted, PastSessionsReport, PastSessionsWanted},
        protocol::{Failure, Request},
    },
    engine::monitor::record::LoginState,
    store::history::{HistoryError, PastSession, Reader},
};

/// Gives each event as JSON to `take`, until that fails.
///
/// # Errors
///
/// The daemon's failure, or that of the file.
pub(super) fn events(
    global: &Global,
    file: Option<&Path>,
    wanted: PastEventsWanted,
    mut take: impl FnMut(serde_json::Value) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut written = Ok(());
    let mut give = |event| {
        written = take(event);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    match file {
        Some(file) => {
            let mut reader = open(file)?;
            reader
                .events(&wanted.into(), |event| match serde_json::to_value(&event) {
                    Ok(value) => give(value),
                    Err(_) => ControlFlow::Continue(()),
                })
                .map_err(|error| unreadable(file, &error))?;
        }
        None => {
            let request = Request::HistoryEvents(wanted);
            let _: Option<EventsReport> =
                Target::of(global).connect()?.follow(&request, &mut give)?;
        }
    }
    finish(written)
}

/// Shows sessions.
///
/// # Errors
///
/// As [`events`].
pub(super) fn sessions(
    global: &Global,
    file: Option<&Path>,
    wanted: PastSessionsWanted,
    json: bool,
) -> Result<(), Failure> {
    let mut listing = Listing::default();
    match file {
        Some(file) => {
            let mut reader = open(file)?;
            reader
                .sessions(&wanted.into(), |session| {
                    listing.sessions.push(session);
                    ControlFlow::Continue(())
                })
                .map_err(|error| unreadable(file, &error))?;
        }
        None => {
            let request = Request::SessionsPast(wanted);
            let mut client = Target::of(global).connect()?;
            let _: PastSessionsReport =
                client.call(&request, |session| listing.sessions.push(session))?;
        }
    }
    if json {
        return print_json(&listing);
    }
    print(&listing.text())?;
    let count = listing.sessions.len() as u64;
    finish(writeln!(
        io::stdout(),
        "{}",
        counted(count, "session", "sessions")
    ))
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Listing {
    sessions: Vec<PastSession>,
}

impl Listing {
    fn text(&self) -> String {
        if self.sessions.is_empty() {
            return String::new();
        }
        let header = [
            "BEGAN", "LASTED", "CLIENT", "SERVER", "USER", "LOGIN", "TLS", "FILES", "UP", "DOWN",
            "END",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.sessions.iter().map(row));
        aligned(&rows)
    }
}

fn row(session: &PastSession) -> [String; 11] {
    let record = &session.record;
    let lasted = record.ended.map_or_else(
        || "-".to_owned(),
        |end| duration(end.duration_since(record.began).as_secs().unsigned_abs()),
    );
    let login = match (record.login, record.anonymous) {
        (LoginState::None, _) => "none",
        (LoginState::Asked, _) => "asked",
        (LoginState::Failed, _) => "failed",
        (LoginState::Accepted, false) => "yes",
        (LoginState::Accepted, true) => "anonymous",
        (LoginState::Hidden, _) => "hidden",
    };
    let user = record
        .user
        .as_deref()
        .map(|user| user.escape_debug().to_string());
    [
        record.began.strftime("%FT%TZ").to_string(),
        lasted,
        record.client.to_string(),
        record.server.to_string(),
        user.unwrap_or_else(|| "-".to_owned()),
        login.to_owned(),
        record.tls.mode.as_str().to_owned(),
        record.transfer_count.to_string(),
        bytes(record.bytes_up),
        bytes(record.bytes_down),
        end(session),
    ]
}

/// What became of it; behind that whether nothing of its client would have passed in enforce mode.
fn end(session: &PastSession) -> String {
    let record = &session.record;
    let end = record.end_reason.as_deref();
    let end = end.unwrap_or(session.state.as_str());
    match &record.would_drop {
        Some(reason) => format!("{end}, would drop: {reason}"),
        None => end.to_owned(),
    }
}

fn open(file: &Path) -> Result<Reader, Failure> {
    Reader::open(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &HistoryError) -> Failure {
    Failure::failed(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{engine::monitor::record::SessionRecord, store::history::SessionState};

    #[test]
    fn a_past_session_is_a_line() {
        let mut record = SessionRecord::new(
            17,
            "192.0.2.7:40000".parse().unwrap(),
            "198.51.100.1:21".parse().unwrap(),
            "2026-11-22T08:40:00Z".parse().unwrap(),
        );
        record.ended = Some("2026-11-22T09:41:02Z".parse().unwrap());
        record.user = Some("al\x1bice".to_owned());
        record.login = LoginState::Accepted;
        record.transfer_count = 3;
        record.bytes_up = 3 << 20;
        let sessions = vec![PastSession {
            state: SessionState::Ended,
            record,
        }];
        assert_eq!(
            Listing { sessions }.text(),
            "\
BEGAN                 LASTED     CLIENT           SERVER           USER         LOGIN  TLS    FILES  UP        DOWN  END
2026-11-22T08:40:00Z  1 h 1 min  192.0.2.7:40000  198.51.100.1:21  al\\u{1b}ice  yes    clear  3      3.00 MiB  0 B   ended
"
        );
        assert_eq!(Listing::default().text(), "");
        let mut witnessed = PastSession {
            state: SessionState::Live,
            record: SessionRecord::new(
                17,
                "192.0.2.7:40000".parse().unwrap(),
                "198.51.100.1:21".parse().unwrap(),
                Timestamp::UNIX_EPOCH,
            ),
        };
        witnessed.record.would_drop = Some("not_listed".to_owned());
        assert_eq!(end(&witnessed), "live, would drop: not_listed");
    }
}

//! `top --once`: the same as text, for scripts.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    header::{self, rate, speed},
    poll::{self, Update},
    rows::address,
    snapshot::Rate,
    state::State,
};
use crate::{
    cli::{
        Outcome,
        escape::plain,
        output::{bytes, compact, print, print_json},
        sessions::{aligned, table_text},
        target::Target,
    },
    control::{
        counters_view::CountersView,
        session_view::{DataView, SessionView},
    },
    engine::events::Event,
};

/// Events that are shown.
const EVENTS: usize = 20;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Counters and figures, as the request `counters` has them.
    guard: &'a CountersView,
    /// Rates by hook, verdict and reason.
    rates: Vec<Rate>,
    /// Live sessions, each with its speed.
    sessions: Vec<Session<'a>>,
    /// Data connections that belong to none of them.
    other_data: &'a [DataView],
    /// Sources.
    sources: Vec<Source>,
    /// The last events, the oldest first.
    events: Vec<&'a Event>,
}

#[derive(Debug, Serialize)]
struct Session<'a> {
    #[serde(flatten)]
    session: &'a SessionView,
    /// Bytes a second on its data connections.
    bytes_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Source {
    source: String,
    profile: Option<String>,
    sessions: u32,
    data_connections: u32,
    bytes_per_second: f64,
    /// Reports of dropped packets within the last minute.
    drops: u64,
    /// The reason of the last one.
    last_reason: Option<String>,
}

pub(super) fn run(target: &Target, interval: Duration, json: bool) -> Outcome {
    let since = Instant::now();
    let mut client = target.connect()?;
    let mut state = State::default();
    let snapshot = poll::take(&mut client, since)?;
    state.update(Update::Snapshot(Box::new(snapshot)));
    thread::sleep(interval);
    state.update(Update::Events(poll::remembered(&mut client)?));
    let snapshot = poll::take(&mut client, since)?;
    state.update(Update::Snapshot(Box::new(snapshot)));
    match json {
        true => print_json(&report(&state))?,
        false => print(&text(&state))?,
    }
    Ok(0)
}

fn report(state: &State) -> Option<Report<'_>> {
    let now = state.now.as_ref()?;
    let mut events = state.events();
    events.reverse();
    Some(Report {
        guard: &now.guard,
        rates: state.rates(),
        sessions: now
            .sessions
            .iter()
            .map(|session| Session {
                session,
                bytes_per_second: state.changes.speed_of(session),
            })
            .collect(),
        other_data: &now.other_data,
        sources: state
            .sources()
            .into_iter()
            .map(|row| Source {
                source: row.source.to_string(),
                profile: row.profile,
                sessions: row.sessions,
                data_connections: row.data,
                bytes_per_second: row.speed,
                drops: row.drops,
                last_reason: Some(row.reason).filter(|reason| !reason.is_empty()),
            })
            .collect(),
        events,
    })
}

fn text(state: &State) -> String {
    let mut text = String::new();
    for (line, _) in header::lines(state) {
        text.push_str(&line);
        text.push('\n');
    }
    let head = [
        "HOOK",
        "VERDICT",
        "REASON",
        "PACKETS/S",
        "BYTES/S",
        "PACKETS",
    ];
    let rates = state.rates().into_iter().map(|row| {
        [
            row.hook.to_owned(),
            plain(&row.verdict),
            plain(&row.reason),
            rate(row.packets_per_second),
            speed(row.bytes_per_second),
            row.packets.to_string(),
        ]
    });
    section(&mut text, head, rates);
    let sessions = state.now.as_ref().map_or(&[][..], |now| &now.sessions);
    if !sessions.is_empty() {
        text.push('\n');
        text.push_str(&table_text(sessions));
    }
    let head = [
        "SOURCE",
        "PROFILE",
        "SESSIONS",
        "DATA",
        "SPEED/S",
        "DROPS",
        "LAST REASON",
    ];
    let sources = state.sources().into_iter().map(|row| {
        [
            address(row.source),
            row.profile.unwrap_or_else(|| "not listed".to_owned()),
            row.sessions.to_string(),
            row.data.to_string(),
            speed(row.speed),
            row.drops.to_string(),
            plain(&row.reason),
        ]
    });
    section(&mut text, head, sources);
    let head = [
        "PORT", "STATE", "CLIENT", "USER", "TIME", "BYTES", "SPEED/S",
    ];
    let ports = state.ports().into_iter().map(|row| {
        [
            row.port.to_string(),
            row.state.to_owned(),
            row.client.to_string(),
            plain(&row.user),
            compact(row.seconds as u64),
            bytes(row.bytes),
            speed(row.speed),
        ]
    });
    section(&mut text, head, ports);
    let mut events = state.events();
    events.truncate(EVENTS);
    events.reverse();
    if !events.is_empty() {
        text.push('\n');
    }
    for event in events {
        text.push_str(&plain(&event.to_string()));
        text.push('\n');
    }
    text
}

/// A table behind an empty line; nothing when there is nothing in it.
fn section<const N: usize>(
    text: &mut String,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let mut all = vec![head.map(str::to_owned)];
    all.extend(rows);
    if all.len() > 1 {
        text.push('\n');
        text.push_str(&aligned(&all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::tests_world::{at, events, snapshot};

    fn state() -> State {
        let mut state = State::default();
        state.update(Update::Snapshot(Box::new(at(0.0, 0))));
        state.update(Update::Events(events()));
        state.update(Update::Snapshot(Box::new(snapshot())));
        state
    }

    #[test]
    fn everything_is_told_once() {
        let text = text(&state());
        for part in ["PACKETS/S", "not_listed", "anna", "203.0.113.9", "50017"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(!text.contains("-0"), "{text}");
    }

    #[test]
    fn json_has_sessions_with_their_speeds() {
        let state = state();
        let value = serde_json::to_value(report(&state)).unwrap();
        assert_eq!(value["guard"]["mode"], "enforce");
        assert_eq!(value["sessions"][0]["id"], 17);
        assert_eq!(value["sessions"][0]["record"]["login"], "accepted");
        assert!(value["sessions"][0]["bytes_per_second"].as_f64().unwrap() > 0.0);
        assert!(value["events"].as_array().unwrap().len() > 1);
        assert_eq!(value["sources"][0]["source"], "203.0.113.9/32");
    }
}

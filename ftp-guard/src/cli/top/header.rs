//! What stands above the lists, line by line: also what `--once` begins with.

use super::{
    snapshot::{Changes, Snapshot},
    state::State,
};
use crate::{
    cli::{
        escape::plain,
        output::{bytes, countdown, counted, duration},
    },
    control::protocol::ModeName,
};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As the others.
    Normal,
    /// Somebody should look.
    Alarm,
}

/// The lines, and how much each matters.
#[must_use]
pub fn lines(state: &State) -> Vec<(String, Weight)> {
    let Some(now) = &state.now else {
        return vec![("ftp-guard".to_owned(), Weight::Normal)];
    };
    let guard = &now.guard;
    let normal = |text| (text, Weight::Normal);
    let mode = match (guard.mode, &guard.deadline) {
        (ModeName::Enforce, None) => ("enforce".to_owned(), Weight::Normal),
        (ModeName::Enforce, Some(deadline)) => {
            let left = countdown(deadline.seconds_left);
            (format!("enforce ({left} to confirm)"), Weight::Alarm)
        }
        (ModeName::Monitor, _) => ("MONITOR (drops nothing)".to_owned(), Weight::Alarm),
    };
    let first = format!(
        "ftp-guard {}  {}  {}  up {}  {}",
        plain(&guard.version),
        mode.0,
        plain(&guard.role),
        duration(guard.uptime_seconds),
        guard.time.strftime("%FT%TZ")
    );
    vec![
        (first, mode.1),
        interfaces(now),
        attack(now),
        normal(sessions(now)),
        normal(packets(&state.changes)),
    ]
}

fn interfaces(now: &Snapshot) -> (String, Weight) {
    let guard = &now.guard;
    let mut each: Vec<String> = guard
        .interfaces
        .iter()
        .map(|interface| {
            let tc = match interface.tc {
                Some(_) => "",
                None => ", classifiers NOT attached",
            };
            format!("{} ({}{tc})", plain(&interface.interface), interface.mode)
        })
        .collect();
    let missing = guard.missing_interfaces.iter();
    each.extend(missing.map(|name| format!("{} NOT GUARDED", plain(name))));
    let whole = guard.missing_interfaces.is_empty()
        && guard
            .interfaces
            .iter()
            .all(|interface| interface.tc.is_some())
        && !each.is_empty();
    let text = match each.is_empty() {
        true => "interfaces: NONE is guarded".to_owned(),
        false => format!("interfaces: {}", each.join(", ")),
    };
    match whole {
        true => (text, Weight::Normal),
        false => (text, Weight::Alarm),
    }
}

fn attack(now: &Snapshot) -> (String, Weight) {
    let flood = &now.guard.flood;
    let cookies = match (&flood.cookies.unavailable, flood.cookies.engaged) {
        (Some(_), _) => "not available",
        (None, true) => "engaged",
        (None, false) => "not engaged",
    };
    let rest = format!(
        "SYN cookies {cookies}  absorbed {}/s  bans {} + {} by rules",
        flood.absorbed_per_second, flood.bans.cli, flood.bans.rule
    );
    match flood.since.filter(|_| flood.under_attack) {
        Some(since) => (
            format!(
                "UNDER ATTACK since {} ({}/s)  {rest}",
                since.strftime("%TZ"),
                flood.packets_per_second
            ),
            Weight::Alarm,
        ),
        None => (format!("no attack  {rest}"), Weight::Normal),
    }
}

fn sessions(now: &Snapshot) -> String {
    let guard = &now.guard;
    let counts = &guard.sessions;
    let passive = &guard.passive_ports;
    let ends = match passive.exhausted_in_seconds {
        Some(seconds) => format!(", all taken in {}", duration(seconds)),
        None => String::new(),
    };
    format!(
        "{} ({} clear, {} TLS), {} data, {}; ports {} of {} in use{ends}",
        counted(
            counts.clear + counts.tls + counts.unknown,
            "session",
            "sessions"
        ),
        counts.clear,
        counts.tls,
        counts.data_connections,
        counted(counts.pinholes, "pinhole", "pinholes"),
        passive.in_use,
        passive.configured,
    )
}

fn packets(changes: &Changes) -> String {
    let of = |verdict| rate(changes.of_verdict(verdict));
    format!(
        "packets/s {} pass, {} drop, {} would drop, {} answer; in {}/s, out {}/s",
        of("pass"),
        of("drop"),
        of("would_drop"),
        of("answer"),
        speed(changes.bytes_of("xdp")),
        speed(changes.bytes_of("egress")),
    )
}

/// A number of packets a second.
#[must_use]
pub fn rate(packets: f64) -> String {
    match packets {
        ..9.95 if packets > 0.0 => format!("{packets:.1}"),
        _ => format!("{packets:.0}"),
    }
}

/// Bytes a second, without the second.
#[must_use]
pub fn speed(amount: f64) -> String {
    bytes(amount.max(0.0) as u64)
}

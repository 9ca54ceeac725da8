//! `ftp-guard events`

use std::{
    io::{self, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use ftp_guard_common::reason::{Reason, Verdict};
use jiff::Timestamp;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use serde_json::Value;

use super::{Global, Outcome, output::finish, past, target::Target, time::time};
use crate::{
    control::{
        event_view::EventsReport,
        past::PastEventsWanted,
        protocol::{EventsWanted, Failure, Prefix, Request},
    },
    engine::{
        detect::rule::Rule,
        events::{Event, EventKind, Severity},
    },
};

/// Reasons for which the guard ends sessions.
const ENDS: [&str; 7] = [
    "login_timeout",
    "idle_timeout",
    "data_idle_timeout",
    "ports_held",
    "killed",
    "revoked",
    "banned",
];

/// Show what happened: dropped packets, bans, attacks, detections, sessions that were ended, full tables.
///
/// The daemon remembers the last 1000 events. Those before are in the history: `--past`, or `--since`. Of packets that are dropped the kernel reports a sample of
/// each reason (`events.per_second`); what was not reported is counted beside the next one that is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show events as they come, until interrupted, instead of the last ones.
    #[arg(long, short)]
    follow: bool,
    /// Print JSON, a line for each event.
    #[arg(long)]
    json: bool,
    /// Only events of this reason, as dropped packets and ended sessions have one, or of this rule of
    /// detection; may be repeated.
    #[arg(long = "reason", value_name = "NAME", value_parser = reason)]
    reasons: Vec<String>,
    /// Only events about this remote address, or about those in this prefix.
    #[arg(long, value_name = "PREFIX")]
    source: Option<Prefix>,
    /// Only detections that matter at least so much.
    #[arg(long, value_name = "LEVEL")]
    severity: Option<Severity>,
    /// Only events of this name: drop, login, transfer, detection, ban_added and so on; may be repeated.
    #[arg(long = "kind", value_name = "NAME", value_parser = kind)]
    kinds: Vec<String>,
    /// Show events of the history instead.
    #[arg(long, conflicts_with = "follow")]
    past: bool,
    /// Of the history: events from this time on; RFC 3339, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "follow")]
    since: Option<Timestamp>,
    /// Of the history: events until this time.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "follow")]
    until: Option<Timestamp>,
    /// Of the history: events that bear this name of a user.
    #[arg(long, value_name = "NAME", conflicts_with = "follow")]
    user: Option<String>,
    /// Of the history: read it from this file instead of asking the daemon.
    #[arg(long, value_name = "FILE", conflicts_with = "follow")]
    file: Option<PathBuf>,
    /// Only the last N events; with --follow, end after N.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        if self.is_past() {
            let wanted = PastEventsWanted {
                since: self.since,
                until: self.until,
                kinds: self.kinds,
                reasons: self.reasons,
                source: self.source,
                severity: self.severity,
                user: self.user,
                limit: self.limit,
            };
            let file = self.file.as_deref();
            past::events(global, file, wanted, |event| {
                write(&mut io::stdout().lock(), event, self.json)
            })?;
            return Ok(0);
        }
        let request = Request::Events(EventsWanted {
            follow: self.follow,
            reasons: self.reasons,
            kinds: self.kinds,
            source: self.source,
            severity: self.severity,
            limit: self.limit,
        });
        let mut client = Target::of(global).connect()?;
        if self.follow {
            end_quietly().map_err(|error| Failure::failed(format!("signals: {error}")))?;
        }
        let mut written = Ok(());
        let report: Option<EventsReport> = client.follow(&request, |event| {
            written = write(&mut io::stdout().lock(), event, self.json);
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        finish(written)?;
        let enough = |report: EventsReport| self.limit.is_some_and(|limit| report.events >= limit);
        if self.follow && report.is_some_and(|report| !enough(report)) {
            eprintln!("ftp-guard: the daemon has ended");
        }
        Ok(0)
    }

    /// Whether it is the history that is asked for.
    fn is_past(&self) -> bool {
        self.past
            || self.since.is_some()
            || self.until.is_some()
            || self.user.is_some()
            || self.file.is_some()
    }
}

/// Writes one line, in one piece.
fn write(out: &mut impl Write, event: Value, json: bool) -> io::Result<()> {
    let json_line = event.to_string();
    // An event of a later version is shown as it came.
    let line = match serde_json::from_value::<Event>(event) {
        Ok(event) if !json => event.to_string(),
        _ => json_line,
    };
    out.write_all((line + "\n").as_bytes())?;
    out.flush()
}

fn kind(name: &str) -> Result<String, String> {
    match EventKind::NAMES.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "no event has this name; there are {}",
            EventKind::NAMES.join(", ")
        )),
    }
}

fn reason(name: &str) -> Result<String, String> {
    let dropping = Reason::ALL
        .iter()
        .filter(|reason| reason.verdict() == Verdict::Drop)
        .map(|reason| reason.as_str());
    // `banned` is both.
    let ends = ENDS
        .into_iter()
        .filter(|end| *end != Reason::Banned.as_str());
    let rules = Rule::ALL.iter().map(|rule| rule.as_str());
    // `pasv_theft` is a reason and a rule.
    let rules = rules.filter(|rule| Reason::ALL.iter().all(|reason| reason.as_str() != *rule));
    let known: Vec<&str> = dropping.chain(ends).chain(rules).collect();
    match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "no event has this reason; there are {}",
            known.join(", ")
        )),
    }
}

/// Makes an interrupt a clean end: lines are written whole, so that there is nothing to finish.
fn end_quietly() -> nix::Result<()> {
    extern "C" fn end(_: libc::c_int) {
        // SAFETY: a call that a signal handler may make (signal-safety(7)), and that does not return.
        unsafe { libc::_exit(0) }
    }
    let action = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler does nothing but what a handler may do.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &Value, json: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, event.clone(), json).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_a_line() {
        let event = serde_json::json!({
            "time": "2026-11-22T08:40:00.123Z", "event": "lost", "count": 5,
        });
        assert_eq!(
            line(&event, true),
            "{\"time\":\"2026-11-22T08:40:00.123Z\",\"event\":\"lost\",\"count\":5}\n"
        );
        assert_eq!(
            line(&event, false),
            "2026-11-22T08:40:00.123Z 5 events are not shown: they came faster than they were read\n"
        );
        let later = serde_json::json!({"time": "2026-11-22T08:40:00Z", "event": "eclipse"});
        assert_eq!(
            line(&later, false),
            "{\"time\":\"2026-11-22T08:40:00Z\",\"event\":\"eclipse\"}\n"
        );
    }

    #[test]
    fn reasons_are_known() {
        for name in [
            "not_listed",
            "stray_ack",
            "source_table_full",
            "login_timeout",
            "login_failures",
            "pasv_theft",
        ] {
            assert_eq!(reason(name).as_deref(), Ok(name));
        }
        let refused = reason("listed").unwrap_err();
        assert!(refused.contains("not_listed, excluded"), "{refused}");
    }
}

//! `allow suggest`

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::super::{
    Outcome,
    escape::cut,
    output::{bytes, counted, print, print_json},
    target::Target,
    time::time,
};
use crate::{
    control::{
        protocol::{Failure, Request},
        suggest_view::{LeftOutView, SuggestReport, SuggestWanted, SuggestedEntry},
        view::AddReport,
    },
    engine::allowlist::{Entry, written},
};

/// A user's name in a comment, columns.
const NAME: usize = 24;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look at sessions that lived at this time or later; RFC 3339, or how long ago, such as 7d.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30d")]
    since: Timestamp,
    /// Propose only clients with so many sessions with a login that succeeded.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    min_sessions: u64,
    /// Propose only clients with such sessions on so many days (UTC).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    min_days: u64,
    /// Propose also clients that were anonymous only.
    #[arg(long)]
    anonymous: bool,
    /// Add the entries to the allowlist, as `allow add` does.
    #[arg(long)]
    apply: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Listing {
    version: u32,
    #[serde(flatten)]
    report: SuggestReport,
    entries: Vec<SuggestedEntry>,
    /// What was added; null without `--apply`.
    applied: Option<AddReport>,
}

pub(super) fn suggest(target: &Target, args: &Args) -> Outcome {
    let mut client = target.connect()?;
    let request = Request::AllowSuggest(SuggestWanted {
        since: Some(args.since),
        min_sessions: Some(args.min_sessions),
        min_days: Some(args.min_days),
        anonymous: args.anonymous,
        past: None,
    });
    let mut entries = Vec::new();
    let report: SuggestReport = client.call(&request, |entry| entries.push(entry))?;
    let applied = match args.apply && !entries.is_empty() {
        true => {
            let text: String = entries.iter().map(entry_line).collect();
            Some(client.import(Path::new("what was suggested"), &text)?)
        }
        false => args.apply.then(AddReport::default),
    };
    let listing = Listing {
        version: 1,
        report,
        entries,
        applied,
    };
    if args.json {
        print_json(&listing)?;
    } else {
        show(&listing)?;
    }
    Ok(0)
}

fn show(listing: &Listing) -> Result<(), Failure> {
    match &listing.applied {
        Some(done) => {
            let lines = lines(&listing.entries);
            print(&format!(
                "{lines}{} added, {} listed already\n",
                counted(done.added + done.changed, "entry", "entries"),
                done.present
            ))?;
        }
        None => print(&(heading(listing) + &lines(&listing.entries)))?,
    }
    if let Some(advice) = advice(listing) {
        eprintln!("ftp-guard: {advice}");
    }
    Ok(())
}

/// What to do next, for standard error: what is printed may be on its way into a file.
fn advice(listing: &Listing) -> Option<&'static str> {
    if listing.report.clients == 0 {
        return Some(
            "nobody was seen who is not on the allowlist; monitor mode collects that, from sessions: let it \
             run for some days",
        );
    }
    let waits = listing.applied.is_none() && !listing.entries.is_empty();
    waits.then_some(
        "nothing was changed; --apply adds these entries to the allowlist, or put the text into a file that \
         `allow.files` names",
    )
}

/// What the entries follow from, and who has none, as comments of an allowlist.
fn heading(listing: &Listing) -> String {
    let SuggestReport {
        since,
        until,
        history_begins,
        clients,
        sessions,
        sessions_not_counted,
        proposed,
        left_out,
        ..
    } = &listing.report;
    let time = |time: &Timestamp| time.strftime("%FT%TZ").to_string();
    let mut text = format!(
        "# Proposed by ftp-guard allow suggest: {}.\n\
         # From {} to {} monitor mode saw {} of {} that enforce mode would have dropped.\n",
        counted(*proposed, "entry", "entries"),
        time(since),
        time(until),
        counted(*sessions, "session", "sessions"),
        counted(*clients, "client", "clients"),
    );
    if let Some(begins) = history_begins {
        text.push_str(&format!("# The history begins at {}.\n", time(begins)));
    }
    if *sessions_not_counted > 0 {
        let sessions = counted(*sessions_not_counted, "session", "sessions");
        text.push_str(&format!(
            "# {sessions} of more clients were not looked at: there are too many.\n"
        ));
    }
    for (count, why) in reasons(left_out) {
        let clients = counted(count, "client", "clients");
        text.push_str(&format!("# Not proposed: {clients}, {why}.\n"));
    }
    text
}

/// The reasons that concern somebody.
fn reasons(left_out: &LeftOutView) -> impl Iterator<Item = (u64, &'static str)> {
    [
        (left_out.listed, "listed by now"),
        (left_out.failed_logins, "only failed logins"),
        (left_out.no_login, "no login"),
        (
            left_out.anonymous,
            "anonymous only (--anonymous proposes them)",
        ),
        (
            left_out.too_few,
            "fewer sessions or days than --min-sessions and --min-days ask for",
        ),
        (left_out.banned, "banned"),
        (left_out.excluded, "excluded by an entry"),
        (
            left_out.expired,
            "their entry has expired: renew it, or leave it so",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
}

/// A line of the allowlist for each entry, with its evidence behind it.
fn lines(entries: &[SuggestedEntry]) -> String {
    let prefixes: Vec<String> = entries.iter().map(|entry| written(&entry.prefix)).collect();
    let width = prefixes.iter().map(String::len).max().unwrap_or(0);
    let lines = prefixes.iter().zip(entries);
    lines
        .map(|(prefix, entry)| format!("{prefix:<width$}  # {}\n", evidence(entry)))
        .collect()
}

fn evidence(entry: &SuggestedEntry) -> String {
    let mut text = String::new();
    if entry.addresses > 1 {
        text.push_str(&format!("{} addresses, ", entry.addresses));
    }
    text.push_str(&counted(entry.sessions, "session", "sessions"));
    if entry.logins < entry.sessions {
        text.push_str(&format!(" ({} with a login)", entry.logins));
    }
    text.push_str(&format!(
        ", {} ({}), {}, {}, {}",
        counted(entry.days, "day", "days"),
        days(entry),
        counted(entry.transfers, "transfer", "transfers"),
        bytes(entry.bytes),
        users(entry)
    ));
    text
}

/// The first day and the last one.
fn days(entry: &SuggestedEntry) -> String {
    let day = |time: Timestamp| time.strftime("%F").to_string();
    let (first, last) = (day(entry.first), day(entry.last));
    match first == last {
        true => first,
        false => format!("{first} to {last}"),
    }
}

fn users(entry: &SuggestedEntry) -> String {
    let names: Vec<String> = entry.users.iter().map(|user| cut(user, NAME)).collect();
    let more = if entry.more_users { " and more" } else { "" };
    match names.as_slice() {
        [] => "user unknown (TLS)".to_owned(),
        [one] => format!("user {one}{more}"),
        several => format!("users {}{more}", several.join(", ")),
    }
}

/// The entry as it is added: what matters of its evidence is its label.
fn entry_line(entry: &SuggestedEntry) -> String {
    let label = format!(
        "seen in monitor mode: {} on {} until {}",
        counted(entry.sessions, "session", "sessions"),
        counted(entry.days, "day", "days"),
        entry.last.strftime("%F")
    );
    let entry = Entry {
        label: Some(label),
        ..Entry::allow(entry.prefix)
    };
    format!("{entry}\n")
}

#[cfg(test)]
#[path = "suggest_tests.rs"]
mod tests;

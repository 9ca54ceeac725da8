//! `ftp-guard ban`

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Global, Outcome,
    output::{counted, duration, print, print_json},
    sessions::aligned,
    target::Target,
    time::parse_seconds,
};
use crate::{
    config::Config,
    control::{
        ban_view::{BanAddReport, BanAddedView, BanListReport, BanRemoveReport, BanTerms, BanView},
        protocol::{EXIT_NOT_PERMITTED, Failure, Prefix, Request},
    },
    diagnostic::Diagnostics,
    engine::{
        allowlist::{parse_expiry, written},
        bans::{BanBook, Terms},
    },
    store,
};

/// Ban sources for a time, end bans, list them.
///
/// A ban goes before the allowlist. It closes control and data ports to its sources and ends the
/// sessions that they have. Bans are on disk and in the kernel when the command ends, and survive a
/// restart. `bans.never_ban` of the configuration is exempt from all of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ban sources, and end their sessions.
    ///
    /// Without an end the ban lasts `bans.default_time`, longer each time that the same prefix is banned
    /// again. A ban that is there is made longer, never shorter; what is banned already is no error.
    #[command(after_help = "Examples:\n  \
        ftp-guard ban add 198.51.100.9 --reason 'brute force'\n  \
        ftp-guard ban add 198.51.100.0/24 2001:db8:7::/48 --for 7d\n  \
        ftp-guard ban add 198.51.100.9 --for 600 --by fail2ban")]
    Add {
        /// Addresses and prefixes; a bare address is a host.
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
        /// How long: a duration such as 90m, 2h or 7d, or a number of seconds; -1 is for ever.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_length, allow_negative_numbers = true, conflicts_with_all = ["until", "forever"])]
        length: Option<Length>,
        /// Until when: an RFC 3339 time.
        #[arg(long, value_name = "TIME", value_parser = parse_until, conflicts_with = "forever")]
        until: Option<Timestamp>,
        /// Until the ban is removed.
        #[arg(long)]
        forever: bool,
        /// Why; lists and the log show it.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Who bans [default: cli].
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Ban even a very wide prefix, or this host itself.
        #[arg(long)]
        force: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// End bans. What is not banned is no error.
    ///
    /// The next ban of the same prefix is longer all the same, unless `--forget` is given.
    Remove {
        /// Addresses and prefixes, exactly as they were banned.
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
        /// Forget the earlier bans of these prefixes as well.
        #[arg(long)]
        forget: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the bans in force.
    ///
    /// Without a daemon they are read from the file of bans.
    List {
        /// List bans that are over instead: the last one of each prefix.
        #[arg(long, alias = "expired")]
        history: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// How long a ban is to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Seconds(u64),
    Forever,
}

fn parse_length(text: &str) -> Result<Length, String> {
    // As fail2ban says it.
    if text == "-1" {
        return Ok(Length::Forever);
    }
    match parse_seconds(text)? {
        0 => Err("a ban of no time bans nobody".to_owned()),
        seconds => Ok(Length::Seconds(seconds)),
    }
}

fn parse_until(text: &str) -> Result<Timestamp, String> {
    let until = parse_expiry(text)?;
    match until <= Timestamp::now() {
        true => Err(format!("{until} is over; nobody would be banned")),
        false => Ok(until),
    }
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        match self.verb {
            Verb::Add {
                prefixes,
                length,
                until,
                forever,
                reason,
                by,
                force,
                json,
            } => {
                let terms = BanTerms {
                    seconds: match length {
                        Some(Length::Seconds(seconds)) => Some(seconds),
                        _ => None,
                    },
                    until,
                    forever: forever || length == Some(Length::Forever),
                    reason,
                    by,
                    force,
                };
                add(global, Request::BanAdd { prefixes, terms }, json)
            }
            Verb::Remove {
                prefixes,
                forget,
                json,
            } => remove(global, Request::BanRemove { prefixes, forget }, json),
            Verb::List { history, json } => list(global, history, json),
        }
    }
}

fn add(global: &Global, request: Request, json: bool) -> Outcome {
    let report: BanAddReport = Target::of(global).connect()?.ask(&request)?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    for added in &report.bans {
        print(&added_line(added))?;
    }
    Ok(0)
}

fn added_line(added: &BanAddedView) -> String {
    let ban = &added.ban;
    let word = match added.outcome.as_str() {
        "present" => "already banned",
        "prolonged" => "ban prolonged, now",
        word => word,
    };
    let until = match ban.until {
        Some(until) => format!("until {until}"),
        None => "until removed".to_owned(),
    };
    let count = match ban.count {
        0 | 1 => String::new(),
        count => format!(" (ban number {count})"),
    };
    let mut line = format!("{}: {word} {until}{count}\n", written(&ban.prefix));
    for entry in &added.exempt {
        let entry = written(entry);
        line.push_str(&format!("  exempt: {entry} (bans.never_ban)\n"));
    }
    line
}

fn remove(global: &Global, request: Request, json: bool) -> Outcome {
    let report: BanRemoveReport = Target::of(global).connect()?.ask(&request)?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    print(&removed_text(&report))?;
    Ok(0)
}

fn removed_text(report: &BanRemoveReport) -> String {
    let mut text = String::new();
    for prefix in &report.removed {
        text.push_str(&format!("{}: no longer banned\n", written(prefix)));
    }
    for absent in &report.absent {
        text.push_str(&format!("{}: was not banned", written(&absent.prefix)));
        if let Some(wider) = &absent.banned_by {
            text.push_str(&format!(", but {}, which it lies in, is", written(wider)));
        }
        text.push('\n');
    }
    if report.forgotten > 0 {
        let bans = counted(report.forgotten, "ban", "bans");
        text.push_str(&format!("{bans} forgotten\n"));
    }
    text
}

/// What `list --json` prints.
#[derive(Debug, Serialize)]
struct Listing {
    version: u32,
    /// Whether a daemon answered; without one the file of bans was read.
    running: bool,
    bans: Vec<BanView>,
}

fn list(global: &Global, history: bool, json: bool) -> Outcome {
    let target = Target::of(global);
    let mut bans = Vec::new();
    let running = match target.connect_if_running()? {
        Some(mut client) => {
            let request = Request::BanList { history };
            let _: BanListReport = client.call(&request, |ban| bans.push(ban))?;
            true
        }
        None => {
            bans = stored(global, history)?;
            false
        }
    };
    if json {
        print_json(&Listing {
            version: crate::control::VERSION,
            running,
            bans,
        })?;
        return Ok(0);
    }
    if !running {
        eprintln!(
            "ftp-guard: no daemon runs; this is what the file of bans says (`ftp-guard status` tells \
             whether anything is enforced)"
        );
    }
    print(&listed_text(&bans, history, Timestamp::now()))?;
    Ok(0)
}

/// The bans of the file, at this moment.
fn stored(global: &Global, history: bool) -> Result<Vec<BanView>, Failure> {
    let settings = Config::load(&global.config)?.bans;
    if let Err(error) = std::fs::File::open(&settings.file)
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        let message = format!("{}: not permitted; run as root", settings.file.display());
        return Err(Failure::new(EXIT_NOT_PERMITTED, message));
    }
    let stored = store::read_bans(&settings.file).map_err(Diagnostics::from)?;
    let terms = Terms {
        never: settings.never_ban,
        forget: settings.forget,
        max_entries: settings.max_entries,
        ..Terms::default()
    };
    let mut book = BanBook::restore(terms, stored.bans, stored.history);
    book.sweep(Timestamp::now());
    Ok(match history {
        true => book.history().map(BanView::from).collect(),
        false => book
            .bans()
            .map(|ban| BanView {
                exempt_by: book.never_over(&ban.prefix),
                ..BanView::from(ban)
            })
            .collect(),
    })
}

/// A ban, indented, below an answer about an address.
pub(super) fn ban_line(ban: &BanView) -> String {
    let reason = ban.reason.as_ref();
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let (prefix, until) = (written(&ban.prefix), time(ban.until, "removed"));
    format!("  banned: {prefix} until {until}, by {}{reason}\n", by(ban))
}

fn listed_text(bans: &[BanView], history: bool, now: Timestamp) -> String {
    let mut text = String::new();
    if !bans.is_empty() {
        let header = match history {
            true => ["PREFIX", "SINCE", "ENDED", "HOW", "BANS", "BY", "REASON"],
            false => ["PREFIX", "SINCE", "UNTIL", "LEFT", "BANS", "BY", "REASON"],
        };
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(bans.iter().map(|ban| match history {
            true => past_row(ban),
            false => row(ban, now),
        }));
        text = aligned(&rows);
    }
    let what = match history {
        true => ("prefix that was banned", "prefixes that were banned"),
        false => ("ban", "bans"),
    };
    text + &counted(bans.len() as u64, what.0, what.1) + "\n"
}

fn row(ban: &BanView, now: Timestamp) -> [String; 7] {
    let left = ban.until.map(|until| until.as_second() - now.as_second());
    let left = left.map(|seconds| duration(u64::try_from(seconds).unwrap_or(0)));
    let mut reason = ban.reason.clone().unwrap_or_default();
    let state = match (&ban.exempt_by, ban.active) {
        (Some(entry), _) => format!("(waits: {} is in never_ban)", written(entry)),
        (None, Some(false)) => "(not in force)".to_owned(),
        (None, _) => String::new(),
    };
    if !reason.is_empty() && !state.is_empty() {
        reason.push(' ');
    }
    [
        written(&ban.prefix),
        ban.since.to_string(),
        time(ban.until, "removed"),
        left.unwrap_or_else(|| "-".to_owned()),
        ban.count.to_string(),
        by(ban),
        reason + &state,
    ]
}

fn past_row(ban: &BanView) -> [String; 7] {
    [
        written(&ban.prefix),
        ban.since.to_string(),
        time(ban.ended, "-"),
        ban.end.clone().unwrap_or_default(),
        ban.count.to_string(),
        by(ban),
        ban.reason.clone().unwrap_or_default(),
    ]
}

fn by(ban: &BanView) -> String {
    match ban.origin.as_str() {
        "cli" => ban.by.clone(),
        origin => format!("{origin} {}", ban.by),
    }
}

fn time(time: Option<Timestamp>, none: &str) -> String {
    time.map_or_else(|| none.to_owned(), |time| time.to_string())
}

#[cfg(test)]
#[path = "ban_tests.rs"]
mod tests;

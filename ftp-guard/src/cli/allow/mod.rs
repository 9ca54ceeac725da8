//! `ftp-guard allow`

mod export;
mod import;
mod named;
mod shown;
mod suggest;

use std::{
    io::{self, Write},
    net::IpAddr,
};

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use self::named::{Listed, apart, host_text};
use super::{
    Global, Outcome,
    ban::ban_line,
    expiry,
    output::{finish, print, print_json},
    target::Target,
};
use crate::control::{
    limit_view::ProfileView,
    protocol::{EntrySettings, Request},
    view::{AddReport, EntryView, ListReport, RemoveReport, TestReport},
};
use crate::engine::names::MARK;

/// Change, list and ask the allowlist.
///
/// Changes go to the file `allow.cli_file`; they are on disk and in the kernel when the command
/// ends. Entries of other files are changed there, with an editor.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Allow sources, or exclude them from a wider entry.
    ///
    /// An entry of the command line's file is changed to what is given; one of another file that
    /// says something else is left alone, and the command fails and names it.
    #[command(after_help = "Examples:\n  \
        ftp-guard allow add 192.0.2.7 2001:db8:7::/48 --label 'partner A'\n  \
        ftp-guard allow add 198.51.100.9 --expires 30d\n  \
        ftp-guard allow add host:partner.example.net --profile bulk\n  \
        ftp-guard allow add 198.51.100.0/28 --exclude")]
    Add {
        /// Addresses and prefixes; a bare address is a host. host:NAME: the addresses that DNS gives.
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Listed>,
        /// Exclude the prefixes from a wider one instead.
        #[arg(long)]
        exclude: bool,
        /// Profile of the entries [default: default].
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// End of the entries: an RFC 3339 time, or a duration such as 90m, 2h or 7d [default: none].
        #[arg(long, value_name = "WHEN", value_parser = expiry::parse)]
        expires: Option<Timestamp>,
        /// Text that lists and explanations show.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove entries. What is not listed is no error.
    Remove {
        /// Addresses, prefixes and host:NAME, exactly as they are listed.
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Listed>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all entries, with the file and line of each, and what DNS says of names.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add all entries of a file, or none of them.
    ///
    /// The file may be one of the allowlist's own, or what other programs write. What is read,
    /// what is not understood, what stands in it twice or inside another is shown first.
    #[command(after_help = "Examples:\n  \
        ftp-guard allow import partners.list\n  \
        ftp-guard allow import ip-ranges.json --filter service=S3 --filter region=eu-central-1 --aggregate\n  \
        ftp-guard allow import delegated-ripencc-latest --country DE,AT --aggregate --dry-run\n  \
        nft list set inet filter partners | ftp-guard allow import - --label partners")]
    Import(Box<import::Args>),
    /// Print all entries of all files, for an import or for another program.
    ///
    /// What a format cannot say is told on standard error.
    #[command(after_help = "Examples:\n  \
        ftp-guard allow export > all.list\n  \
        ftp-guard allow export --format nft --name partners | nft -f -\n  \
        ftp-guard allow export --format ipset --active | ipset restore")]
    Export(export::Args),
    /// Propose entries from what monitor mode saw.
    ///
    /// Clients that enforce mode would have kept out, and that have logged in: each is a line of an allowlist, with its
    /// evidence as a comment. Four addresses of an IPv4 /24, or two of an IPv6 /64, stand for all of it if nobody in it was
    /// refused. Under TLS a session with a data connection counts as one with a login. It needs the history
    /// (`[history]` of the configuration), and changes nothing without --apply.
    #[command(after_help = "Examples:\n  \
        ftp-guard allow suggest\n  \
        ftp-guard allow suggest --since 14d --min-days 2 > /etc/ftp-guard/allow.d/seen.list\n  \
        ftp-guard allow suggest --apply")]
    Suggest(suggest::Args),
    /// Tell whether an address may use FTP, and which entry decides.
    Test {
        /// The address.
        address: IpAddr,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let target = Target::of(global);
        match self.verb {
            Verb::Add {
                prefixes,
                exclude,
                profile,
                expires,
                label,
                json,
            } => {
                let settings = EntrySettings {
                    exclude,
                    profile,
                    expires,
                    label,
                };
                add(&target, prefixes, settings, json)
            }
            Verb::Remove { prefixes, json } => remove(&target, prefixes, json),
            Verb::List { json } => list(&target, json),
            Verb::Import(args) => import::import(&target, &args),
            Verb::Export(args) => export::export(&target, &args),
            Verb::Suggest(args) => suggest::suggest(&target, &args),
            Verb::Test { address, json } => test(&target, address, json),
        }
    }
}

fn add(target: &Target, listed: Vec<Listed>, settings: EntrySettings, json: bool) -> Outcome {
    let (prefixes, names) = apart(listed);
    let request = Request::AllowAdd {
        prefixes,
        names,
        settings,
    };
    let report: AddReport = target.connect()?.ask(&request)?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    let word = |outcome: &str| match outcome {
        "present" => "listed already".to_owned(),
        outcome => outcome.to_owned(),
    };
    for entry in &report.entries {
        let outcome = word(&entry.outcome);
        let (prefix, file, line) = (entry.prefix, entry.file.display(), entry.line);
        print(&format!("{prefix}: {outcome}, {file}:{line}\n"))?;
    }
    for entry in &report.names {
        let outcome = word(&entry.outcome);
        let (host, file, line) = (&entry.host, entry.file.display(), entry.line);
        print(&format!("{MARK}{host}: {outcome}, {file}:{line}\n"))?;
    }
    Ok(0)
}

fn remove(target: &Target, listed: Vec<Listed>, json: bool) -> Outcome {
    let (prefixes, names) = apart(listed);
    let request = Request::AllowRemove { prefixes, names };
    let report: RemoveReport = target.connect()?.ask(&request)?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    for prefix in &report.removed {
        print(&format!("{prefix}: removed\n"))?;
    }
    for name in &report.removed_names {
        print(&format!("{MARK}{name}: removed\n"))?;
    }
    for prefix in &report.absent {
        print(&format!("{prefix}: was not listed\n"))?;
    }
    for name in &report.absent_names {
        print(&format!("{MARK}{name}: was not listed\n"))?;
    }
    Ok(0)
}

fn list(target: &Target, json: bool) -> Outcome {
    if json {
        return each(
            target,
            "{\"version\":1,\"entries\":[",
            |_| true,
            |out, entry, first| write_json(out, &entry, first),
            |out, report| {
                out.write_all(b"],\"names\":")?;
                serde_json::to_writer(&mut *out, &report.names)?;
                out.write_all(b"}\n")
            },
        );
    }
    each(
        target,
        "",
        |_| true,
        |out, entry, _| {
            let state = if entry.active { "" } else { "  (not in force)" };
            let (text, file, line) = (&entry.text, entry.file.display(), entry.line);
            writeln!(out, "{text:<40}  {file}:{line}{state}")
        },
        |out, report| {
            let mut names = report.names.iter();
            names.try_for_each(|host| out.write_all(host_text(host).as_bytes()))
        },
    )
}

fn write_json(out: &mut dyn Write, value: &impl Serialize, first: bool) -> io::Result<()> {
    out.write_all(if first { b"\n" } else { b",\n" })?;
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// Writes `begin`, the entries that are wanted as they arrive, and what `end` makes of the rest.
fn each(
    target: &Target,
    begin: &str,
    wanted: impl Fn(&EntryView) -> bool,
    mut write: impl FnMut(&mut dyn Write, EntryView, bool) -> io::Result<()>,
    end: impl FnOnce(&mut dyn Write, &ListReport) -> io::Result<()>,
) -> Outcome {
    let mut client = target.connect()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = out.write_all(begin.as_bytes());
    let mut first = true;
    let report: ListReport = client.call(&Request::AllowList, |entry: EntryView| {
        if result.is_ok() && wanted(&entry) {
            result = write(&mut out, entry, first);
            first = false;
        }
    })?;
    finish(
        result
            .and_then(|()| end(&mut out, &report))
            .and_then(|()| out.flush()),
    )?;
    Ok(0)
}

fn test(target: &Target, address: IpAddr, json: bool) -> Outcome {
    let report: TestReport = target.connect()?.ask(&Request::AllowTest { address })?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    let answer = if report.allowed {
        "allowed"
    } else {
        "not allowed"
    };
    let mut text = format!("{address}: {answer} ({})\n", report.reason);
    if let Some(ban) = &report.ban {
        text.push_str(&ban_line(ban));
    }
    if let Some(entry) = &report.entry {
        text.push_str(&entry_line(entry));
    }
    if let Some(profile) = &report.profile {
        text.push_str(&profile_line(profile));
    }
    print(&text)?;
    Ok(0)
}

/// An entry and where it stands, indented.
pub(super) fn entry_line(entry: &EntryView) -> String {
    let state = if entry.active { "" } else { " (not in force)" };
    let (text, file, line) = (&entry.text, entry.file.display(), entry.line);
    format!("  entry: {text}{state}\n  from:  {file}:{line}\n")
}

/// What a source of a profile may, indented.
pub(super) fn profile_line(profile: &ProfileView) -> String {
    format!("  limits: profile {}: {profile}\n", profile.name)
}

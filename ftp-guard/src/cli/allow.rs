//! `ftp-guard allow`

use std::{
    io::{self, Read, Write},
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Global, Outcome,
    ban::ban_line,
    expiry,
    output::{counted, finish, print, print_json},
    target::Target,
};
use crate::control::{
    MAX_IMPORT,
    limit_view::ProfileView,
    protocol::{EntrySettings, Failure, Prefix, Request},
    view::{AddReport, EntryView, ListReport, RemoveReport, TestReport},
};

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
        ftp-guard allow add 198.51.100.0/28 --exclude")]
    Add {
        /// Addresses and prefixes; a bare address is a host.
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
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
        /// Addresses and prefixes, exactly as they are listed.
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all entries, with the file and line of each.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add all entries of a file in the format of the allowlist files, or none of them.
    Import {
        /// The file; `-` is standard input.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print all entries of all files in the format of the allowlist files.
    Export {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
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
            Verb::Import { file, json } => import(&target, &file, json),
            Verb::Export { json } => export(&target, json),
            Verb::Test { address, json } => test(&target, address, json),
        }
    }
}

fn add(target: &Target, prefixes: Vec<Prefix>, settings: EntrySettings, json: bool) -> Outcome {
    let request = Request::AllowAdd { prefixes, settings };
    let report: AddReport = target.connect()?.ask(&request)?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    for entry in &report.entries {
        let outcome = match entry.outcome.as_str() {
            "present" => "listed already",
            outcome => outcome,
        };
        let (prefix, file, line) = (entry.prefix, entry.file.display(), entry.line);
        print(&format!("{prefix}: {outcome}, {file}:{line}\n"))?;
    }
    Ok(0)
}

fn remove(target: &Target, prefixes: Vec<Prefix>, json: bool) -> Outcome {
    let report: RemoveReport = target.connect()?.ask(&Request::AllowRemove { prefixes })?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    for prefix in &report.removed {
        print(&format!("{prefix}: removed\n"))?;
    }
    for prefix in &report.absent {
        print(&format!("{prefix}: was not listed\n"))?;
    }
    Ok(0)
}

fn list(target: &Target, json: bool) -> Outcome {
    if json {
        return each(
            target,
            "{\"version\":1,\"entries\":[",
            "]}\n",
            |out, entry, first| write_json(out, &entry, first),
        );
    }
    each(target, "", "", |out, entry, _| {
        let state = if entry.active { "" } else { "  (not in force)" };
        let (text, file, line) = (&entry.text, entry.file.display(), entry.line);
        writeln!(out, "{text:<40}  {file}:{line}{state}")
    })
}

fn export(target: &Target, json: bool) -> Outcome {
    if json {
        return each(
            target,
            "{\"version\":1,\"entries\":[",
            "]}\n",
            |out, entry, first| write_json(out, &Exported::from(&entry), first),
        );
    }
    each(target, "", "", |out, entry, _| {
        writeln!(out, "{}", entry.text)
    })
}

/// What `export --json` prints of an entry: what stands in the file, not what the kernel does.
#[derive(Serialize)]
struct Exported<'a> {
    prefix: &'a IpNet,
    kind: &'a str,
    profile: &'a str,
    expires: Option<Timestamp>,
    label: Option<&'a str>,
    file: &'a Path,
    line: u32,
}

impl<'a> From<&'a EntryView> for Exported<'a> {
    fn from(entry: &'a EntryView) -> Self {
        Self {
            prefix: &entry.prefix,
            kind: &entry.kind,
            profile: &entry.profile,
            expires: entry.expires,
            label: entry.label.as_deref(),
            file: &entry.file,
            line: entry.line,
        }
    }
}

fn write_json(out: &mut dyn Write, value: &impl Serialize, first: bool) -> io::Result<()> {
    out.write_all(if first { b"\n" } else { b",\n" })?;
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// Writes all entries as they arrive, between `begin` and `end`.
fn each(
    target: &Target,
    begin: &str,
    end: &str,
    mut write: impl FnMut(&mut dyn Write, EntryView, bool) -> io::Result<()>,
) -> Outcome {
    let mut client = target.connect()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = out.write_all(begin.as_bytes());
    let mut first = true;
    let _: ListReport = client.call(&Request::AllowList, |entry| {
        if result.is_ok() {
            result = write(&mut out, entry, first);
            first = false;
        }
    })?;
    finish(
        result
            .and_then(|()| out.write_all(end.as_bytes()))
            .and_then(|()| out.flush()),
    )?;
    Ok(0)
}

fn import(target: &Target, file: &PathBuf, json: bool) -> Outcome {
    let failed = |error| Failure::failed(format!("{}: {error}", file.display()));
    let mut text = String::new();
    let (name, read) = if file.as_os_str() == "-" {
        let mut input = io::stdin().lock().take(MAX_IMPORT as u64 + 1);
        (PathBuf::from("<stdin>"), input.read_to_string(&mut text))
    } else {
        let mut input = std::fs::File::open(file)
            .map_err(failed)?
            .take(MAX_IMPORT as u64 + 1);
        (file.clone(), input.read_to_string(&mut text))
    };
    read.map_err(failed)?;
    if text.len() > MAX_IMPORT {
        return Err(failed(io::Error::other(format!(
            "longer than {MAX_IMPORT} bytes; put the file into the allowlist folder instead"
        ))));
    }
    let report: AddReport = target.connect()?.import(&name, &text)?;
    if json {
        print_json(&report)?;
        return Ok(0);
    }
    print(&format!(
        "{}: {} added, {} changed, {} listed already\n",
        name.display(),
        counted(report.added, "entry", "entries"),
        report.changed,
        report.present
    ))?;
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

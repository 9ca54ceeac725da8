//! `allow import`

use std::{
    fs::File,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    super::{
        Outcome, expiry,
        output::{counted, print, print_json},
        target::Target,
    },
    shown::{self, Report},
};
use crate::{
    control::{
        MAX_IMPORT,
        client::Client,
        protocol::{DiagnosticView, EXIT_CONFIGURATION, Failure, Request},
        view::{AddReport, EntryView, ListReport},
    },
    engine::{
        allowlist::check_label,
        exchange::{
            self, Aggregated, Comparison, Format, Imported, Mistake, Options, Refused, Settings,
            SettingsTable,
        },
    },
};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 512 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// Format of the file: list, cidr, nft, nft-json, ipset, hosts-allow, json, csv, rir, or auto,
    /// which tells it by the content.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format_of)]
    format: Chosen,
    /// Take only these countries, two letters each (csv, rir).
    #[arg(long, value_name = "XX", value_delimiter = ',', value_parser = country)]
    country: Vec<String>,
    /// Names of the places that a csv file numbers (GeoLite2-Country-Locations).
    #[arg(long, value_name = "FILE", requires = "country")]
    locations: Option<PathBuf>,
    /// Take only records whose field has this value; a column by name or number (json, csv).
    ///
    /// Several values of one field are alternatives; several fields must all match.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = filter)]
    filter: Vec<(String, String)>,
    /// Keys that prefixes stand under [default: those of AWS, Google and our own export] (json).
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    key: Vec<String>,
    /// Take only this set (nft, nft-json, ipset).
    #[arg(long, value_name = "NAME")]
    set: Vec<String>,
    /// Profile of all entries.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// End of all entries: an RFC 3339 time, or a duration such as 90m, 2h or 7d.
    #[arg(long, value_name = "WHEN", value_parser = expiry::parse)]
    expires: Option<Timestamp>,
    /// Label of all entries.
    #[arg(long, value_name = "TEXT", value_parser = label)]
    label: Option<String>,
    /// Join adjacent prefixes and leave out what lies inside others; the same addresses stay.
    #[arg(long)]
    aggregate: bool,
    /// Leave out and count what is not understood, instead of refusing the file.
    #[arg(long)]
    skip_unknown: bool,
    /// Show what would be done, and do nothing. Needs no daemon.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A format, or to find it out.
#[derive(Clone, Copy, Debug)]
struct Chosen(Option<Format>);

fn format_of(text: &str) -> Result<Chosen, String> {
    if text == "auto" {
        return Ok(Chosen(None));
    }
    <Format as clap::ValueEnum>::from_str(text, false)
        .map(|format| Chosen(Some(format)))
        .map_err(|_| {
            let names: Vec<_> = <Format as clap::ValueEnum>::value_variants()
                .iter()
                .map(|format| format.name())
                .collect();
            format!("expected auto, {}", names.join(", "))
        })
}

fn country(text: &str) -> Result<String, String> {
    let right = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    right
        .then(|| text.to_ascii_uppercase())
        .ok_or_else(|| "expected two letters, such as DE".to_owned())
}

fn filter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field.to_owned(), value.to_owned())),
        _ => Err("expected FIELD=VALUE, such as service=S3".to_owned()),
    }
}

fn label(text: &str) -> Result<String, String> {
    check_label(text).map(|()| text.to_owned())
}

/// A file's text and when it was written.
struct Content {
    name: PathBuf,
    text: String,
    written: Timestamp,
}

pub(super) fn import(target: &Target, args: &Args) -> Outcome {
    let content = read(&args.file)?;
    let format = args
        .format
        .0
        .unwrap_or_else(|| exchange::detect(&content.text));
    let mut imported = understand(args, format, &content)?;
    let mut client = if args.dry_run {
        target.connect_if_running()?
    } else {
        Some(target.connect()?)
    };
    let (present, listed) = match &mut client {
        Some(client) => listed(client)?,
        None => (Vec::new(), SettingsTable::default()),
    };
    let as_it_is = format == Format::List
        && !args.aggregate
        && imported.unknown == 0
        && args.profile.is_none()
        && args.expires.is_none()
        && args.label.is_none();
    change(args, &mut imported);
    let comparison = exchange::compare(&mut imported, &present, &listed);
    refuse_conflicts(&content.name, &comparison)?;
    let aggregated = args
        .aggregate
        .then(|| exchange::aggregate(&mut imported, &present, &listed));
    if imported.items.is_empty() && imported.hosts.is_empty() && format != Format::List {
        return Err(Failure::failed(format!(
            "{}: nothing in it is to be imported ({} left out, {} not understood, {} expired)",
            content.name.display(),
            imported.left_out,
            imported.unknown,
            imported.expired
        )));
    }
    let mut report = Report::new(&content.name, format, &imported, &comparison, &aggregated);
    report.compared = client.is_some();
    if !args.json {
        print(&shown::text(&report, args.format.0.is_none()))?;
    }
    if args.dry_run {
        return show(args, &report, "nothing was changed (--dry-run)\n");
    }
    confirm(args, &questions(format, &comparison, &aggregated))?;
    let Some(mut client) = client else {
        return Err(Failure::failed("no daemon answers"));
    };
    let text = if as_it_is {
        content.text
    } else {
        exchange::text_of(&imported)
    };
    if text.len() > MAX_IMPORT {
        return Err(too_long(&content.name, MAX_IMPORT as u64));
    }
    let name = if as_it_is {
        content.name.clone()
    } else {
        PathBuf::from(format!(
            "{}, read as {}",
            content.name.display(),
            format.name()
        ))
    };
    let progress = crate::progress::Progress::of("importing");
    let done: AddReport = client.import(&name, &text)?;
    drop(progress);
    let line = format!(
        "{}: {} added, {} changed, {} listed already\n",
        content.name.display(),
        counted(done.added, "entry", "entries"),
        done.changed,
        done.present
    );
    report.applied = true;
    report.result = done;
    show(args, &report, &line)
}

fn show(args: &Args, report: &Report, line: &str) -> Outcome {
    if args.json {
        print_json(report)?;
    } else {
        print(line)?;
    }
    Ok(0)
}

fn read(file: &Path) -> Result<Content, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let now = Timestamp::now();
    let (name, written) = if file.as_os_str() == "-" {
        let mut input = io::stdin().lock().take(MAX_FILE + 1);
        input.read_to_end(&mut bytes).map_err(failed)?;
        (PathBuf::from("<stdin>"), now)
    } else {
        let input = File::open(file).map_err(failed)?;
        // Durations in a file count from when it was written, so that reading it again later
        // changes nothing.
        let modified = input.metadata().and_then(|about| about.modified()).ok();
        let written = modified
            .and_then(|time| Timestamp::try_from(time).ok())
            .filter(|time| *time <= now);
        input
            .take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        (file.to_owned(), written.unwrap_or(now))
    };
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_long(&name, MAX_FILE));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let lines = error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        mistaken(
            &name,
            lines as u32 + 1,
            0,
            "the text is not UTF-8".to_owned(),
        )
    })?;
    Ok(Content {
        name,
        text,
        written,
    })
}

fn too_long(name: &Path, most: u64) -> Failure {
    Failure::failed(format!(
        "{}: longer than {most} bytes; import it in parts, or put a list into the allowlist folder",
        name.display()
    ))
}

fn understand(args: &Args, format: Format, content: &Content) -> Result<Imported, Failure> {
    let geonames = match &args.locations {
        None => None,
        Some(file) => {
            let places = read(file)?;
            let numbers = exchange::geonames(&places.text, &args.country);
            Some(numbers.map_err(|refused| refuse(file, refused))?)
        }
    };
    let options = Options {
        written: content.written,
        // A list may hold what is over; it stays there, as in a file.
        now: if format == Format::List {
            Timestamp::MIN
        } else {
            Timestamp::now()
        },
        countries: args.country.clone(),
        filters: args.filter.clone(),
        keys: args.key.clone(),
        sets: args.set.clone(),
        geonames,
    };
    let imported = exchange::read(&content.text, format, &options)
        .map_err(|refused| refuse(&content.name, refused))?;
    if imported.unknown > 0 && !args.skip_unknown {
        return Err(not_understood(&content.name, format, &imported));
    }
    Ok(imported)
}

fn refuse(name: &Path, refused: Refused) -> Failure {
    mistaken(name, refused.line, 0, refused.message)
}

fn mistaken(name: &Path, line: u32, column: u32, message: String) -> Failure {
    Failure {
        diagnostics: vec![diagnostic(name, line, column, message)],
        ..Failure::new(EXIT_CONFIGURATION, "the file cannot be imported")
    }
}

fn diagnostic(name: &Path, line: u32, column: u32, message: String) -> DiagnosticView {
    DiagnosticView {
        file: name.to_owned(),
        line,
        column: if line > 0 { column.max(1) } else { 0 },
        message,
    }
}

fn not_understood(name: &Path, format: Format, imported: &Imported) -> Failure {
    let mut diagnostics: Vec<_> = imported
        .mistakes
        .iter()
        .map(
            |Mistake {
                 line,
                 column,
                 message,
             }| diagnostic(name, *line, *column, message.clone()),
        )
        .collect();
    let message = format!(
        "{} not understood as {}; nothing was imported: correct the file, name its format with \
         --format, or leave them out with --skip-unknown",
        counted(imported.unknown, "entry was", "entries were"),
        format.name()
    );
    diagnostics.push(diagnostic(name, 0, 0, message.clone()));
    Failure {
        diagnostics,
        ..Failure::new(EXIT_CONFIGURATION, message)
    }
}

fn refuse_conflicts(name: &Path, comparison: &Comparison) -> Result<(), Failure> {
    if comparison.conflicts.is_empty() {
        return Ok(());
    }
    let diagnostics = comparison
        .conflicts
        .iter()
        .take(crate::engine::allowlist::MOST_REPORTED)
        .map(|(prefix, line, first)| {
            let message =
                format!("{prefix} stands in line {first} with other settings: keep one of the two");
            diagnostic(name, *line, 0, message)
        })
        .collect();
    Err(Failure {
        diagnostics,
        ..Failure::new(EXIT_CONFIGURATION, "the file contradicts itself")
    })
}

fn change(args: &Args, imported: &mut Imported) {
    if args.profile.is_none() && args.expires.is_none() && args.label.is_none() {
        return;
    }
    imported.change(|settings| {
        if let Some(profile) = &args.profile
            && !settings.exclude
        {
            settings.profile = profile.as_str().into();
        }
        if args.expires.is_some() {
            settings.expires = args.expires;
        }
        if let Some(label) = &args.label {
            settings.label = Some(label.as_str().into());
        }
    });
}

/// The allowlist as it is, sorted, and what its numbers mean.
pub(super) fn listed(client: &mut Client) -> Result<(Vec<(IpNet, u32)>, SettingsTable), Failure> {
    let mut settings = SettingsTable::default();
    let mut entries = Vec::new();
    let _: ListReport = client.call(&Request::AllowList, |entry: EntryView| {
        let number = settings.number(&settings_of(&entry));
        entries.push((entry.prefix, number));
    })?;
    entries.sort_unstable();
    Ok((entries, settings))
}

pub(super) fn settings_of(entry: &EntryView) -> Settings {
    Settings {
        exclude: entry.kind == "exclude",
        profile: entry.profile.as_str().into(),
        expires: entry.expires,
        label: entry.label.as_deref().map(Into::into),
    }
}

/// What somebody should have seen before it is done.
fn questions(
    format: Format,
    comparison: &Comparison,
    aggregated: &Option<Aggregated>,
) -> Vec<&'static str> {
    let mut questions = Vec::new();
    if aggregated
        .as_ref()
        .is_some_and(|done| done.before != done.after)
    {
        questions.push("the prefixes are aggregated");
    }
    // Who writes a list in our own format means what stands inside another.
    let foreign = format != Format::List;
    if comparison.differing_listed > 0 || (foreign && comparison.differing > 0) {
        questions.push("entries lie inside others that say something else");
    }
    if foreign && !comparison.everything.is_empty() {
        questions.push("every address of a family is allowed");
    }
    questions
}

fn confirm(args: &Args, questions: &[&str]) -> Result<(), Failure> {
    if questions.is_empty() || args.yes {
        return Ok(());
    }
    let why = questions.join(", ");
    let asked =
        args.file.as_os_str() != "-" && io::stdin().is_terminal() && io::stderr().is_terminal();
    if !asked {
        return Err(Failure::usage(format!(
            "{why}: look at it with --dry-run and say --yes; nothing was changed"
        )));
    }
    eprint!("{why}; go on? [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    // An answer that cannot be read is none.
    let _ = io::stdin().lock().take(64).read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was changed"))
}

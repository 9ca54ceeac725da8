//! `allow export`

use std::{
    io::{self, Write},
    path::Path,
};

use clap::ValueEnum;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    super::{
        Outcome,
        output::{counted, finish},
        target::Target,
    },
    each,
    import::settings_of,
    write_json,
};
use crate::{
    control::{
        name_view::HostView,
        protocol::{Failure, Request},
        view::{EntryView, ListReport},
    },
    engine::exchange::{
        SettingsTable,
        write::{self, List},
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Format to print.
    #[arg(long, value_enum, default_value = "list", value_name = "FORMAT")]
    format: Format,
    /// Entries of this family only: 4 or 6.
    #[arg(long, value_enum, value_name = "FAMILY")]
    family: Option<Family>,
    /// Name of the sets, to which _v4 and _v6 are added (nft, ipset).
    #[arg(long, value_name = "SET", default_value = "ftp_guard", value_parser = set_name)]
    name: String,
    /// Entries in force only: none that have expired.
    #[arg(long)]
    active: bool,
    /// Print JSON: as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The allowlist files' own
    List,
    /// A prefix a line, exclusions subtracted
    Cidr,
    /// A script for `nft -f`, exclusions subtracted
    Nft,
    /// A script for `ipset restore`
    Ipset,
    /// All fields, and the file and line of each entry
    Json,
    /// All fields, comma-separated
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    #[value(name = "4")]
    V4,
    #[value(name = "6")]
    V6,
}

/// What both programs take as a name with a suffix (ipset: 31 bytes).
fn set_name(text: &str) -> Result<String, String> {
    let right = text.len() <= 28
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    right.then(|| text.to_owned()).ok_or_else(|| {
        "expected a letter, then letters, digits and _, at most 28 in all".to_owned()
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

/// The same of a name.
#[derive(Serialize)]
struct ExportedHost<'a> {
    host: &'a str,
    profile: &'a str,
    expires: Option<Timestamp>,
    label: Option<&'a str>,
    file: &'a Path,
    line: u32,
}

impl<'a> From<&'a HostView> for ExportedHost<'a> {
    fn from(host: &'a HostView) -> Self {
        Self {
            host: &host.host,
            profile: &host.profile,
            expires: host.expires,
            label: host.label.as_deref(),
            file: &host.file,
            line: host.line,
        }
    }
}

pub(super) fn export(target: &Target, args: &Args) -> Outcome {
    let wanted = |entry: &EntryView| {
        let family = match args.family {
            None => true,
            Some(Family::V4) => matches!(entry.prefix, IpNet::V4(_)),
            Some(Family::V6) => matches!(entry.prefix, IpNet::V6(_)),
        };
        family && (entry.active || !args.active)
    };
    // A name has addresses of both families, and expires as other entries do.
    let now = Timestamp::now();
    let names = |host: &HostView| !args.active || host.expires.is_none_or(|end| end > now);
    let together = match args.format {
        _ if args.json => None,
        Format::List => {
            return each(
                target,
                "",
                wanted,
                |out, entry, _| writeln!(out, "{}", entry.text),
                |out, report| {
                    let mut names = report.names.iter().filter(|host| names(host));
                    names.try_for_each(|host| writeln!(out, "{}", host.text))
                },
            );
        }
        Format::Json => None,
        Format::Cidr => Some(write::Target::Cidr),
        Format::Nft => Some(write::Target::Nft),
        Format::Ipset => Some(write::Target::Ipset),
        Format::Csv => Some(write::Target::Csv),
    };
    match together {
        None => each(
            target,
            "{\"version\":1,\"entries\":[",
            wanted,
            |out, entry, first| write_json(out, &Exported::from(&entry), first),
            |out, report| {
                let hosts = report.names.iter().filter(|host| names(host));
                let hosts: Vec<_> = hosts.map(ExportedHost::from).collect();
                out.write_all(b"],\"names\":")?;
                serde_json::to_writer(&mut *out, &hosts)?;
                out.write_all(b"}\n")
            },
        ),
        Some(format) => all(target, format, &args.name, wanted),
    }
}

fn all(
    target: &Target,
    format: write::Target,
    name: &str,
    wanted: impl Fn(&EntryView) -> bool,
) -> Outcome {
    let mut settings = SettingsTable::default();
    let mut entries = Vec::new();
    let report: ListReport = target
        .connect()?
        .call(&Request::AllowList, |entry: EntryView| {
            if wanted(&entry) {
                let number = settings.number(&settings_of(&entry));
                entries.push((entry.prefix, number));
            }
        })
        .map_err(Failure::from)?;
    entries.sort_unstable();
    let list = List {
        entries: &entries,
        settings: &settings,
        name,
        now: Timestamp::now(),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = write::write(&list, format, &mut out);
    let lost = written.and_then(|lost| out.flush().map(|()| lost));
    match lost {
        Ok(lost) => {
            for sentence in lost.sentences() {
                eprintln!("ftp-guard: {sentence}");
            }
            match report.names.len() {
                0 => {}
                count => eprintln!(
                    "ftp-guard: {} left out: the format has prefixes only (--format list keeps names)",
                    counted(count as u64, "name of a host is", "names of hosts are")
                ),
            }
            Ok(0)
        }
        Err(error) => finish(Err(error)).map(|()| 0),
    }
}

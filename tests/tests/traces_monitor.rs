//! What the monitor understands of captures of real FTP, field by field, as others have: Zeek in its `ftp.log`,
//! `ssl.log` and `ftp_reply` events, Suricata in the filters of its tests, and the manifest's counts of commands.
//!
//! `FTP_GUARD_TRACES` names a folder of `.pcap` files, and may have a manifest that names reference results
//! beside them; without it the suite takes its own captures, which have none.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard::engine::monitor::{record::TransferRecord, told::Side};
use ftp_guard_tests::{
    monitored::{Entry, Exchange, Filter, Packets, Programs, Readings, Replayed, replay},
    program::Guard,
    report,
    trace::{Capture, Contents},
};

/// Where others say something else, and why: nothing else may differ.
const DIFFERENCES: [(&str, &str); 8] = [
    (
        "zeek user: unknown",
        "Zeek writes <unknown> or nothing where no name was given",
    ),
    (
        "zeek user: cut",
        "the log is of a test that limits the length of names",
    ),
    (
        "zeek arg: cut",
        "the log is of a test that limits the length of arguments",
    ),
    (
        "zeek arg: folder",
        "Zeek names the current folder where no file was given",
    ),
    ("zeek arg: hidden", "the argument of PASS is not kept"),
    (
        "zeek code: repeated",
        "Zeek repeats the last code that it has read where a command has no reply, or one that \
      it does not take for one",
    ),
    (
        "zeek code: late",
        "Zeek writes the entry of a refused transfer with the next reply that is no refusal, at \
      the latest that to QUIT",
    ),
    (
        "suricata: elsewhere",
        "alerts, anomalies and events of files are not what the monitor is for; ports that \
      PASV and EPSV name are compared by trace_readers",
    ),
];

#[derive(Default)]
struct Totals {
    sessions: usize,
    commands: usize,
    transfers: usize,
    compared: BTreeMap<&'static str, usize>,
    different: BTreeMap<&'static str, usize>,
}

impl Totals {
    fn equal(&mut self, field: &'static str) {
        *self.compared.entry(field).or_default() += 1;
    }

    fn differs(&mut self, kind: &'static str) {
        assert!(
            DIFFERENCES.iter().any(|(known, _)| *known == kind),
            "{kind}"
        );
        *self.different.entry(kind).or_default() += 1;
    }
}

#[test]
fn captured_sessions_are_understood_as_others_understand_them() {
    compare_all("by their packets", &[], |frames| {
        replay(frames, Packets::new(frames))
    });
}

#[test]
fn captured_sessions_are_understood_behind_the_programs() {
    let mut guard = Guard::load().unwrap();
    compare_all("by what the programs tell", &CLIENT_FIRST, |frames| {
        replay(frames, Programs::new(&mut guard, frames).unwrap())
    });
}

/// Captures in which the client speaks before the server has greeted it, or whose beginning is missing. The
/// programs tell nothing of such a line: nobody can say that it begins there, and it might be a password.
const CLIENT_FIRST: [&str; 5] = [
    "pcapplusplus-Ftp.pcap",
    "zeek-ftp-auth-tls.pcap",
    "zeek-ftp-invalid-reply-code.pcap",
    "zeek-ftp-missing-reply-code.pcap",
    "zeek-ftp-missing-space-after-reply-code.pcap",
];

/// Compares all captures, but for those of `others`, which must differ.
fn compare_all(how: &str, others: &[&str], mut with: impl FnMut(&[Vec<u8>]) -> Replayed) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let folder = env::var_os("FTP_GUARD_TRACES").map_or(own, PathBuf::from);
    let mut totals = Totals::default();
    let mut failed = Vec::new();
    for capture in Capture::read_folder(&folder).unwrap() {
        let Contents::Frames { frames, .. } = &capture.contents else {
            continue;
        };
        let replayed = with(frames);
        totals.sessions += replayed.records.len();
        totals.commands += replayed.exchanges.len();
        totals.transfers += transfers(&replayed).count();
        let readings = Readings::beside(&folder.join(&capture.name)).unwrap();
        let Some(readings) = readings else {
            continue;
        };
        let compared = compare(&replayed, &readings, &mut totals);
        match (compared, others.contains(&capture.name.as_str())) {
            (Ok(()), false) | (Err(_), true) => {}
            (Err(error), false) => failed.push(format!("{}: {error:#}", capture.name)),
            (Ok(()), true) => failed.push(format!("{}: does not differ", capture.name)),
        }
    }
    let Totals {
        sessions,
        commands,
        transfers,
        compared,
        different,
    } = totals;
    report!(
        "traces_monitor, {how}: {sessions} sessions, {commands} commands, {transfers} transfers"
    );
    for (field, count) in compared {
        report!("traces_monitor, {how}: {field}: {count} are the same");
    }
    for (kind, count) in different {
        let why = DIFFERENCES
            .iter()
            .find(|(known, _)| *known == kind)
            .map_or("", |(_, why)| why);
        report!("traces_monitor, {how}: {kind}: {count} differ: {why}");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(
        sessions > 0 && commands > 0,
        "no session: nothing was tested"
    );
}

fn transfers(replayed: &Replayed) -> impl Iterator<Item = &TransferRecord> {
    replayed.records.iter().flat_map(|record| &record.transfers)
}

fn verb(exchange: &Exchange) -> &str {
    exchange
        .command
        .as_ref()
        .map_or("<init>", |command| command.verb.as_str())
}

fn argument(exchange: &Exchange) -> &str {
    exchange
        .command
        .as_ref()
        .map_or("", |command| &command.argument)
}

fn compare(replayed: &Replayed, readings: &Readings, totals: &mut Totals) -> Result<()> {
    for log in &readings.ftp {
        ftp_log(replayed, log, totals)?;
    }
    for entry in &readings.ssl {
        ssl_log(replayed, entry, totals)?;
    }
    if !readings.replies.is_empty() {
        let finals: Vec<_> = replayed
            .exchanges
            .iter()
            .flat_map(|one| one.codes.iter().copied())
            .collect();
        // Zeek's events have the code 0 for lines within a reply.
        let mut wanted: Vec<_> = readings
            .replies
            .iter()
            .copied()
            .filter(|code| *code > 0)
            .collect();
        let mut found = finals.clone();
        wanted.sort_unstable();
        found.sort_unstable();
        ensure!(
            found == wanted,
            "the codes are {finals:?}, in the log {:?}",
            readings.replies
        );
        totals.equal("zeek replies");
    }
    for filter in &readings.filters {
        suricata(replayed, filter, totals)?;
    }
    manifest(replayed, &readings.manifest, totals)
}

fn ftp_log(replayed: &Replayed, log: &[Entry], totals: &mut Totals) -> Result<()> {
    let mut taken = BTreeSet::new();
    for entry in log {
        let value = |name: &str| entry.get(name).map(String::as_str);
        let command = value("command").context("no command")?;
        let port = |name| value(name).and_then(|port| port.parse::<u16>().ok());
        let address = |name| value(name).and_then(|address| address.parse().ok());
        let found = replayed.exchanges.iter().enumerate().find(|(number, one)| {
            !taken.contains(number)
                && verb(one) == command
                && Some(one.client.ip()) == address("id.orig_h")
                && Some(one.client.port()) == port("id.orig_p")
                && Some(one.server.ip()) == address("id.resp_h")
                && Some(one.server.port()) == port("id.resp_p")
        });
        let (number, exchange) = found.with_context(|| format!("there is no {entry:?}"))?;
        taken.insert(number);
        totals.equal("zeek command, client, server");
        user(exchange, value("user"), totals).with_context(|| format!("{entry:?}"))?;
        arg(exchange, value("arg").unwrap_or_default(), totals)
            .with_context(|| format!("{entry:?}"))?;
        if let Some(wanted) = port("reply_code") {
            code(replayed, number, wanted, totals).with_context(|| format!("{entry:?}"))?;
        }
        if let Some(wanted) = value("file_size").and_then(|size| size.parse::<u64>().ok()) {
            size(replayed, exchange, wanted, totals).with_context(|| format!("{entry:?}"))?;
        }
        if let Some(wanted) = port("data_channel.resp_p") {
            data_port(
                replayed,
                exchange,
                wanted,
                value("data_channel.passive") == Some("T"),
                totals,
            );
        }
    }
    Ok(())
}

fn user(exchange: &Exchange, wanted: Option<&str>, totals: &mut Totals) -> Result<()> {
    let found = exchange.user.as_deref();
    match (found, wanted) {
        (found, wanted) if found == wanted => totals.equal("zeek user"),
        (None, Some("<unknown>") | None) => totals.differs("zeek user: unknown"),
        (Some(found), Some(wanted)) if found.starts_with(wanted) => {
            totals.differs("zeek user: cut");
        }
        _ => bail!("the user is {found:?}"),
    }
    Ok(())
}

fn arg(exchange: &Exchange, wanted: &str, totals: &mut Totals) -> Result<()> {
    let found = argument(exchange);
    // Of files Zeek writes a URL.
    let path = wanted
        .strip_prefix("ftp://")
        .and_then(|url| url.split_once('/'))
        .map(|(_, path)| path);
    let plain = |path: &str| {
        path.trim_start_matches("./")
            .trim_start_matches('/')
            .to_owned()
    };
    let is_same = match path {
        Some(path) => plain(path) == plain(found) || path.ends_with(&format!("/{}", plain(found))),
        None => wanted == found,
    };
    if is_same {
        totals.equal("zeek arg");
    } else if found.is_empty() && path == Some(".") {
        totals.differs("zeek arg: folder");
    } else if found.starts_with(wanted) || (wanted.starts_with("ftp://") && path.is_none()) {
        totals.differs("zeek arg: cut");
    } else if verb(exchange) == "PASS" && found.is_empty() {
        totals.differs("zeek arg: hidden");
    } else {
        bail!("the argument is {found:?}");
    }
    Ok(())
}

fn code(replayed: &Replayed, number: usize, wanted: u16, totals: &mut Totals) -> Result<()> {
    let exchange = &replayed.exchanges[number];
    let own = |one: &&Exchange| one.client == exchange.client && one.server == exchange.server;
    let found = exchange.codes.last().copied();
    let before = replayed.exchanges[..number].iter().filter(own);
    let behind = replayed.exchanges[number..].iter().filter(own);
    if found == Some(wanted) {
        totals.equal("zeek reply_code");
    } else if found.is_none()
        && before.filter_map(|one| one.codes.last()).next_back() == Some(&wanted)
    {
        totals.differs("zeek code: repeated");
    } else if found.is_none_or(|code| code >= 400)
        && behind
            .filter_map(|one| one.codes.last())
            .any(|code| *code == wanted && wanted < 400)
    {
        totals.differs("zeek code: late");
    } else {
        bail!("the codes are {:?}", exchange.codes);
    }
    Ok(())
}

fn size(replayed: &Replayed, exchange: &Exchange, wanted: u64, totals: &mut Totals) -> Result<()> {
    let sizes = replayed
        .records
        .iter()
        .filter(|record| record.client == exchange.client)
        .flat_map(|record| &record.transfers)
        .filter(|transfer| transfer.command.as_deref() == Some(verb(exchange)))
        .map(|transfer| transfer.bytes);
    let found: Vec<_> = sizes.collect();
    ensure!(found.contains(&Some(wanted)), "the sizes are {found:?}");
    totals.equal("zeek file_size");
    Ok(())
}

/// Ports that were named and connected to belong to a transfer in the same mode.
fn data_port(
    replayed: &Replayed,
    exchange: &Exchange,
    wanted: u16,
    is_passive: bool,
    totals: &mut Totals,
) {
    let mode = if is_passive { "passive" } else { "active" };
    let mut transfers = replayed
        .records
        .iter()
        .filter(|record| record.client == exchange.client)
        .flat_map(|record| &record.transfers);
    let is_there = transfers.any(|transfer| {
        let end = if is_passive {
            transfer.data_server
        } else {
            transfer.data_client
        };
        transfer.mode.as_deref() == Some(mode) && end.is_some_and(|end| end.port() == wanted)
    });
    if is_there {
        totals.equal("zeek data_channel, where there was a connection");
    }
}

fn ssl_log(replayed: &Replayed, entry: &Entry, totals: &mut Totals) -> Result<()> {
    let port = entry.get("id.orig_p").and_then(|port| port.parse().ok());
    let record = replayed
        .records
        .iter()
        .find(|record| Some(record.client.port()) == port);
    let tls = &record.context("no such session")?.tls;
    let version = entry.get("version").map(|version| match version.as_str() {
        "TLSv13" => "1.3",
        "TLSv12" => "1.2",
        "TLSv11" => "1.1",
        "TLSv10" => "1.0",
        "SSLv3" => "ssl3",
        other => other,
    });
    ensure!(
        tls.version.as_deref() == version,
        "{tls:?} is not {version:?}"
    );
    totals.equal("zeek ssl version");
    let name = entry.get("server_name").map(String::as_str);
    ensure!(
        tls.server_name.as_deref() == name,
        "{tls:?} is not {name:?}"
    );
    totals.equal("zeek ssl server_name");
    Ok(())
}

fn suricata(replayed: &Replayed, filter: &Filter, totals: &mut Totals) -> Result<()> {
    let field = |name: &str| filter.fields.get(name).map(String::as_str);
    let is_truncated = |name| field(name) == Some("true");
    let found = match field("event_type") {
        Some("ftp") if is_truncated("ftp.command_truncated") => overlong(replayed, Side::Client),
        Some("ftp") if is_truncated("ftp.reply_truncated") => overlong(replayed, Side::Server),
        Some("ftp") => {
            let names_passive = matches!(field("ftp.command"), Some("PASV" | "EPSV"));
            if names_passive && filter.fields.contains_key("ftp.dynamic_port") {
                totals.differs("suricata: elsewhere");
                return Ok(());
            }
            let matches = |one: &&Exchange| exchange_matches(one, &field);
            replayed.exchanges.iter().filter(matches).count()
        }
        Some("ftp_data") => {
            let matches = |one: &&TransferRecord| {
                let is_listing = filter.fields.contains_key("not-has-key");
                field("ftp_data.command").is_none_or(|verb| one.command.as_deref() == Some(verb))
                    && field("ftp_data.filename")
                        .is_none_or(|name| one.path.as_deref() == Some(name))
                    && (!is_listing || one.path.is_none())
            };
            transfers(replayed).filter(matches).count()
        }
        _ => {
            totals.differs("suricata: elsewhere");
            return Ok(());
        }
    };
    ensure!(found == filter.count, "{found} match {filter:?}");
    totals.equal("suricata filters");
    Ok(())
}

fn overlong(replayed: &Replayed, side: Side) -> usize {
    replayed
        .overlong
        .iter()
        .filter(|found| **found == side)
        .count()
}

fn exchange_matches<'a>(exchange: &Exchange, field: &impl Fn(&str) -> Option<&'a str>) -> bool {
    field("ftp.command").is_none_or(|wanted| verb(exchange) == wanted)
        && field("ftp.command_data").is_none_or(|wanted| argument(exchange) == wanted)
        && field("src_port").is_none_or(|wanted| exchange.client.port().to_string() == wanted)
        && field("src_ip").is_none_or(|wanted| exchange.client.ip().to_string() == wanted)
        && field("dest_ip").is_none_or(|wanted| exchange.server.ip().to_string() == wanted)
        && (field("ftp.reply_received") != Some("yes") || !exchange.codes.is_empty())
        && field("ftp.dynamic_port").is_none_or(|wanted| {
            let numbers: Vec<u16> = argument(exchange)
                .split(',')
                .filter_map(|number| number.parse().ok())
                .collect();
            matches!(numbers[..], [.., high, low] if (high * 256 + low).to_string() == wanted)
        })
}

fn manifest(
    replayed: &Replayed,
    words: &BTreeMap<String, String>,
    totals: &mut Totals,
) -> Result<()> {
    for wanted in ["USER", "PASV", "EPSV", "PORT", "EPRT", "LPRT", "AUTH"] {
        let Some(count) = words
            .get(wanted)
            .and_then(|count| count.parse::<usize>().ok())
        else {
            continue;
        };
        let found = replayed
            .exchanges
            .iter()
            .filter(|one| verb(one) == wanted)
            .count();
        ensure!(found == count, "{found} {wanted}, not {count}");
        totals.equal("manifest commands");
    }
    if let Some(count) = words
        .get("530")
        .and_then(|count| count.parse::<usize>().ok())
    {
        let codes = replayed.exchanges.iter().flat_map(|one| &one.codes);
        let found = codes.filter(|code| **code == 530).count();
        ensure!(found == count, "{found} times 530, not {count}");
        totals.equal("manifest 530");
    }
    for name in words
        .get("users")
        .map_or("", String::as_str)
        .split('|')
        .filter(|name| !name.is_empty())
    {
        let is_there = replayed
            .records
            .iter()
            .any(|record| record.user.as_deref() == Some(name));
        ensure!(is_there, "nobody is {name}");
        totals.equal("manifest users");
    }
    Ok(())
}

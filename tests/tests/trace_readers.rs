//! The readers of the control connection on captures of real FTP: both readers agree, clients
//! connected to ports that were named, and what other programs have read in the same captures was
//! read.
//!
//! `FTP_GUARD_TRACES` names a folder of `.pcap` files, and may have a manifest that names reference
//! results beside them; without it the suite takes its own captures, which have none.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_common::ftp::{command::CommandParser, reply::ReplyParser};
use ftp_guard_tests::{
    replies::{Asked, Said, client, server, stream},
    report,
    trace::{Capture, Contents, Conversation, Data, Negotiation, Reference, Roles, Side},
};

/// What was read, and what it was compared with.
#[derive(Default)]
struct Totals {
    sessions: usize,
    negotiations: usize,
    connections: usize,
    logs: usize,
    logged: usize,
    ports: usize,
    commands: usize,
}

/// What the guard's readers find on a connection.
#[derive(Default)]
struct Found {
    negotiations: Vec<Negotiation>,
    /// Commands that matter, by what they are.
    commands: BTreeMap<&'static str, usize>,
}

#[test]
fn captured_sessions_are_read_as_others_read_them() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let folder = env::var_os("FTP_GUARD_TRACES").map_or(own, PathBuf::from);
    let mut totals = Totals::default();
    for capture in Capture::read_folder(&folder).unwrap() {
        let Contents::Frames { frames, .. } = &capture.contents else {
            continue;
        };
        let reference = Reference::beside(&folder.join(&capture.name)).unwrap();
        compare(frames, reference.as_ref(), &mut totals)
            .with_context(|| capture.name.clone())
            .unwrap();
    }
    let Totals {
        sessions,
        negotiations,
        connections,
        logs,
        logged,
        ports,
        commands,
    } = totals;
    report!(
        "trace_readers: {sessions} sessions, {negotiations} ports and destinations named; \
         {connections} passive ports connected to; compared with {logs} logs ({logged} entries), \
         {ports} single ports and {commands} counts of commands"
    );
    assert!(
        sessions > 0 && negotiations > 0,
        "no session: nothing was tested"
    );
}

fn compare(frames: &[Vec<u8>], reference: Option<&Reference>, totals: &mut Totals) -> Result<()> {
    let mut all = Found::default();
    for conversation in Conversation::find(frames) {
        totals.sessions += 1;
        let found = read(&conversation)?;
        all.negotiations.extend(found.negotiations);
        for (kind, count) in found.commands {
            *all.commands.entry(kind).or_default() += count;
        }
    }
    totals.negotiations += all.negotiations.len();

    let named: BTreeSet<_> = all
        .negotiations
        .iter()
        .filter_map(|negotiation| match negotiation.data {
            Data::Passive(port) => Some(port),
            Data::Active(_) => None,
        })
        .collect();
    if !all.commands.contains_key(TLS) {
        for port in Roles::find(frames).passive_ports() {
            ensure!(
                named.contains(port),
                "a client connected to port {port}, which was not named"
            );
            totals.connections += 1;
        }
    }
    let Some(reference) = reference else {
        return Ok(());
    };
    for log in &reference.logs {
        ensure!(
            sorted(log) == sorted(&all.negotiations),
            "the log has {log:#?}, found was {:#?}",
            all.negotiations
        );
        totals.logs += 1;
        totals.logged += log.len();
    }
    for port in &reference.ports {
        let is_named = all
            .negotiations
            .iter()
            .any(|negotiation| match negotiation.data {
                Data::Passive(found) => found == *port,
                Data::Active(found) => found.port() == *port,
            });
        ensure!(is_named, "port {port} was not found");
        totals.ports += 1;
    }
    if reference.commands.is_empty() {
        return Ok(());
    }
    for (kind, verbs) in [
        (PASSIVE, &["PASV", "EPSV"][..]),
        (ACTIVE, &["PORT", "EPRT", "LPRT"]),
        (TLS, &["AUTH"]),
    ] {
        let count = |verb: &&str| reference.commands.get(*verb).copied().unwrap_or(0);
        let expected: usize = verbs.iter().map(count).sum();
        let found = all.commands.get(kind).copied().unwrap_or(0);
        ensure!(found == expected, "{found} {kind}, not {expected}");
        totals.commands += 1;
    }
    Ok(())
}

const PASSIVE: &str = "questions for a passive port";
const ACTIVE: &str = "destinations";
const TLS: &str = "questions for TLS";

/// Zeek writes an entry when the reply has come, so that pipelined ones may change places.
fn sorted(negotiations: &[Negotiation]) -> Vec<Negotiation> {
    let mut sorted = negotiations.to_vec();
    sorted.sort();
    sorted
}

/// Feeds both readers piece by piece, up to the point where TLS begins.
fn read(conversation: &Conversation) -> Result<Found> {
    let &Conversation { client, server, .. } = conversation;
    let (mut replies, mut commands) = (ReplyParser::default(), CommandParser::default());
    let mut found = Found::default();
    let mut said = Vec::new();
    let mut asked = Vec::new();
    let mut lengths = [0, 0];
    let mut is_encrypted = false;
    for (side, text) in &conversation.pieces {
        match side {
            Side::Server => {
                for (place, event) in stream::said_from(&mut replies, text) {
                    is_encrypted |= event == Said::End(234) && found.commands.contains_key(TLS);
                    if let Said::Passive(port) = event {
                        found.negotiations.push(Negotiation {
                            client,
                            server,
                            data: Data::Passive(port),
                        });
                    }
                    said.push((lengths[0] + place, event));
                }
                lengths[0] += text.len();
            }
            Side::Client => {
                for (place, event) in stream::asked_from(&mut commands, text) {
                    let kind = match event {
                        Asked::Other => None,
                        Asked::Auth => Some(TLS),
                        Asked::Passive => Some(PASSIVE),
                        Asked::Active(_) => Some(ACTIVE),
                    };
                    if let Some(kind) = kind {
                        *found.commands.entry(kind).or_default() += 1;
                    }
                    if let Asked::Active(Some(destination)) = event {
                        found.negotiations.push(Negotiation {
                            client,
                            server,
                            data: Data::Active(destination),
                        });
                    }
                    asked.push((lengths[1] + place, event));
                }
                lengths[1] += text.len();
            }
        }
        if is_encrypted {
            break;
        }
    }
    let plain = server::said(&conversation.text(Side::Server)[..lengths[0]]);
    ensure!(said == plain, "{client}: {said:?} is not {plain:?}");
    let plain = client::asked(&conversation.text(Side::Client)[..lengths[1]]);
    ensure!(asked == plain, "{client}: {asked:?} is not {plain:?}");
    Ok(found)
}

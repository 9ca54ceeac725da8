//! Bans: single frames by prefix and expiry, and what becomes of connections that live.

use std::net::IpAddr;

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    allow::EntryKind,
    ban::BanKind::{self, Ban, Never},
    class::PortClass,
    reason::Reason,
    session::FlowKind,
};
use ftp_guard_tests::{
    conversation::{Conversation, DATA},
    policy::Policy,
    program::now_s,
};

use crate::{
    cases::{self, Case},
    passive::{DATA_PORT, FLOW},
    row::{Row, Table, Wanted, drop},
    scene::{ANYWHERE, Scene, Story},
    sources::{ANSWER, CONTROL, LISTED, SESSION, SOURCE_RATE, connections},
};

const BANNED: Wanted = drop(Reason::Banned, CONTROL);
const NOT_LISTED: Wanted = drop(Reason::NotListed, CONTROL);

fn ban(policy: &mut Policy, prefix: &str, kind: BanKind, expires_s: u32) {
    policy.ban(prefix.parse().unwrap(), kind, expires_s);
}

fn past() -> u32 {
    now_s() as u32 - 60
}

fn future() -> u32 {
    now_s() as u32 + 86_400
}

pub(crate) fn tables() -> Vec<Table> {
    let mut tables = vec![everybody(false), everybody(true)];
    tables.extend(lookups());
    tables
}

/// Every packet that the allowlist would judge, from sources that are all banned; and with the same bans,
/// which the configuration does not speak of.
fn everybody(is_spared: bool) -> Table {
    let mut policy = cases::policy();
    for prefix in [
        "198.51.100.0/24",
        "203.0.113.7/32",
        "2001:db8:1::/48",
        "2001:db8:2::7/128",
    ] {
        ban(&mut policy, prefix, Ban, 0);
    }
    policy.counts_bans = !is_spared;
    let mut cases = cases::cases();
    cases.retain(|case| case.unlisted.reason == Reason::NotListed);
    let cases = cases.into_iter().map(|case| {
        if is_spared {
            return case;
        }
        let banned = drop(Reason::Banned, case.unlisted.class);
        Case {
            unlisted: banned,
            listed: banned,
            ..case
        }
    });
    let rows = cases::rows(cases).into_iter();
    Table {
        policy,
        // The same packets are in the table of cases in all their tags.
        rows: rows
            .filter(|row| {
                ["untagged", "one VLAN tag"]
                    .iter()
                    .any(|tags| row.name.contains(tags))
            })
            .collect(),
    }
}

/// Which entry decides about 198.51.100.7 and 2001:db8:1::7.
fn lookups() -> Vec<Table> {
    let (past, future) = (past(), future());
    /// Prefix lengths of IPv4 and IPv6.
    type Entry = (u8, u8, BanKind, u32);
    let tables: [(&str, &[Entry], Wanted); 15] = [
        ("banned by its address", &[(32, 128, Ban, 0)], BANNED),
        ("banned until later", &[(32, 128, Ban, future)], BANNED),
        ("banned by its network", &[(24, 64, Ban, 0)], BANNED),
        ("banned with everybody", &[(0, 0, Ban, 0)], BANNED),
        ("whose ban has expired", &[(32, 128, Ban, past)], LISTED),
        ("banned until 1970", &[(32, 128, Ban, 1)], LISTED),
        (
            "whose ban has expired inside another one",
            &[(32, 128, Ban, past), (24, 64, Ban, 0)],
            BANNED,
        ),
        (
            "whose bans have expired inside another one",
            &[
                (32, 128, Ban, past),
                (31, 127, Ban, past),
                (30, 96, Ban, past),
                (0, 0, Ban, 0),
            ],
            BANNED,
        ),
        (
            "never banned inside a ban",
            &[(32, 128, Never, 0), (24, 64, Ban, 0)],
            LISTED,
        ),
        (
            "of a network never banned inside a ban",
            &[(28, 96, Never, 0), (0, 0, Ban, 0)],
            LISTED,
        ),
        (
            "of a network never banned, and banned itself",
            &[(32, 128, Ban, 0), (24, 64, Never, 0)],
            BANNED,
        ),
        (
            "of a network never banned, whose own ban has expired",
            &[(32, 128, Ban, past), (24, 64, Never, 0), (16, 48, Ban, 0)],
            LISTED,
        ),
        (
            "no longer never banned inside a ban",
            &[(32, 128, Never, past), (24, 64, Ban, future)],
            BANNED,
        ),
        ("never banned", &[(32, 128, Never, 0)], LISTED),
        ("of no ban", &[], LISTED),
    ];
    let made = tables.into_iter().map(|(what, entries, wanted)| {
        let mut policy = cases::policy();
        for (v4, v6, kind, expires_s) in entries {
            ban(
                &mut policy,
                &format!("198.51.100.7/{v4}"),
                *kind,
                *expires_s,
            );
            ban(
                &mut policy,
                &format!("2001:db8:1::7/{v6}"),
                *kind,
                *expires_s,
            );
        }
        let mut rows = Vec::new();
        for source in ["198.51.100.7", "2001:db8:1::7"] {
            let source = source.parse().unwrap();
            crate::allowlist::rows(&mut rows, what, source, wanted);
        }
        // Nobody is listed for not being banned.
        let covers_all = entries.iter().any(|entry| entry.0 == 0);
        if !covers_all {
            for source in ["203.0.113.7", "2001:db8:2::7"] {
                let source = source.parse().unwrap();
                crate::allowlist::rows(&mut rows, what, source, NOT_LISTED);
            }
        }
        Table { policy, rows }
    });
    let mut tables: Vec<Table> = made.collect();
    tables.extend(beside());
    tables.push(one_family());
    tables
}

/// Bans of several lengths: their first and last addresses are banned, their neighbours are not.
fn beside() -> Vec<Table> {
    let mut tables = Vec::new();
    for (prefix, inside, outside) in [
        (
            "198.51.100.7/32",
            &["198.51.100.7"][..],
            &["198.51.100.6", "198.51.100.8"][..],
        ),
        (
            "198.51.100.128/25",
            &["198.51.100.128", "198.51.100.255"],
            &["198.51.100.127"],
        ),
        (
            "2001:db8:1::7/128",
            &["2001:db8:1::7"],
            &["2001:db8:1::6", "2001:db8:1::8"],
        ),
        (
            "2001:db8:1::4/126",
            &["2001:db8:1::4", "2001:db8:1::7"],
            &["2001:db8:1::3", "2001:db8:1::8"],
        ),
        (
            "2001:db8:1:0:8000::/65",
            &["2001:db8:1:0:8000::", "2001:db8:1:0:ffff:ffff:ffff:ffff"],
            &["2001:db8:1:0:7fff:ffff:ffff:ffff"],
        ),
    ] {
        let mut policy = cases::policy();
        ban(&mut policy, prefix, Ban, 0);
        let mut rows: Vec<Row> = Vec::new();
        for (sources, wanted) in [(inside, BANNED), (outside, LISTED)] {
            for source in sources {
                let source = source.parse().unwrap();
                crate::allowlist::rows(&mut rows, &format!("at {prefix}"), source, wanted);
            }
        }
        tables.push(Table { policy, rows });
    }
    tables
}

/// Bans of one family say nothing of the other one, also where their bytes are the same.
fn one_family() -> Table {
    let mut policy = cases::policy().allowing("::/96");
    ban(&mut policy, "::198.51.100.7/128", Ban, 0);
    ban(&mut policy, "0.0.0.0/32", Ban, 0);
    let mut rows = Vec::new();
    for (source, wanted) in [
        ("198.51.100.7", LISTED),
        ("::198.51.100.7", BANNED),
        ("2001:db8:1::7", LISTED),
    ] {
        let source: IpAddr = source.parse().unwrap();
        crate::allowlist::rows(
            &mut rows,
            "beside a ban of the other family",
            source,
            wanted,
        );
    }
    Table { policy, rows }
}

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("a ban ends a session", ANYWHERE, session),
        ("a ban ends a data connection", ANYWHERE, data),
        (
            "a ban ends a connection before its greeting",
            ANYWHERE,
            opening,
        ),
        (
            "a banned client gets no session where that counts",
            ANYWHERE,
            greeting,
        ),
        ("a ban comes before all limits", ANYWHERE, limits),
    ])
}

fn ban_now(scene: &mut Scene<'_>, client: IpAddr, expires_s: u32, raises: bool) {
    scene.policy.ban(client.into(), Ban, expires_s);
    if raises {
        scene.guard.allow_generation += 1;
    }
    scene.install();
}

fn noop(control: &Conversation) -> Vec<u8> {
    control.client_at(control.client_next, DATA, b"NOOP\r\n")
}

fn session(scene: &mut Scene<'_>) {
    let control = scene.login();
    let other = scene.login_of(scene.listed(8));
    let client = scene.listed(7);
    ban_now(scene, client, 0, false);
    scene.twice("before the generation is raised", &noop(&control), SESSION);
    ban_now(scene, client, 0, true);
    scene.twice("a command of the banned client", &noop(&control), BANNED);
    scene.twice("a command of another one", &noop(&other), SESSION);
    let syn = scene
        .connection(client, 41_000, 21)
        .client_at(1, TcpFlags::SYN, b"");
    scene.twice("a SYN of the banned client", &syn, BANNED);
    let far = scene
        .connection(client, 41_000, 22)
        .client_at(1, TcpFlags::SYN, b"");
    scene.twice("to port 22", &far, cases::not_ftp());
    ban_now(scene, client, future(), true);
    scene.twice("banned until later", &noop(&control), BANNED);
    // As if that had come.
    ban_now(scene, client, past(), false);
    scene.twice("the ban has expired", &noop(&control), SESSION);
    // A wider ban, and an entry that protects.
    scene.policy.bans.clear();
    ban_all(scene, Ban);
    scene.twice("banned with everybody", &noop(&control), BANNED);
    scene.policy.ban(client.into(), Never, 0);
    ban_all(scene, Ban);
    scene.twice("protected", &noop(&control), SESSION);
    scene.twice("the other one", &noop(&other), BANNED);
    scene.policy.counts_bans = false;
    ban_all(scene, Ban);
    scene.twice("no bans are counted", &noop(&other), SESSION);
}

fn ban_all(scene: &mut Scene<'_>, kind: BanKind) {
    for prefix in ["198.51.100.0/24", "2001:db8:1::/64"] {
        scene.policy.ban(prefix.parse().unwrap(), kind, 0);
    }
    scene.guard.allow_generation += 1;
    scene.install();
}

fn data(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let data = scene.data(40_001, 50_005);
    let active = scene.data(35_000, 20);
    scene.set_flow(&data, FlowKind::Passive);
    scene.set_flow(&active, FlowKind::Active);
    let passive_banned = drop(Reason::Banned, DATA_PORT);
    let active_banned = drop(Reason::Banned, PortClass::ActiveData);
    scene.negotiate(&mut control, 50_006);
    let client = scene.listed(7);
    let ack = data.client_at(1, TcpFlags::ACK, b"");
    ban_now(scene, client, 0, false);
    scene.twice("before the generation is raised", &ack, FLOW);
    ban_now(scene, client, 0, true);
    scene.twice("a passive connection", &ack, passive_banned);
    let ack = active.client_at(1, TcpFlags::ACK, b"");
    scene.twice("an active connection", &ack, active_banned);
    let syn = scene.data(40_002, 50_006).client_at(1, TcpFlags::SYN, b"");
    scene.twice("a SYN to its pinhole", &syn, passive_banned);
    let syn = scene.data(40_002, 20).client_at(1, TcpFlags::SYN, b"");
    scene.twice("a SYN to an active port", &syn, active_banned);
    // An outgoing connection of this host is none of FTP.
    let outgoing = scene.data(443, 50_007);
    scene.set_flow(&outgoing, FlowKind::Outgoing);
    let ack = outgoing.client_at(1, TcpFlags::ACK, b"");
    let wanted = crate::row::pass(Reason::Outgoing, DATA_PORT);
    scene.twice("a connection of this host's own", &ack, wanted);
}

fn opening(scene: &mut Scene<'_>) {
    let client = scene.listed(7);
    let mut control = scene.connection(client, 40_000, 21);
    scene.prove(&mut control, LISTED);
    scene.twice("a command", &noop(&control), LISTED);
    // Nothing has to be raised: each segment is looked up.
    ban_now(scene, client, 0, false);
    scene.twice("a command of the banned client", &noop(&control), BANNED);
}

fn greeting(scene: &mut Scene<'_>) {
    let client = scene.listed(7);
    let mut control = scene.connection(client, 40_000, 21);
    scene.handshake(&mut control);
    ban_now(scene, client, 0, true);
    let greeting = control.server(DATA, b"220 ready\r\n");
    let followed = !scene.enforces();
    scene.egress(
        "a greeting",
        &greeting,
        if followed { SESSION } else { ANSWER },
    );
    let witnessed = scene.session(&control).map(|s| s.traffic.witnessed);
    assert_eq!(witnessed, followed.then_some(Reason::Banned as u8));
    // In enforce mode the connection waits for a greeting until its socket is gone.
    let waiting = u32::from(!followed);
    assert_eq!(scene.counts(client), Some((0, waiting, 0)));
}

fn limits(scene: &mut Scene<'_>) {
    scene.profile(connections(1));
    let source = scene.source(1, 1);
    scene.syns(source, 1, LISTED);
    scene.syns(source, 1, SOURCE_RATE);
    let before = scene.guard.state().buckets().unwrap();
    ban_now(scene, source, 0, true);
    scene.syns(source, 3, BANNED);
    assert_eq!(scene.guard.state().buckets().unwrap(), before);
    // A ban comes before an exclusion and the absence from the list.
    scene.policy.entry(source.into(), EntryKind::Exclude, 0);
    scene.install();
    scene.syns(source, 1, BANNED);
    scene.policy.bans.clear();
    scene.install();
    scene.syns(source, 1, drop(Reason::Excluded, CONTROL));
}

//! What `status` tells of who would have been kept out.

use ftp_guard_common::{
    address::FlowKey,
    reason::Reason,
    session::{Session, Traffic},
};
use jiff::Timestamp;

use super::{
    fake::Fake,
    suggest::{SERVER, monitor, record},
};
use crate::{
    control::{protocol::ModeName, server::Members, would_drop_view::WouldDropView},
    daemon::guard::Guard,
    engine::{
        events::{EventKind, Packet},
        monitor::record::LoginState,
    },
};

fn packet(client: &str, reason: &str) -> EventKind {
    EventKind::Drop(Packet {
        verdict: "would_drop".to_owned(),
        reason: reason.to_owned(),
        hook: "xdp".to_owned(),
        class: "control".to_owned(),
        family: "ipv4".to_owned(),
        source: Some(client.parse().unwrap()),
        source_port: Some(40_000),
        destination: None,
        destination_port: Some(21),
        flags: None,
        bytes: 60,
        suppressed: 0,
    })
}

fn shown(guard: &Guard<Fake>) -> WouldDropView {
    guard.status().unwrap().would_drop.unwrap()
}

#[test]
fn status_names_who_would_have_been_dropped_in_monitor_mode_only() {
    let (_files, mut guard) = monitor();
    assert_eq!(shown(&guard).clients, []);
    let witness = guard.witness().clone();
    let now = Timestamp::now();
    for _ in 0..3 {
        witness.event(&packet("203.0.113.9", "not_listed"), now);
    }
    witness.event(&packet("192.0.2.8", "excluded"), now);
    witness.event(&packet("192.0.2.7", "not_listed"), now);
    witness.session(&record("203.0.113.9", LoginState::Accepted));
    let view = shown(&guard);
    assert_eq!(view.since, guard.started);
    let clients: Vec<_> = view
        .clients
        .iter()
        .map(|client| {
            let name = format!("{} {}", client.client, client.reason);
            (name, client.packets, client.sessions, client.logins)
        })
        .collect();
    let expected = [
        ("203.0.113.9 not_listed".to_owned(), 3, 1, 1),
        ("192.0.2.8 excluded".to_owned(), 1, 0, 0),
    ];
    assert_eq!(clients, expected, "who is listed by now is not named");
    guard.mode(Some(ModeName::Enforce)).unwrap();
    let status = guard.status().unwrap();
    assert_eq!(status.would_drop, None);
    let json = serde_json::to_value(&status).unwrap();
    assert!(json.get("would_drop").is_none());
}

#[test]
fn sessions_that_live_are_counted_by_what_the_kernel_says() {
    let (_files, mut guard) = monitor();
    for (id, client, logged_in, witnessed) in [
        (1, "203.0.113.9:4000", 1, Reason::NotListed as u8),
        (2, "203.0.113.9:4001", 0, Reason::NotListed as u8),
        (3, "192.0.2.7:4000", 1, 0),
    ] {
        let key = FlowKey::new(client.parse().unwrap(), SERVER.parse().unwrap());
        let session = Session {
            id,
            logged_in,
            traffic: Traffic {
                witnessed,
                ..Traffic::default()
            },
            ..Session::default()
        };
        guard.kernel.sessions.insert(key, session);
    }
    let view = shown(&guard);
    assert_eq!(view.clients.len(), 1, "{view:?}");
    let client = &view.clients[0];
    assert_eq!((client.packets, client.sessions, client.logins), (0, 2, 1));
    let told = guard.session_list(None).unwrap();
    let Some(Members::Sessions(members)) = told.members else {
        panic!("no sessions");
    };
    let json = serde_json::to_value(&members).unwrap();
    assert_eq!(json[0]["would_drop"], "not_listed");
    assert!(json[2].get("would_drop").is_none());
}

#[test]
fn ten_clients_are_named_and_the_others_counted() {
    let (_files, guard) = monitor();
    let now = Timestamp::now();
    for host in 1..=14 {
        for _ in 0..host {
            let client = format!("203.0.113.{host}");
            guard.witness().event(&packet(&client, "not_listed"), now);
        }
    }
    let view = shown(&guard);
    assert_eq!((view.clients.len(), view.more, view.forgotten), (10, 4, 0));
    let packets: Vec<u64> = view.clients.iter().map(|client| client.packets).collect();
    assert_eq!(packets, [14, 13, 12, 11, 10, 9, 8, 7, 6, 5]);
}

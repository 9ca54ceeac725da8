//! Events of drops: what each says.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::FlowKey,
    ban::BanKind,
    class::{Family, PortClass},
    config::Mode,
    event::Event,
    limits::Rate,
    reason::{Reason, Verdict},
};
use ftp_guard_tests::{
    conversation::{Conversation, DATA},
    packet::{C_TAG, Macs, ethernet},
    policy::Policy,
    program::Guard,
    sys,
};

use crate::{
    cases::{self, Flow},
    sources::{HOUR, connections, rate, tagged},
    tcp,
};

/// Each event is reported.
pub(crate) const ALL: Rate = Rate {
    interval_ns: 1,
    burst_ns: HOUR,
};

pub(crate) fn guard(policy: &Policy) -> Guard {
    // Budgets are of a CPU.
    sys::stay_on_this_cpu().unwrap();
    let mut guard = Guard::with(policy).unwrap();
    guard.state().clear_events().unwrap();
    guard
}

pub(crate) fn policy(events: Rate) -> Policy {
    let mut policy = cases::policy();
    policy.limits.events = events;
    policy
}

pub(crate) fn conversation(client: &str, port: u16) -> Conversation {
    let client: std::net::IpAddr = client.parse().unwrap();
    let server = if client.is_ipv6() {
        "2001:db8::1"
    } else {
        "192.0.2.1"
    };
    Conversation::new(
        (client, 40_000).into(),
        (server.parse::<std::net::IpAddr>().unwrap(), port).into(),
    )
}

pub(crate) fn syn(client: &str, port: u16) -> Vec<u8> {
    conversation(client, port).client_at(1, TcpFlags::SYN, b"")
}

/// What an event must say, but for its time.
fn wanted(frame: &[u8], reason: Reason, class: PortClass, conversation: &Conversation) -> Event {
    let key = conversation.key();
    Event {
        time_ns: 0,
        suppressed: 0,
        key,
        bytes: frame.len() as u32,
        reason: reason as u8,
        verdict: Verdict::Drop as u8,
        class: class as u8,
        family: key.family,
        hook: 0,
        flags: TcpFlags::SYN.0,
        reserved: [0; 6],
    }
}

/// The one event there is, without its time, which is now.
pub(crate) fn only(guard: &mut Guard) -> Event {
    let events = guard.state().events().unwrap();
    let [event] = events[..] else {
        panic!("{} events", events.len())
    };
    assert!(monotonic_ns().abs_diff(event.time_ns) < 5_000_000_000);
    Event {
        time_ns: 0,
        ..event
    }
}

#[test]
fn an_event_says_what_was_dropped() {
    for mode in [Mode::Enforce, Mode::Monitor] {
        let mut policy = policy(ALL);
        policy.mode = mode;
        policy.profiles.insert(0, connections(1));
        policy.limits.strays = rate(1);
        for prefix in ["203.0.113.9/32", "2001:db8:2::9/128"] {
            policy.ban(prefix.parse().unwrap(), BanKind::Ban, 0);
        }
        let mut guard = guard(&policy);
        for (listed, stranger, banned) in [
            ("198.51.100.7", "203.0.113.7", "203.0.113.9"),
            ("2001:db8:1::7", "2001:db8:2::7", "2001:db8:2::9"),
        ] {
            // One SYN and one stray pass.
            assert!(guard.run(&syn(listed, 21)).unwrap());
            let stray = conversation(listed, 21);
            assert!(guard.run(&stray.client_at(1, DATA, b"x")).unwrap());
            let control = PortClass::Control;
            for (client, port, flags, payload, reason, class) in [
                (
                    stranger,
                    21,
                    TcpFlags::SYN,
                    &b""[..],
                    Reason::NotListed,
                    control,
                ),
                (stranger, 990, DATA, b"abc", Reason::NotListed, control),
                (
                    stranger,
                    50_000,
                    TcpFlags::ACK,
                    b"",
                    Reason::NotListed,
                    PortClass::PassiveData,
                ),
                (
                    stranger,
                    20,
                    TcpFlags::RST,
                    b"",
                    Reason::NotListed,
                    PortClass::ActiveData,
                ),
                (banned, 21, TcpFlags::SYN, b"", Reason::Banned, control),
                (listed, 21, TcpFlags::SYN, b"", Reason::SourceRate, control),
                (listed, 21, TcpFlags::ACK, b"", Reason::StrayAck, control),
                (listed, 21, DATA, b"hello", Reason::StrayData, control),
                (
                    listed,
                    50_000,
                    TcpFlags::SYN,
                    b"",
                    Reason::NoSession,
                    PortClass::PassiveData,
                ),
            ] {
                let from = conversation(client, port);
                let frame = from.client_at(1, flags, payload);
                for frame in [frame.clone(), tagged(&frame)] {
                    let passed = guard.run(&frame).unwrap();
                    assert_eq!(passed, mode == Mode::Monitor);
                    let verdict = match mode {
                        Mode::Enforce => Verdict::Drop,
                        Mode::Monitor => Verdict::WouldDrop,
                    };
                    let wanted = Event {
                        verdict: verdict as u8,
                        flags: flags.0,
                        ..wanted(&frame, reason, class, &from)
                    };
                    assert_eq!(only(&mut guard), wanted, "{}", reason.as_str());
                }
            }
        }
    }
}

#[test]
fn what_passes_is_no_event() {
    let mut guard = guard(&policy(ALL));
    for frame in [
        syn("198.51.100.7", 21),
        syn("2001:db8:1::7", 21),
        syn("203.0.113.7", 22),
        conversation("198.51.100.7", 21).client_at(1, DATA, b"x"),
        vec![0; 60],
    ] {
        assert!(guard.run(&frame).unwrap());
        assert!(guard.run_control(&frame).unwrap());
        assert!(guard.run_egress(&frame).unwrap());
    }
    assert_eq!(guard.state().events().unwrap(), []);
}

#[test]
fn each_hook_reports_as_itself() {
    let mut policy = policy(ALL);
    policy.sessions.role = ftp_guard_common::config::Role::Router;
    let mut guard = guard(&policy);
    for client in ["198.51.100.7", "2001:db8:1::7"] {
        let mut control = conversation(client, 21);
        control.server_next = 1;
        assert!(
            guard
                .run_egress(&control.server(DATA, b"220 ready\r\n"))
                .unwrap()
        );
        // Bytes are missing before it.
        let gap = control.client_at(control.client_next + 100, DATA, b"NOOP\r\n");
        assert!(!guard.run_control(&gap).unwrap());
        let event = Event {
            hook: 2,
            flags: DATA.0,
            ..wanted(&gap, Reason::ControlGap, PortClass::Control, &control)
        };
        assert_eq!(only(&mut guard), event);
        let gap = control.server_at(control.server_next + 100, DATA, b"200 ok\r\n");
        assert!(!guard.run_egress(&gap).unwrap());
        let event = Event {
            hook: 1,
            flags: DATA.0,
            ..wanted(&gap, Reason::ControlGap, PortClass::Control, &control)
        };
        assert_eq!(only(&mut guard), event);
        let mut bounce = conversation(client, 20);
        bounce.client.set_ip(match client {
            "198.51.100.7" => "203.0.113.7".parse().unwrap(),
            _ => "2001:db8:2::7".parse().unwrap(),
        });
        let syn = bounce.server_at(1, TcpFlags::SYN, b"");
        assert!(!guard.run_egress(&syn).unwrap());
        let event = Event {
            hook: 1,
            ..wanted(&syn, Reason::Bounce, PortClass::ActiveData, &bounce)
        };
        assert_eq!(only(&mut guard), event);
    }
}

/// Frames whose connection cannot be read have none in their event, whatever was judged before them.
#[test]
fn a_malformed_frame_has_no_connection() {
    let mut guard = guard(&policy(ALL));
    for family in [Family::Ipv4, Family::Ipv6] {
        for listed in [false, true] {
            let flow = Flow {
                family,
                listed,
                port: 21,
            };
            let packet = flow.plain(tcp::syn(&flow));
            let deep = ethernet(Macs::default(), &[C_TAG; 5], flow.ethertype(), &packet);
            let before = syn("203.0.113.7", 21);
            assert!(!guard.run(&before).unwrap());
            guard.state().events().unwrap();
            assert!(!guard.run(&deep).unwrap());
            let event = Event {
                bytes: deep.len() as u32,
                reason: Reason::VlanTooDeep as u8,
                verdict: Verdict::Drop as u8,
                ..Event::default()
            };
            assert_eq!(only(&mut guard), event);
        }
    }
}

/// Whatever the TCP header says that is wrong, the event says it, or nothing; never what another packet
/// said.
#[test]
fn a_malformed_header_is_not_the_one_before_it() {
    let mut guard = guard(&policy(ALL));
    for (flags, reason) in [
        (0_u8, Reason::TcpNull),
        (0x29, Reason::TcpXmas),
        (0x03, Reason::TcpSynFin),
        (0x06, Reason::TcpSynRst),
    ] {
        for client in ["203.0.113.7", "2001:db8:2::7"] {
            let before = conversation("198.51.100.99", 50_000);
            assert!(!guard.run(&before.client_at(1, DATA, b"")).unwrap());
            guard.state().events().unwrap();
            let from = conversation(client, 21);
            let frame = from.client_at(1, TcpFlags(flags), b"");
            assert!(!guard.run(&frame).unwrap());
            let event = only(&mut guard);
            assert_eq!(event.reason, reason as u8);
            assert_eq!(event.class, PortClass::Control as u8);
            let told = (event.key, event.flags);
            assert!(
                told == (from.key(), flags) || told == (FlowKey::default(), 0),
                "{}: {event:?}",
                reason.as_str()
            );
            // It ends before its flags.
            assert!(!guard.run(&before.client_at(1, DATA, b"")).unwrap());
            guard.state().events().unwrap();
            let cut = &frame[..frame.len() - 8];
            assert!(!guard.run(cut).unwrap());
            let event = only(&mut guard);
            assert_eq!(event.reason, Reason::TcpTruncated as u8);
            assert_eq!(event.flags, 0, "{event:?}");
        }
    }
}

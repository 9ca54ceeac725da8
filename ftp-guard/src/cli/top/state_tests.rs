//! Keys and snapshots, and what comes of them.

use super::*;
use crate::cli::top::tests_world::{at, drop_of, events, session, snapshot};

fn working() -> State {
    let mut state = State::default();
    state.update(Update::Snapshot(Box::new(at(0.0, 0))));
    state.update(Update::Events(events()));
    state.update(Update::Snapshot(Box::new(snapshot())));
    state
}

fn press(state: &mut State, codes: &[KeyCode]) -> Option<Act> {
    let mut act = None;
    for code in codes {
        act = state.key(KeyEvent::new(*code, KeyModifiers::NONE));
    }
    act
}

fn letters(state: &mut State, text: &str) -> Option<Act> {
    let codes: Vec<KeyCode> = text.chars().map(KeyCode::Char).collect();
    press(state, &codes)
}

#[test]
fn rates_and_speeds_are_differences() {
    let state = working();
    let rates = state.rates();
    let dropped = rates.iter().find(|rate| rate.verdict == "drop").unwrap();
    assert_eq!(dropped.packets_per_second, 10.0, "20 packets in 2 s");
    assert_eq!(dropped.bytes_per_second, 1_000.0);
    assert_eq!(dropped.packets, 70, "of both classes");
    assert_eq!(state.changes.of_verdict("pass"), 5.0);
    let sessions = state.sessions();
    assert_eq!(sessions[0].id, 17, "the fastest first");
    assert_eq!(sessions[0].speed, 1_048_576.0);
    assert_eq!(sessions[0].moved, Some(6 << 20));
}

#[test]
fn counters_that_began_anew_are_no_negative_rate() {
    let mut state = State::default();
    state.update(Update::Snapshot(Box::new(at(0.0, 1_000))));
    state.update(Update::Snapshot(Box::new(at(2.0, 10))));
    for rate in state.rates() {
        assert!(rate.packets_per_second >= 0.0, "{rate:?}");
    }
    // Two looks at the same moment tell no rate.
    state.update(Update::Snapshot(Box::new(at(2.0, 90))));
    for rate in state.rates() {
        assert_eq!(rate.packets_per_second, 0.0, "{rate:?}");
    }
}

#[test]
fn sources_are_those_that_connect_and_those_that_were_dropped() {
    let state = working();
    let rows = state.sources();
    assert_eq!(rows[0].source, "203.0.113.9/32".parse().unwrap());
    assert_eq!((rows[0].drops, rows[0].reason.as_str()), (2, "not_listed"));
    assert_eq!(rows[0].profile, None);
    assert_eq!(rows[1].source, "192.0.2.7/32".parse().unwrap());
    assert!(rows[1].speed > 0.0);
    // An address counts for its prefix.
    let mut state = working();
    state.update(Update::Events(vec![drop_of("2001:db8::99")]));
    let rows = state.sources();
    assert!(
        rows.iter()
            .any(|row| row.source.prefix_len() == 64 && row.drops == 1)
    );
}

#[test]
fn old_drops_are_forgotten() {
    let mut state = working();
    let mut later = at(100.0, 10);
    later.guard.time = "2026-11-22T12:31:30Z".parse().unwrap();
    state.update(Update::Snapshot(Box::new(later)));
    assert!(state.sources().iter().all(|row| row.drops == 0));
}

#[test]
fn a_kill_asks_first_and_names_whom() {
    let mut state = working();
    assert_eq!(letters(&mut state, "k"), None);
    assert_eq!(
        state.dialog,
        Some(Dialog::Kill {
            id: 17,
            whose: "anna from 192.0.2.7".to_owned()
        })
    );
    // What is no answer leaves it open; meanwhile the list may change.
    assert_eq!(
        press(&mut state, &[KeyCode::Enter, KeyCode::Char('x')]),
        None
    );
    let mut other = snapshot();
    other.sessions.remove(0);
    state.update(Update::Snapshot(Box::new(other)));
    let expected = Act::Send(Request::Kill {
        targets: vec!["17".parse().unwrap()],
    });
    assert_eq!(letters(&mut state, "y"), Some(expected));
    assert_eq!(state.dialog, None);
    assert_eq!(letters(&mut state, "kn"), None);
    assert_eq!(state.dialog, None, "no is no");
}

#[test]
fn a_ban_asks_for_how_long() {
    let mut state = working();
    state.show(Panel::Sources);
    letters(&mut state, "b");
    press(&mut state, &[KeyCode::Right, KeyCode::Right]);
    let Some(Act::Send(Request::BanAdd { prefixes, terms })) = letters(&mut state, "y") else {
        panic!("no ban")
    };
    assert_eq!(prefixes, ["203.0.113.9".parse().unwrap()]);
    assert_eq!((terms.seconds, terms.forever), (Some(3_600), false));
    letters(&mut state, "b");
    press(&mut state, &[KeyCode::Left]);
    let Some(Act::Send(Request::BanAdd { terms, .. })) = letters(&mut state, "y") else {
        panic!("no ban")
    };
    assert_eq!((terms.seconds, terms.forever), (None, true));
    letters(&mut state, "b");
    let Some(Act::Send(Request::BanAdd { terms, .. })) = letters(&mut state, "y") else {
        panic!("no ban")
    };
    assert_eq!((terms.seconds, terms.forever), (None, false));
}

#[test]
fn events_lead_to_their_source_and_to_live_sessions_only() {
    let mut state = working();
    letters(&mut state, "e");
    assert_eq!(state.panel(), Panel::Events);
    letters(&mut state, "b");
    assert!(
        matches!(&state.dialog, Some(Dialog::Ban { source, .. }) if source.to_string() == "203.0.113.9/32")
    );
    letters(&mut state, "n");
    letters(&mut state, "k");
    assert_eq!(state.dialog, None, "the detection is of no session");
    assert!(state.message.as_ref().unwrap().bad);
    press(&mut state, &[KeyCode::End]);
    letters(&mut state, "k");
    assert!(matches!(state.dialog, Some(Dialog::Kill { id: 17, .. })));
    letters(&mut state, "n");
    // The number may be another's by now.
    let mut other = snapshot();
    other.sessions[0] = session(17, "192.0.2.99:1000", "eve", None);
    state.update(Update::Snapshot(Box::new(other)));
    letters(&mut state, "k");
    assert_eq!(state.dialog, None);
}

#[test]
fn what_is_selected_stays_so_where_it_moves_to() {
    let mut state = working();
    press(&mut state, &[KeyCode::Down]);
    assert_eq!(state.selected(Panel::Sessions), 1);
    let mut other = snapshot();
    other
        .sessions
        .insert(0, session(3, "192.0.2.3:1", "carl", Some("/x")));
    other.sessions[0].data[0].bytes_out = 0;
    state.update(Update::Snapshot(Box::new(other)));
    let rows = state.sessions();
    assert_eq!(rows[state.selected(Panel::Sessions)].id, 18);
    press(
        &mut state,
        &[KeyCode::PageDown, KeyCode::PageDown, KeyCode::Down],
    );
    assert_eq!(state.selected(Panel::Sessions), rows.len() - 1);
    press(&mut state, &[KeyCode::Home]);
    assert_eq!(state.selected(Panel::Sessions), 0);
    // All gone.
    let mut none = snapshot();
    none.sessions.clear();
    state.update(Update::Snapshot(Box::new(none)));
    assert_eq!(state.selected(Panel::Sessions), 0);
    letters(&mut state, "k");
    assert!(state.message.is_some());
}

#[test]
fn a_filter_leaves_what_has_its_letters() {
    let mut state = working();
    letters(&mut state, "/BOq");
    assert!(state.writing);
    press(
        &mut state,
        &[KeyCode::Backspace, KeyCode::Char('b'), KeyCode::Enter],
    );
    assert_eq!(state.filter, "BOb");
    assert_eq!(state.sessions().len(), 1);
    assert_eq!(state.sessions()[0].user, "bob");
    press(&mut state, &[KeyCode::Esc]);
    assert_eq!(state.sessions().len(), 2);
    letters(&mut state, &format!("/{}", "x".repeat(500)));
    assert_eq!(state.filter.len(), MOST_FILTER);
}

#[test]
fn lists_have_orders() {
    let mut state = working();
    for panel in Panel::ALL {
        state.show(panel);
        let first = state.order(panel);
        for _ in orders(panel) {
            letters(&mut state, "s");
            let _ = state.selected(panel);
        }
        assert_eq!(state.order(panel), first);
    }
    state.show(Panel::Sessions);
    letters(&mut state, "sssss");
    assert_eq!(state.order(Panel::Sessions), "user");
    press(&mut state, &[KeyCode::Tab]);
    assert_eq!(state.panel(), Panel::Rates);
    press(&mut state, &[KeyCode::BackTab, KeyCode::BackTab]);
    assert_eq!(state.panel(), Panel::Events);
    letters(&mut state, "4");
    assert_eq!(state.panel(), Panel::Ports);
}

#[test]
fn what_comes_while_the_screen_is_held_shows_later() {
    let mut state = working();
    letters(&mut state, "p");
    let events = state.events().len();
    for number in 0..2_000 {
        state.update(Update::Events(vec![drop_of("203.0.113.1")]));
        let mut none = at(3.0 + f64::from(number), 10);
        none.sessions.clear();
        state.update(Update::Snapshot(Box::new(none)));
    }
    assert_eq!(state.sessions().len(), 2);
    assert_eq!(state.events().len(), events);
    assert!(state.held.len() <= MOST_EVENTS + 1);
    letters(&mut state, "p");
    assert!(state.sessions().is_empty());
    assert_eq!(state.events().len(), MOST_EVENTS);
}

#[test]
fn a_flood_of_drops_leaves_the_other_events() {
    let mut state = working();
    for _ in 0..10_000 {
        state.update(Update::Events(vec![drop_of("203.0.113.1")]));
    }
    assert_eq!(state.events().len(), MOST_EVENTS);
    let names: Vec<&str> = state
        .events()
        .iter()
        .map(|event| event.kind.name())
        .collect();
    assert!(names.contains(&"login") && names.contains(&"detection"));
}

#[test]
fn a_daemon_that_is_gone_is_told_and_comes_back() {
    let mut state = working();
    state.update(Update::Down("nobody".to_owned()));
    assert_eq!(state.down.as_deref(), Some("nobody"));
    assert_eq!(state.sessions().len(), 2, "the last that was known stays");
    state.update(Update::Snapshot(Box::new(snapshot())));
    assert_eq!(state.down, None);
    state.update(Update::Failed("refused".to_owned()));
    assert!(state.message.as_ref().unwrap().bad);
    letters(&mut state, "s");
    assert_eq!(state.message, None, "the next key takes it away");
}

#[test]
fn quitting() {
    let mut state = State::default();
    assert_eq!(letters(&mut state, "q"), Some(Act::Quit));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    letters(&mut state, "/");
    assert_eq!(state.key(interrupt), Some(Act::Quit), "whatever is asked");
    assert_eq!(letters(&mut state, "?q"), None, "closes the help");
    // Nothing is there yet, and no key minds.
    for code in [
        KeyCode::Down,
        KeyCode::End,
        KeyCode::Char('b'),
        KeyCode::Char('k'),
    ] {
        for _ in Panel::ALL {
            press(&mut state, &[KeyCode::Esc, KeyCode::Tab, code]);
        }
    }
}

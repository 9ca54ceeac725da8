//! Control connections between the end of their handshake and the server's greeting, and the tables that
//! hold them and their sources.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    limits::{OPENING_NS, Opening, Source},
    reason::Reason,
    session::LINGER_NS,
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, RST_ACK};

use crate::{
    passive::SECOND,
    row::drop,
    scene::{ANYWHERE, HOST, ROUTER, Scene, Story},
    sources::{ANSWER, CONTROL, LISTED, SESSION, wait_for_age},
    strays::exhaust,
};

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("the greeting of an opening", ANYWHERE, greeting),
        ("an opening that the server refuses", ANYWHERE, refused),
        ("the ports of a session once more", ROUTER, again),
        ("a refused opening on ports of old", ANYWHERE, refused_again),
        ("a full table of openings", HOST, openings_full),
        ("a full table of sources", HOST, sources_full),
        ("openings that are over make room", HOST, reclaimed),
    ])
}

fn greeting(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    for number in 1..=3 {
        let mut control = scene.connection(source, 30_000 + number, 21);
        scene.prove(&mut control, LISTED);
        let number = u32::from(number);
        assert_eq!(scene.counts(source), Some((number - 1, 1, 0)));
        let ack = control.server_at(control.server_next, TcpFlags::ACK, b"");
        scene.egress("an ACK of the server", &ack, ANSWER);
        assert_eq!(scene.openings(), 1);
        scene.reply(&mut control, "220 ready\r\n");
        assert_eq!(scene.counts(source), Some((number, 0, 0)));
        assert_eq!(scene.openings(), 0);
        scene.command(&mut control, "USER x\r\n");
    }
    // A session whose handshake nobody has seen counts as well.
    let other = scene.source(1, 2);
    let mut control = scene.connection(other, 30_000, 21);
    scene.reply(&mut control, "220 ready\r\n");
    assert_eq!(scene.counts(other), Some((1, 0, 0)));
}

/// A server that is full closes the connection without a word.
fn refused(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    let mut control = scene.connection(source, 30_000, 21);
    scene.prove(&mut control, LISTED);
    let reset = control.server_at(control.server_next, RST_ACK, b"");
    scene.egress("the server's RST", &reset, ANSWER);
    assert_eq!(scene.openings(), 0);
    assert_eq!(scene.counts(source), Some((0, 0, 0)));
    scene.egress("the server's RST again", &reset, ANSWER);
    assert_eq!(scene.counts(source), Some((0, 0, 0)), "counted once");
}

fn again(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    let mut control = scene.greet(source, 30_000);
    scene.xdp("the client's FIN", &control.client(FIN_ACK, b""), SESSION);
    scene.egress("the server's FIN", &control.server(FIN_ACK, b""), SESSION);
    assert_eq!(scene.counts(source), Some((0, 0, 0)));
    // The same ports once more, while the old session lingers.
    let mut again = Conversation {
        client_next: 7,
        server_next: 9,
        ..control
    };
    scene.request(&mut again);
    let ack = again.client(TcpFlags::ACK, b"");
    scene.xdp("the ACK of a lingering session", &ack, SESSION);
    scene.reply(&mut again, "220 again\r\n");
    assert_eq!(scene.counts(source), Some((1, 0, 0)));
    assert_eq!(scene.openings(), 0);
    scene.command(&mut again, "USER x\r\n");
}

/// An old session of these ports is in its table until the daemon comes by.
fn refused_again(scene: &mut Scene<'_>) {
    scene.limit(|_| ());
    let source = scene.source(1, 1);
    let control = scene.greet(source, 30_000);
    scene.close(&control);
    let long_ago = monotonic_ns() - LINGER_NS - SECOND;
    scene.change_session(&control, |session| session.traffic.closed_ns = long_ago);
    let mut again = Conversation {
        client_next: 7,
        server_next: 9,
        ..control
    };
    scene.prove(&mut again, LISTED);
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
    let reset = again.server_at(again.server_next, RST_ACK, b"");
    scene.guard.run_egress(&reset).unwrap();
    scene.recount();
    assert_eq!(scene.counts(source), Some((0, 0, 0)));
    assert_eq!(scene.openings(), 0);
}

/// Fills the table of openings with such of this age.
fn fill_openings(scene: &mut Scene<'_>, count: u16, age_ns: u64) {
    let now = monotonic_ns();
    let opening = Opening {
        since_ns: now.saturating_sub(age_ns),
        ..Opening::default()
    };
    for number in 0..count {
        let connection = scene.connection(scene.source(3, 3), 10_000 + number, 21);
        let mut state = scene.guard.state();
        let mut table = state.opening().unwrap();
        table.set(connection.key(), opening).unwrap();
    }
    let source = scene.source(3, 3);
    let counts = Source {
        opening: u32::from(count),
        ..Source::default()
    };
    scene.set_source(source, counts);
    scene.guard.state().forget_searches().unwrap();
}

fn openings_full(scene: &mut Scene<'_>) {
    scene.limit(|_| ());
    fill_openings(scene, 1024, 0);
    let old = scene.connection(scene.source(3, 3), 10_000, 21);
    let source = scene.source(1, 1);
    let mut control = scene.connection(source, 30_000, 21);
    let full = drop(Reason::OpeningTableFull, CONTROL);
    scene.prove(&mut control, full);
    let ack = control.client_at(control.client_next, TcpFlags::ACK, b"");
    scene.twice("the ACK again", &ack, full);
    assert_ne!(scene.counts(source), Some((0, 1, 0)));
    let early = old.client_at(5, DATA, b"x");
    scene.xdp("an old connection goes on", &early, LISTED);
    let mut state = scene.guard.state();
    state.opening().unwrap().remove(old.key()).unwrap();
    scene.xdp("the ACK, with room for one", &ack, LISTED);
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
}

fn sources_full(scene: &mut Scene<'_>) {
    scene.limit(|_| ());
    let busy = Source {
        sessions: 1,
        ..Source::default()
    };
    for network in 0..4 {
        for number in 0..=255 {
            let source = scene.source(100 + network, number);
            scene.set_source(source, busy);
        }
    }
    let source = scene.source(1, 1);
    scene.guard.state().forget_searches().unwrap();
    let mut control = scene.connection(source, 30_000, 21);
    let full = drop(Reason::SourceTableFull, CONTROL);
    scene.prove(&mut control, full);
    let ack = control.client_at(control.client_next, TcpFlags::ACK, b"");
    scene.twice("the ACK again", &ack, full);
    assert_eq!((scene.counts(source), scene.openings()), (None, 0));
    // One that is there already is let in.
    let known = scene.source(101, 7);
    let mut other = scene.connection(known, 30_000, 21);
    scene.prove(&mut other, LISTED);
    assert_eq!(scene.counts(known), Some((1, 1, 0)));
    // A source without connections is as good as absent.
    let idle = scene.source(102, 7);
    scene.set_source(idle, Source::default());
    scene.guard.state().forget_searches().unwrap();
    scene.xdp("the ACK, with one idle source", &ack, LISTED);
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
    assert_eq!(scene.counts(idle), None);
}

fn reclaimed(scene: &mut Scene<'_>) {
    scene.limit(|_| ());
    wait_for_age(OPENING_NS);
    fill_openings(scene, 1024, OPENING_NS + 60 * SECOND);
    let source = scene.source(1, 1);
    let mut control = scene.connection(source, 30_000, 21);
    scene.prove(&mut control, LISTED);
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
    assert_eq!(scene.openings(), 1);
    let filler = scene.source(3, 3);
    let counts = scene.counts(filler);
    assert!(matches!(counts, None | Some((0, 0, 0))), "{counts:?}");
    // Those that are not over stay.
    fill_openings(scene, 1023, OPENING_NS - 60 * SECOND);
    let mut other = scene.connection(source, 30_001, 21);
    scene.prove(&mut other, drop(Reason::OpeningTableFull, CONTROL));
    assert_eq!(scene.openings(), 1024);
}

//! What the guard learns from the SYN-ACKs of its host.

use ftp_guard::datapath::monotonic_ns;
use ftp_guard_common::{class::Family, config::Role, reason::Reason};
use ftp_guard_tests::conversation::{self, SYN_ACK};

use super::{
    answer::Answer,
    bench::{Bench, OTHER, SEQUENCE, network, policy},
    offers::{options, timestamps},
};
use crate::passive::SECOND;

#[test]
fn a_listener_is_known_by_its_answers() {
    Bench::each(&policy(), |bench| {
        bench.prime();
        let syn = bench.syn(&[]);
        let ran = bench.enforce(&syn, Reason::SynCookie);
        let cookie = Answer::read(&ran.frame[network(0)..], &bench.flow()).number;
        bench.guard.state().primed().unwrap().clear().unwrap();

        let answer = |bench: &Bench, number: u32, window: u16, options: &[u8]| {
            let conversation = bench.conversation();
            let mut frame = conversation::frame(
                conversation.server,
                conversation.client,
                SYN_ACK,
                b"",
                |segment| {
                    segment.sequence = number;
                    segment.acknowledgement = SEQUENCE.wrapping_add(1);
                    segment.options = options.to_vec();
                },
            );
            let tcp = network(0) + if bench.family == Family::Ipv6 { 40 } else { 20 };
            frame[tcp + 14..tcp + 16].copy_from_slice(&window.to_be_bytes());
            frame
        };
        let time = timestamps();
        let full = options(&[&[2, 4, 5, 180], &[4, 2], &time, &[1, 3, 3, 10]]);
        let later = |bench: &mut Bench| {
            // As if what is known were a second old.
            let mut primed = bench.primed().unwrap();
            primed.learned_ns = primed.learned_ns.saturating_sub(SECOND);
            primed.cookie_ns = primed.cookie_ns.saturating_sub(SECOND);
            bench.set(primed);
        };
        // Without options: of the window scale nothing is known.
        let frame = answer(bench, 5, 100, &[2, 4, 2, 24]);
        assert!(bench.guard.run_egress(&frame).unwrap());
        let primed = bench.primed().unwrap();
        assert_eq!((primed.mss, primed.window), (536, 100));
        assert_eq!(
            (
                primed.scaled,
                primed.sack,
                primed.cookie_ns,
                primed.primed_ns
            ),
            (0, 0, 0, 0)
        );
        assert_ne!(primed.learned_ns, 0);
        // With all of them, at once.
        let frame = answer(bench, 5, 65_535, &full);
        bench.guard.run_egress(&frame).unwrap();
        let primed = bench.primed().unwrap();
        assert_eq!((primed.mss, primed.window), (1460, 65_535));
        assert_eq!((primed.scale, primed.scaled, primed.sack), (10, 1, 1));
        assert_eq!(primed.cookie_ns, 0);
        // What the next client does not offer is not forgotten; that this is a cookie is seen.
        later(bench);
        let frame = answer(bench, cookie, 200, &[2, 4, 2, 24]);
        bench.guard.run_egress(&frame).unwrap();
        let primed = bench.primed().unwrap();
        assert_eq!((primed.mss, primed.window), (536, 200));
        assert_eq!((primed.scale, primed.scaled, primed.sack), (10, 1, 1));
        assert!(monotonic_ns() - primed.cookie_ns < SECOND);
        // One after another tells nothing new.
        let frame = answer(bench, cookie.wrapping_add(OTHER), 300, &full);
        bench.guard.run_egress(&frame).unwrap();
        assert_eq!(bench.primed().unwrap(), primed);
        later(bench);
        bench.guard.run_egress(&frame).unwrap();
        let next = bench.primed().unwrap();
        assert_eq!(
            (next.window, next.cookie_ns),
            (300, primed.cookie_ns - SECOND)
        );
        assert!(next.learned_ns >= primed.learned_ns);
    });
}

#[test]
fn a_router_learns_nothing() {
    let mut policy = policy();
    policy.sessions.role = Role::Router;
    Bench::each(&policy, |bench| {
        let frame = bench.conversation().server(SYN_ACK, b"");
        bench.guard.run_egress(&frame).unwrap();
        assert_eq!(bench.primed(), None);
    });
}

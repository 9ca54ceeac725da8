//! A guard whose listeners answer with cookies, and the segments of one connection to it.

use std::{
    net::SocketAddr,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::{Family, PortClass},
    config::{Cookies, Mode},
    limits::Primed,
    reason::{Reason, Verdict},
    stats::StatsKey,
};
use ftp_guard_tests::{
    conversation::Conversation,
    packet::{Macs, Segment, hex, tagged},
    policy::Policy,
    program::{Guard, Ran, XDP_PASS, XDP_TX},
};

use super::answer::Answer;
use crate::{
    cases::{self, Flow},
    passive::SECOND,
};

pub(super) const CLIENT_PORT: u16 = 40_000;

pub(super) const SEQUENCE: u32 = u32::MAX;

/// Between two numbers that cannot both be cookies of one request. Neighbours may be: the kernel's stand for
/// one of four sizes.
pub(super) const OTHER: u32 = 8;

pub(super) const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// What the listener is said to be like.
pub(super) const LISTENER: Primed = Primed {
    primed_ns: 0,
    learned_ns: 0,
    cookie_ns: 0,
    mss: 8960,
    window: 64_240,
    scale: 9,
    scaled: 1,
    sack: 1,
    reserved: 0,
};

/// What a client offers in its SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) timestamp: Option<u32>,
    pub(super) sack: bool,
    pub(super) scale: Option<u8>,
}

pub(super) fn policy() -> Policy {
    let mut policy = cases::policy();
    policy.limits.cookies = Cookies::Always as u32;
    // Since the machine runs.
    policy.limits.cookies_since_ns = 1;
    policy
}

/// One for all tests: the verifier takes its time, on an emulated processor most of that of the suite.
static GUARD: LazyLock<Mutex<Guard>> = LazyLock::new(|| Mutex::new(Guard::load().unwrap()));

/// A guard whose listeners answer with cookies since a moment ago.
pub(super) struct Bench {
    pub(super) guard: MutexGuard<'static, Guard>,
    pub(super) family: Family,
}

impl Bench {
    /// Runs `test` with empty tables, for each family.
    pub(super) fn each(policy: &Policy, mut test: impl FnMut(&mut Self)) {
        // A test that fails leaves nothing behind that matters here.
        let guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
        let family = Family::Other;
        let mut bench = Self { guard, family };
        for family in FAMILIES {
            bench.family = family;
            bench.guard.install(policy).unwrap();
            bench.guard.state().clear(&[]).unwrap();
            test(&mut bench);
        }
    }

    pub(super) fn flow(&self) -> Flow {
        Flow {
            family: self.family,
            listed: true,
            port: 21,
        }
    }

    fn listener(&self) -> ListenKey {
        let (address, family) = from_ip(self.flow().destination());
        ListenKey {
            address,
            port: 21_u16.to_be_bytes(),
            family: family as u8,
            reserved: 0,
        }
    }

    pub(super) fn primed(&mut self) -> Option<Primed> {
        let key = self.listener();
        self.guard.state().primed().unwrap().get(key).unwrap()
    }

    pub(super) fn set(&mut self, primed: Primed) {
        let key = self.listener();
        self.guard
            .state()
            .primed()
            .unwrap()
            .set(key, primed)
            .unwrap();
    }

    /// The listener has just been primed, and has answered. It is primed for a minute, so that it still is when a
    /// slow machine comes to the next frame.
    pub(super) fn prime(&mut self) {
        let now = monotonic_ns();
        self.set(Primed {
            primed_ns: now.saturating_add(60 * SECOND),
            learned_ns: now,
            cookie_ns: now,
            ..LISTENER
        });
    }

    pub(super) fn syn_with(&self, change: impl FnOnce(&mut Segment)) -> Vec<u8> {
        crate::tcp::segment(&self.flow(), |segment| {
            segment.source_port = CLIENT_PORT;
            segment.sequence = SEQUENCE;
            change(segment);
        })
    }

    /// An untagged SYN with these options.
    pub(super) fn syn(&self, options: &[u8]) -> Vec<u8> {
        let flow = self.flow();
        let segment = self.syn_with(|segment| segment.options = options.to_vec());
        tagged(Macs::default(), &[], flow.ethertype(), &flow.plain(segment))
    }

    pub(super) fn conversation(&self) -> Conversation {
        let flow = self.flow();
        Conversation::new(
            SocketAddr::new(flow.source(), CLIENT_PORT),
            SocketAddr::new(flow.destination(), 21),
        )
    }

    /// The acknowledgement of the answer.
    pub(super) fn ack(&self, sequence: u32, acknowledgement: u32) -> Vec<u8> {
        let mut conversation = self.conversation();
        conversation.server_next = acknowledgement;
        conversation.client_at(sequence, TcpFlags::ACK, b"")
    }

    /// Runs a frame and makes sure that it is counted under this reason.
    pub(super) fn run(&mut self, frame: &[u8], reason: Reason, mode: Mode) -> Ran {
        let key = StatsKey {
            verdict: match (reason.verdict(), mode) {
                (Verdict::Answer, Mode::Monitor) => Verdict::Pass,
                (verdict, _) => verdict,
            },
            reason,
            class: PortClass::Control,
            family: self.family,
        };
        let before = self.guard.cell(key).unwrap().packets;
        let ran = self.guard.transform(frame).unwrap();
        let after = self.guard.cell(key).unwrap().packets;
        assert_eq!(after, before + 1, "{} of {}", reason.as_str(), hex(frame));
        ran
    }

    pub(super) fn enforce(&mut self, frame: &[u8], reason: Reason) -> Ran {
        self.run(frame, reason, Mode::Enforce)
    }

    /// The SYN is answered; returns the answer's number after everything else about it has been checked.
    pub(super) fn answered(
        &mut self,
        what: &str,
        frame: &[u8],
        network: usize,
        offer: Offer,
    ) -> u32 {
        self.prime();
        let earliest = monotonic_ns();
        let ran = self.enforce(frame, Reason::SynCookie);
        let context = format!("{what}: {} became {}", hex(frame), hex(&ran.frame));
        assert_eq!(ran.action, XDP_TX, "{context}");
        assert_eq!(ran.frame[..6], frame[6..12], "{context}");
        assert_eq!(ran.frame[6..12], frame[..6], "{context}");
        assert_eq!(ran.frame[12..network], frame[12..network], "{context}");
        let answer = Answer::read(&ran.frame[network..], &self.flow());
        let timestamp = answer.timestamp.map(|(value, _)| value);
        if let Some(value) = timestamp {
            let carried = u32::from(
                offer
                    .scale
                    .unwrap_or(15)
                    .min(14 + u8::from(offer.scale.is_none())),
            ) | u32::from(offer.sack) << 4;
            assert_eq!(value & 0x3f, carried, "{context}");
            let ms = |ns: u64| (ns / 1_000_000) as u32;
            let age = ms(monotonic_ns()).wrapping_sub(value);
            let waited = ms(monotonic_ns() - earliest) + 1;
            assert!(age < 64 + waited, "{context}: {age} ms old");
        }
        let wanted = Answer {
            number: answer.number,
            window: LISTENER.window,
            mss: LISTENER.mss,
            timestamp: offer
                .timestamp
                .map(|echo| (timestamp.unwrap_or_default(), echo)),
            sack: offer.timestamp.is_some() && offer.sack,
            scale: offer
                .scale
                .filter(|_| offer.timestamp.is_some())
                .map(|_| LISTENER.scale),
        };
        assert_eq!(answer, wanted, "{context}");
        answer.number
    }

    /// The answer's number is a cookie, and no other.
    pub(super) fn proves(&mut self, number: u32) {
        let sequence = SEQUENCE.wrapping_add(1);
        let acknowledgement = number.wrapping_add(1);
        for (sequence, wrong) in [
            (sequence, acknowledgement.wrapping_add(OTHER)),
            (sequence, acknowledgement.wrapping_sub(OTHER)),
            (sequence, !acknowledgement),
            (sequence.wrapping_add(OTHER), acknowledgement),
            (sequence.wrapping_sub(OTHER), acknowledgement),
        ] {
            let frame = self.ack(sequence, wrong);
            assert_eq!(self.enforce(&frame, Reason::Listed).action, XDP_PASS);
        }
        let frame = self.ack(sequence, acknowledgement);
        let ran = self.enforce(&frame, Reason::CookieAccepted);
        assert_eq!((ran.action, ran.frame), (XDP_PASS, frame.clone()));
        // Now the connection is known.
        self.enforce(&frame, Reason::Listed);
        let mut state = self.guard.state();
        state.opening().unwrap().clear().unwrap();
        state.sources().unwrap().clear().unwrap();
    }
}

/// Where the IP header begins.
pub(super) fn network(tags: usize) -> usize {
    14 + 4 * tags
}

//! SYN cookies: the answer field by field, read by another parser; when the guard answers; which
//! acknowledgements it accepts; what it learns.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice,
    TcpOptionElement::{
        MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, Timestamp, WindowScale,
    },
};
use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::{Family, PortClass},
    config::{Cookies, Mode, Role},
    limits::{PRIME_EVERY_NS, PRIMED_NS, Primed},
    reason::{Reason, Verdict},
    stats::StatsKey,
};
use ftp_guard_tests::{
    conversation::{Conversation, SYN_ACK},
    packet::{C_TAG, Extension, Macs, OLD_S_TAG, S_TAG, Segment, hex, tagged},
    policy::Policy,
    program::{Guard, Ran, XDP_DROP, XDP_PASS, XDP_TX},
};
use rand::Rng;

use crate::{
    cases::{self, Flow},
    passive::SECOND,
};

const CLIENT_PORT: u16 = 40_000;
const SEQUENCE: u32 = u32::MAX;
/// Between two numbers that cannot both be cookies of one request. Neighbours may be: the kernel's stand for
/// one of four sizes.
const OTHER: u32 = 8;
const TSVAL: u32 = 0xfedc_ba98;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// What the listener is said to be like.
const LISTENER: Primed = Primed {
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
struct Offer {
    timestamp: Option<u32>,
    sack: bool,
    scale: Option<u8>,
}

fn policy() -> Policy {
    let mut policy = cases::policy();
    policy.limits.cookies = Cookies::Always as u32;
    policy.limits.cookies_since_ns = monotonic_ns() - 3600 * SECOND;
    policy
}

/// A guard whose listeners answer with cookies since a moment ago.
struct Bench {
    guard: Guard,
    family: Family,
}

impl Bench {
    /// Runs `test` with empty tables, for each family.
    fn each(policy: &Policy, mut test: impl FnMut(&mut Self)) {
        let mut guard = Guard::load().unwrap();
        for family in FAMILIES {
            guard.install(policy).unwrap();
            guard.state().clear(&[]).unwrap();
            let mut bench = Self { guard, family };
            test(&mut bench);
            guard = bench.guard;
        }
    }

    fn flow(&self) -> Flow {
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

    fn primed(&mut self) -> Option<Primed> {
        let key = self.listener();
        self.guard.state().primed().unwrap().get(key).unwrap()
    }

    fn set(&mut self, primed: Primed) {
        let key = self.listener();
        self.guard
            .state()
            .primed()
            .unwrap()
            .set(key, primed)
            .unwrap();
    }

    /// The listener has just been primed, and has answered.
    fn prime(&mut self) {
        let now = monotonic_ns();
        self.set(Primed {
            primed_ns: now,
            learned_ns: now,
            cookie_ns: now,
            ..LISTENER
        });
    }

    fn syn_with(&self, change: impl FnOnce(&mut Segment)) -> Vec<u8> {
        crate::tcp::segment(&self.flow(), |segment| {
            segment.source_port = CLIENT_PORT;
            segment.sequence = SEQUENCE;
            change(segment);
        })
    }

    /// An untagged SYN with these options.
    fn syn(&self, options: &[u8]) -> Vec<u8> {
        let flow = self.flow();
        let segment = self.syn_with(|segment| segment.options = options.to_vec());
        tagged(Macs::default(), &[], flow.ethertype(), &flow.plain(segment))
    }

    fn conversation(&self) -> Conversation {
        let flow = self.flow();
        Conversation::new(
            SocketAddr::new(flow.source(), CLIENT_PORT),
            SocketAddr::new(flow.destination(), 21),
        )
    }

    /// The acknowledgement of the answer.
    fn ack(&self, sequence: u32, acknowledgement: u32) -> Vec<u8> {
        let mut conversation = self.conversation();
        conversation.server_next = acknowledgement;
        conversation.client_at(sequence, TcpFlags::ACK, b"")
    }

    /// Runs a frame and makes sure that it is counted under this reason.
    fn run(&mut self, frame: &[u8], reason: Reason, mode: Mode) -> Ran {
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

    fn enforce(&mut self, frame: &[u8], reason: Reason) -> Ran {
        self.run(frame, reason, Mode::Enforce)
    }

    /// The SYN is answered; returns the answer's number after everything else about it has been checked.
    fn answered(&mut self, what: &str, frame: &[u8], network: usize, offer: Offer) -> u32 {
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
    fn proves(&mut self, number: u32) {
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

/// A SYN-ACK as another parser reads it, from its IP header on. What is the same in all answers was checked.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    number: u32,
    window: u16,
    mss: u16,
    timestamp: Option<(u32, u32)>,
    sack: bool,
    scale: Option<u8>,
}

impl Answer {
    fn read(packet: &[u8], flow: &Flow) -> Self {
        let (ip_len, checksum): (usize, fn(&[u8], &TcpHeaderSlice<'_>) -> u16) = match flow.family {
            Family::Ipv6 => {
                let ip = Ipv6HeaderSlice::from_slice(packet).unwrap().to_header();
                assert_eq!(usize::from(ip.payload_length), packet.len() - 40);
                assert_eq!((ip.hop_limit, ip.next_header.0), (64, 6));
                assert_eq!((ip.traffic_class, ip.flow_label.value()), (0, 0));
                assert_eq!(flow.destination(), ip.source_addr());
                assert_eq!(flow.source(), ip.destination_addr());
                (40, |packet, tcp| {
                    let ip = Ipv6HeaderSlice::from_slice(packet).unwrap();
                    tcp.calc_checksum_ipv6(&ip, &[]).unwrap()
                })
            }
            _ => {
                let ip = Ipv4HeaderSlice::from_slice(packet).unwrap().to_header();
                assert_eq!(usize::from(ip.total_len), packet.len());
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                assert_eq!((ip.time_to_live, ip.protocol.0), (64, 6));
                assert_eq!((ip.identification, ip.dscp.value()), (0, 0));
                assert_eq!((ip.ecn.value(), ip.fragment_offset.value()), (0, 0));
                assert!(ip.dont_fragment && !ip.more_fragments && ip.options.is_empty());
                assert_eq!(flow.destination(), IpAddr::from(ip.source));
                assert_eq!(flow.source(), IpAddr::from(ip.destination));
                (20, |packet, tcp| {
                    let ip = Ipv4HeaderSlice::from_slice(packet).unwrap();
                    tcp.calc_checksum_ipv4(&ip, &[]).unwrap()
                })
            }
        };
        let tcp = TcpHeaderSlice::from_slice(&packet[ip_len..]).unwrap();
        assert_eq!(tcp.slice().len(), packet.len() - ip_len);
        assert_eq!(tcp.checksum(), checksum(packet, &tcp));
        assert_eq!(
            (tcp.source_port(), tcp.destination_port()),
            (flow.port, CLIENT_PORT)
        );
        assert_eq!(tcp.acknowledgment_number(), SEQUENCE.wrapping_add(1));
        assert_eq!(tcp.slice()[13], SYN_ACK.0);
        assert_eq!((tcp.slice()[12] & 0xf, tcp.urgent_pointer()), (0, 0));
        let mut answer = Self {
            number: tcp.sequence_number(),
            window: tcp.window_size(),
            mss: 0,
            timestamp: None,
            sack: false,
            scale: None,
        };
        // Each option once, and in the order in which this kernel writes them.
        let options: Result<Vec<_>, _> = tcp.options_iterator().collect();
        let options = options.unwrap();
        let mut rest = options.as_slice();
        if let [MaximumSegmentSize(mss), tail @ ..] = rest {
            (answer.mss, rest) = (*mss, tail);
        }
        if let [
            SelectiveAcknowledgementPermitted,
            Timestamp(value, echo),
            tail @ ..,
        ] = rest
        {
            answer.sack = true;
            (answer.timestamp, rest) = (Some((*value, *echo)), tail);
        } else if let [Noop, Noop, Timestamp(value, echo), tail @ ..] = rest {
            (answer.timestamp, rest) = (Some((*value, *echo)), tail);
        }
        if let [Noop, WindowScale(scale), tail @ ..] = rest {
            (answer.scale, rest) = (Some(*scale), tail);
        }
        assert!(rest.is_empty(), "{options:?}");
        answer
    }
}

fn timestamps() -> Vec<u8> {
    let mut option = vec![8, 10];
    option.extend(TSVAL.to_be_bytes());
    option.extend([0; 4]);
    option
}

/// Options padded to whole words.
fn options(parts: &[&[u8]]) -> Vec<u8> {
    let mut options = parts.concat();
    options.resize(options.len().next_multiple_of(4), 1);
    options
}

/// Options of a SYN, and what they offer.
fn offers() -> Vec<(&'static str, Vec<u8>, Offer)> {
    const MSS: &[u8] = &[2, 4, 5, 180];
    const SACK: &[u8] = &[4, 2];
    const SCALE: &[u8] = &[3, 3, 7];
    let time = timestamps();
    let time = time.as_slice();
    let timed = |sack, scale| Offer {
        timestamp: Some(TSVAL),
        sack,
        scale,
    };
    let plain = Offer::default();
    let linux: &[&[u8]] = &[MSS, SACK, time, &[1], SCALE];
    vec![
        ("no options", vec![], plain),
        ("a size", options(&[MSS]), plain),
        ("a size and SACK", options(&[MSS, SACK]), plain),
        ("a size and a scale", options(&[MSS, SCALE]), plain),
        ("all but timestamps", options(&[MSS, SACK, SCALE]), plain),
        ("timestamps alone", options(&[time]), timed(false, None)),
        (
            "without SACK",
            options(&[MSS, time, SCALE]),
            timed(false, Some(7)),
        ),
        (
            "without a scale",
            options(&[MSS, SACK, time]),
            timed(true, None),
        ),
        ("as Linux has them", options(linux), timed(true, Some(7))),
        (
            "in another order",
            options(&[SCALE, time, SACK, MSS]),
            timed(true, Some(7)),
        ),
        (
            "a scale of 0",
            options(&[time, &[3, 3, 0]]),
            timed(false, Some(0)),
        ),
        (
            "a scale beyond 14",
            options(&[time, &[3, 3, 255]]),
            timed(false, Some(255)),
        ),
        (
            "a size of 0",
            options(&[&[2, 4, 0, 0], time]),
            timed(false, None),
        ),
        (
            "two scales",
            options(&[SCALE, time, &[3, 3, 2]]),
            timed(false, Some(2)),
        ),
        ("40 times nothing", vec![1; 40], plain),
        (
            "an end before all others",
            options(&[&[0], time, SACK]),
            plain,
        ),
        (
            "an end before some",
            options(&[time, &[0], SACK, SCALE]),
            timed(false, None),
        ),
        (
            "an unknown one",
            options(&[&[253, 6, 1, 2, 3, 4], linux.concat().as_slice()]),
            timed(true, Some(7)),
        ),
        (
            "a length of 0",
            options(&[time, &[253, 0], SACK, SCALE]),
            timed(false, None),
        ),
        (
            "a length of 1",
            options(&[time, SACK, &[253, 1], SCALE]),
            timed(true, None),
        ),
        (
            "a length beyond the header",
            options(&[SACK, time, &[253, 40]]),
            timed(true, None),
        ),
        (
            "timestamps cut off",
            options(&[&[1, 1, 1, 1], &time[..8]]),
            plain,
        ),
        (
            "a kind at the very end",
            options(&[&[1, 1, 1], &[3]]),
            plain,
        ),
        (
            "timestamps of a wrong length",
            options(&[&[8, 9], &[0; 7], SACK]),
            plain,
        ),
        (
            "a scale of a wrong length",
            options(&[time, &[3, 4, 7, 7]]),
            timed(false, None),
        ),
        (
            "SACK of a wrong length",
            options(&[time, &[4, 3, 0]]),
            timed(false, None),
        ),
        (
            "a scale at the end of 40 bytes",
            options(&[&[1; 26], time, &[1], SCALE]),
            timed(false, Some(7)),
        ),
    ]
}

#[test]
fn an_answer_is_what_the_stack_would_send() {
    let mut answers = 0;
    Bench::each(&policy(), |bench| {
        for (name, options, offer) in offers() {
            let number = bench.answered(name, &bench.syn(&options), network(0), offer);
            bench.proves(number);
            answers += 1;
        }
    });
    ftp_guard_tests::report!("cookies: {answers} answers to options");
}

/// Where the IP header begins.
fn network(tags: usize) -> usize {
    14 + 4 * tags
}

#[test]
fn whatever_a_request_is_wrapped_in_its_answer_is_exact() {
    let tags = [(C_TAG, 0xe064), (S_TAG, 0x0fff), (OLD_S_TAG, 7), (C_TAG, 1)];
    let offers = offers();
    let mut answers = 0;
    Bench::each(&policy(), |bench| {
        for count in 0..=tags.len() {
            for wrapping in 0..5 {
                for padding in [0, 1, 26, 1400] {
                    for name in ["no options", "as Linux has them", "40 times nothing"] {
                        let found = offers.iter().find(|offer| offer.0 == name);
                        let (_, options, offer) = found.unwrap();
                        let packet = wrapped(bench, wrapping, options);
                        let ethertype = bench.flow().ethertype();
                        let mut frame = tagged(Macs::default(), &tags[..count], ethertype, &packet);
                        frame.resize(frame.len() + padding, 0xee);
                        let what = format!("{name}, {count} tags, {wrapping}, padding {padding}");
                        let at = network(count);
                        let number = bench.answered(&what, &frame, at, *offer);
                        bench.proves(number);
                        answers += 1;
                    }
                }
            }
        }
    });
    ftp_guard_tests::report!("cookies: {answers} answers to frames");
}

/// A packet with nothing, or one thing or another, between its IP and its TCP header.
fn wrapped(bench: &Bench, wrapping: usize, options: &[u8]) -> Vec<u8> {
    let flow = bench.flow();
    let segment = bench.syn_with(|segment| segment.options = options.to_vec());
    if flow.family == Family::Ipv6 {
        let mut packet = flow.ipv6(segment);
        packet.chain = [
            vec![],
            vec![Extension::HopByHop(0)],
            vec![Extension::ATOMIC],
            vec![Extension::DestinationOptions(20), Extension::Routing(2)],
            vec![Extension::DestinationOptions(0); 8],
        ][wrapping]
            .clone();
        packet.to_bytes()
    } else {
        let mut packet = flow.ipv4(segment);
        packet.options = vec![1; [0, 4, 8, 24, 40][wrapping]];
        packet.to_bytes()
    }
}

/// What random bytes offer, by the words of RFC 9293 section 3.1 and the kernel's habits: the last option of
/// a kind counts, one of a wrong length does not.
fn offer_of(mut bytes: &[u8]) -> Offer {
    let mut offer = Offer::default();
    loop {
        match bytes {
            [1, tail @ ..] => bytes = tail,
            [kind, length, ..] if *kind != 0 => {
                let length = usize::from(*length);
                if length < 2 || length > bytes.len() {
                    break;
                }
                let (option, tail) = bytes.split_at(length);
                match option {
                    [3, 3, scale] => offer.scale = Some(*scale),
                    [4, 2] => offer.sack = true,
                    [8, 10, a, b, c, d, ..] => {
                        offer.timestamp = Some(u32::from_be_bytes([*a, *b, *c, *d]));
                    }
                    _ => {}
                }
                bytes = tail;
            }
            _ => break,
        }
    }
    offer
}

#[test]
fn random_options_are_read_as_another_parser_reads_them() {
    const RUNS: usize = 2_000;
    let mut random = rand::rng();
    let mut timed = 0;
    Bench::each(&policy(), |bench| {
        for run in 0..RUNS {
            let mut options: Vec<u8> = Vec::new();
            for _ in 0..random.random_range(0..9) {
                match random.random_range(0..8) {
                    0 => options.push(1),
                    1 => options.extend([3, 3, random.random()]),
                    2 => options.extend([4, 2]),
                    3 | 4 => {
                        options.extend([8, 10]);
                        options.extend(random.random::<[u8; 8]>());
                    }
                    5 => options.extend([2, 4, random.random(), random.random()]),
                    6 => options.extend([random.random(), random.random_range(0..12)]),
                    _ => options.push(random.random_range(0..9)),
                }
            }
            options.resize(random.random_range(0..=10) * 4, random.random_range(0..2));
            let offer = offer_of(&options);
            timed += usize::from(offer.timestamp.is_some());
            let what = format!("run {run}");
            bench.answered(&what, &bench.syn(&options), network(0), offer);
        }
    });
    assert!(timed > RUNS / 10, "{timed} had timestamps");
}

#[test]
fn a_listener_without_scale_and_sack_offers_neither() {
    Bench::each(&policy(), |bench| {
        let time = timestamps();
        let syn = bench.syn(&options(&[&time, &[3, 3, 7], &[4, 2]]));
        let now = monotonic_ns();
        bench.set(Primed {
            primed_ns: now,
            cookie_ns: now,
            mss: 536,
            window: 1,
            ..Primed::default()
        });
        let ran = bench.enforce(&syn, Reason::SynCookie);
        let answer = Answer::read(&ran.frame[network(0)..], &bench.flow());
        assert_eq!(
            (answer.sack, answer.scale, answer.mss, answer.window),
            (false, None, 536, 1)
        );
        let (value, echo) = answer.timestamp.unwrap();
        assert_eq!((value & 0x3f, echo), (15, TSVAL));
        bench.proves(answer.number);
    });
}

/// Where the listener stands, what becomes of a SYN, and whether it passes as a primer.
struct Standing {
    name: &'static str,
    /// How long ago it was last primed, has last answered, and cookies began; in nanoseconds.
    primed: Option<u64>,
    answered: Option<u64>,
    since: Option<i64>,
    reason: Reason,
    primes: bool,
}

#[test]
fn the_guard_answers_where_the_stack_accepts_and_lets_primers_pass() {
    const ROW: Standing = Standing {
        name: "",
        primed: Some(SECOND / 2),
        answered: Some(SECOND / 2),
        since: Some(100 * SECOND as i64),
        reason: Reason::SynCookie,
        primes: false,
    };
    let primer = Standing {
        reason: Reason::Listed,
        primes: true,
        ..ROW
    };
    let none = Standing {
        reason: Reason::Listed,
        ..ROW
    };
    let rows = [
        Standing {
            name: "primed and answered",
            ..ROW
        },
        Standing {
            name: "answered long ago",
            answered: Some(PRIMED_NS - 5 * SECOND),
            ..ROW
        },
        Standing {
            name: "due",
            primed: Some(PRIME_EVERY_NS + SECOND / 10),
            ..primer
        },
        Standing {
            name: "never primed",
            primed: None,
            answered: None,
            ..primer
        },
        Standing {
            name: "never primed but answered",
            primed: None,
            ..primer
        },
        Standing {
            name: "primed before the stack took cookies",
            primed: Some(200 * SECOND),
            ..primer
        },
        Standing {
            name: "answered before the stack took cookies",
            since: Some(SECOND as i64 / 4),
            ..primer
        },
        Standing {
            name: "not answered for a while",
            answered: None,
            ..primer
        },
        Standing {
            name: "not answered for too long",
            answered: Some(PRIMED_NS + SECOND / 10),
            ..primer
        },
        Standing {
            name: "just primed, not answered",
            primed: Some(0),
            answered: None,
            ..none
        },
        Standing {
            name: "no cookies",
            since: None,
            ..none
        },
        Standing {
            name: "cookies that begin later",
            since: Some(-(SECOND as i64)),
            ..none
        },
    ];
    Bench::each(&policy(), |bench| {
        for row in &rows {
            let mut policy = policy();
            let now = monotonic_ns();
            let before = |age: u64| now - age;
            policy.limits.cookies_since_ns =
                row.since.map_or(0, |age| now.wrapping_add_signed(-age));
            bench.guard.install(&policy).unwrap();
            let primed = Primed {
                primed_ns: row.primed.map_or(0, before),
                cookie_ns: row.answered.map_or(0, before),
                ..LISTENER
            };
            bench.set(primed);
            let syn = bench.syn(&[]);
            let ran = bench.enforce(&syn, row.reason);
            let after = bench.primed().unwrap();
            assert_eq!(
                after.primed_ns != primed.primed_ns,
                row.primes,
                "{}",
                row.name
            );
            if row.reason == Reason::Listed {
                assert_eq!((ran.action, ran.frame), (XDP_PASS, syn), "{}", row.name);
            }
        }
    });
}

#[test]
fn without_a_listener_there_are_no_cookies() {
    Bench::each(&policy(), |bench| {
        let syn = bench.syn(&[]);
        bench.enforce(&syn, Reason::Listed);
        assert_eq!(bench.primed(), None);
        bench.prime();
        bench.enforce(&syn, Reason::SynCookie);
        bench.guard.state().primed().unwrap().clear().unwrap();
        bench.enforce(&syn, Reason::Listed);
    });
}

#[test]
fn cookies_are_accepted_as_long_as_the_stack_does() {
    Bench::each(&policy(), |bench| {
        bench.prime();
        let syn = bench.syn(&[]);
        let ran = bench.enforce(&syn, Reason::SynCookie);
        let number = Answer::read(&ran.frame[network(0)..], &bench.flow()).number;
        let ack = bench.ack(SEQUENCE.wrapping_add(1), number.wrapping_add(1));
        let now = monotonic_ns();
        for (age, reason) in [
            (2 * PRIMED_NS - 10 * SECOND, Reason::CookieAccepted),
            (2 * PRIMED_NS + SECOND / 10, Reason::Listed),
        ] {
            bench.set(Primed {
                cookie_ns: now - age,
                ..LISTENER
            });
            bench.enforce(&ack, reason);
            bench.guard.state().opening().unwrap().clear().unwrap();
        }
        // The daemon has put the stack back, but cookies are still under way.
        let mut after = policy();
        after.limits.cookies_since_ns = 0;
        bench.guard.install(&after).unwrap();
        bench.prime();
        bench.enforce(&ack, Reason::CookieAccepted);
        bench.guard.state().opening().unwrap().clear().unwrap();
        after.limits.cookies = Cookies::Off as u32;
        bench.guard.install(&after).unwrap();
        bench.enforce(&ack, Reason::Listed);
    });
}

#[test]
fn monitor_mode_answers_nothing() {
    Bench::each(&policy().monitoring(), |bench| {
        bench.prime();
        let syn = bench.syn(&[2, 4, 5, 180]);
        let ran = bench.run(&syn, Reason::SynCookie, Mode::Monitor);
        assert_eq!((ran.action, ran.frame), (XDP_PASS, syn));
    });
}

#[test]
fn what_cannot_be_answered_is_dropped() {
    Bench::each(&policy(), |bench| {
        bench.prime();
        let whole = bench.syn(&[2, 4, 5, 180]);
        let mut to_group = whole.clone();
        to_group[0] |= 1;
        let mut from_group = whole.clone();
        from_group[6] |= 1;
        // With its padding beyond what fits into a page with its headroom: several buffers.
        let mut scattered = whole.clone();
        scattered.resize(4000, 0);
        for frame in [to_group, from_group, scattered] {
            let ran = bench.enforce(&frame, Reason::CookieFailed);
            assert_eq!((ran.action, ran.frame), (XDP_DROP, frame));
        }
        bench.enforce(&whole, Reason::SynCookie);
    });
}

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
            let mut frame = ftp_guard_tests::conversation::frame(
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

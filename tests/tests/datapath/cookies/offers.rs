//! What clients offer in their SYNs, and in what they wrap them.

use ftp_guard::datapath::monotonic_ns;
use ftp_guard_common::{class::Family, limits::Primed, reason::Reason};
use ftp_guard_tests::packet::{C_TAG, Extension, Macs, OLD_S_TAG, S_TAG, tagged};
use rand::Rng;

use crate::passive::SECOND;

use super::{
    answer::Answer,
    bench::{Bench, Offer, network, policy},
};

/// A timestamp whose bytes tell their order.
const TSVAL: u32 = 0xfedc_ba98;

pub(super) fn timestamps() -> Vec<u8> {
    let mut option = vec![8, 10];
    option.extend(TSVAL.to_be_bytes());
    option.extend([0; 4]);
    option
}

/// Options padded to whole words.
pub(super) fn options(parts: &[&[u8]]) -> Vec<u8> {
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
    // An emulated processor is some fifty times slower.
    let runs = match std::env::var_os("FTP_GUARD_EMULATED") {
        Some(_) => 200,
        None => 2_000,
    };
    let mut random = rand::rng();
    let mut timed = 0;
    Bench::each(&policy(), |bench| {
        for run in 0..runs {
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
    assert!(timed > runs / 10, "{timed} had timestamps");
}

#[test]
fn a_listener_without_scale_and_sack_offers_neither() {
    Bench::each(&policy(), |bench| {
        let time = timestamps();
        let syn = bench.syn(&options(&[&time, &[3, 3, 7], &[4, 2]]));
        let now = monotonic_ns();
        bench.set(Primed {
            primed_ns: now + 60 * SECOND,
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

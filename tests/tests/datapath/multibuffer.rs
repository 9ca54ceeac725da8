//! Frames in several buffers, as interfaces with a large MTU or receive offload hand them over: the
//! verdict is that of the frame in one buffer, and the bytes are those of the whole frame.

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};
use ftp_guard_tests::{
    agree::Agreement,
    model,
    packet::{C_TAG, Extension, Macs, S_TAG, ethernet, hex},
    program::{Guard, now_s},
    sys,
};

use crate::{
    cases::{Flow, cases, policy},
    tcp::{flags, segment, syn},
};

/// What fits the linear part of a test run at the most: a page less headroom and tailroom. More
/// goes to fragments of the buffer.
const PAGE: usize = 4096;

/// Segments with payloads from below a page to beyond 64 KiB (BIG TCP).
fn large(flow: &Flow, text: &str, length: usize) -> Vec<u8> {
    flow.plain(segment(flow, |segment| {
        segment.flags = flags(text);
        segment.payload = vec![b'x'; length];
    }))
}

#[test]
fn frames_beyond_a_page_are_judged_and_counted_whole() {
    let policy = policy();
    let guard = Guard::with(&policy).unwrap();
    let mut rows = 0;
    for family in [Family::Ipv4, Family::Ipv6] {
        for length in [3000, 3600, 4096, 8192, 8948, 20_000, 60_000, 66_000] {
            for (listed, port, text, verdict, reason, class) in [
                (
                    false,
                    21,
                    "ack",
                    Verdict::Drop,
                    Reason::NotListed,
                    PortClass::Control,
                ),
                (
                    true,
                    21,
                    "ack",
                    Verdict::Pass,
                    Reason::Listed,
                    PortClass::Control,
                ),
                (
                    true,
                    50_000,
                    "ack",
                    Verdict::Drop,
                    Reason::NoFlow,
                    PortClass::PassiveData,
                ),
                (
                    true,
                    50_000,
                    "syn",
                    Verdict::Drop,
                    Reason::TcpSynData,
                    PortClass::PassiveData,
                ),
                (
                    true,
                    20,
                    "ack",
                    Verdict::Drop,
                    Reason::NoFlow,
                    PortClass::ActiveData,
                ),
                (
                    false,
                    22,
                    "ack",
                    Verdict::Pass,
                    Reason::NotFtp,
                    PortClass::Other,
                ),
            ] {
                let flow = Flow {
                    family,
                    listed,
                    port,
                };
                for tags in [&[][..], &[S_TAG, C_TAG]] {
                    let packet = large(&flow, text, length);
                    let frame = ethernet(Macs::default(), tags, flow.ethertype(), &packet);
                    let outcome = guard.observe(&frame).unwrap();
                    let wanted = (
                        StatsKey {
                            verdict,
                            reason,
                            class,
                            family,
                        },
                        Counter {
                            packets: 1,
                            bytes: frame.len() as u64,
                        },
                    );
                    assert_eq!(
                        outcome.only_cell().unwrap(),
                        wanted,
                        "{flow:?}, {length} bytes"
                    );
                    assert_eq!(outcome.passed, verdict == Verdict::Pass);
                    rows += 1;
                }
            }
        }
    }
    ftp_guard_tests::report!("datapath: {rows} frames in several buffers");
}

/// IPv6 chains so long that TCP, or a header before it, lies across the border of the linear part
/// or behind it.
#[test]
fn headers_behind_the_first_page_are_found() {
    let policy = policy();
    let guard = Guard::with(&policy).unwrap();
    let mut agreement = Agreement::new(&guard, &policy).unwrap();
    for listed in [false, true] {
        for port in [21, 20, 22] {
            let flow = Flow {
                family: Family::Ipv6,
                listed,
                port,
            };
            // The border is near 3520 bytes; the second header moves TCP over it in steps of 8.
            for second in 150..=255 {
                for last in [
                    Extension::DestinationOptions(0),
                    Extension::Authentication(2),
                    Extension::ATOMIC,
                ] {
                    let mut packet = flow.ipv6(syn(&flow));
                    packet.chain = vec![
                        Extension::HopByHop(255),
                        Extension::DestinationOptions(second),
                        last,
                    ];
                    let frame = ethernet(
                        Macs::default(),
                        &[C_TAG],
                        flow.ethertype(),
                        &packet.to_bytes(),
                    );
                    let judgement = agreement.check(&frame).unwrap();
                    assert_eq!(judgement.key.family, Family::Ipv6);
                    assert_ne!(judgement.key.reason, Reason::Truncated);
                }
            }
            // 8 headers of 2 KiB each.
            let mut packet = flow.ipv6(syn(&flow));
            packet.chain = vec![Extension::DestinationOptions(255); 8];
            let frame = ethernet(Macs::default(), &[], flow.ethertype(), &packet.to_bytes());
            assert!(frame.len() > 4 * PAGE - 100);
            agreement.check(&frame).unwrap();
        }
    }
    ftp_guard_tests::report!(
        "datapath: {} frames with headers behind a page",
        agreement.finish().unwrap()
    );
}

/// Where the kernel can split a test frame anywhere: each case split at every byte from the
/// Ethernet header on to behind its TCP header.
#[test]
fn the_linear_part_may_end_anywhere() {
    let policy = policy();
    let guard = Guard::with(&policy).unwrap();
    match sys::linear_length(&[0; 64], 32) {
        Ok(length) => assert_eq!(length, 32, "the kernel splits a test frame elsewhere"),
        Err(error) => {
            ftp_guard_tests::report!(
                "datapath: this kernel cannot split a test frame ({error}; 6.18 can): no splits run"
            );
            return;
        }
    }
    let mut splits = 0_u64;
    for case in cases() {
        for family in case.families {
            let flow = Flow {
                family: *family,
                listed: case.name.len().is_multiple_of(2),
                port: case.port,
            };
            let packet = (case.packet)(&flow);
            let frame = ethernet(Macs::default(), &[C_TAG], flow.ethertype(), &packet);
            let wanted = model::judge(&frame, &policy, now_s());
            let last = frame.len().min(200);
            let before = guard.table().unwrap();
            let cuts = (14..last).step_by(crate::speed::stride());
            let runs = cuts.len() as u64;
            for linear in cuts {
                let passed = guard.run_linear(&frame, Some(linear as u32)).unwrap();
                assert_eq!(
                    passed,
                    wanted.passes(),
                    "{} split at {linear}: {}",
                    case.name,
                    hex(&frame)
                );
                splits += 1;
            }
            let mut table = before;
            table[wanted.key.index() as usize].packets += runs;
            table[wanted.key.index() as usize].bytes += runs * frame.len() as u64;
            assert!(
                guard.table().unwrap() == table,
                "{}: some split is counted elsewhere than under {:?}: {}",
                case.name,
                wanted.key,
                hex(&frame)
            );
        }
    }
    ftp_guard_tests::report!("datapath: {splits} splits of the linear part");
}

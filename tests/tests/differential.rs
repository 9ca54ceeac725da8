//! The model of the rules and the kernel program agree on random and damaged frames: verdict,
//! reason, class, family and bytes.
//!
//! `FTP_GUARD_SEED` repeats a run; `FTP_GUARD_FRAMES` sets the number of frames.

use std::{collections::BTreeMap, time::Instant};

use ftp_guard::frame::{FrameSpec, TcpFlags, tcp_frame};
use ftp_guard_common::{class::PortClass, reason::Reason};
use ftp_guard_tests::{
    agree::Agreement,
    policy::Policy,
    program::{Guard, now_s},
    random::{self, Generator, mutate, number_from_env},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

const FRAMES: u64 = 200_000;
/// The reasons that the XDP program gives where nobody has a session; the suite `sequences` leads to the
/// others.
const WITHOUT_SESSIONS: [Reason; 24] = [
    Reason::NotIp,
    Reason::NotTcp,
    Reason::NotFtp,
    Reason::LaterFragment,
    Reason::Truncated,
    Reason::BadIpHeader,
    Reason::Listed,
    Reason::NotListed,
    Reason::Excluded,
    Reason::Expired,
    Reason::ActiveDataSyn,
    Reason::VlanTooDeep,
    Reason::ExtensionsTooDeep,
    Reason::FragmentedHeader,
    Reason::TcpTruncated,
    Reason::TcpBadOffset,
    Reason::TcpNull,
    Reason::TcpXmas,
    Reason::TcpSynFin,
    Reason::TcpSynRst,
    Reason::TcpSynData,
    Reason::NoFlow,
    Reason::NoSession,
    Reason::Banned,
];
/// Frames under one policy.
const ROUND: u64 = 10_000;

#[test]
fn model_and_program_agree() {
    let seed = number_from_env("FTP_GUARD_SEED", rand::random()).unwrap();
    let frames = number_from_env("FTP_GUARD_FRAMES", FRAMES).unwrap();
    ftp_guard_tests::report!("differential: FTP_GUARD_SEED={seed} FTP_GUARD_FRAMES={frames}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut guard = Guard::load().unwrap();
    let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
    let started = Instant::now();

    let mut done = 0;
    while done < frames {
        let policy = random::policy(&mut rng, now_s());
        let generator = Generator::new(&policy);
        guard.install(&policy).unwrap();
        let mut agreement = Agreement::new(&guard, &policy).unwrap();
        for _ in 0..ROUND.min(frames - done) {
            let mut frame = generator.frame(&mut rng);
            if rng.random_bool(0.6) {
                for _ in 0..rng.random_range(1..=4) {
                    mutate(&mut rng, &mut frame);
                }
            }
            match agreement.check(&frame) {
                Ok(judgement) => *reasons.entry(judgement.key.reason).or_default() += 1,
                Err(error) => panic!("FTP_GUARD_SEED={seed}: {error:#}"),
            }
        }
        done += agreement
            .finish()
            .unwrap_or_else(|error| panic!("FTP_GUARD_SEED={seed}: {error:#}"));
    }

    ftp_guard_tests::report!(
        "differential: {done} frames agree, {:.1} us each",
        started.elapsed().as_secs_f64() * 1e6 / done as f64
    );
    for (reason, count) in &reasons {
        ftp_guard_tests::report!("  {:<20} {count}", reason.as_str());
    }
    assert_eq!(done, frames);
    if frames >= FRAMES {
        for reason in WITHOUT_SESSIONS {
            assert!(
                reasons.get(&reason).copied().unwrap_or(0) >= 20,
                "the frames hardly ever lead to {}: the generator is blind there",
                reason.as_str()
            );
        }
    }
}

/// The comparison itself can fail: on a verdict, on a counter, and on a second cell.
#[test]
fn a_difference_is_noticed() {
    let listed = Policy::new().allowing("198.51.100.0/24");
    let guard = Guard::with(&listed).unwrap();
    let frame = tcp_frame(&FrameSpec {
        source: "198.51.100.7".parse().unwrap(),
        destination: "192.0.2.1".parse().unwrap(),
        source_port: 40_000,
        destination_port: 21,
        flags: TcpFlags::SYN,
        vlans: vec![7],
        payload: Vec::new(),
    });

    let empty = Policy::new();
    let mut agreement = Agreement::new(&guard, &empty).unwrap();
    let error = agreement.check(&frame).unwrap_err().to_string();
    assert!(
        error.contains("Listed") && error.contains("NotListed"),
        "{error}"
    );

    let mut other_class = listed.clone();
    other_class.class(21..=21, PortClass::PassiveData);
    let mut agreement = Agreement::new(&guard, &other_class).unwrap();
    assert!(agreement.check(&frame).is_err());

    let mut agreement = Agreement::new(&guard, &listed).unwrap();
    agreement.check(&frame).unwrap();
    guard.run(&[0; 60]).unwrap();
    assert!(agreement.finish().is_err());
}

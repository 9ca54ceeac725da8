//! The inputs of the fuzz targets that are kept, and thousands like them.
//!
//! `FTP_GUARD_FUZZ_SECONDS` makes each target run for so long, where there is no nightly compiler for `fuzz/`;
//! `FTP_GUARD_FUZZ_SEED` begins elsewhere.

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use super::super::fuzz;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 3] = [
    ("monitor", fuzz::monitor),
    ("stream", fuzz::stream),
    ("hello", fuzz::hello),
];

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn inputs_that_are_kept_find_nothing() {
    for (target, run) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 5, "{target}");
        for input in inputs {
            run(&input);
        }
    }
}

/// Changes of inputs that are kept: bytes changed, cut out, doubled, and two put together.
#[test]
fn inputs_like_those_that_are_kept_find_nothing() {
    let number = |name| {
        env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let time = number("FTP_GUARD_FUZZ_SECONDS").map(Duration::from_secs);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ number("FTP_GUARD_FUZZ_SEED").unwrap_or(0);
    let mut roll = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    for (target, run) in TARGETS {
        let inputs = inputs(target);
        let (start, mut runs) = (Instant::now(), 0_u64);
        while time.map_or(runs < 3000, |time| start.elapsed() < time) {
            runs += 1;
            let mut input = inputs[roll(inputs.len())].clone();
            for _ in 0..=roll(6) {
                let place = roll(input.len());
                let length = roll(20).min(input.len() - place);
                match roll(5) {
                    0 => input.extend_from_slice(&inputs[roll(inputs.len())]),
                    1 => drop(input.drain(place..place + length)),
                    2 => input.extend_from_within(place..place + length),
                    3 => input.insert(place, roll(256) as u8),
                    _ if input.is_empty() => {}
                    _ => input[place] = roll(256) as u8,
                }
            }
            run(&input);
        }
        if time.is_some() {
            println!("{target}: {runs} inputs in {:?}", start.elapsed());
        }
    }
}

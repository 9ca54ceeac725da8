//! The kernel's filter for dumps: a program of comparisons with jumps (linux/inet_diag.h,
//! `inet_diag_bc_op`).

use std::ops::RangeInclusive;

const S_GE: u8 = 2;
const S_LE: u8 = 3;
const JUMP: u8 = 1;

/// Bytes of an instruction; a comparison with a port is two of them, the second holds the port.
const OPERATION: u8 = 4;
/// Bytes of what tests one range.
const RANGE: u16 = 5 * OPERATION as u16;

/// The kernel checks a program in a time that grows with the square of its length, and compares
/// each socket with one range after the other.
const MOST_RANGES: usize = 32;

/// The ports as ranges in order, none touching another.
pub fn merged(ports: &[RangeInclusive<u16>]) -> Vec<RangeInclusive<u16>> {
    let mut sorted: Vec<_> = ports.iter().filter(|ports| !ports.is_empty()).collect();
    sorted.sort_by_key(|ports| *ports.start());
    let mut merged: Vec<RangeInclusive<u16>> = Vec::new();
    for ports in sorted {
        match merged.last_mut() {
            Some(last) if u32::from(*ports.start()) <= u32::from(*last.end()) + 1 => {
                *last = *last.start()..=*last.end().max(ports.end());
            }
            _ => merged.push(ports.clone()),
        }
    }
    merged
}

/// Few ranges that cover all of `merged`: those that lie closest together become one.
pub fn coarse(merged: &[RangeInclusive<u16>]) -> Vec<RangeInclusive<u16>> {
    let mut ranges = merged.to_vec();
    while ranges.len() > MOST_RANGES {
        let gap = |at: usize| ranges[at + 1].start() - ranges[at].end();
        let Some(at) = (0..ranges.len() - 1).min_by_key(|at| gap(*at)) else {
            break;
        };
        let next = ranges.remove(at + 1);
        ranges[at] = *ranges[at].start()..=*next.end();
    }
    ranges
}

/// The program that accepts a socket whose local port is in one of the ranges, at most
/// [`MOST_RANGES`].
///
/// A jump to the end accepts; one instruction beyond it refuses. `yes` must lead to the next
/// instruction, since that is how the kernel walks through the program when it checks it.
pub fn code(ranges: &[RangeInclusive<u16>]) -> Vec<u8> {
    let mut code = Vec::new();
    // Bytes from the beginning of this range's test to the end.
    let mut left = RANGE * ranges.len() as u16;
    for ports in ranges {
        let operation = u16::from(OPERATION);
        let otherwise = match left {
            RANGE => RANGE + operation,
            _ => RANGE,
        };
        push(&mut code, S_GE, 2 * OPERATION, otherwise);
        push(&mut code, 0, 0, *ports.start());
        push(&mut code, S_LE, 2 * OPERATION, otherwise - 2 * operation);
        push(&mut code, 0, 0, *ports.end());
        push(&mut code, JUMP, OPERATION, left - 4 * operation);
        left -= RANGE;
    }
    code
}

fn push(code: &mut Vec<u8>, operation: u8, yes: u8, no: u16) {
    code.extend([operation, yes]);
    code.extend(no.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The kernel's interpreter, as inet_diag.h describes the program.
    fn accepts(code: &[u8], port: u16) -> bool {
        let mut rest = code;
        while let [operation, yes, no @ ..] = rest {
            let operand = rest
                .get(6..8)
                .map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
            let holds = match *operation {
                JUMP => false,
                S_GE => port >= operand.unwrap(),
                S_LE => port <= operand.unwrap(),
                other => panic!("operation {other}"),
            };
            let offset = match holds {
                true => usize::from(*yes),
                false => usize::from(u16::from_ne_bytes([no[0], no[1]])),
            };
            match rest.get(offset..) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    }

    fn ranges() -> impl Strategy<Value = Vec<RangeInclusive<u16>>> {
        prop::collection::vec(
            (any::<u16>(), 0..300_u16).prop_map(|(first, more)| first..=first.saturating_add(more)),
            1..80,
        )
    }

    #[test]
    fn neighbours_become_one() {
        assert_eq!(
            merged(&[990..=990, 20..=21, 22..=30, 65535..=65535, 25..=26, 0..=0]),
            [0..=0, 20..=30, 990..=990, 65535..=65535]
        );
        assert_eq!(merged(&[]), []);
    }

    proptest! {
        #[test]
        fn merging_changes_no_port(ranges in ranges(), port: u16) {
            let one = ranges.iter().any(|ports| ports.contains(&port));
            let other = merged(&ranges).iter().any(|ports| ports.contains(&port));
            prop_assert_eq!(one, other);
        }

        #[test]
        fn the_program_accepts_what_the_ranges_hold(ranges in ranges(), port: u16) {
            let coarse = coarse(&merged(&ranges));
            prop_assert!(coarse.len() <= MOST_RANGES);
            let code = code(&coarse);
            for port in [port, *ranges[0].start(), *ranges[0].end()] {
                let held = coarse.iter().any(|ports| ports.contains(&port));
                prop_assert_eq!(accepts(&code, port), held);
                if ranges.iter().any(|ports| ports.contains(&port)) {
                    prop_assert!(held);
                }
            }
        }
    }
}

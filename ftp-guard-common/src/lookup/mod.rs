//! The allowlist's lookup structure: how a program finds what the longest prefix says of an address, at a
//! cost that does not grow with the list. `docs/lookup.md` explains it.
//!
//! The readers here are generic over the memory that they read: the programs give them BPF arrays, the
//! daemon and the tests the same arrays mapped, or vectors. Whoever writes does it one aligned word at a
//! time and in an order in which every address has either its old outcome or its new one (`engine::lookup`
//! of the daemon).

pub mod lines;
pub mod outcome;
pub mod v4;
pub mod v6;

pub use outcome::{Outcome, Row};

/// Place of the last of `count` sorted records whose start is not above what is sought: `is_above` tells of the
/// record at a place. They begin at `first` and are `width` places long; the first one starts at 0, so that
/// there always is one.
///
/// `STEPS` is the logarithm of the largest count, rounded up: the verifier wants loops that end. Places are
/// counted from the beginning of the memory, and so there is little to keep in mind: the programs have hardly
/// any stack left where they call this.
#[inline(always)]
pub(crate) fn last_not_above<const STEPS: u32>(
    first: u32,
    count: u32,
    width: u32,
    is_above: impl Fn(u32) -> bool,
) -> u32 {
    let end = first.wrapping_add(count.wrapping_mul(width));
    let mut at = first;
    let mut step = STEPS;
    while step > 0 {
        step -= 1;
        let next = at.wrapping_add(width << step);
        if next < end && !is_above(next) {
            at = next;
        }
    }
    at
}

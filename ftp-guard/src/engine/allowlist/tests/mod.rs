//! The allowlist as a whole: texts, and properties of random ones.

mod arbitrary;
mod hosts;
mod lookup;
mod numbers;
mod parse;
mod plan;
mod table;
mod update;
mod written;

use std::path::Path;

use super::AllowSet;
use crate::diagnostic::Diagnostics;

/// The profiles that the tests know.
fn profile_number(name: &str) -> Option<u16> {
    ["default", "bulk", "slow"]
        .iter()
        .position(|known| *known == name)
        .and_then(|number| u16::try_from(number).ok())
}

fn parse(text: &str) -> Result<AllowSet, Diagnostics> {
    AllowSet::parse([(Path::new("a.list"), text)], &profile_number)
}

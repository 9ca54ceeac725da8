//! A prefix a line: what is allowed now, exclusions subtracted.

use std::io::{self, Write};

use super::flatten::flatten;
use super::{List, Lost};
use crate::engine::allowlist::{DEFAULT_PROFILE, written};

pub(super) fn write(list: &List<'_>, out: &mut dyn Write) -> io::Result<Lost> {
    let mut lost = Lost::default();
    for v4 in [true, false] {
        for region in flatten(list, v4, &mut lost) {
            for prefix in region.source().prefixes() {
                writeln!(out, "{}", written(&prefix))?;
            }
        }
    }
    for (_, number) in list.entries {
        let settings = list.settings.get(*number);
        if list.over(settings) || settings.exclude {
            continue;
        }
        lost.ends += u64::from(settings.expires.is_some());
        lost.profiles += u64::from(*settings.profile != *DEFAULT_PROFILE);
        lost.labels += u64::from(settings.label.is_some());
    }
    Ok(lost)
}

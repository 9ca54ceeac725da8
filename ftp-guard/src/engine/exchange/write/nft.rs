//! A script for `nft -f` that makes a set for each family, or fills it anew: one transaction.

use std::io::{self, Write};

use super::flatten::flatten;
use super::{List, Lost, comment};
use crate::engine::allowlist::written;
use crate::engine::exchange::source::Source;

/// What nft takes as a comment, in bytes (NFTNL_UDATA_COMMENT_MAXLEN with its end).
const MOST_COMMENT: usize = 127;

pub(super) fn write(list: &List<'_>, out: &mut dyn Write) -> io::Result<Lost> {
    let mut lost = Lost::default();
    writeln!(out, "add table inet ftp_guard")?;
    for (v4, suffix, kind) in [(true, "v4", "ipv4_addr"), (false, "v6", "ipv6_addr")] {
        let regions = flatten(list, v4, &mut lost);
        let timed = regions.iter().any(|region| region.until.is_some());
        let flags = if timed {
            "interval, timeout"
        } else {
            "interval"
        };
        let name = format!("{}_{suffix}", list.name);
        writeln!(
            out,
            "add set inet ftp_guard {name} {{ type {kind}; flags {flags}; }}"
        )?;
        writeln!(out, "flush set inet ftp_guard {name}")?;
        if regions.is_empty() {
            continue;
        }
        writeln!(out, "add element inet ftp_guard {name} {{")?;
        for region in &regions {
            write!(out, "\t{}", element(&region.source()))?;
            if let Some(until) = region.until {
                write!(out, " timeout {}s", list.left(until))?;
            }
            let settings = list.settings.get(region.settings);
            if let Some(comment) = comment(settings, MOST_COMMENT, &mut lost) {
                write!(out, " comment \"{comment}\"")?;
            }
            writeln!(out, ",")?;
        }
        writeln!(out, "}}")?;
    }
    Ok(lost)
}

fn element(source: &Source) -> String {
    let mut prefixes = source.prefixes();
    match (prefixes.next(), prefixes.next(), source) {
        (Some(only), None, _) => written(&only),
        (_, _, Source::V4(first, last)) => format!("{first}-{last}"),
        (_, _, Source::V6(first, last)) => format!("{first}-{last}"),
        (_, _, Source::Net(net)) => written(net),
    }
}

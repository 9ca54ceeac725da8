//! A script for `ipset restore` that makes a set for each family, or fills it anew. Sets of type
//! hash:net decide as the allowlist does: by the longest prefix, and `nomatch` is an exclusion.

use std::collections::HashSet;
use std::io::{self, Write};

use ipnet::IpNet;

use super::{List, Lost, comment};
use crate::engine::allowlist::written;

/// The longest timeout that ipset takes, in seconds.
const MOST_TIMEOUT: u64 = 2_147_483;
/// What ipset takes as a comment, in bytes.
const MOST_COMMENT: usize = 255;

pub(super) fn write(list: &List<'_>, out: &mut dyn Write) -> io::Result<Lost> {
    let mut lost = Lost::default();
    for (v4, suffix, family) in [(true, "v4", "inet"), (false, "v6", "inet6")] {
        let of_family = || {
            let entries = list.entries.iter();
            entries.filter(move |(prefix, _)| matches!(prefix, IpNet::V4(_)) == v4)
        };
        let name = format!("{}_{suffix}", list.name);
        let count = of_family().count().max(1);
        let most = (count + 2).next_power_of_two().max(65_536);
        let size = (count / 2).next_power_of_two().max(1_024);
        writeln!(
            out,
            "create {name} hash:net family {family} hashsize {size} maxelem {most} timeout 0 \
             comment -exist"
        )?;
        writeln!(out, "flush {name}")?;
        let halves: HashSet<IpNet> = of_family()
            .map(|(prefix, _)| *prefix)
            .filter(|prefix| prefix.prefix_len() == 1)
            .collect();
        for (prefix, number) in of_family() {
            let settings = list.settings.get(*number);
            if list.over(settings) {
                lost.over += 1;
                continue;
            }
            let mut options = String::new();
            if let Some(end) = settings.expires {
                let left = list.left(end);
                lost.early += u64::from(left > MOST_TIMEOUT);
                options = format!(" timeout {}", left.min(MOST_TIMEOUT));
            }
            if let Some(comment) = comment(settings, MOST_COMMENT, &mut lost) {
                options.push_str(&format!(" comment \"{comment}\""));
            }
            if settings.exclude {
                options.push_str(" nomatch");
            }
            if prefix.prefix_len() > 0 {
                writeln!(out, "add {name} {}{options}", written(prefix))?;
                continue;
            }
            // These sets have no prefix of length 0.
            for half in prefix.subnets(1).into_iter().flatten() {
                if !halves.contains(&half) {
                    writeln!(out, "add {name} {half}{options}")?;
                }
            }
        }
    }
    Ok(lost)
}

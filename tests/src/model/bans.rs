use std::{collections::BTreeMap, net::IpAddr};

use ftp_guard_common::ban::{BanKind, BanValue};
use ipnet::IpNet;

/// Whether the source is banned at this time: the longest prefix decides that has not expired.
pub(super) fn has(bans: &BTreeMap<IpNet, BanValue>, source: IpAddr, now_s: u64) -> bool {
    let covering = bans
        .iter()
        .filter(|(prefix, _)| prefix.contains(&source))
        .filter(|(_, value)| value.expires_s == 0 || u64::from(value.expires_s) > now_s);
    let longest = covering.max_by_key(|(prefix, _)| prefix.prefix_len());
    longest.is_some_and(|(_, value)| value.kind == BanKind::Ban as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    const NOW: u64 = 1_800_000_000;

    fn is_banned(entries: &[(&str, BanKind, u32)]) -> bool {
        let mut policy = Policy::new();
        for (prefix, kind, expires_s) in entries {
            policy.ban(prefix.parse().unwrap(), *kind, *expires_s);
        }
        has(&policy.bans, "198.51.100.7".parse().unwrap(), NOW)
    }

    #[test]
    fn the_longest_prefix_decides() {
        use BanKind::{Ban, Never};
        assert!(!is_banned(&[]));
        assert!(!is_banned(&[("198.51.101.0/24", Ban, 0)]));
        assert!(!is_banned(&[("::/0", Ban, 0)]));
        assert!(is_banned(&[("198.51.100.0/24", Ban, 0)]));
        assert!(!is_banned(&[
            ("198.51.100.0/24", Ban, 0),
            ("198.51.100.7/32", Never, 0)
        ]));
        assert!(is_banned(&[
            ("198.51.100.0/24", Never, 0),
            ("198.51.100.7/32", Ban, 0)
        ]));
    }

    #[test]
    fn what_has_expired_does_not_decide() {
        use BanKind::{Ban, Never};
        let (past, now, later) = (NOW as u32 - 1, NOW as u32, NOW as u32 + 1);
        assert!(!is_banned(&[("198.51.100.7/32", Ban, past)]));
        assert!(!is_banned(&[("198.51.100.7/32", Ban, now)]));
        assert!(is_banned(&[("198.51.100.7/32", Ban, later)]));
        assert!(is_banned(&[
            ("198.51.100.0/24", Ban, 0),
            ("198.51.100.7/32", Never, past)
        ]));
    }
}

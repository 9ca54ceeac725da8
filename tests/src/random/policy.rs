use ftp_guard_common::{allow::EntryKind, ban::BanKind, class::PortClass, config::Mode};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use crate::policy::Policy;

/// A policy whose entries stand close together and inside one another: prefixes of every length
/// around a few addresses, some exclusions, some expired since long, some to expire much later, now
/// and then deep nests of expired ones; some of them banned; extra port ranges; sometimes monitor mode.
#[must_use]
pub fn policy(rng: &mut StdRng, now_s: u64) -> Policy {
    let mut policy = Policy::new();
    if rng.random_bool(0.2) {
        policy.mode = Mode::Monitor;
    }
    for class in [
        PortClass::Control,
        PortClass::ActiveData,
        PortClass::PassiveData,
    ] {
        let first = rng.random_range(1..60_000);
        policy.class(first..=first + rng.random_range(0..300), class);
    }

    for _ in 0..4 {
        let v4: u32 = rng.random();
        let v6: u128 = rng.random();
        let nest_of_expired = rng.random_bool(0.3);
        for _ in 0..rng.random_range(1..12) {
            let prefix: IpNet = if rng.random_bool(0.5) {
                let near = v4 ^ rng.random_range(0..4_u32);
                Ipv4Net::new_assert(near.into(), length(rng, 32)).into()
            } else {
                let near = v6 ^ rng.random_range(0..4_u128);
                Ipv6Net::new_assert(near.into(), length(rng, 128)).into()
            };
            let kind = if rng.random_bool(0.7) {
                EntryKind::Allow
            } else {
                EntryKind::Exclude
            };
            let expired = rng.random_bool(if nest_of_expired { 0.9 } else { 0.15 });
            // A day on either side, so that no entry changes while the suite runs.
            let expires_s = match (expired, rng.random_bool(0.5)) {
                (true, _) => rng.random_range(1..now_s as u32 - 86_400),
                (false, true) => rng.random_range(now_s as u32 + 86_400..=u32::MAX),
                (false, false) => 0,
            };
            policy.entry(prefix, kind, expires_s);
            if rng.random_bool(0.15) {
                ban(rng, &mut policy, prefix, now_s);
            }
        }
    }
    policy
}

/// Bans a prefix of the allowlist, or one around it; or protects it. At most three have expired, over whose
/// nest the programs step.
fn ban(rng: &mut StdRng, policy: &mut Policy, near: IpNet, now_s: u64) {
    let shorter = near
        .prefix_len()
        .saturating_sub(rng.random_range(0..4))
        .max(1);
    let prefix = IpNet::new(near.addr(), shorter).unwrap_or(near);
    let kind = if rng.random_bool(0.7) {
        BanKind::Ban
    } else {
        BanKind::Never
    };
    let is_past = |expires_s: u32| expires_s != 0 && u64::from(expires_s) <= now_s;
    let expired = policy.bans.values().filter(|ban| is_past(ban.expires_s));
    let expires_s = match (expired.count() < 3, rng.random_range(0..3)) {
        (true, 0) => rng.random_range(1..now_s as u32 - 86_400),
        (_, 1) => rng.random_range(now_s as u32 + 86_400..=u32::MAX),
        _ => 0,
    };
    policy.ban(prefix, kind, expires_s);
}

/// Mostly the lengths that people write; sometimes any.
fn length(rng: &mut StdRng, bits: u8) -> u8 {
    let usual: &[u8] = if bits == 32 {
        &[8, 16, 24, 28, 30, 31, 32]
    } else {
        &[32, 48, 56, 64, 96, 127, 128]
    };
    match usual.choose(rng) {
        Some(length) if rng.random_bool(0.6) => *length,
        // The default route covers everything and would leave little to decide.
        _ if rng.random_bool(0.02) => 0,
        _ => rng.random_range(1..=bits),
    }
}

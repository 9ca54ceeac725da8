//! The rules of ARCHITECTURE.md ("How a packet is decided") once more, as plain code.
//!
//! It is written from the rules alone and shares nothing with the kernel program but the names of
//! the verdict table, so that the two can be held against each other.

mod allowlist;
mod bans;
mod headers;
#[cfg(test)]
mod tests;

use ftp_guard_common::{
    class::{Family, PortClass},
    config::Mode,
    reason::{Reason, Verdict},
    stats::StatsKey,
};

use crate::{packet, policy::Policy};

/// What must happen to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The counter cell that moves by one packet.
    pub key: StatsKey,
    /// The bytes by which it moves.
    pub bytes: u64,
}

impl Judgement {
    /// Whether the frame goes on to the stack.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self.key.verdict, Verdict::Pass | Verdict::WouldDrop)
    }
}

/// VLAN tags that are looked behind.
const MAX_TAGS: usize = 4;

/// What has been learned of a packet so far; it is counted with whatever the verdict is.
#[derive(Default)]
struct Seen {
    family: Family,
    class: PortClass,
}

/// Judges a frame at a moment in Unix time (seconds).
#[must_use]
pub fn judge(frame: &[u8], policy: &Policy, now_s: u64) -> Judgement {
    let mut seen = Seen::default();
    let reason = reason(frame, policy, now_s, &mut seen);
    let verdict = match (reason.verdict(), policy.mode) {
        (Verdict::Drop, Mode::Monitor) => Verdict::WouldDrop,
        (verdict, _) => verdict,
    };
    Judgement {
        key: StatsKey {
            verdict,
            reason,
            class: seen.class,
            family: seen.family,
        },
        bytes: frame.len() as u64,
    }
}

fn reason(frame: &[u8], policy: &Policy, now_s: u64, seen: &mut Seen) -> Reason {
    let mut at = 12;
    let mut tags = 0;
    let ethertype = loop {
        let Some(ethertype) = be16(frame, at) else {
            return Reason::Truncated;
        };
        at += 2;
        if ![packet::C_TAG, packet::S_TAG, packet::OLD_S_TAG].contains(&ethertype) {
            break ethertype;
        }
        if tags == MAX_TAGS {
            return Reason::VlanTooDeep;
        }
        tags += 1;
        at += 2;
    };

    let payload = &frame[at..];
    let network = match ethertype {
        packet::IPV4 => {
            seen.family = Family::Ipv4;
            headers::ipv4(payload)
        }
        packet::IPV6 => {
            seen.family = Family::Ipv6;
            headers::ipv6(payload)
        }
        _ => return Reason::NotIp,
    };
    let network = match network {
        Ok(network) => network,
        Err(reason) => return reason,
    };

    let Some(port) = be16(network.tcp, 2) else {
        return if network.first_fragment {
            Reason::FragmentedHeader
        } else {
            Reason::Truncated
        };
    };
    seen.class = PortClass::from_number(policy.ports[usize::from(port)]);
    if seen.class == PortClass::Other {
        return Reason::NotFtp;
    }
    let opens = match headers::tcp(&network) {
        Ok(opens) => opens,
        Err(reason) => return reason,
    };
    if bans::has(&policy.bans, network.source, now_s) {
        return Reason::Banned;
    }
    if let Err(reason) = allowlist::admit(&policy.allow, network.source, now_s) {
        return reason;
    }
    // Nobody has a session: nothing of a data connection has begun.
    match (seen.class, opens) {
        (PortClass::ActiveData, true) => Reason::ActiveDataSyn,
        (PortClass::PassiveData, true) => Reason::NoSession,
        (PortClass::ActiveData | PortClass::PassiveData, false) => Reason::NoFlow,
        _ => Reason::Listed,
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

//! What clients may ask for in clear text, by profile.
//!
//! A line is judged when it is complete, and where a segment ends as if it were: servers act at its end, and one of
//! them at the end of the connection.

use ftp_guard_common::{
    ftp::command::Line,
    limits::{
        POLICY_COMMANDS, POLICY_NO_ANONYMOUS, POLICY_READ_ONLY, POLICY_REQUIRE_TLS,
        READ_ONLY_COMMANDS,
    },
    reason::Reason,
};

use crate::maps::{self, scratch::Scratch};

/// The `POLICY_*` bits of a profile.
#[inline(always)]
pub fn policy(profile: u16) -> u32 {
    maps::profiles::get(profile).map_or(0, |profile| profile.policy)
}

/// The reason for what no single rule refuses: the first one that there is a rule for. 0 bits: none.
#[inline(always)]
pub fn reason_of(policy: u32) -> Option<Reason> {
    Some(if policy == 0 {
        return None;
    } else if policy & POLICY_REQUIRE_TLS != 0 {
        Reason::TlsRequired
    } else if policy & POLICY_NO_ANONYMOUS != 0 {
        Reason::AnonymousRefused
    } else if policy & POLICY_READ_ONLY != 0 {
        Reason::ReadOnly
    } else {
        Reason::CommandDenied
    })
}

/// Why the line that was read is refused, if it is.
#[inline(always)]
pub fn refusal(scratch: &mut Scratch) -> Option<Reason> {
    Reason::refusal(judge(scratch) as u8)
}

/// The number of the reason, or 0. A subprogram: its stack is free again when the line is acted upon.
#[inline(never)]
fn judge(scratch: &mut Scratch) -> u32 {
    rules(scratch).map_or(0, |reason| reason as u32)
}

#[inline(always)]
fn rules(scratch: &mut Scratch) -> Option<Reason> {
    let Scratch {
        session,
        command: room,
        line,
        ..
    } = scratch;
    let profile = session.profile;
    let policy = policy(profile);
    if policy == 0 {
        return None;
    }
    if policy & POLICY_REQUIRE_TLS != 0 && logs_in(line) {
        return Some(Reason::TlsRequired);
    }
    if policy & POLICY_NO_ANONYMOUS != 0 && line.is_anonymous {
        return Some(Reason::AnonymousRefused);
    }
    room.verb = line.verb;
    if policy & POLICY_READ_ONLY != 0 {
        room.profile = READ_ONLY_COMMANDS;
        room.word = [0; 8];
        if line.sets_time || maps::commands::refusal(room).is_some() {
            return Some(Reason::ReadOnly);
        }
    }
    if policy & POLICY_COMMANDS != 0 {
        room.profile = u32::from(profile);
        room.word = [0; 8];
        let mut found = maps::commands::refusal(room);
        if found.is_none() && line.word != [0; 8] {
            room.word = line.word;
            found = maps::commands::refusal(room);
        }
        if found.is_some() {
            return found;
        }
    }
    // What one server takes for no command may be one to the next.
    if line.is_odd {
        return reason_of(policy);
    }
    None
}

/// Whether a command is one of a login (RFC 959 section 4.1.1).
#[inline(always)]
fn logs_in(line: &Line) -> bool {
    const USER: u64 = u64::from_be_bytes(*b"USER\0\0\0\0");
    const PASS: u64 = u64::from_be_bytes(*b"PASS\0\0\0\0");
    const ACCT: u64 = u64::from_be_bytes(*b"ACCT\0\0\0\0");
    matches!(u64::from_be_bytes(line.verb), USER | PASS | ACCT)
}

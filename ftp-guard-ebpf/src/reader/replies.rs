//! The server's side: which passive port it names, whether it goes over to TLS, what it refuses.

use ftp_guard_common::{
    address::FlowKey,
    class::PortClass,
    config::{FLAG_GUARD_OUTSIDE, Role},
    ftp::{hello::HelloReader, reply::ReplyParser},
    reason::Reason,
    session::{Pinhole, Session, Tls},
    text::TextKind,
};

use super::{New, Side, Walk, Word, begin, hello, new_bytes, note_mode, run, word};
use crate::{
    access::Buffer,
    maps::{self, ports},
    parse::Segment,
    wire::Port,
};

/// The reply to AUTH that makes the next byte the first one of TLS (RFC 4217 section 4).
const AUTH_ACCEPTED: u16 = 234;
/// The replies after which a user is logged in (RFC 959 section 5.4, RFC 2228 section 4).
const LOGGED_IN: u16 = 230;
const LOGGED_IN_SECURELY: u16 = 232;

/// Reads the payload of a server's segment. What it opens is open before the packet leaves. A
/// subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn replies(
    frame: &Buffer<'_>,
    key: &FlowKey,
    session: &mut Session,
    segment: &Segment,
    now: u64,
) -> Reason {
    note_mode(segment);
    match read(frame, key, session, segment, now) {
        Ok(reason) | Err(reason) => reason,
    }
}

#[inline(always)]
fn read(
    frame: &Buffer<'_>,
    key: &FlowKey,
    session: &mut Session,
    segment: &Segment,
    now: u64,
) -> Result<Reason, Reason> {
    let mut fresh = false;
    let skip = match new_bytes(segment, session.server_next) {
        New::Nothing => return Ok(Reason::Session),
        New::From(skip) => skip,
        New::Gap if maps::config::role() == Role::Router && session.tls == Tls::Clear as u8 => {
            return Err(Reason::ControlGap);
        }
        // This host's own stack sends in order; what was missed was sent before the guard came.
        New::Gap => {
            fresh = true;
            session.server_hello.end();
            0
        }
    };
    let Some(scratch) = maps::scratch::get() else {
        return Ok(Reason::Session);
    };
    begin(scratch, TextKind::Server, key, segment, skip);
    scratch.record.of(session.id, session.tls);
    let mut walk = Walk {
        frame,
        scratch,
        key,
        now,
        outcome: Ok(Reason::Session),
    };
    if session.tls != Tls::Clear as u8 {
        let clear = word(frame, walk.scratch.progress.offset) == Word::Reply
            && (session.clear_hint != 0 || session.tls == Tls::Unknown as u8);
        if !clear {
            hello::tell(&mut walk, &mut session.server_hello);
            session.server_next = segment.end();
            note_encrypted(key, session);
            return Ok(Reason::Session);
        }
        leave_tls(key, session);
        walk.scratch.record.of(session.id, session.tls);
        fresh = true;
    }
    if fresh {
        session.reply = ReplyParser::default();
    }
    walk.scratch.session = *session;
    run::<Server>(&mut walk);
    let outcome = walk.outcome;
    if super::is_dropped(&walk) {
        session.refused = walk.scratch.session.refused;
        return outcome;
    }
    let after = &walk.scratch.session;
    session.reply = after.reply;
    session.replies = after.replies;
    session.logged_in = after.logged_in;
    session.passive_answered = after.passive_answered;
    session.pinholes_ns = after.pinholes_ns;
    session.server_next = segment.end();
    if after.tls != session.tls {
        session.tls = after.tls;
        session.client_hello = HelloReader::default();
        session.server_hello = HelloReader::default();
        count_encrypted(key, 1);
    }
    if walk.scratch.progress.tells {
        walk.scratch.record.send();
    }
    outcome
}

/// Notes that the server has said something that cannot be read. A subprogram.
#[inline(never)]
fn note_encrypted(key: &FlowKey, session: &Session) {
    let key = key.client_key(maps::config::role().scope(key.server));
    if let Some(client) = maps::sessions::client(&key) {
        client.encrypted_reply_ns = maps::config::precise_now();
        client.encrypted_session = session.id;
    }
}

/// Back to clear text: after CCC, or because an adopted session never was encrypted.
#[inline(always)]
fn leave_tls(key: &FlowKey, session: &mut Session) {
    session.tls = Tls::Clear as u8;
    if session.clear_hint == 0 {
        // Nothing says where the client's lines begin.
        session.mid_line = 1;
    }
    session.clear_hint = 0;
    if session.passive_asked == session.passive_answered {
        // The question may have been asked where it could not be read.
        session.passive_answered = session.passive_answered.wrapping_sub(1);
    }
    count_encrypted(key, 0);
}

/// Counts a session that is encrypted from now on, or no more. A subprogram: it has a stack frame of its own.
#[inline(never)]
fn count_encrypted(key: &FlowKey, encrypted: u32) {
    let key = key.client_key(maps::config::role().scope(key.server));
    maps::sessions::count_encrypted(&key, encrypted != 0);
}

struct Server;

impl Side for Server {
    #[inline(always)]
    fn take(walk: &mut Walk<'_>, byte: u8) -> bool {
        if walk.scratch.progress.tells {
            walk.scratch.record.push(byte);
        }
        let Some(event) = walk.scratch.session.reply.feed(byte) else {
            return false;
        };
        if let Some(port) = event.port() {
            passive(walk, Port(port));
        }
        event.code().is_some_and(|code| ended(walk, code))
    }
}

/// The server has named a passive port.
#[inline(always)]
fn passive(walk: &mut Walk<'_>, port: Port) {
    let session = &mut walk.scratch.session;
    // VU#328867: text that a client makes the server repeat is no answer, if nothing was asked.
    if session.passive_answered == session.passive_asked {
        return;
    }
    session.passive_answered = session.passive_answered.wrapping_add(1);
    let Some(config) = maps::config::get() else {
        return;
    };
    let mut reason = Reason::Session;
    let witnessed = session.traffic.is_witnessed();
    match ports::lookup(port).class() {
        PortClass::PassiveData => {}
        PortClass::Other => {
            reason = Reason::OutsideRange;
            let guards = config.flags & FLAG_GUARD_OUTSIDE != 0 && !witnessed;
            if guards && !port.is_low() {
                ports::mark_outside(port);
            }
        }
        _ => return,
    }
    let due = session.pinholes_ns.max(walk.now);
    if due - walk.now > config.pinhole_burst_ns {
        session.refused = session.refused.saturating_add(1);
        walk.outcome = Err(Reason::PinholeLimit);
        return;
    }
    session.pinholes_ns = due + config.pinhole_interval_ns;
    let scope = Role::from_number(config.role).scope(walk.key.server);
    let pinhole = Pinhole {
        session: session.id,
        created_ns: walk.now,
        expires_ns: walk.now + config.pinhole_ns,
        control: *walk.key,
        ..Pinhole::default()
    };
    let key = walk.key.endpoint(scope, port.to_key());
    if !maps::negotiated::open_pinhole(&key, &pinhole, !witnessed) {
        walk.outcome = Err(Reason::PinholeTableFull);
    } else if walk.outcome.is_ok() {
        walk.outcome = Ok(reason);
    }
}

/// A reply is complete; whether what follows it is none.
#[inline(always)]
fn ended(walk: &mut Walk<'_>, code: u16) -> bool {
    let session = &mut walk.scratch.session;
    if code < 200 {
        return false;
    }
    // More replies than commands: a greeting, or 426 and 226 to one ABOR.
    if session.replies != session.commands {
        session.replies = session.replies.wrapping_add(1);
        if session.replies == session.named_at && code >= 400 {
            maps::negotiated::revoke(&session.named);
        }
    }
    if matches!(code, LOGGED_IN | LOGGED_IN_SECURELY) {
        session.logged_in = 1;
    }
    if code == AUTH_ACCEPTED && session.auth_asked != 0 {
        session.tls = Tls::Encrypted as u8;
        return true;
    }
    false
}

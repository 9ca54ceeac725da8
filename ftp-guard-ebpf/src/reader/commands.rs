//! The client's side: whether it asks for a passive port or for TLS, which destination it names. What it says
//! is told, but for passwords.

use ftp_guard_common::{
    address::{Address, EndpointKey, FlowKey},
    config::FLAG_FXP,
    ftp::command::{CommandEvent, CommandParser},
    reason::Reason,
    session::{Named, Tls},
    text::TextKind,
};

use super::{New, Side, Walk, Word, begin, hello, new_bytes, note_mode, run, word};
use crate::{
    access::{Access as _, Buffer},
    maps::{
        self,
        atomic::add,
        scratch::{Packet, Scratch},
    },
    parse::Segment,
    policy::{commands, find, is_listed},
    wire::{Port, TcpFlags},
};

/// Questions for a passive port that may be open at once: more are a flood.
const MOST_ASKED: u16 = 64;

/// Reads the payload of a client's segment. What it permits is permitted before the server reads it. `listed`: there is
/// no session yet.
#[inline(never)]
pub fn commands(frame: &Buffer<'_>, packet: &Packet) -> Reason {
    note_mode(&packet.segment);
    match read(frame, &packet.key, &packet.segment) {
        Ok(reason) => reason,
        // In enforce mode it had come no further than the XDP hook, which has said why.
        Err(_) if is_witnessed(&packet.key) => Reason::Session,
        Err(reason) => reason,
    }
}

/// Whether the session is one that monitor mode only follows. A subprogram: it has a stack frame of its own.
#[inline(never)]
fn is_witnessed(key: &FlowKey) -> bool {
    maps::sessions::get(key).is_some_and(|session| session.traffic.is_witnessed())
}

#[inline(always)]
fn read(frame: &Buffer<'_>, key: &FlowKey, segment: &Segment) -> Result<Reason, Reason> {
    let now = maps::config::now();
    let session = match maps::sessions::get(key) {
        Some(session) if !session.is_over(now) => session,
        _ => return Ok(Reason::Listed),
    };
    if let Some(reason) = Reason::refusal(session.refused_by) {
        return Err(reason);
    }
    if segment.payload_len == 0 && !segment.is_fragment {
        return Ok(Reason::Session);
    }
    let clear = session.tls == Tls::Clear as u8;
    let judged = commands::policy(session.profile) != 0;
    if session.traffic.closed_ns != 0 {
        if !judged {
            return Ok(Reason::Session);
        }
        if session.reopened != 0 {
            return Ok(Reason::Listed);
        }
        // The next connection of the same ports may have begun.
        return Err(Reason::ControlGap);
    }
    if session.unsynchronised != 0 || segment.payload_len == 0 {
        return Ok(Reason::Session);
    }
    if judged && clear && segment.is_fragment {
        return Err(Reason::ControlGap);
    }
    let skip = match new_bytes(segment, session.client_next) {
        New::Nothing => return Ok(Reason::Session),
        New::Gap if clear => return Err(Reason::ControlGap),
        New::Gap => {
            session.client_hello.end();
            0
        }
        New::From(skip) => skip,
    };
    let Some(scratch) = maps::scratch::get() else {
        return Ok(Reason::Session);
    };
    begin(scratch, TextKind::Client, key, segment, skip);
    scratch.record.of(session.id, session.tls);
    let mut walk = Walk {
        frame,
        scratch,
        key,
        now,
        outcome: Ok(Reason::Session),
    };
    if !clear {
        hello::tell(&mut walk, &mut session.client_hello);
        // After CCC the client is the first to speak clear text; the server's answer settles it.
        let last = frame.load::<[u8; 1]>(segment.payload + segment.payload_len - 1);
        let hint =
            word(frame, walk.scratch.progress.offset) == Word::Letters && last == Some(*b"\n");
        if !hint {
            session.client_next = segment.end();
            session.clear_hint = 0;
            return Ok(Reason::Session);
        }
        session.clear_hint = 1;
        session.command = CommandParser::default();
        // It may be the end of a line, and that a password.
        walk.scratch.progress.tells = false;
    }
    walk.scratch.session = *session;
    run::<Client>(&mut walk);
    judge_pending(&mut walk);
    if super::is_dropped(&walk) {
        if let Err(reason) = walk.outcome
            && reason.is_refusal()
        {
            session.refused_by = reason as u8;
            if !clear {
                session.client_next = segment.sequence;
            }
        }
        return walk.outcome;
    }
    let after = &walk.scratch.session;
    session.command = after.command;
    session.commands = after.commands;
    session.passive_asked = after.passive_asked;
    session.auth_asked = after.auth_asked;
    session.named_at = after.named_at;
    session.named = after.named;
    session.client_next = segment.end();
    let progress = &walk.scratch.progress;
    if progress.read < progress.len {
        session.mid_line = 1;
    } else if session.mid_line != 0 {
        session.mid_line = after.mid_line;
    }
    if progress.tells {
        walk.scratch.record.send();
    }
    walk.outcome
}

/// Judges a line that has not ended as if it had. ProFTPD carries out what it has of a line when the
/// connection ends, by a reset as well, so that the beginning must not reach it. A subprogram: it has a
/// stack frame of its own.
#[inline(never)]
fn judge_pending(walk: &mut Walk<'_>) {
    let scratch = &mut *walk.scratch;
    if commands::policy(scratch.session.profile) == 0 {
        return;
    }
    scratch.pending = scratch.session.command;
    if scratch.pending.read(b'\n', &mut scratch.line).is_some() {
        let refusal = commands::refusal(scratch);
        refuse(walk, refusal);
    }
}

/// Before the greeting nothing can be asked, and nothing is read. So where commands are judged nothing may be
/// said either: the client says it again when the server has greeted it. Only who speaks TLS speaks first. A
/// subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn before_greeting(frame: &Buffer<'_>, packet: &Packet) -> Reason {
    match may_speak(frame, &packet.key, &packet.segment) {
        Ok(_) => hello::early(frame, &packet.key, &packet.segment),
        Err(reason) => reason,
    }
}

#[inline(always)]
fn may_speak(frame: &Buffer<'_>, key: &FlowKey, segment: &Segment) -> Result<Reason, Reason> {
    let silent = segment.payload_len == 0 && !segment.is_fragment;
    let adopting = maps::config::adopting(maps::config::now());
    if silent || adopting || segment.flags.has(TcpFlags::SYN) {
        return Ok(Reason::Listed);
    }
    match find(key) {
        Ok(entry) if commands::policy(entry.profile) != 0 => {}
        _ => return Ok(Reason::Listed),
    }
    let Some(opening) = maps::opening::get(key) else {
        return Err(Reason::ControlGap);
    };
    if opening.said == 0 && word(frame, segment.payload) != Word::Record {
        return Err(Reason::ControlGap);
    }
    add(&raw mut opening.said);
    // The server may have spoken meanwhile: then this is to be read.
    match maps::sessions::get(key) {
        Some(session) if session.traffic.closed_ns == 0 => Err(Reason::ControlGap),
        _ => Ok(Reason::Listed),
    }
}

struct Client;

impl Side for Client {
    #[inline(always)]
    fn take(walk: &mut Walk<'_>, byte: u8) -> bool {
        tell(walk, byte);
        let Scratch { session, line, .. } = &mut *walk.scratch;
        let Some(event) = session.command.read(byte, line) else {
            let profile = session.profile;
            return session.command.is_too_long() && refuse(walk, too_long(profile));
        };
        let refusal = commands::refusal(walk.scratch);
        if refuse(walk, refusal) {
            return true;
        }
        let session = &mut walk.scratch.session;
        session.commands = session.commands.wrapping_add(1);
        match event {
            CommandEvent::Other => {}
            CommandEvent::Auth => session.auth_asked = 1,
            CommandEvent::Passive => {
                let open = session.passive_asked.wrapping_sub(session.passive_answered);
                if open < MOST_ASKED {
                    session.passive_asked = session.passive_asked.wrapping_add(1);
                }
            }
            CommandEvent::Active {
                destination: Some((address, family)),
                port,
            } => active(walk, address, family, Port(port)),
            CommandEvent::Active {
                destination: None, ..
            } if walk.outcome.is_ok() => walk.outcome = Err(Reason::ActiveUnreadable),
            CommandEvent::Active { .. } => {}
        }
        false
    }
}

/// Notes that a command is refused; whether the segment ends with that. The first refusal counts, before any other
/// reason. Monitor mode reads on.
#[inline(always)]
fn refuse(walk: &mut Walk<'_>, refusal: Option<Reason>) -> bool {
    let Some(reason) = refusal else {
        return false;
    };
    if !walk.outcome.is_err_and(Reason::is_refusal) {
        walk.outcome = Err(reason);
    }
    walk.scratch.drops != 0
}

/// Why a line that does not end is refused, if it is.
#[inline(always)]
fn too_long(profile: u16) -> Option<Reason> {
    commands::reason_of(commands::policy(profile))
}

/// Tells the next byte, before it is read. Of a password nothing is told but its length.
#[inline(always)]
fn tell(walk: &mut Walk<'_>, byte: u8) {
    let session = &mut walk.scratch.session;
    if session.mid_line != 0 {
        if byte == b'\n' {
            session.mid_line = 0;
        }
        walk.scratch.record.leave_out();
    } else if walk.scratch.progress.tells {
        let hidden = session.command.is_secret() && !matches!(byte, b'\r' | b'\n');
        walk.scratch.record.push(if hidden { b'*' } else { byte });
    }
}

/// The client has named a destination for the server to connect to.
#[inline(always)]
fn active(walk: &mut Walk<'_>, address: Address, family: u8, port: Port) {
    let Some(config) = maps::config::get() else {
        return;
    };
    // The session's own room for it: the stack is too small.
    let session = &mut walk.scratch.session;
    session.named = EndpointKey {
        address,
        server: maps::config::role().scope(walk.key.server),
        port: port.to_key(),
        family,
        reserved: 0,
    };
    session.named_at = session.commands;
    let key = &session.named;
    let own = key.address == walk.key.client && key.family == walk.key.family;
    let fxp = config.flags & FLAG_FXP != 0;
    let reason = if !own && (!fxp || !is_listed(key)) {
        Reason::Bounce
    } else if port.is_low() {
        Reason::ActiveLowPort
    } else {
        Reason::ActiveNamed
    };
    // What is only followed says nothing about others.
    if session.traffic.is_witnessed() && reason != Reason::ActiveNamed {
        return;
    }
    let named = Named {
        session: session.id,
        expires_ns: walk.now + config.pinhole_ns,
        reason: reason as u8,
        reserved: [0; 7],
    };
    // A full table costs the connection its place in the session, and a bounce is still one from an active
    // data port.
    let _ = maps::negotiated::name(key, &named);
}

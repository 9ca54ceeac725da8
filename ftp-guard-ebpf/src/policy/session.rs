//! Control connections: when one becomes a session, and when it is none any more.

use ftp_guard_common::{
    address::FlowKey,
    config::Mode,
    ftp::hello::HelloReader,
    limits::SourceKey,
    reason::{Reason, Verdict},
    session::{Session, Tls},
};

use super::{
    allow::{self, Admission},
    commands, either, limits, traffic,
};
use crate::{
    access::Buffer,
    connection::Direction,
    cookies,
    maps::{self, scratch::Packet},
    parse::Segment,
    reader,
    wire::TcpFlags,
};

/// Judges a client's segment on a control port.
#[inline(never)]
pub fn inbound(packet: &mut Packet) -> Reason {
    either(inbound_rules(packet))
}

#[inline(always)]
fn inbound_rules(packet: &mut Packet) -> Result<Reason, Reason> {
    let (key, segment) = (&packet.key, &packet.segment);
    // Strangers are turned away without a look at the clock.
    if !segment.flags.is_connection_request()
        && let Some(session) = maps::sessions::get(key)
        && let now = maps::config::now()
        && !session.is_over(now)
    {
        if let Some(entry) = allow::recheck(&mut session.traffic, key)? {
            session.profile = entry.profile;
            if session.traffic.is_witnessed() {
                session.traffic.witnessed = 0;
                packet.name_source();
                maps::sources::session_begins(&packet.source);
            }
        }
        let witnessed = allow::witnessed(&session.traffic);
        if session.traffic.killed == 0 && witnessed.is_none() {
            limits::session_packet(session, now)?;
        }
        let segment = &packet.segment;
        if traffic::note(&mut session.traffic, segment, Direction::Inbound, now)? {
            packet.name_source();
            end(&packet.key, &packet.source, session);
        }
        if packet.segment.payload_len > 0 {
            session.messages = session.messages.wrapping_add(1);
        }
        return witnessed.map_or(Ok(Reason::Session), Err);
    }
    let entry = match allow::find(key) {
        Ok(entry) => entry,
        Err(reason) => {
            if !segment.flags.is_connection_request() && maps::config::mode() == Mode::Monitor {
                limits::witness(packet, reason as u32);
            }
            return Err(reason);
        }
    };
    let now = maps::config::now();
    Ok(if segment.flags.is_connection_request() {
        limits::request(packet, entry.profile, now)
    } else {
        limits::no_session(packet, entry.profile, now)
    })
}

/// Judges a server's segment on a control port. The first payload makes a session: the server has seen
/// the handshake's end, so that the client's address is proven.
#[inline(never)]
pub fn outbound(frame: &Buffer<'_>, packet: &mut Packet) -> Reason {
    either(outbound_rules(frame, packet))
}

#[inline(always)]
fn outbound_rules(frame: &Buffer<'_>, packet: &mut Packet) -> Result<Reason, Reason> {
    packet.name_source();
    let packet = &*packet;
    let (key, segment) = (&packet.key, &packet.segment);
    let now = maps::config::now();
    if segment.flags.has(TcpFlags::SYN) {
        if let Some(session) = maps::sessions::get(key)
            && session.traffic.closed_ns != 0
        {
            session.reopened = 1;
        }
        if segment.flags.has(TcpFlags::ACK) {
            maps::opening::expect(key, segment.sequence.wrapping_add(1), now);
            cookies::learn(frame, packet, now);
        }
        return Ok(Reason::ServerAnswer);
    }
    if !segment.flags.has(TcpFlags::RST) && segment.payload_len > 0 {
        // What is repeated on a connection that has ended begins no other one.
        let known = maps::sessions::get(key).is_some_and(|session| {
            session.traffic.closed_ns == 0 || (session.reopened == 0 && !session.is_over(now))
        });
        if !known {
            let tls = reader::first_word(frame, segment);
            let reason = open(packet, tls as u32, now);
            if reason != Reason::Session {
                return Ok(reason);
            }
        }
    }
    let Some(session) = maps::sessions::get(key).filter(|session| !session.is_over(now)) else {
        if segment.flags.0 & (TcpFlags::RST | TcpFlags::FIN) != 0 {
            maps::opening::remove(key, &packet.source);
        }
        return Ok(Reason::ServerAnswer);
    };
    // The client has had its last word from the guard, which is not to be read as one of the server, and what
    // the server still says makes no difference.
    if session.refused_by != 0 && session.traffic.killed == 0 {
        return Ok(Reason::Session);
    }
    if traffic::note(&mut session.traffic, segment, Direction::Outbound, now)? {
        end(key, &packet.source, session);
    }
    synchronise(session, segment);
    if segment.payload_len > 0 && session.traffic.closed_ns == 0 {
        let reason = reader::replies(frame, key, session, segment, now);
        // In enforce mode the server had nobody to answer.
        if !session.traffic.is_witnessed() || reason.verdict() == Verdict::Pass {
            return Ok(reason);
        }
    }
    Ok(Reason::Session)
}

/// What the server has acknowledged has passed, whatever became of it here.
#[inline(always)]
fn synchronise(session: &mut Session, segment: &Segment) {
    if session.unsynchronised != 0 {
        session.unsynchronised = 0;
        session.server_next = segment.sequence;
        session.client_next = segment.acknowledgement;
        session.mid_line = 1;
    } else if segment.flags.has(TcpFlags::ACK)
        && (segment.acknowledgement.wrapping_sub(session.client_next) as i32) > 0
    {
        session.client_next = segment.acknowledgement;
        // What has passed unread may have been the beginning of a line.
        session.mid_line = 1;
        session.client_hello.end();
    }
}

/// Makes a session: `session`; or `server_answer` when the client may not be here, so that its control
/// connection is none, or there is no room to follow it; or why not. A subprogram: it has a stack frame of its own.
#[inline(never)]
fn open(packet: &Packet, tls: u32, now: u64) -> Reason {
    let key = &packet.key;
    let Ok(admission) = allow::admit(key) else {
        return Reason::ServerAnswer;
    };
    let Some(scratch) = maps::scratch::get() else {
        return Reason::ServerAnswer;
    };
    let adopting = maps::config::adopting(now);
    // One whose beginning nobody saw: it was given up, or there was no room for it.
    let opening = maps::opening::get(key);
    let adopted = opening.is_none();
    // What a client said before the greeting is not read: its next byte may be one of the same line.
    let (mut spoke, mut hello) = (true, HelloReader::default());
    if let Some(opening) = opening {
        spoke = opening.spoke != 0;
        hello = opening.hello;
        if spoke && opening.client_next != packet.segment.acknowledgement {
            hello.end();
        }
    }
    scratch.session = Session {
        id: maps::sessions::next_id(),
        traffic: traffic::begin(now, &admission),
        server_next: packet.segment.sequence,
        client_next: packet.segment.acknowledgement,
        // Its question may have passed before the guard came.
        passive_asked: u16::from(adopting),
        tls: tls as u8,
        adopted: u8::from(adopted),
        profile: admission.entry.profile,
        mid_line: u8::from(spoke),
        client_hello: hello,
        ..Session::default()
    };
    let tls = Tls::from_number(tls as u8);
    let client = key.client_key(maps::config::role().scope(key.server));
    if !maps::sessions::count_opened(&client, tls) {
        return no_room(&admission);
    }
    if !maps::sessions::insert(key, &scratch.session) {
        maps::sessions::count_closed(&client, tls);
        return no_room(&admission);
    }
    maps::text::session_began(key, &scratch.session, &packet.segment);
    if !admission.is_witnessed() {
        maps::sources::session_begins(&packet.source);
    }
    refuse_unread(key);
    maps::opening::remove(key, &packet.source);
    Reason::Session
}

/// Why there is no session where there is no room for one.
#[inline(always)]
fn no_room(admission: &Admission) -> Reason {
    if admission.is_witnessed() {
        Reason::ServerAnswer
    } else {
        Reason::SessionTableFull
    }
}

/// Refuses a session whose client has spoken before the greeting as if it spoke TLS, and the server does not:
/// nobody has read what it said. Behind the session's insertion, as its counterpart
/// ([`reader::commands`](crate::reader::commands)) looks for it behind its note.
#[inline(always)]
fn refuse_unread(key: &FlowKey) {
    let said = maps::opening::get(key).is_some_and(|opening| opening.said != 0);
    if !said || maps::config::mode() != Mode::Enforce {
        return;
    }
    if let Some(session) = maps::sessions::get(key)
        && session.tls == Tls::Clear as u8
        && let Some(reason) = commands::reason_of(commands::policy(session.profile))
    {
        session.refused_by = reason as u8;
    }
}

/// Counts a session that has just been closed, and tells of it.
#[inline(always)]
pub fn end(key: &FlowKey, source: &SourceKey, session: &Session) {
    maps::text::session_ended(key, session);
    let client = key.client_key(maps::config::role().scope(key.server));
    maps::sessions::count_closed(&client, Tls::from_number(session.tls));
    if !session.traffic.is_witnessed() {
        maps::sources::session_ends(source);
    }
}

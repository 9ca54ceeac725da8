//! Data connections: each belongs to a session.

use core::hint::black_box;

use ftp_guard_common::{
    address::{FlowKey, ListenKey},
    class::PortClass,
    config::{FLAG_FXP, Mode, Role},
    limits::SourceKey,
    reason::Reason,
    session::{Flow, FlowKind},
};

use super::{
    allow::{self, Admission},
    either, limits, traffic,
};
use crate::{
    connection::Direction,
    maps::{self, ports, scratch::Packet},
    wire::{Port, TcpFlags},
};

/// Judges a client's segment to a data port.
#[inline(never)]
pub fn inbound(packet: &mut Packet) -> Reason {
    either(inbound_rules(packet))
}

#[inline(always)]
fn inbound_rules(packet: &mut Packet) -> Result<Reason, Reason> {
    let opens = packet.segment.flags.is_connection_request();
    if !opens && let Some(reason) = known(packet, Direction::Inbound)? {
        return Ok(reason);
    }
    let entry = match allow::find(&packet.key) {
        Ok(entry) => entry,
        Err(reason) => {
            if packet.segment.payload_len > 0 && maps::config::mode() == Mode::Monitor {
                early(packet, maps::config::now());
            }
            return Err(reason);
        }
    };
    let now = maps::config::now();
    if packet.class == PortClass::PassiveData {
        match passive(&packet.key, now) {
            Err(reason) if opens => return Err(reason),
            Err(_) => {}
            Ok(permitted) => {
                let refused = limits::handshake(packet, entry.profile, now);
                if refused != Reason::Listed {
                    return Err(refused);
                }
                if permitted == Reason::Pinhole && packet.segment.payload_len > 0 {
                    early(packet, now);
                }
                return Ok(permitted);
            }
        }
    } else if opens {
        return Err(Reason::ActiveDataSyn);
    }
    if maps::config::adopting(now) && !opens {
        return Ok(Reason::Adopting);
    }
    Err(Reason::NoFlow)
}

/// Counts what a client sends right behind the handshake's end, for the connection that there will be: a
/// driver hands a whole batch of frames to this program before the stack sees the first of them. A subprogram:
/// it has a stack frame of its own.
#[inline(never)]
fn early(packet: &Packet, now: u64) -> u32 {
    let (key, segment) = (&packet.key, &packet.segment);
    let scope = maps::config::role().scope(key.server);
    // A stranger cannot know the number.
    if maps::opening::is_expected(key, segment.acknowledgement, now)
        && let Some(pinhole) = maps::negotiated::pinhole_mut(&key.pinhole_key(scope), now)
    {
        pinhole.packets_in += 1;
        pinhole.bytes_in += segment.payload_len as u64;
    }
    // A subprogram returns a number.
    black_box(0)
}

/// Judges a segment of a data connection that is known; nothing when it is not.
#[inline(always)]
fn known(packet: &mut Packet, direction: Direction) -> Result<Option<Reason>, Reason> {
    let key = &packet.key;
    let Some(flow) = maps::flows::get(key) else {
        return Ok(None);
    };
    let now = maps::config::now();
    if flow.is_over(now) {
        return Ok(None);
    }
    let was_plain = flow.is_plain();
    let outgoing = flow.kind == FlowKind::Outgoing as u8;
    let inbound = direction == Direction::Inbound;
    if inbound
        && !outgoing
        && allow::recheck(&mut flow.traffic, key)?.is_some()
        && flow.traffic.is_witnessed()
    {
        flow.traffic.witnessed = 0;
        packet.name_source();
        maps::sources::data_begins(&packet.source);
    }
    let (key, segment) = (&packet.key, &packet.segment);
    let ends = traffic::note(&mut flow.traffic, segment, direction, now)?;
    if segment.flags.has(TcpFlags::ACK) && !segment.flags.has(TcpFlags::RST) {
        prove(key, flow);
    }
    if was_plain && !flow.is_plain() {
        maps::front::changed(key);
    }
    if ends {
        packet.name_source();
        end(&packet.key, &packet.source, flow);
    }
    match allow::witnessed(&flow.traffic) {
        Some(reason) if inbound => Err(reason),
        _ => Ok(Some(if outgoing {
            Reason::Outgoing
        } else {
            Reason::DataFlow
        })),
    }
}

/// Whether this client may connect to this passive port at `now`.
#[inline(always)]
fn passive(key: &FlowKey, now: u64) -> Result<Reason, Reason> {
    let role = maps::config::role();
    let scope = role.scope(key.server);
    if maps::negotiated::pinhole(&key.pinhole_key(scope), now).is_some() {
        return Ok(Reason::Pinhole);
    }
    let port = Port(u16::from_be_bytes(key.server_port));
    let negotiated = maps::negotiated::is_negotiated(port, now);
    if negotiated && maps::config::has(FLAG_FXP) {
        return Ok(Reason::Pinhole);
    }
    let client = maps::sessions::client(&key.client_key(scope));
    let theft_or = |reason| {
        if negotiated {
            Reason::PasvTheft
        } else {
            reason
        }
    };
    let Some(client) = client.filter(|client| client.sessions > 0) else {
        return Err(theft_or(Reason::NoSession));
    };
    if client.encrypted == 0 {
        return Err(theft_or(Reason::NoPinhole));
    }
    if role == Role::Router {
        return Ok(Reason::TlsListening);
    }
    let listener = ListenKey {
        address: key.server,
        port: key.server_port,
        family: key.family,
        reserved: 0,
    };
    // A server listens before it says where: what it said before was about another port.
    match maps::listeners::since(&listener) {
        Some(since) if since <= client.encrypted_reply_ns => Ok(Reason::TlsListening),
        _ => Err(theft_or(Reason::NotListening)),
    }
}

/// Takes a passive data connection, whose handshake is proven, into the table: `data_flow`; or says
/// that it does not belong there: `server_answer`; or why not. A subprogram: it has a stack frame of its
/// own.
#[inline(never)]
pub fn establish(key: &FlowKey, source: &SourceKey, now: u64) -> Reason {
    match rules_for_establishing(key, source, now) {
        Ok(true) => Reason::DataFlow,
        Ok(false) => Reason::ServerAnswer,
        Err(reason) => reason,
    }
}

#[inline(always)]
fn rules_for_establishing(key: &FlowKey, source: &SourceKey, now: u64) -> Result<bool, Reason> {
    let Ok(admission) = allow::admit(key) else {
        return Ok(false);
    };
    let scope = maps::config::role().scope(key.server);
    let pinhole_key = key.pinhole_key(scope);
    let pinhole = maps::negotiated::pinhole(&pinhole_key, now);
    let session = match pinhole {
        Some(pinhole) => pinhole.session,
        None => match maps::sessions::client(&key.client_key(scope)) {
            Some(client) if client.encrypted > 0 => client.encrypted_session,
            _ if maps::config::adopting(now) => 0,
            _ => return Ok(false),
        },
    };
    let kind = FlowKind::Passive;
    insert(key, source, kind, session, true, &admission, now)?;
    if let Some(pinhole) = pinhole {
        let interval = maps::config::get().map_or(0, |config| config.pinhole_interval_ns);
        if let Some(session) = maps::sessions::get(&pinhole.control) {
            session.pinholes_ns = session.pinholes_ns.saturating_sub(interval);
        }
        if let Some(flow) = maps::flows::get(key) {
            flow.traffic.packets_in = pinhole.packets_in;
            flow.traffic.bytes_in = pinhole.bytes_in;
        }
        maps::negotiated::close_pinhole(&pinhole_key);
    }
    Ok(true)
}

#[inline(always)]
fn insert(
    key: &FlowKey,
    source: &SourceKey,
    kind: FlowKind,
    session: u64,
    established: bool,
    admission: &Admission,
    now: u64,
) -> Result<(), Reason> {
    // A request sent again may be of another kind by now: a 500 may have come between the two.
    let counted = maps::flows::get(key)
        .is_some_and(|flow| counts_for_source(flow) && flow.traffic.closed_ns == 0);
    let counts = kind as u8 != FlowKind::Outgoing as u8 && !admission.is_witnessed();
    if counts && !counted {
        limits::data_fits(source, admission.entry.profile)?;
    }
    let flow = Flow {
        session,
        traffic: traffic::begin(now, admission),
        kind: kind as u8,
        established: u8::from(established),
        reserved: [0; 6],
    };
    if !maps::flows::insert(key, &flow) {
        // What is only followed needs no place.
        return if admission.is_witnessed() {
            Ok(())
        } else {
            Err(Reason::FlowTableFull)
        };
    }
    if established {
        maps::text::flow_began(key, &flow);
    }
    if counts && !counted {
        maps::sources::data_begins(source);
    } else if counted && !counts {
        maps::sources::data_ends(source);
    }
    Ok(())
}

/// Whether a data connection is one of those that its source may have so many of.
#[inline(always)]
fn counts_for_source(flow: &Flow) -> bool {
    flow.kind != FlowKind::Outgoing as u8 && !flow.traffic.is_witnessed()
}

/// Notes that the handshake of a data connection is proven, and tells of it the first time.
#[inline(always)]
pub fn prove(key: &FlowKey, flow: &mut Flow) {
    if flow.established == 0 {
        flow.established = 1;
        maps::text::flow_began(key, flow);
    }
}

/// Counts a data connection that has just been closed, and tells of it.
#[inline(always)]
pub fn end(key: &FlowKey, source: &SourceKey, flow: &Flow) {
    maps::text::flow_ended(key, flow);
    if counts_for_source(flow) {
        maps::sources::data_ends(source);
    }
}

/// Judges a server's segment from a data port, but for connection requests.
#[inline(never)]
pub fn outbound(packet: &mut Packet) -> Reason {
    either(outbound_rules(packet))
}

#[inline(always)]
fn outbound_rules(packet: &mut Packet) -> Result<Reason, Reason> {
    if let Some(reason) = known(packet, Direction::Outbound)? {
        return Ok(reason);
    }
    let now = maps::config::now();
    let (key, segment) = (&packet.key, &packet.segment);
    if segment.flags.has(TcpFlags::SYN | TcpFlags::ACK) {
        maps::opening::expect(key, segment.sequence.wrapping_add(1), now);
    }
    // A handshake's answer and a reset prove nothing; anything else is sent on an established connection.
    let proves = segment.flags.0 & (TcpFlags::SYN | TcpFlags::RST) == 0;
    if proves {
        packet.name_source();
    }
    let key = &packet.key;
    if proves && packet.class == PortClass::PassiveData {
        let reason = establish(key, &packet.source, now);
        // The segment that proves it is its first one.
        return Ok(known(packet, Direction::Outbound)?.unwrap_or(reason));
    }
    if proves && maps::config::adopting(now) {
        return Ok(adopt(key, &packet.source, now));
    }
    Ok(Reason::ServerAnswer)
}

/// Takes an active data connection into the table whose beginning nobody saw: `data_flow`; or says that its client may
/// not be here: `server_answer`; or why not. A subprogram: it has a stack frame of its own.
#[inline(never)]
fn adopt(key: &FlowKey, source: &SourceKey, now: u64) -> Reason {
    let Ok(admission) = allow::admit(key) else {
        return Reason::ServerAnswer;
    };
    match insert(key, source, FlowKind::Active, 0, true, &admission, now) {
        Ok(()) => Reason::DataFlow,
        Err(reason) => reason,
    }
}

/// Judges a connection that the server's side opens. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn opening(packet: &mut Packet) -> Reason {
    packet.name_source();
    either(rules_for_opening(packet.port, &packet.key, &packet.source))
}

#[inline(always)]
fn rules_for_opening(from: Port, key: &FlowKey, source: &SourceKey) -> Result<Reason, Reason> {
    let now = maps::config::now();
    let port = ports::lookup(from);
    let scope = maps::config::role().scope(key.server);
    if let Some(named) = maps::negotiated::named(&key.named_key(scope), now) {
        if named.reason != Reason::ActiveNamed as u8 {
            return Err(if named.reason == Reason::ActiveLowPort as u8 {
                Reason::ActiveLowPort
            } else {
                Reason::Bounce
            });
        }
        if !active(key, source, named.session, port.class(), now)? {
            // In enforce mode there had been no session that could name it.
            return match port.class() {
                PortClass::ActiveData => Err(Reason::Bounce),
                PortClass::PassiveData => Ok(Reason::Outgoing),
                _ => Err(Reason::NotFtp),
            };
        }
        if port.class() == PortClass::Other {
            ports::mark_active(from);
        }
        return Ok(Reason::ActiveNamed);
    }
    match port.class() {
        PortClass::ActiveData => {
            let destination = Port(u16::from_be_bytes(key.client_port));
            let client = maps::sessions::client(&key.client_key(scope));
            let session = match client {
                Some(client) if client.encrypted > 0 => client.encrypted_session,
                Some(client) if client.sessions > 0 => 0,
                _ if maps::config::has(FLAG_FXP) => 0,
                _ => return Err(Reason::Bounce),
            };
            if destination.is_low() {
                return Err(match allow::find(key) {
                    Ok(_) => Reason::ActiveLowPort,
                    Err(_) => Reason::Bounce,
                });
            }
            if !active(key, source, session, PortClass::ActiveData, now)? {
                return Err(Reason::Bounce);
            }
            Ok(Reason::ActiveClient)
        }
        PortClass::PassiveData => {
            let (kind, unasked) = (FlowKind::Outgoing, &Admission::UNASKED);
            insert(key, source, kind, 0, false, unasked, now)?;
            Ok(Reason::Outgoing)
        }
        _ => Err(Reason::NotFtp),
    }
}

/// Takes a connection to a client into the table, from a port of this class; whether the client may be here. One that
/// may not is followed only from ports whose packets are FTP's without that.
#[inline(always)]
fn active(
    key: &FlowKey,
    source: &SourceKey,
    session: u64,
    class: PortClass,
    now: u64,
) -> Result<bool, Reason> {
    let Ok(admission) = allow::admit(key) else {
        return Err(Reason::Bounce);
    };
    let kind = FlowKind::Active;
    if !admission.is_witnessed() {
        insert(key, source, kind, session, false, &admission, now)?;
        return Ok(true);
    }
    if class == PortClass::ActiveData {
        insert(key, source, kind, session, false, &admission, now)?;
    }
    Ok(false)
}

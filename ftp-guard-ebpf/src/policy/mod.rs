//! The rules, in the order in which they decide (docs: "How a packet is decided").

mod allow;
pub mod commands;
pub mod data;
mod limits;
mod malformed;
pub mod plain;
pub mod session;
mod traffic;

use core::hint::black_box;

use aya_ebpf::programs::XdpContext;
use ftp_guard_common::{
    class::{Family, PortClass},
    config::Mode,
    reason::{Reason, Verdict},
};

pub use allow::{find, is_listed};

use crate::{
    access::{Access, Buffer},
    connection::{self, Direction},
    cookies,
    maps::{self, scratch::Packet, stats::Hook},
    parse::{self, Datagram, Ports},
    reader::{self, odd_port},
};

/// What was decided about a frame, and the labels that it is counted under.
pub struct Judgement {
    /// Why it got its verdict.
    pub reason: Reason,
    /// Class of the guarded end's port; `Other` until the port has been read.
    pub class: PortClass,
    /// IP version; `Other` until the EtherType has been read.
    pub family: Family,
}

impl Judgement {
    /// Of a packet that no rule got to see.
    const UNREAD: Self = Self {
        reason: Reason::NotFtp,
        class: PortClass::Other,
        family: Family::Other,
    };

    #[inline(always)]
    fn of(packet: &Packet, reason: Reason) -> Self {
        Self {
            reason,
            class: packet.class,
            family: packet.family,
        }
    }
}

/// Judges a frame that arrives; the first rule that applies decides.
#[inline(always)]
pub fn judge<A: Access>(frame: &A) -> Judgement {
    let mut end = End {
        reason: Reason::NotFtp,
        family: Family::Other,
    };
    let Some(packet) = examine(frame, &mut end) else {
        return Judgement {
            reason: end.reason,
            family: end.family,
            ..Judgement::UNREAD
        };
    };
    let reason = match end.reason {
        CONCERNS => match packet.class {
            PortClass::Control => session::inbound(packet),
            _ => data::inbound(packet),
        },
        reason => reason,
    };
    Judgement::of(packet, reason)
}

/// How the examination of a frame has ended.
struct End {
    reason: Reason,
    family: Family,
}

/// What becomes of a request that a cookie is asked for, now that the frame is at hand. Monitor mode answers
/// none and lets it pass.
#[inline(always)]
pub fn settle(ctx: &XdpContext, reason: Reason) -> Reason {
    if !matches!(reason, Reason::SynCookie | Reason::Listed) {
        return reason;
    }
    let Some(packet) = maps::scratch::packet(Hook::Ingress) else {
        return reason;
    };
    let done = match reason {
        Reason::SynCookie => maps::config::mode() == Mode::Monitor || cookies::answer(ctx, packet),
        _ if packet.primes => cookies::prime(ctx, packet),
        _ => true,
    };
    if done { reason } else { Reason::CookieFailed }
}

/// What [`examine`] and [`read`] return when the rules have the word. A packet of which that is all that
/// is known gets another reason.
const CONCERNS: Reason = Reason::Listed;

/// Reads a frame and refuses what is malformed; nothing where that is found before it is known whether the
/// packet concerns the guard. A subprogram: its stack is free again when the rules run.
#[inline(never)]
fn examine<A: Access>(frame: &A, end: &mut End) -> Option<&'static mut Packet> {
    let found = match to_a_guarded_port(frame, &mut end.family) {
        Ok(found) => found,
        Err(reason) => {
            end.reason = reason;
            if reason.verdict() == Verdict::Drop {
                unread(end.family as u32);
            }
            return None;
        }
    };
    let packet = maps::scratch::packet(Hook::Ingress)?;
    packet.begin(end.family);
    end.reason = either(examine_rules(frame, packet, &found));
    Some(packet)
}

/// Leaves nothing of an earlier packet to the event that tells of this one, of which no more is known than
/// its family. A subprogram: few packets are refused like that.
#[inline(never)]
fn unread(family: u32) -> u32 {
    if let Some(packet) = maps::scratch::packet(Hook::Ingress) {
        packet.begin(Family::from_number(family as u8));
    }
    // A subprogram returns a number.
    black_box(0)
}

/// A TCP packet to a port that the table knows.
struct Found {
    datagram: Datagram,
    ports: Ports,
    entry: maps::ports::Entry,
}

#[inline(always)]
fn to_a_guarded_port<A: Access>(frame: &A, family: &mut Family) -> Result<Found, Reason> {
    let datagram = parse::datagram(frame, family)?;
    let ports = parse::ports(frame, &datagram)?;
    let entry = maps::ports::lookup(ports.destination);
    if entry.is_none() {
        return Err(Reason::NotFtp);
    }
    Ok(Found {
        datagram,
        ports,
        entry,
    })
}

#[inline(always)]
fn examine_rules<A: Access>(
    frame: &A,
    packet: &mut Packet,
    found: &Found,
) -> Result<Reason, Reason> {
    let (datagram, ports) = (&found.datagram, found.ports);
    (packet.network, packet.transport) = (datagram.network, datagram.transport);
    let class = found.entry.class();
    let key = &mut packet.key;
    connection::read(
        key,
        frame,
        packet.family,
        datagram,
        ports,
        Direction::Inbound,
    )?;
    if class == PortClass::Other {
        // The server's own choice of port, shared with whatever else uses it.
        if maps::flows::get(key).is_none() {
            return Err(Reason::NotFtp);
        }
        packet.class = PortClass::ActiveData;
    } else {
        packet.class = class;
    }
    packet.segment = parse::segment(frame, datagram)?;
    malformed::check(&packet.segment)?;
    Ok(CONCERNS)
}

/// Judges a packet that leaves.
#[inline(always)]
pub fn judge_egress(frame: &Buffer<'_>) -> Judgement {
    let Some(packet) = maps::scratch::packet(Hook::Egress) else {
        return Judgement::UNREAD;
    };
    let reason = match read(frame, packet, true) {
        CONCERNS if packet.segment.flags.is_connection_request() => data::opening(packet),
        CONCERNS => match packet.class {
            PortClass::Control => session::outbound(frame, packet),
            PortClass::Other => {
                if !maps::ports::lookup(packet.port).is_active_source()
                    || maps::flows::get(&packet.key).is_none()
                {
                    return Judgement::of(packet, Reason::NotFtp);
                }
                packet.class = PortClass::ActiveData;
                data::outbound(packet)
            }
            _ => data::outbound(packet),
        },
        reason => reason,
    };
    Judgement::of(packet, reason)
}

/// Judges what a client says on a control connection; the XDP hook has let it pass.
#[inline(always)]
pub fn judge_control(frame: &Buffer<'_>) -> Judgement {
    let Some(packet) = maps::scratch::packet(Hook::Control) else {
        return Judgement::UNREAD;
    };
    let reason = match read(frame, packet, false) {
        CONCERNS => match reader::commands(frame, packet) {
            Reason::Listed => reader::before_greeting(frame, packet),
            reason => reason,
        },
        reason => reason,
    };
    Judgement::of(packet, reason)
}

/// Reads a packet at a traffic control hook. What the parser cannot follow is no reason to stop it
/// there: the XDP hook has judged what arrives, and this host made what leaves.
#[inline(never)]
fn read(frame: &Buffer<'_>, packet: &mut Packet, outbound: bool) -> Reason {
    packet.begin(Family::Other);
    match read_rules(frame, packet, outbound) {
        Err(reason) if reason.verdict() == Verdict::Drop => Reason::NotFtp,
        outcome => either(outcome),
    }
}

#[inline(always)]
fn read_rules(frame: &Buffer<'_>, packet: &mut Packet, outbound: bool) -> Result<Reason, Reason> {
    let datagram = parse::datagram(frame, &mut packet.family)?;
    let ports = parse::ports(frame, &datagram)?;
    (packet.network, packet.transport) = (datagram.network, datagram.transport);
    let (direction, port) = if outbound {
        (Direction::Outbound, ports.source)
    } else {
        (Direction::Inbound, ports.destination)
    };
    let entry = maps::ports::lookup(port);
    packet.port = port;
    packet.class = entry.class();
    if !outbound && packet.class != PortClass::Control {
        return Err(Reason::NotFtp);
    }
    packet.segment = parse::segment(frame, &datagram)?;
    // What leaves from any other port concerns the guard only where it opens a connection.
    let concerns = !entry.is_none() || packet.segment.flags.is_connection_request();
    let is_looked_at = concerns || (outbound && odd_port::is_likely(frame, &packet.segment));
    if !is_looked_at {
        return Err(Reason::NotFtp);
    }
    connection::read(
        &mut packet.key,
        frame,
        packet.family,
        &datagram,
        ports,
        direction,
    )?;
    if !concerns {
        odd_port::tell(frame, packet);
        return Err(Reason::NotFtp);
    }
    Ok(CONCERNS)
}

/// One reason out of two ways to say it: which of them pass says the verdict table.
#[inline(always)]
fn either(outcome: Result<Reason, Reason>) -> Reason {
    match outcome {
        Ok(reason) | Err(reason) => reason,
    }
}

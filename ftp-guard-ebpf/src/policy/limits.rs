//! Limits: how many connections may begin, and what passes that belongs to none.
//!
//! Where it cannot be told who sent a packet, it must not be the named sender who pays: what proves
//! nothing is counted apart from what is proven, and where it is too much, it is asked for a proof (a SYN
//! cookie) before it is refused.

use core::hint::black_box;

use ftp_guard_common::{
    config::{Cookies, GuardConfig},
    limits::{Opening, Profile, Rate, SourceKey},
    reason::Reason,
    session::Session,
};

use super::either;
use crate::{
    cookies::{self, Challenge},
    maps::{
        self,
        buckets::{self, Kind},
        scratch::Packet,
    },
    parse::Segment,
    wire::TcpFlags,
};

/// Judges a connection request to a control port from a listed source. A subprogram: it has a stack frame
/// of its own.
#[inline(never)]
pub fn request(packet: &mut Packet, profile: u16, now: u64) -> Reason {
    either(request_rules(packet, profile, now))
}

#[inline(always)]
fn request_rules(packet: &mut Packet, profile: u16, now: u64) -> Result<Reason, Reason> {
    packet.name_source();
    packet.name_network();
    let Some((config, profile)) = settings(profile) else {
        return Ok(Reason::Listed);
    };
    let attacked = maps::attack::count(config, now);
    proven_fit(config, profile, packet, now)?;
    at_session_limit(profile, &packet.source)?;
    let ready = config.cookies_since_ns != 0 && config.cookies != Cookies::Off as u32;
    let asks_all = ready && (attacked || config.cookies == Cookies::Always as u32);
    let mut reason = Reason::Listed;
    if !asks_all {
        reason = take_request(config, profile, packet, now);
        if reason == Reason::Listed {
            return Ok(reason);
        }
        maps::attack::notice(config, now);
    }
    // To a SYN on a connection that lives only the stack has an answer (RFC 5961 section 4).
    let lives = maps::sessions::get(&packet.key).is_some_and(|s| s.traffic.closed_ns == 0);
    if ready && !lives {
        match cookies::challenge(config, &packet.key, now) {
            Challenge::Answer => return Ok(Reason::SynCookie),
            Challenge::Prime => {
                packet.primes = true;
                return Ok(Reason::Listed);
            }
            Challenge::Unavailable => {}
        }
    }
    if asks_all {
        reason = take_request(config, profile, packet, now);
    }
    Err(reason)
}

/// Refuses while the source, its network, or all sources together are beyond their rate with connections
/// whose handshake is proven.
#[inline(always)]
fn proven_fit(
    config: &GuardConfig,
    profile: &Profile,
    packet: &Packet,
    now: u64,
) -> Result<(), Reason> {
    let limit = &profile.connections;
    if limit.interval_ns != 0 && !buckets::of(Kind::Proven, &packet.source, 0).has_room(limit, now)
    {
        return Err(Reason::SourceRate);
    }
    let limit = &config.network;
    if limit.interval_ns != 0
        && !buckets::of(Kind::NetworkProven, &packet.of_network, 0).has_room(limit, now)
    {
        return Err(Reason::NetworkRate);
    }
    if !maps::attack::has_room(&config.total, now) {
        return Err(Reason::TotalRate);
    }
    Ok(())
}

#[inline(always)]
fn at_session_limit(profile: &Profile, source: &SourceKey) -> Result<(), Reason> {
    if profile.sessions != 0
        && let Some(source) = maps::sources::get(source)
        && figure(source.sessions) + figure(source.opening) >= u64::from(profile.sessions)
    {
        return Err(Reason::SessionLimit);
    }
    Ok(())
}

/// Counts a request that has proven nothing: `listed`, or the reason for which it does not fit. A
/// subprogram: it has a stack frame of its own.
#[inline(never)]
fn take_request(config: &GuardConfig, profile: &Profile, packet: &Packet, now: u64) -> Reason {
    either(take_request_rules(config, profile, packet, now))
}

#[inline(always)]
fn take_request_rules(
    config: &GuardConfig,
    profile: &Profile,
    packet: &Packet,
    now: u64,
) -> Result<Reason, Reason> {
    take(
        Kind::Requests,
        &packet.source,
        0,
        &profile.connections,
        now,
        Reason::SourceRate,
    )?;
    take(
        Kind::NetworkRequests,
        &packet.of_network,
        0,
        &config.network,
        now,
        Reason::NetworkRate,
    )?;
    maps::attack::take_request(&config.total, now)?;
    Ok(Reason::Listed)
}

/// Judges a segment to a control port that is no connection request and of no session, from a listed
/// source. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn no_session(packet: &mut Packet, profile: u16, now: u64) -> Reason {
    either(no_session_rules(packet, profile, now))
}

#[inline(always)]
fn no_session_rules(packet: &mut Packet, number: u16, now: u64) -> Result<Reason, Reason> {
    let Some((config, profile)) = settings(number) else {
        return Ok(Reason::Listed);
    };
    packet.name_source();
    let (key, segment) = (&packet.key, &packet.segment);
    if let Some(opening) = maps::opening::get(key) {
        take_packet(&profile.packets, &mut opening.packets_ns, now)?;
        return Ok(Reason::Listed);
    }
    if ends_handshake(segment) {
        let mut proof = Reason::Listed;
        let mut proven = maps::opening::is_expected(key, segment.acknowledgement, now);
        if !proven && cookies::accepts(config, key, segment, now) {
            proof = Reason::CookieAccepted;
            proven = true;
        }
        if proven {
            return match prove(packet, number, now) {
                Reason::Listed => Ok(proof),
                refused => Err(refused),
            };
        }
    }
    if maps::config::adopting(now) {
        return Ok(Reason::Listed);
    }
    maps::attack::count(config, now);
    stray(config, packet, now)?;
    Ok(Reason::Listed)
}

/// Whether a segment may be the last of a handshake.
#[inline(always)]
fn ends_handshake(segment: &Segment) -> bool {
    segment.flags.0 & (TcpFlags::ACK | TcpFlags::SYN | TcpFlags::RST) == TcpFlags::ACK
}

/// Notes that a client that may not be here (for this reason, a number) has proven its handshake, so that its session
/// can be followed from its first word on: for monitor mode. Nothing is counted, and a full table is no harm. A
/// subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn witness(packet: &mut Packet, reason: u32) -> u32 {
    let now = maps::config::now();
    let (key, segment) = (&packet.key, &packet.segment);
    if ends_handshake(segment)
        && maps::opening::get(key).is_none()
        && maps::opening::is_expected(key, segment.acknowledgement, now)
    {
        packet.opening = Opening {
            since_ns: now,
            witnessed: reason as u8,
            ..Opening::default()
        };
        let packet = &*packet;
        let _ = maps::opening::insert(&packet.key, &packet.opening);
    }
    // A subprogram returns a number.
    black_box(0)
}

/// Takes in a connection whose handshake has just been proven: `listed`, or why not. A subprogram: it has a
/// stack frame of its own.
#[inline(never)]
fn prove(packet: &mut Packet, profile: u16, now: u64) -> Reason {
    let Some((config, profile)) = settings(profile) else {
        return Reason::Listed;
    };
    packet.name_network();
    packet.opening = Opening {
        since_ns: now,
        ..Opening::default()
    };
    let packet = &*packet;
    let Some(source) = maps::sources::get_or_insert(&packet.source) else {
        return Reason::SourceTableFull;
    };
    if let Err(reason) = at_session_limit(profile, &packet.source) {
        return reason;
    }
    maps::atomic::add(&raw mut source.opening);
    if !maps::opening::insert(&packet.key, &packet.opening) {
        maps::atomic::subtract(&raw mut source.opening);
        // Another CPU may have been faster with a repetition of the same segment.
        return if maps::opening::get(&packet.key).is_some() {
            Reason::Listed
        } else {
            Reason::OpeningTableFull
        };
    }
    buckets::of(Kind::Proven, &packet.source, 0).charge(&profile.connections, now);
    buckets::of(Kind::NetworkProven, &packet.of_network, 0).charge(&config.network, now);
    maps::attack::charge_proven(&config.total, now);
    Reason::Listed
}

/// Counts a segment of no connection; it is refused when there are too many of such.
#[inline(always)]
fn stray(config: &GuardConfig, packet: &Packet, now: u64) -> Result<(), Reason> {
    let segment = &packet.segment;
    let reason = if segment.flags.has(TcpFlags::RST) {
        Reason::StrayRst
    } else if segment.flags.has(TcpFlags::FIN) {
        Reason::StrayFin
    } else if segment.has_payload {
        Reason::StrayData
    } else {
        Reason::StrayAck
    };
    take(Kind::Strays, &packet.source, 0, &config.strays, now, reason)?;
    maps::attack::take_stray(&config.strays_total, now, reason)
}

/// Counts a client's segment on a session.
#[inline(always)]
pub fn session_packet(session: &mut Session, now: u64) -> Result<(), Reason> {
    match maps::profiles::get(session.profile) {
        Some(profile) => take_packet(&profile.packets, &mut session.packets_ns, now),
        None => Ok(()),
    }
}

#[inline(always)]
fn take_packet(rate: &Rate, due: &mut u64, now: u64) -> Result<(), Reason> {
    if rate.interval_ns == 0 {
        return Ok(());
    }
    if !rate.allows(*due, now) {
        return Err(Reason::ControlRate);
    }
    *due = rate.after(*due, now);
    Ok(())
}

/// Judges a segment to a passive port that the rules permit, of no data connection yet: `listed`, or why
/// it is too much. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn handshake(packet: &mut Packet, profile: u16, now: u64) -> Reason {
    either(handshake_rules(packet, profile, now))
}

#[inline(always)]
fn handshake_rules(packet: &mut Packet, profile: u16, now: u64) -> Result<Reason, Reason> {
    let Some((config, _)) = settings(profile) else {
        return Ok(Reason::Listed);
    };
    packet.name_source();
    let packet = &*packet;
    let (key, segment) = (&packet.key, &packet.segment);
    if segment.flags.is_connection_request() {
        data_fits(&packet.source, profile)?;
        take(
            Kind::Handshakes,
            &packet.source,
            u16::from_ne_bytes(key.server_port),
            &config.handshakes,
            now,
            Reason::SourceRate,
        )?;
    } else if !maps::opening::is_expected(key, segment.acknowledgement, now)
        && !maps::config::adopting(now)
    {
        stray(config, packet, now)?;
    }
    Ok(Reason::Listed)
}

/// Whether the client may have one more data connection.
#[inline(always)]
pub fn data_fits(source: &SourceKey, profile: u16) -> Result<(), Reason> {
    if let Some(profile) = maps::profiles::get(profile)
        && profile.data != 0
        && let Some(source) = maps::sources::get(source)
        && figure(source.data) >= u64::from(profile.data) * figure(source.sessions).max(1)
    {
        return Err(Reason::DataLimit);
    }
    Ok(())
}

#[inline(always)]
fn take(
    kind: Kind,
    source: &SourceKey,
    extra: u16,
    rate: &Rate,
    now: u64,
    reason: Reason,
) -> Result<(), Reason> {
    if rate.interval_ns == 0 {
        return Ok(());
    }
    buckets::of(kind, source, extra).take(rate, now, reason)
}

/// A figure of a source. The daemon corrects figures while programs count, so that one may be a step too
/// low for a moment: below 0 is 0.
#[inline(always)]
fn figure(count: u32) -> u64 {
    (count as i32).max(0) as u64
}

#[inline(always)]
fn settings(profile: u16) -> Option<(&'static GuardConfig, &'static Profile)> {
    Some((maps::config::get()?, maps::profiles::get(profile)?))
}

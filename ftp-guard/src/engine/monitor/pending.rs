//! What clients say before the server greets them: a ClientHello where TLS is spoken from the first byte on.
//! It comes without the number of a session, and is kept until there is one.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

use ftp_guard_common::text::HELLO_BYTES;
use jiff::{SignedDuration, Timestamp};

use super::{
    observation::Protocol,
    protocol::{ENOUGH, Spoken, spoken},
    scrub::Scrubbed,
    told::{Segment, Side},
};

/// How long it is kept: servers greet sooner, or never.
const AGE: SignedDuration = SignedDuration::from_secs(60);
/// Connections that are kept.
const MOST: usize = 2048;
/// Segments of one that are kept.
const MOST_SEGMENTS: usize = 64;

type Ends = (SocketAddr, SocketAddr);

/// The connections that are not greeted yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    by_ends: HashMap<Ends, Opening>,
    /// In the order of their age; those that are there no more are passed over.
    order: VecDeque<(Ends, Timestamp)>,
}

/// What a client has said.
#[derive(Debug)]
pub(super) struct Opening {
    began: Timestamp,
    bytes: usize,
    segments: Vec<(u32, u32, Scrubbed)>,
    start: Scrubbed,
    is_decided: bool,
    /// Whether the first bytes were found to be something else than FTP.
    pub(super) is_foreign: bool,
}

impl Pending {
    /// Keeps a segment. Returns what the client speaks if that is not FTP, once. TLS may belong there.
    pub(super) fn push(
        &mut self,
        ends: Ends,
        segment: &Segment<'_>,
        now: Timestamp,
    ) -> Option<Protocol> {
        if segment.side != Side::Client {
            return None;
        }
        if !self.by_ends.contains_key(&ends) {
            self.expire(now);
            while self.by_ends.len() >= MOST
                && let Some((oldest, began)) = self.order.pop_front()
            {
                self.remove(oldest, began);
            }
            self.order.push_back((ends, now));
        }
        let opening = self.by_ends.entry(ends).or_insert_with(|| Opening {
            began: now,
            bytes: 0,
            segments: Vec::new(),
            start: Scrubbed::default(),
            is_decided: false,
            is_foreign: false,
        });
        let room = usize::from(HELLO_BYTES) - opening.bytes;
        let bytes = &segment.bytes[..segment.bytes.len().min(room)];
        if bytes.is_empty() || opening.segments.len() >= MOST_SEGMENTS {
            return None;
        }
        opening.bytes += bytes.len();
        let kept = (
            segment.sequence,
            segment.acknowledgement,
            Scrubbed::of(bytes),
        );
        opening.segments.push(kept);
        opening.look(bytes)
    }

    /// What was said on a connection that now is greeted.
    pub(super) fn take(&mut self, ends: Ends) -> Option<Opening> {
        let opening = self.by_ends.remove(&ends)?;
        if self.by_ends.is_empty() {
            self.order.clear();
        }
        Some(opening)
    }

    /// Forgets what is too old.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((ends, began)) = self.order.front().copied()
            && now.duration_since(began) >= AGE
        {
            self.order.pop_front();
            self.remove(ends, began);
        }
        // Ends that were taken leave their places in the order.
        if self.order.len() > 2 * MOST {
            self.order.retain(|(ends, began)| {
                self.by_ends
                    .get(ends)
                    .is_some_and(|opening| opening.began == *began)
            });
        }
    }

    fn remove(&mut self, ends: Ends, began: Timestamp) {
        if self
            .by_ends
            .get(&ends)
            .is_some_and(|opening| opening.began == began)
        {
            self.by_ends.remove(&ends);
        }
    }
}

impl Opening {
    /// The segments in the order in which they came: sequence number, acknowledgement, bytes.
    pub(super) fn segments(&self) -> impl Iterator<Item = (u32, u32, &[u8])> {
        self.segments
            .iter()
            .map(|(sequence, acknowledgement, bytes)| (*sequence, *acknowledgement, bytes.bytes()))
    }

    fn look(&mut self, bytes: &[u8]) -> Option<Protocol> {
        if self.is_decided {
            return None;
        }
        let room = ENOUGH - self.start.len();
        self.start.extend(&bytes[..bytes.len().min(room)]);
        let found = spoken(Side::Client, self.start.bytes());
        self.is_decided = found != Spoken::Undecided;
        if self.is_decided {
            self.start.clear();
        }
        match found {
            Spoken::Foreign(protocol) if protocol != Protocol::Tls => {
                self.is_foreign = true;
                Some(protocol)
            }
            _ => None,
        }
    }
}

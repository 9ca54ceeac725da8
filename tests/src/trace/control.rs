use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use ftp_guard::frame::TcpFlags;

use super::roles::{Roles, Segment, segment};

/// Which end of a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that opened it.
    Client,
    /// The end that listened.
    Server,
}

/// What was said on a control connection.
#[derive(Debug)]
pub struct Conversation {
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// Who said what, in the order in which it became known: each byte once, without holes.
    pub pieces: Vec<(Side, Vec<u8>)>,
}

impl Conversation {
    /// Finds the control connections of a capture, in the order of their first segments, and puts what
    /// was said on them together. Behind a segment that the capture lacks, that side says nothing more.
    #[must_use]
    pub fn find(frames: &[Vec<u8>]) -> Vec<Self> {
        let roles = Roles::find(frames);
        let mut found: Vec<Self> = Vec::new();
        let mut streams: HashMap<(SocketAddr, SocketAddr, Side), Stream> = HashMap::new();
        for segment in frames.iter().filter_map(|frame| segment(frame)) {
            let (from, to) = (
                SocketAddr::from(segment.source),
                SocketAddr::from(segment.destination),
            );
            let (client, server, side) = if roles.is_listener(segment.destination) {
                (from, to, Side::Client)
            } else if roles.is_listener(segment.source) {
                (to, from, Side::Server)
            } else {
                continue;
            };
            let opens = segment.flags.contains(TcpFlags::SYN);
            if opens && side == Side::Client {
                // The same ends may meet again.
                streams.remove(&(client, server, Side::Client));
                streams.remove(&(client, server, Side::Server));
            }
            let is_new = !streams.contains_key(&(client, server, Side::Client))
                && !streams.contains_key(&(client, server, Side::Server));
            let text = streams
                .entry((client, server, side))
                .or_default()
                .push(&segment);
            if is_new {
                found.push(Self {
                    client,
                    server,
                    pieces: Vec::new(),
                });
            }
            let conversation = found
                .iter_mut()
                .rfind(|known| known.client == client && known.server == server);
            if let Some(conversation) = conversation.filter(|_| !text.is_empty()) {
                conversation.pieces.push((side, text));
            }
        }
        found
    }

    /// All that one side has said.
    #[must_use]
    pub fn text(&self, side: Side) -> Vec<u8> {
        let pieces = self.pieces.iter().filter(|(from, _)| *from == side);
        pieces.flat_map(|(_, text)| text.iter().copied()).collect()
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Stream {
    /// Sequence number of the byte that is due; `None` before the first segment.
    next: Option<u32>,
    /// Segments that came too early.
    early: BTreeMap<u32, Vec<u8>>,
}

impl Stream {
    /// The bytes that are in order now.
    fn push(&mut self, segment: &Segment<'_>) -> Vec<u8> {
        let is_syn = segment.flags.contains(TcpFlags::SYN);
        let start = segment.sequence.wrapping_add(u32::from(is_syn));
        let mut next = *self.next.get_or_insert(start);
        if !segment.payload.is_empty() {
            let known = self.early.entry(start).or_default();
            if known.len() < segment.payload.len() {
                *known = segment.payload.to_vec();
            }
        }
        let mut text = Vec::new();
        while let Some((start, piece)) = self.take_due(next) {
            let known = next.wrapping_sub(start) as usize;
            if let Some(new) = piece.get(known..) {
                text.extend_from_slice(new);
                next = next.wrapping_add(new.len() as u32);
            }
        }
        self.next = Some(next);
        text
    }

    /// A segment that begins with or before the byte that is due.
    fn take_due(&mut self, next: u32) -> Option<(u32, Vec<u8>)> {
        let is_due = |start: &&u32| next.wrapping_sub(**start) < 1 << 31;
        let start = *self.early.keys().find(is_due)?;
        Some((start, self.early.remove(&start)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, payload: &[u8]) -> Segment<'_> {
        Segment {
            source: ("192.0.2.1".parse().unwrap(), 21),
            destination: ("198.51.100.7".parse().unwrap(), 4000),
            flags: TcpFlags::ACK,
            sequence,
            payload,
        }
    }

    #[test]
    fn a_stream_is_in_order_and_says_nothing_twice() {
        let mut stream = Stream::default();
        let start = u32::MAX - 1;
        let mut push = |offset: u32, payload| {
            let text = stream.push(&segment(start.wrapping_add(offset), payload));
            String::from_utf8(text).unwrap()
        };
        assert_eq!(push(0, b"ab"), "ab");
        assert_eq!(push(4, b"ef"), "");
        assert_eq!(push(0, b"ab"), "");
        assert_eq!(push(1, b"bcd"), "cdef");
        assert_eq!(push(8, b"ij"), "");
        assert_eq!(push(6, b"gh"), "ghij");
    }
}

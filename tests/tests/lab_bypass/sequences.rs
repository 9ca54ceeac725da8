//! Fragments of one packet in every order, with overlaps, repetitions and more than one beginning.

use ftp_guard::frame::TcpFlags;
use ftp_guard_tests::{
    lab::Family,
    packet::{Extension, Segment},
};

use crate::{
    attacker::OTHER_PORT,
    shapes::{FTP, frame, ipv4, ipv6, segment_bytes},
    variant::{Envelope, Variant},
};

/// Where the TCP header of the 40-byte segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Options up to the end: a first fragment of 24 bytes lacks some of the header.
    LongHeader,
    /// At 24 bytes; 16 bytes of data follow in later fragments.
    Data,
}

impl Style {
    pub(crate) const ALL: [Self; 2] = [Self::LongHeader, Self::Data];
}

/// A fragment: bytes `from..to` of the segment to one of the two ports.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece {
    name: &'static str,
    port: u16,
    from: usize,
    to: usize,
}

/// The length of the segment.
const LENGTH: usize = 40;

/// The segments to both ports differ in their first 8 bytes alone, so that the other pieces fit both.
const PIECES: [Piece; 8] = [
    Piece {
        name: "first 8 to FTP",
        port: FTP,
        from: 0,
        to: 8,
    },
    Piece {
        name: "first 24 to FTP",
        port: FTP,
        from: 0,
        to: 24,
    },
    Piece {
        name: "first 8 to 22",
        port: OTHER_PORT,
        from: 0,
        to: 8,
    },
    Piece {
        name: "first 24 to 22",
        port: OTHER_PORT,
        from: 0,
        to: 24,
    },
    Piece {
        name: "8 to 24",
        port: OTHER_PORT,
        from: 8,
        to: 24,
    },
    Piece {
        name: "8 to end",
        port: OTHER_PORT,
        from: 8,
        to: LENGTH,
    },
    Piece {
        name: "16 to end",
        port: OTHER_PORT,
        from: 16,
        to: LENGTH,
    },
    Piece {
        name: "24 to end",
        port: OTHER_PORT,
        from: 24,
        to: LENGTH,
    },
];

/// Every sequence of up to `longest` pieces, with repetitions.
pub(crate) fn all(family: Family, style: Style, longest: usize) -> Vec<Variant> {
    let mut sequences: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut variants = Vec::new();
    for _ in 0..longest {
        sequences = sequences
            .iter()
            .flat_map(|before| PIECES.map(|piece| [&before[..], &[piece]].concat()))
            .collect();
        variants.extend(
            sequences
                .iter()
                .map(|pieces| variant(family, style, pieces)),
        );
    }
    variants
}

fn variant(family: Family, style: Style, pieces: &[Piece]) -> Variant {
    let names: Vec<_> = pieces.iter().map(|piece| piece.name).collect();
    let pieces = pieces.to_vec();
    Variant {
        name: format!("[{}], {style:?}, {family:?}", names.join("; ")),
        family,
        reaches: is_honest(family, &pieces),
        of_other_port: pieces.iter().all(|piece| piece.port == OTHER_PORT),
        frames: Box::new(move |envelope| {
            pieces
                .iter()
                .map(|piece| fragment(envelope, style, *piece))
                .collect()
        }),
    }
}

/// Whether the pieces make up the segment to the FTP port, each byte once, in whatever order. Linux
/// takes IPv6 first fragments only with 20 bytes of TCP (RFC 8200, 4.5), IPv4 ones with 8.
fn is_honest(family: Family, pieces: &[Piece]) -> bool {
    let mut sorted = pieces.to_vec();
    sorted.sort_by_key(|piece| piece.from);
    let mut end = 0;
    for piece in &sorted {
        if piece.from != end {
            return false;
        }
        end = piece.to;
    }
    end == LENGTH
        && sorted
            .first()
            .is_some_and(|first| first.port == FTP && (family == Family::V4 || first.to >= 20))
}

fn fragment(envelope: &Envelope, style: Style, piece: Piece) -> Vec<u8> {
    let bytes = segment(envelope, style, piece.port)[piece.from..piece.to].to_vec();
    let (offset, more) = ((piece.from / 8) as u16, piece.to < LENGTH);
    let packet = match envelope.source {
        std::net::IpAddr::V4(_) => {
            let mut packet = ipv4(envelope, bytes);
            packet.offset = offset;
            packet.more = more;
            packet.to_bytes()
        }
        std::net::IpAddr::V6(_) => {
            let mut packet = ipv6(envelope, bytes);
            packet.chain = vec![Extension::Fragment {
                offset,
                more,
                id: envelope.identification.into(),
            }];
            packet.to_bytes()
        }
    };
    frame(envelope, &[], &packet)
}

/// A SYN of 40 bytes. The sequence number makes up for the port, so that the checksum, which lies
/// in another piece, is right for both ports.
fn segment(envelope: &Envelope, style: Style, port: u16) -> Vec<u8> {
    let mut segment = Segment::new(envelope.source_port, port, TcpFlags::SYN);
    segment.sequence = 0x1000_0000 - u32::from(port);
    match style {
        Style::LongHeader => segment.options = vec![1; LENGTH - 20],
        Style::Data => {
            segment.options = vec![1; 4];
            segment.payload = vec![b'\n'; LENGTH - 24];
        }
    }
    segment_bytes(envelope, &segment)
}

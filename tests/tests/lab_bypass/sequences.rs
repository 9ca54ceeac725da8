//! Fragments of one packet in every order, with overlaps, repetitions and more than one beginning.

use std::net::IpAddr;

use ftp_guard::frame::TcpFlags;
use ftp_guard_tests::{
    lab::Family,
    packet::{Extension, Segment, TCP},
};

use crate::{
    attacker::OTHER_PORT,
    shapes::{FTP, frame, ipv4, ipv6, segment_bytes},
    variant::{Envelope, Variant},
};

/// What is cut into fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// A TCP header of 40 bytes, most of it options: a first fragment of 24 bytes lacks some.
    LongHeader,
    /// A TCP header of 24 bytes and 16 bytes of data, which follow in later fragments.
    Data,
    /// Destination options of 8 bytes and then as [`Style::Data`] (IPv6 alone): a first fragment
    /// may lack TCP altogether, whose header then comes in a later one.
    BehindOptions,
}

impl Style {
    /// The styles that a family has.
    pub(crate) fn of(family: Family) -> &'static [Self] {
        match family {
            Family::V4 => &[Self::LongHeader, Self::Data],
            Family::V6 => &[Self::LongHeader, Self::Data, Self::BehindOptions],
        }
    }

    /// Where TCP begins.
    fn tcp(self) -> usize {
        match self {
            Self::LongHeader | Self::Data => 0,
            Self::BehindOptions => 8,
        }
    }

    /// Where it all ends.
    fn end(self) -> usize {
        self.tcp() + 40
    }

    fn pieces(self) -> &'static [Piece] {
        match self {
            Self::LongHeader | Self::Data => &PLAIN,
            Self::BehindOptions => &BEHIND_OPTIONS,
        }
    }

    /// The bytes to be cut. The sequence number makes up for the port, so that the checksum, which
    /// may lie in another piece, is right for both ports.
    fn bytes(self, envelope: &Envelope, port: u16) -> Vec<u8> {
        let mut segment = Segment::new(envelope.source_port, port, TcpFlags::SYN);
        segment.sequence = 0x1000_0000 - u32::from(port);
        match self {
            Self::LongHeader => segment.options = vec![1; 20],
            Self::Data | Self::BehindOptions => {
                segment.options = vec![1; 4];
                segment.payload = vec![b'\n'; 16];
            }
        }
        let options: &[u8] = match self {
            Self::LongHeader | Self::Data => &[],
            // Next header, length, PadN.
            Self::BehindOptions => &[TCP, 0, 1, 4, 0, 0, 0, 0],
        };
        [options, &segment_bytes(envelope, &segment)].concat()
    }
}

/// A fragment: bytes `from..to` of what goes to one of the two ports. Pieces that do not show their
/// port fit both.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece {
    name: &'static str,
    port: u16,
    from: usize,
    to: usize,
}

const fn piece(name: &'static str, port: u16, from: usize, to: usize) -> Piece {
    Piece {
        name,
        port,
        from,
        to,
    }
}

const PLAIN: [Piece; 8] = [
    piece("first 8 to FTP", FTP, 0, 8),
    piece("first 24 to FTP", FTP, 0, 24),
    piece("first 8 to 22", OTHER_PORT, 0, 8),
    piece("first 24 to 22", OTHER_PORT, 0, 24),
    piece("8 to 24", OTHER_PORT, 8, 24),
    piece("8 to end", OTHER_PORT, 8, 40),
    piece("16 to end", OTHER_PORT, 16, 40),
    piece("24 to end", OTHER_PORT, 24, 40),
];

const BEHIND_OPTIONS: [Piece; 8] = [
    piece("the options", OTHER_PORT, 0, 8),
    piece("first 16 to FTP", FTP, 0, 16),
    piece("first 32 to FTP", FTP, 0, 32),
    piece("first 32 to 22", OTHER_PORT, 0, 32),
    piece("8 to end, to FTP", FTP, 8, 48),
    piece("8 to end, to 22", OTHER_PORT, 8, 48),
    piece("16 to end", OTHER_PORT, 16, 48),
    piece("32 to end", OTHER_PORT, 32, 48),
];

/// Every sequence of up to `longest` pieces, with repetitions.
pub(crate) fn all(family: Family, style: Style, longest: usize) -> Vec<Variant> {
    let mut sequences: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut variants = Vec::new();
    for _ in 0..longest {
        sequences = sequences
            .iter()
            .flat_map(|before| {
                style
                    .pieces()
                    .iter()
                    .map(move |piece| [&before[..], &[*piece]].concat())
            })
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
        reaches: is_honest(family, style, &pieces),
        of_other_port: pieces.iter().all(|piece| piece.port == OTHER_PORT),
        frames: Box::new(move |envelope| {
            pieces
                .iter()
                .map(|piece| fragment(envelope, style, *piece))
                .collect()
        }),
    }
}

/// Whether the pieces make up what goes to the FTP port, each byte once, in whatever order. Linux
/// takes IPv6 first fragments only with 20 bytes of TCP (RFC 8200, 4.5), IPv4 ones with 8.
fn is_honest(family: Family, style: Style, pieces: &[Piece]) -> bool {
    let mut sorted = pieces.to_vec();
    sorted.sort_by_key(|piece| piece.from);
    let mut end = 0;
    for piece in &sorted {
        if piece.from != end {
            return false;
        }
        end = piece.to;
    }
    let enough = match family {
        Family::V4 => 8,
        Family::V6 => style.tcp() + 20,
    };
    end == style.end()
        && sorted
            .first()
            .is_some_and(|first| first.port == FTP && first.to >= enough)
}

fn fragment(envelope: &Envelope, style: Style, piece: Piece) -> Vec<u8> {
    let bytes = style.bytes(envelope, piece.port)[piece.from..piece.to].to_vec();
    let (offset, more) = ((piece.from / 8) as u16, piece.to < style.end());
    let packet = match envelope.source {
        IpAddr::V4(_) => {
            let mut packet = ipv4(envelope, bytes);
            packet.offset = offset;
            packet.more = more;
            packet.to_bytes()
        }
        IpAddr::V6(_) => {
            let mut packet = ipv6(envelope, bytes);
            packet.chain = vec![Extension::Fragment {
                offset,
                more,
                id: envelope.identification.into(),
            }];
            if style == Style::BehindOptions {
                packet.protocol = Extension::DestinationOptions(0).number();
            }
            packet.to_bytes()
        }
    };
    frame(envelope, &[], &packet)
}

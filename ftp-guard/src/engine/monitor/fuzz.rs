//! What the fuzz targets run: input of any kind becomes what could be told, and must neither panic nor
//! break a bound. `fuzz/` calls these, and so does a test with the inputs that are kept.

use std::{
    hash::RandomState,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use ftp_guard_common::{
    reason::Reason,
    session::{FlowKind, Tls},
};
use jiff::Timestamp;

use super::{
    FileNames, Monitor, Settings,
    observation::Seen,
    record::SessionRecord,
    stream::{MOST_HELD, Piece, Stream},
    tls::HelloReader,
    told::{Segment, Side, Told, Totals, What},
};

/// Takes numbers and bytes off an input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(self.0.len().min(count));
        self.0 = rest;
        taken
    }
}

/// Anything told in any order, to the whole monitor.
///
/// # Panics
///
/// The monitor keeps more than it may.
pub fn monitor(input: &[u8]) {
    let mut input = Input(input);
    let Some(settings) = input.byte() else {
        return;
    };
    let file_names = match settings % 3 {
        0 => FileNames::Full,
        1 => FileNames::Hash,
        _ => FileNames::Omit,
    };
    let mut monitor = Monitor::new(Settings {
        file_names,
        secret: [7; 16],
    });
    // Near the wrap-around of sequence numbers.
    let mut sequences = [u32::MAX - 99; 8];
    let mut seconds = 0;
    let mut seen = Vec::new();
    while let (Some(kind), Some(detail)) = (input.byte(), input.byte()) {
        seconds += i64::from(detail >> 7);
        let Ok(time) = Timestamp::from_second(seconds) else {
            return;
        };
        let session = u64::from(kind >> 6);
        let port = 4000 + u16::from(kind >> 6);
        let what = match kind & 7 {
            0..=2 => {
                let side = if detail & 1 == 0 {
                    Side::Client
                } else {
                    Side::Server
                };
                let length = usize::from(input.byte().unwrap_or_default());
                let shift = match detail & 0b0110_0000 {
                    0b0010_0000 => u32::from(input.short().unwrap_or_default()),
                    0b0100_0000 => u32::from(input.short().unwrap_or_default()).wrapping_neg(),
                    _ => 0,
                };
                let bytes = input.bytes(length);
                let place = usize::from(kind >> 6) * 2;
                let (own, other) = (
                    place + usize::from(detail & 1),
                    place + usize::from(detail & 1 == 0),
                );
                let sequence = sequences[own].wrapping_add(shift);
                if shift == 0 {
                    sequences[own] = sequence.wrapping_add(length as u32);
                }
                What::Said(Segment {
                    side,
                    tls: Tls::from_number(detail >> 1 & 3),
                    sequence,
                    acknowledgement: sequences[other].wrapping_sub(u32::from(detail >> 3 & 1)),
                    length: bytes.len() as u32 + u32::from(detail >> 4 & 1) * 5000,
                    bytes,
                })
            }
            3 => What::Began(
                Tls::from_number(detail & 3),
                Reason::from_number(detail >> 2),
            ),
            4 => What::Ended(totals(&mut input)),
            5 => What::DataBegan(flow(detail)),
            6 => What::DataEnded(flow(detail), totals(&mut input)),
            _ if detail & 1 == 0 => {
                let length = usize::from(detail);
                What::OddPort(input.bytes(length))
            }
            _ => {
                monitor.sweep(time, &|number| number & 1 == 0, &mut seen);
                monitor.note_end(session, "killed");
                continue;
            }
        };
        let is_data = matches!(what, What::DataBegan(_) | What::DataEnded(..));
        let told = Told {
            time,
            session,
            client: end(
                10,
                port + if is_data {
                    u16::from(detail >> 2 & 7)
                } else {
                    0
                },
            ),
            server: end(20, if is_data { 20 } else { 21 }),
            what,
        };
        monitor.take(&told, &mut seen);
        check(&monitor);
        for observation in seen.drain(..) {
            if let Seen::Ended(record) = observation.seen {
                bounds(&record);
            }
        }
    }
}

fn check(monitor: &Monitor) {
    assert!(monitor.held <= 2 * super::MOST_HELD, "held");
    let kept: usize = monitor
        .sessions
        .values()
        .map(|session| session.record.transfers.len())
        .sum();
    assert_eq!(monitor.transfers, kept, "transfers are counted");
    monitor.live().for_each(bounds);
}

fn bounds(record: &SessionRecord) {
    assert!(record.transfers.len() <= SessionRecord::MOST_TRANSFERS);
    let names = [
        &record.user,
        &record.client_software,
        &record.tls.server_name,
    ];
    for name in names.into_iter().flatten() {
        assert!(name.len() <= SessionRecord::MOST_NAME && !name.contains(char::is_control));
    }
}

fn totals(input: &mut Input<'_>) -> Totals {
    let count = input.short().unwrap_or_default();
    Totals {
        lived_ns: u64::from(count) << 40,
        bytes_in: u64::from(count) << 48,
        bytes_out: u64::from(count),
        killed: count & 1 == 1,
        ..Totals::default()
    }
}

fn flow(detail: u8) -> FlowKind {
    FlowKind::from_number(detail & 3).unwrap_or(FlowKind::Passive)
}

fn end(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), port)
}

/// Segments of one direction. Every byte comes out once, or is counted as lost.
///
/// # Panics
///
/// More is held than may be, or the bytes that came out do not add up.
pub fn stream(input: &[u8]) {
    let mut input = Input(input);
    let (mut stream, key) = (Stream::default(), RandomState::new());
    let start = u32::MAX - 999;
    stream.begin_at(start);
    let (mut read, mut end) = (0_u64, 0_u64);
    while let (Some(kind), Some(place), Some(length)) = (input.byte(), input.short(), input.byte())
    {
        let sequence = start.wrapping_add(place.into());
        let mut out = |piece: Piece<'_>| {
            read += match piece {
                Piece::Bytes(bytes) => bytes.len() as u64,
                Piece::Lost(count) => count,
            };
        };
        if kind & 1 == 0 {
            let bytes = input.bytes(length.into());
            let length = bytes.len() as u32 + u32::from(kind >> 7) * 100;
            let room = if kind & 2 == 0 { MOST_HELD } else { 100 };
            stream.push(sequence, length, bytes, room, &key, &mut out);
            assert!(stream.held() <= room.max(MOST_HELD));
            end = end.max(u64::from(place) + u64::from(length));
        } else {
            stream.acknowledged(sequence, &key, &mut out);
            end = end.max(place.into());
        }
    }
    // A hole that was given up and came after all is read again.
    assert!(
        read <= 2 * end.max(1) + (1 << 20),
        "{read} bytes out of {end}"
    );
}

/// The hello of TLS, in pieces: it is read once, or not at all.
///
/// # Panics
///
/// More than one hello was read.
pub fn hello(input: &[u8]) {
    let mut input = Input(input);
    let Some(step) = input.byte() else {
        return;
    };
    let whole = HelloReader::default().push(input.0);
    let mut reader = HelloReader::default();
    let mut found = Vec::new();
    while !input.0.is_empty() {
        found.extend(reader.push(input.bytes(usize::from(step).max(1))));
    }
    assert_eq!(found.first(), whole.as_ref(), "pieces make no difference");
    assert!(found.len() <= 1);
}

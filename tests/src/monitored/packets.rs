use std::{collections::HashMap, net::SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ftp_guard::{
    engine::monitor::told::{Segment, Side, Told, Totals, What},
    frame::TcpFlags,
};
use ftp_guard_common::session::{FlowKind, Tls};
use jiff::Timestamp;

use super::replay::Source;
use crate::trace::Roles;

type Ends = (SocketAddr, SocketAddr);

/// What the programs would tell of the frames of a capture, told by reading the frames themselves.
pub struct Packets {
    roles: Roles,
    control: HashMap<Ends, Control>,
    data: HashMap<Ends, Data>,
    sessions: u64,
    frames: i64,
}

/// A control connection.
#[derive(Default)]
struct Control {
    session: u64,
    opened: bool,
    asked_auth: bool,
    encrypted: bool,
    ended: [bool; 2],
}

/// A data connection: client's end and server's end are its key.
struct Data {
    session: u64,
    kind: FlowKind,
    established: bool,
    /// The first and the last sequence number of each side.
    numbers: [Option<(u32, u32)>; 2],
    ended: [bool; 2],
}

struct Frame<'a> {
    from: SocketAddr,
    to: SocketAddr,
    flags: TcpFlags,
    sequence: u32,
    acknowledgement: u32,
    payload: &'a [u8],
}

impl Packets {
    /// A source for the frames of a capture.
    #[must_use]
    pub fn new(frames: &[Vec<u8>]) -> Self {
        Self {
            roles: Roles::find(frames),
            control: HashMap::new(),
            data: HashMap::new(),
            sessions: 0,
            frames: 0,
        }
    }

    fn is_listener(&self, end: SocketAddr) -> bool {
        self.roles.is_listener((end.ip(), end.port()))
    }

    fn control(
        &mut self,
        frame: &Frame<'_>,
        side: Side,
        time: Timestamp,
        take: &mut dyn FnMut(&Told<'_>),
    ) {
        let ends = match side {
            Side::Client => (frame.from, frame.to),
            Side::Server => (frame.to, frame.from),
        };
        let own = usize::from(side == Side::Server);
        let mut tell = |session, what| {
            take(&Told {
                time,
                session,
                client: ends.0,
                server: ends.1,
                what,
            });
        };
        let opens = frame.flags.contains(TcpFlags::SYN);
        if opens
            && let Some(old) = self.control.get(&ends)
            && old.ended != [false; 2]
        {
            self.control.remove(&ends);
        }
        let control = self.control.entry(ends).or_default();
        control.opened |= opens;
        if !frame.payload.is_empty() {
            let is_record = (0x14..=0x17).contains(&frame.payload[0]);
            if control.session == 0 && (side == Side::Server || !control.opened) {
                self.sessions += 1;
                control.session = self.sessions;
                control.encrypted = is_record;
                let tls = if is_record {
                    Tls::Encrypted
                } else {
                    Tls::Clear
                };
                if control.opened {
                    tell(control.session, What::Began(tls, None));
                }
            }
            control.asked_auth |= frame.payload.to_ascii_uppercase().starts_with(b"AUTH ");
            let tls = if control.encrypted {
                Tls::Encrypted
            } else {
                Tls::Clear
            };
            let segment = Segment {
                side,
                tls,
                sequence: frame.sequence,
                acknowledgement: frame.acknowledgement,
                length: frame.payload.len() as u32,
                bytes: frame.payload,
            };
            tell(control.session, What::Said(segment));
            let agrees = side == Side::Server && frame.payload.starts_with(b"234");
            control.encrypted |= agrees && control.asked_auth;
        }
        let was_over = control.ended == [true; 2];
        control.ended[own] |= frame.flags.contains(TcpFlags::FIN);
        if frame.flags.contains(TcpFlags::RST) {
            control.ended = [true; 2];
        }
        if control.ended == [true; 2] && !was_over && control.session != 0 {
            tell(control.session, What::Ended(Totals::default()));
        }
    }

    fn data(&mut self, frame: &Frame<'_>, time: Timestamp, take: &mut dyn FnMut(&Told<'_>)) {
        let opens = frame.flags.contains(TcpFlags::SYN) && !frame.flags.contains(TcpFlags::ACK);
        if opens {
            let found = self
                .control
                .iter()
                .filter(|(_, control)| control.session != 0);
            let found = found.filter_map(|((client, server), control)| {
                let hosts = (client.ip(), server.ip());
                if hosts == (frame.from.ip(), frame.to.ip()) && frame.to.port() >= 1024 {
                    Some((control.session, FlowKind::Passive))
                } else if hosts == (frame.to.ip(), frame.from.ip()) {
                    Some((control.session, FlowKind::Active))
                } else {
                    None
                }
            });
            let Some((session, kind)) = found.max_by_key(|(session, _)| *session) else {
                return;
            };
            let ends = match kind {
                FlowKind::Active => (frame.to, frame.from),
                _ => (frame.from, frame.to),
            };
            let data = Data {
                session,
                kind,
                established: false,
                numbers: [None; 2],
                ended: [false; 2],
            };
            self.data.insert(ends, data);
        }
        for (own, ends) in [(0, (frame.from, frame.to)), (1, (frame.to, frame.from))] {
            let Some(data) = self.data.get_mut(&ends) else {
                continue;
            };
            let mut tell = |what| {
                take(&Told {
                    time,
                    session: data.session,
                    client: ends.0,
                    server: ends.1,
                    what,
                });
            };
            let is_syn = frame.flags.contains(TcpFlags::SYN);
            if !is_syn && !data.established {
                data.established = true;
                tell(What::DataBegan(data.kind));
            }
            let start = frame.sequence.wrapping_add(u32::from(is_syn));
            let end = start.wrapping_add(frame.payload.len() as u32);
            let (first, last) = data.numbers[own].unwrap_or((start, end));
            let is_later = end.wrapping_sub(last).cast_signed() > 0;
            data.numbers[own] = Some((first, if is_later { end } else { last }));
            let is_reset = frame.flags.contains(TcpFlags::RST);
            data.ended[own] |= is_reset || frame.flags.contains(TcpFlags::FIN);
            data.ended[1 - own] |= is_reset;
            if data.ended == [true; 2] && data.established {
                tell(What::DataEnded(data.kind, data.totals()));
                self.data.remove(&ends);
            }
        }
    }
}

impl Data {
    fn totals(&self) -> Totals {
        let bytes = self
            .numbers
            .map(|numbers| numbers.map_or(0, |(first, last)| u64::from(last.wrapping_sub(first))));
        Totals {
            bytes_in: bytes[0],
            bytes_out: bytes[1],
            ..Totals::default()
        }
    }
}

impl Source for Packets {
    fn frame(&mut self, frame: &[u8], take: &mut dyn FnMut(&Told<'_>)) {
        self.frames += 1;
        let Some(frame) = read(frame) else {
            return;
        };
        let time = Timestamp::from_second(self.frames).expect("few frames");
        if self.is_listener(frame.to) {
            self.control(&frame, Side::Client, time, take);
        } else if self.is_listener(frame.from) {
            self.control(&frame, Side::Server, time, take);
        } else {
            self.data(&frame, time, take);
        }
    }

    fn end(&mut self, take: &mut dyn FnMut(&Told<'_>)) {
        let time = Timestamp::from_second(self.frames + 1).expect("few frames");
        for (ends, data) in self.data.drain().filter(|(_, data)| data.established) {
            let what = What::DataEnded(data.kind, data.totals());
            take(&Told {
                time,
                session: data.session,
                client: ends.0,
                server: ends.1,
                what,
            });
        }
        for (ends, control) in self.control.drain() {
            if control.session != 0 && control.ended != [true; 2] {
                let what = What::Ended(Totals::default());
                take(&Told {
                    time,
                    session: control.session,
                    client: ends.0,
                    server: ends.1,
                    what,
                });
            }
        }
    }
}

fn read(frame: &[u8]) -> Option<Frame<'_>> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let (source, destination) = match packet.net? {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return None,
    };
    Some(Frame {
        from: SocketAddr::new(source, tcp.source_port()),
        to: SocketAddr::new(destination, tcp.destination_port()),
        flags: TcpFlags(*tcp.slice().get(13)?),
        sequence: tcp.sequence_number(),
        acknowledgement: tcp.acknowledgment_number(),
        payload: tcp.payload(),
    })
}

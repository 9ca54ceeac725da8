use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// FIN, where a TCP header has it.
const FIN: u8 = 0x01;

/// A captured frame as frames whose payload is at most `most` bytes: interfaces hand several segments over
/// as one, and a test run of a classifier takes no more than a page. Checksums stay those of the whole.
/// What is no TCP over IP stays whole.
#[must_use]
pub fn split(frame: &[u8], most: usize) -> Vec<Vec<u8>> {
    let Some(place) = Place::find(frame).filter(|place| place.end - place.payload > most) else {
        return vec![frame.to_vec()];
    };
    let (head, payload) = (&frame[..place.payload], &frame[place.payload..place.end]);
    let pieces = payload.len().div_ceil(most);
    let mut frames = Vec::with_capacity(pieces);
    for (number, piece) in payload.chunks(most).enumerate() {
        let mut part = head.to_vec();
        part.extend_from_slice(piece);
        let length = (part.len() - place.ip - place.uncounted) as u16;
        part[place.length..place.length + 2].copy_from_slice(&length.to_be_bytes());
        let number_field = &mut part[place.tcp + 4..place.tcp + 8];
        let mut sequence = [0; 4];
        sequence.copy_from_slice(number_field);
        let sequence = u32::from_be_bytes(sequence).wrapping_add((number * most) as u32);
        number_field.copy_from_slice(&sequence.to_be_bytes());
        if number + 1 < pieces {
            part[place.tcp + 13] &= !FIN;
        }
        frames.push(part);
    }
    frames
}

/// Where in a frame its parts are.
struct Place {
    ip: usize,
    /// The field with the length of the packet, and how much of the packet it leaves out.
    length: usize,
    uncounted: usize,
    tcp: usize,
    payload: usize,
    end: usize,
}

impl Place {
    fn find(frame: &[u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let offset = |part: &[u8]| part.as_ptr() as usize - frame.as_ptr() as usize;
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
            return None;
        };
        let (ip, length, uncounted) = match packet.net? {
            NetSlice::Ipv4(ip) => (offset(ip.header().slice()), 2, 0),
            NetSlice::Ipv6(ip) => (offset(ip.header().slice()), 4, 40),
            NetSlice::Arp(_) => return None,
        };
        let payload = offset(tcp.payload());
        Some(Self {
            ip,
            length: ip + length,
            uncounted,
            tcp: offset(tcp.slice()),
            payload,
            end: payload + tcp.payload().len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use ftp_guard::frame::TcpFlags;

    use super::*;
    use crate::{
        conversation::{Conversation, FIN_ACK},
        trace::roles::segment,
    };

    #[test]
    fn parts_say_what_the_whole_says() {
        for (client, server) in [
            ("198.51.100.7:4000", "192.0.2.1:21"),
            ("[2001:db8:1::7]:4000", "[2001:db8::1]:21"),
        ] {
            let control = Conversation::new(client.parse().unwrap(), server.parse().unwrap());
            let mut whole = control.server_at(u32::MAX - 1, FIN_ACK, b"abcdefgh");
            assert_eq!(split(&whole, 8), [whole.as_slice()]);
            whole.extend([0; 6]);
            let parts = split(&whole, 3);
            let read: Vec<_> = parts.iter().map(|part| segment(part).unwrap()).collect();
            let texts: Vec<_> = read.iter().map(|part| part.payload).collect();
            assert_eq!(texts, [&b"abc"[..], b"def", b"gh"]);
            let numbers: Vec<_> = read.iter().map(|part| part.sequence).collect();
            assert_eq!(numbers, [u32::MAX - 1, 1, 4]);
            let ends = read.iter().map(|part| part.flags.contains(TcpFlags::FIN));
            assert_eq!(ends.collect::<Vec<_>>(), [false, false, true]);
        }
    }

    #[test]
    fn what_is_no_tcp_stays_whole() {
        let frame = [7; 4000];
        assert_eq!(split(&frame, 100), [frame]);
    }
}

//! What the programs tell of sessions, as it comes.

use aya::maps::{Map, MapData, MapError, PerCpuArray, RingBuf};
use ftp_guard_common::{
    class::Family,
    names::{TEXT_LOSS_MAP, TEXT_MAP},
    reason::Reason,
    session::{FlowKind, Tls, Traffic},
    text::{TEXT_LOSS_SLOTS, TextHeader, TextKind},
};
use jiff::Timestamp;
use tokio::io::unix::AsyncFd;

use super::{Clock, Datapath, error::DatapathError, load, monotonic_ns};
use crate::engine::monitor::told::{Segment, Side, Told, Totals, What};

/// The reader of the ring buffer. Its place is in the kernel, with the pinned map: the next daemon reads
/// on where this one stops.
pub struct TextReader {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl TextReader {
    /// Waits until there is something to read.
    ///
    /// # Errors
    ///
    /// When the runtime ends.
    pub async fn readable(&mut self) -> std::io::Result<()> {
        let mut ready = self.ring.readable_mut().await?;
        // All is read before the next wait, and what comes after this line wakes it again.
        ready.clear_ready();
        Ok(())
    }

    /// Reads all that is there, in the order in which it was told; returns how many records there were. Those that no
    /// program of this version writes are left out.
    pub fn read(&mut self, mut take: impl FnMut(&Told<'_>)) -> usize {
        let clock = Clock::at(monotonic_ns());
        let mut records = 0;
        while let Some(item) = self.ring.get_mut().next() {
            records += 1;
            if let Some(told) = decode(&item, &clock) {
                take(&told);
            }
        }
        records
    }
}

/// What a record says; nothing when it has no form that the programs give it.
fn decode<'a>(bytes: &'a [u8], clock: &Clock) -> Option<Told<'a>> {
    let header: TextHeader = value(bytes)?;
    let rest = bytes.get(size_of::<TextHeader>()..)?;
    told(&header, rest, clock.wall(header.time_ns))
}

/// What a record says that consists of `header` and `rest`; nothing when it has no form that the programs
/// give it.
#[must_use]
pub fn told<'a>(header: &TextHeader, rest: &'a [u8], time: Timestamp) -> Option<Told<'a>> {
    let captured = usize::from(header.captured);
    if rest.len() != captured {
        return None;
    }
    let family = header.key.family;
    if family != Family::Ipv4 as u8 && family != Family::Ipv6 as u8 {
        return None;
    }
    let tls = Tls::from_number(header.detail);
    let said = |side| {
        (captured > 0 && captured as u64 <= u64::from(header.length)).then_some(What::Said(
            Segment {
                side,
                tls,
                sequence: header.sequence,
                acknowledgement: header.acknowledgement,
                length: header.length,
                bytes: rest,
            },
        ))
    };
    let what = match TextKind::from_number(header.kind)? {
        TextKind::Client => said(Side::Client)?,
        TextKind::Server => said(Side::Server)?,
        TextKind::Began => What::Began(tls, witnessed(header.length)),
        TextKind::Ended => What::Ended(totals(rest)?),
        TextKind::DataBegan => What::DataBegan(FlowKind::from_number(header.detail)?),
        TextKind::DataEnded => {
            What::DataEnded(FlowKind::from_number(header.detail)?, totals(rest)?)
        }
        TextKind::OddPort => What::OddPort(rest),
    };
    Some(Told {
        time,
        session: header.session,
        client: header.key.client(),
        server: header.key.server(),
        what,
    })
}

/// The value that the bytes begin with; nothing when there are too few.
fn value<T: aya::Pod>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: there are enough bytes, and any are a value of a type of integers.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The reason of a number as `Traffic::witnessed` has it; none for a number that this version does not know.
fn witnessed(number: u32) -> Option<Reason> {
    let number = u8::try_from(number).ok().filter(|number| *number != 0)?;
    Reason::from_number(number)
}

fn totals(bytes: &[u8]) -> Option<Totals> {
    let traffic: Traffic = value(bytes)?;
    Some(Totals {
        lived_ns: traffic.closed_ns.saturating_sub(traffic.created_ns),
        packets_in: traffic.packets_in,
        bytes_in: traffic.bytes_in,
        packets_out: traffic.packets_out,
        bytes_out: traffic.bytes_out,
        killed: traffic.killed != 0,
        witnessed: witnessed(traffic.witnessed.into()),
    })
}

impl Datapath {
    /// What the programs tell of sessions. To be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn text_reader(&self) -> Result<TextReader, DatapathError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            DatapathError::kernel("open the ring buffer of sessions", error)
        };
        let ring = MapData::from_pin(self.pins.map(TEXT_MAP))
            .and_then(|data| RingBuf::try_from(Map::RingBuf(data)))
            .map_err(|error| failed(error.into()))?;
        // SAFETY: the reader owns the ring and with it the descriptor for as long as it is registered.
        let ring = unsafe { AsyncFd::register(ring) };
        Ok(TextReader {
            ring: ring.map_err(|error| failed(error.into()))?,
        })
    }

    /// How many records did not fit into the ring buffer since the tables were made, by the number of a
    /// [`TextKind`].
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn text_losses(&self) -> Result<[u64; TEXT_LOSS_SLOTS as usize], DatapathError> {
        let failed = |error: MapError| DatapathError::kernel("read the losses of text", error);
        let map = self
            .ebpf
            .map(TEXT_LOSS_MAP)
            .ok_or_else(|| load::missing(TEXT_LOSS_MAP))?;
        let table: PerCpuArray<&MapData, u64> = map.try_into().map_err(failed)?;
        let mut losses = [0; TEXT_LOSS_SLOTS as usize];
        for (loss, kind) in losses.iter_mut().zip(0..) {
            *loss = table.get(&kind, 0).map_err(failed)?.iter().sum();
        }
        Ok(losses)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use ftp_guard_common::{address::FlowKey, text::EndRecord};

    use super::*;

    fn ends() -> (SocketAddr, SocketAddr) {
        (
            "198.51.100.7:40000".parse().unwrap(),
            "192.0.2.1:21".parse().unwrap(),
        )
    }

    fn header(kind: TextKind, detail: u8, length: u32, captured: usize) -> TextHeader {
        let (client, server) = ends();
        TextHeader {
            session: 7,
            key: FlowKey::new(client, server),
            sequence: 100,
            acknowledgement: 200,
            length,
            captured: captured as u16,
            kind: kind as u8,
            detail,
            ..TextHeader::default()
        }
    }

    fn bytes<T: aya::Pod>(value: &T) -> Vec<u8> {
        // SAFETY: a type of integers without padding, which the layout tests prove.
        unsafe { std::slice::from_raw_parts((&raw const *value).cast::<u8>(), size_of::<T>()) }
            .to_vec()
    }

    fn record(kind: TextKind, detail: u8, length: u32, text: &[u8]) -> Vec<u8> {
        let mut record = bytes(&header(kind, detail, length, text.len()));
        record.extend(text);
        record
    }

    fn what(record: &[u8]) -> Option<What<'_>> {
        let told = decode(record, &Clock::at(monotonic_ns()))?;
        assert_eq!((told.client, told.server), ends());
        assert_eq!(told.session, 7);
        Some(told.what)
    }

    #[test]
    fn text_is_told_with_its_place() {
        let said = record(TextKind::Client, 1, 5000, b"NOOP\r\n");
        let segment = Segment {
            side: Side::Client,
            tls: Tls::Encrypted,
            sequence: 100,
            acknowledgement: 200,
            length: 5000,
            bytes: b"NOOP\r\n",
        };
        assert_eq!(what(&said), Some(What::Said(segment)));
        let odd = record(TextKind::OddPort, 0, 9, b"220 hello");
        assert_eq!(what(&odd), Some(What::OddPort(b"220 hello")));
        let began = record(TextKind::Began, 2, 0, b"");
        assert_eq!(what(&began), Some(What::Began(Tls::Unknown, None)));
        for (number, reason) in [
            (16, Some(Reason::NotListed)),
            (45, Some(Reason::Banned)),
            (255, None),
            (256 + 16, None),
        ] {
            let began = record(TextKind::Began, 0, number, b"");
            assert_eq!(what(&began), Some(What::Began(Tls::Clear, reason)));
        }
    }

    #[test]
    fn ends_are_told_with_what_passed() {
        let traffic = Traffic {
            created_ns: 10,
            closed_ns: 25,
            packets_in: 1,
            bytes_in: 2,
            packets_out: 3,
            bytes_out: 4,
            killed: 1,
            witnessed: Reason::Expired as u8,
            ..Traffic::default()
        };
        let totals = Totals {
            lived_ns: 15,
            packets_in: 1,
            bytes_in: 2,
            packets_out: 3,
            bytes_out: 4,
            killed: true,
            witnessed: Some(Reason::Expired),
        };
        for (kind, wanted) in [
            (TextKind::Ended, What::Ended(totals)),
            (
                TextKind::DataEnded,
                What::DataEnded(FlowKind::Active, totals),
            ),
        ] {
            let header = header(kind, FlowKind::Active as u8, 0, size_of::<Traffic>());
            let record = EndRecord { header, traffic };
            let record = [bytes(&record.header), bytes(&record.traffic)].concat();
            assert_eq!(what(&record), Some(wanted));
            assert_eq!(what(&record[..record.len() - 1]), None);
        }
    }

    #[test]
    fn what_no_program_writes_is_left_out() {
        let good = record(TextKind::Server, 0, 4, b"220 ");
        assert!(what(&good).is_some());
        for cut in 0..good.len() {
            assert_eq!(what(&good[..cut]), None, "{cut}");
        }
        let longer = [good.clone(), vec![0]].concat();
        assert_eq!(what(&longer), None);
        // More than the segment had, nothing, no kind, no kind of data connection, no family.
        assert_eq!(what(&record(TextKind::Server, 0, 3, b"220 ")), None);
        assert_eq!(what(&record(TextKind::Client, 0, 3, b"")), None);
        assert_eq!(what(&record(TextKind::DataBegan, 9, 0, b"")), None);
        assert_eq!(what(&record(TextKind::Ended, 0, 0, b"")), None);
        let mut unknown = good.clone();
        unknown[70] = 8;
        assert_eq!(what(&unknown), None);
        let mut no_family = good;
        no_family[16 + 36] = 0;
        assert_eq!(what(&no_family), None);
    }
}

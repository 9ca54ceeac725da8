//! What the programs report, as it comes.

use aya::maps::{Array, Map, MapData, MapError, PerCpuArray, RingBuf};
use ftp_guard_common::{
    event::{EVENT_HOOKS, Event, EventBudget},
    names::{EVENT_BUDGET_MAP, EVENTS_MAP},
    reason::{REASON_SLOTS, Reason, Verdict},
};
use jiff::{SignedDuration, Timestamp, Unit};
use tokio::io::unix::AsyncFd;

use super::{Datapath, error::DatapathError, load, monotonic_ns};
use crate::{
    engine::events::{Event as Told, EventKind},
    frame::TcpFlags,
};

/// The reader of the ring buffer. Its place is in the kernel, with the pinned map: the next daemon reads
/// on where this one stops.
pub struct EventReader {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl EventReader {
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

    /// Reads all that is there.
    pub fn read(&mut self) -> Vec<Told> {
        let mut events = Vec::new();
        let clock = Clock::at(monotonic_ns());
        while let Some(item) = self.ring.get_mut().next() {
            events.extend(decode(&item).and_then(|event| clock.tell(&event)));
        }
        events
    }
}

/// An event as the programs write it; nothing when it is shorter, which no program of this version does.
fn decode(bytes: &[u8]) -> Option<Event> {
    if bytes.len() < size_of::<Event>() {
        return None;
    }
    // SAFETY: there are enough bytes, and any are a value of a struct of integers.
    Some(unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() })
}

/// What CLOCK_MONOTONIC is in the time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    monotonic_ns: u64,
}

impl Clock {
    /// At this moment, which is `monotonic_ns`.
    pub(crate) fn at(monotonic_ns: u64) -> Self {
        Self {
            wall: Timestamp::now(),
            monotonic_ns,
        }
    }

    /// The time of day of a moment of the recent past, to the millisecond: the programs' clock is that of
    /// the last tick.
    pub(crate) fn wall(&self, monotonic_ns: u64) -> Timestamp {
        let ago = self.monotonic_ns.saturating_sub(monotonic_ns);
        let ago = SignedDuration::from_nanos(i64::try_from(ago).unwrap_or(i64::MAX));
        let then = self.wall.checked_sub(ago).unwrap_or(self.wall);
        then.round(Unit::Millisecond).unwrap_or(then)
    }

    fn tell(&self, event: &Event) -> Option<Told> {
        let kind = EventKind::reported(event, |flags| TcpFlags(flags).to_string())?;
        Some(Told {
            time: self.wall(event.time_ns),
            kind,
        })
    }
}

impl Datapath {
    /// The events that the programs report. To be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn event_reader(&self) -> Result<EventReader, DatapathError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            DatapathError::kernel("open the ring buffer of events", error)
        };
        let ring = MapData::from_pin(self.pins.map(EVENTS_MAP))
            .and_then(|data| RingBuf::try_from(Map::RingBuf(data)))
            .map_err(|error| failed(error.into()))?;
        // SAFETY: the reader owns the ring and with it the descriptor for as long as it is registered.
        let ring = unsafe { AsyncFd::register(ring) };
        Ok(EventReader {
            ring: ring.map_err(|error| failed(error.into()))?,
        })
    }

    /// How many packets of each reason were dropped and not reported, all hooks together, since the tables
    /// were made.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn suppressed(&self) -> Result<Vec<(Reason, u64)>, DatapathError> {
        let failed = |error: MapError| DatapathError::kernel("read the budgets of events", error);
        let map = self
            .ebpf
            .map(EVENT_BUDGET_MAP)
            .ok_or_else(|| load::missing(EVENT_BUDGET_MAP))?;
        let budgets: PerCpuArray<&MapData, EventBudget> = map.try_into().map_err(failed)?;
        let mut totals = Vec::new();
        let dropping = |reason: &&Reason| reason.verdict() == Verdict::Drop;
        for reason in Reason::ALL.iter().filter(dropping) {
            let mut total = 0;
            for hook in 0..EVENT_HOOKS {
                let index = hook * REASON_SLOTS + *reason as u32;
                let values = budgets.get(&index, 0).map_err(failed)?;
                total += values.iter().map(|cpu| cpu.suppressed_total).sum::<u64>();
            }
            if total > 0 {
                totals.push((*reason, total));
            }
        }
        Ok(totals)
    }

    /// A map of one value.
    pub(super) fn single<V: aya::Pod>(
        &self,
        name: &'static str,
    ) -> Result<Array<&MapData, V>, DatapathError> {
        let map = self.ebpf.map(name).ok_or_else(|| load::missing(name))?;
        map.try_into()
            .map_err(|error: MapError| DatapathError::kernel(format!("open the map {name}"), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_the_time_of_day() {
        let clock = Clock {
            wall: "2026-11-22T08:40:00.5Z".parse().unwrap(),
            monotonic_ns: 10_000_000_000,
        };
        let told = |ns| clock.wall(ns).to_string();
        assert_eq!(told(8_999_600_000), "2026-11-22T08:39:59.5Z");
        assert_eq!(told(9_877_000_000), "2026-11-22T08:40:00.377Z");
        // The two clocks are not read at the same moment.
        assert_eq!(told(10_000_000_001), "2026-11-22T08:40:00.5Z");
        let event = Event {
            time_ns: 9_500_000_000,
            reason: Reason::TcpXmas as u8,
            verdict: Verdict::Drop as u8,
            bytes: 60,
            flags: 0x29,
            ..Event::default()
        };
        let told = clock.tell(&event).unwrap();
        assert_eq!(
            told.to_string(),
            "2026-11-22T08:40:00.000Z drop tcp_xmas, other, 60 bytes, xdp"
        );
    }

    #[test]
    fn events_are_read_from_bytes() {
        let event = Event {
            time_ns: 7,
            bytes: 60,
            ..Event::default()
        };
        // SAFETY: a struct of integers without padding, which the layout tests prove.
        let bytes: [u8; size_of::<Event>()] = unsafe { std::mem::transmute(event) };
        assert_eq!(decode(&bytes), Some(event));
        assert_eq!(decode(&bytes[1..]), None);
    }
}

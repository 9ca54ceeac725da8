//! The feed of events: the last ones, and whoever waits for the next.
//!
//! All that is kept is a ring of the last events. A reader has a place in it; one that is so slow that its
//! place is overwritten goes on with the oldest that is left, and is told how many it missed. So neither a
//! reader nor a flood can make the daemon grow.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::engine::events::{Event, EventKind, Lost};

/// How many events are remembered.
pub const REMEMBERED: usize = 1000;

/// Where events are published, and read. Clones are the same feed.
#[derive(Clone, Debug)]
pub struct EventSink(Arc<Feed>);

#[derive(Debug)]
struct Feed {
    ring: Mutex<Ring>,
    /// The number of the next event.
    next: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// The number of the next event; the last one in `events` has the number before it.
    next: u64,
    published: Published,
}

/// How many events there were, by their place in [`EventKind::NAMES`]; under `lost` those that readers
/// missed.
pub type Published = [u64; EventKind::NAMES.len()];

impl Default for EventSink {
    fn default() -> Self {
        Self(Arc::new(Feed {
            ring: Mutex::new(Ring {
                events: VecDeque::with_capacity(REMEMBERED),
                next: 0,
                published: Published::default(),
            }),
            next: watch::Sender::new(0),
        }))
    }
}

impl EventSink {
    /// Publishes what has just happened.
    pub fn publish(&self, kind: EventKind) {
        self.publish_all([Event {
            time: Timestamp::now(),
            kind,
        }]);
    }

    /// Publishes what happened, in this order.
    pub fn publish_all(&self, events: impl IntoIterator<Item = Event>) {
        let next = {
            let mut ring = self.ring();
            for event in events {
                ring.push(event);
            }
            ring.next
        };
        self.0.next.send_replace(next);
    }

    /// How many events there were so far.
    #[must_use]
    pub fn published(&self) -> Published {
        self.ring().published
    }

    /// A reader that begins with the oldest event that is remembered.
    #[must_use]
    pub fn from_oldest(&self) -> Reader {
        let at = self.ring().oldest();
        self.reader(at)
    }

    /// A reader that begins with the next event.
    #[must_use]
    pub fn from_next(&self) -> Reader {
        let at = self.ring().next;
        self.reader(at)
    }

    fn reader(&self, at: u64) -> Reader {
        Reader {
            feed: self.clone(),
            next: self.0.next.subscribe(),
            at,
        }
    }

    /// What a thread that panicked left is a ring all the same: each change of it is a single step.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, event: Event) {
        if self.events.len() == REMEMBERED {
            self.events.pop_front();
        }
        self.published[event.kind.number()] += 1;
        self.events.push_back(Arc::new(event));
        self.next += 1;
    }

    fn oldest(&self) -> u64 {
        self.next - self.events.len() as u64
    }
}

/// A place in the feed.
#[derive(Debug)]
pub struct Reader {
    feed: EventSink,
    next: watch::Receiver<u64>,
    at: u64,
}

impl Reader {
    /// Takes at most `most` events that are there already; the first one tells how many were missed, if
    /// any were.
    pub fn take(&mut self, most: usize) -> Vec<Arc<Event>> {
        let mut ring = self.feed.ring();
        let mut taken = Vec::new();
        let oldest = ring.oldest();
        if self.at < oldest {
            let lost = EventKind::Lost(Lost {
                count: oldest - self.at,
            });
            ring.published[lost.number()] += oldest - self.at;
            taken.push(Arc::new(Event {
                time: Timestamp::now(),
                kind: lost,
            }));
            self.at = oldest;
        }
        let skip = usize::try_from(self.at - oldest).unwrap_or(usize::MAX);
        let events = ring.events.iter().skip(skip).take(most);
        let before = taken.len();
        taken.extend(events.cloned());
        self.at += (taken.len() - before) as u64;
        taken
    }

    /// Waits until there is something to take.
    pub async fn wait(&mut self) {
        let at = self.at;
        // This reader keeps the sender alive, so that there is no end to wait for.
        let _ = self.next.wait_for(|next| *next > at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::events::AttackEnd;

    fn event(number: usize) -> Event {
        Event {
            time: Timestamp::UNIX_EPOCH,
            kind: EventKind::AttackEnd(AttackEnd {
                seconds: number as f64,
            }),
        }
    }

    fn numbers(events: &[Arc<Event>]) -> Vec<usize> {
        let number = |event: &Arc<Event>| match &event.kind {
            EventKind::AttackEnd(end) => end.seconds as usize,
            EventKind::Lost(lost) => 1_000_000 + lost.count as usize,
            other => panic!("{other:?}"),
        };
        events.iter().map(number).collect()
    }

    #[test]
    fn readers_read_the_same_in_order() {
        let sink = EventSink::default();
        sink.publish_all((0..3).map(event));
        let (mut old, mut new) = (sink.from_oldest(), sink.clone().from_next());
        sink.publish_all((3..5).map(event));
        assert_eq!(numbers(&old.take(2)), [0, 1]);
        assert_eq!(numbers(&old.take(9)), [2, 3, 4]);
        assert_eq!(numbers(&new.take(9)), [3, 4]);
        assert!(old.take(9).is_empty());
    }

    #[test]
    fn a_slow_reader_misses_events_and_is_told() {
        let sink = EventSink::default();
        let mut slow = sink.from_oldest();
        sink.publish_all((0..REMEMBERED + 7).map(event));
        assert_eq!(numbers(&slow.take(2)), [1_000_007, 7, 8]);
        sink.publish_all((0..1).map(event));
        assert_eq!(slow.take(REMEMBERED * 2).len(), REMEMBERED - 1);
        let published = sink.published();
        let of = |name| EventKind::NAMES.iter().position(|known| *known == name);
        assert_eq!(published[of("lost").unwrap()], 7);
        assert_eq!(published[of("attack_end").unwrap()], REMEMBERED as u64 + 8);
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_next_event() {
        let sink = EventSink::default();
        let mut reader = sink.from_next();
        let late = sink.clone();
        let waiting = tokio::spawn(async move {
            reader.wait().await;
            reader.take(9)
        });
        tokio::task::yield_now().await;
        late.publish(event(4).kind);
        assert_eq!(numbers(&waiting.await.unwrap()), [4]);
    }
}

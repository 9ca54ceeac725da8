//! From the programs' ring buffer to the feed, and from the feed to the log.

use std::time::Duration;

use tokio::sync::watch;

use crate::{
    control::feed::{EventSink, Reader},
    datapath::EventReader,
    engine::events::{EventKind, Severity},
};

/// Time between two looks at a ring buffer that is never empty: what comes meanwhile is read at once. An
/// event is at most so late.
const BATCH: Duration = Duration::from_millis(200);

/// Events that the log takes at once.
const LOGGED: usize = 100;

/// Publishes what the programs report, until the runtime ends.
pub async fn forward(mut reader: EventReader, sink: EventSink) {
    loop {
        if let Err(error) = reader.readable().await {
            tracing::error!("events are no longer read: {error}");
            return;
        }
        let events = reader.read();
        if !events.is_empty() {
            sink.publish_all(events);
        }
        tokio::time::sleep(BATCH).await;
    }
}

/// Writes dropped packets and detections to the log while `journal` is true. The kernel's sampling, and what rules tell of one
/// source in a while, bound how many lines that are. What the daemon itself does it logs where it does it.
pub async fn log(mut events: Reader, journal: watch::Receiver<bool>) {
    loop {
        events.wait().await;
        for event in events.take(LOGGED) {
            if *journal.borrow() {
                write(&event.kind);
            }
        }
    }
}

fn write(kind: &EventKind) {
    match kind {
        EventKind::TableFull(_) => tracing::warn!("{kind}"),
        EventKind::Detection(detection) if detection.severity >= Severity::High => {
            tracing::warn!("{kind}");
        }
        EventKind::Drop(_) | EventKind::Detection(_) | EventKind::Lost(_) => {
            tracing::info!("{kind}");
        }
        _ => {}
    }
}

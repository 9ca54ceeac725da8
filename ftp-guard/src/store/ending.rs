//! The end of a thread that writes.

use std::{thread::JoinHandle, time::Duration};

/// Time between two looks.
const STEP: Duration = Duration::from_millis(10);

/// Waits until a thread that was asked to end has done so, for at most `patience`. `what` is what it writes.
pub(super) fn wait(thread: &JoinHandle<()>, patience: Duration, what: &str) {
    let mut waited = Duration::ZERO;
    while !thread.is_finished() && waited < patience {
        std::thread::sleep(STEP);
        waited += STEP;
    }
    if !thread.is_finished() {
        tracing::warn!("the {what} was cut off while it was written");
    }
}

//! Word of what takes longer than a second, on a terminal.

use std::{
    io::{self, IsTerminal, Write},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long something may take in silence, and the time between two words.
const STEP: Duration = Duration::from_secs(1);

/// Says on standard error what is being done and for how long, from the second second on and until it is
/// dropped. Not when standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    teller: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// `what` is being done, such as "reading the allowlist".
    #[must_use]
    pub fn of(what: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self { teller: None };
        }
        let (end, ended) = mpsc::channel::<()>();
        let what = what.to_owned();
        let teller = std::thread::Builder::new().name("progress".to_owned());
        let told = teller.spawn(move || {
            let begun = Instant::now();
            let mut said = false;
            while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                said = true;
                say(&format!("\r{what}: {} s", begun.elapsed().as_secs()));
            }
            if said {
                // Erase the line: what comes next stands there.
                say("\r\x1b[K");
            }
        });
        Self {
            teller: told.ok().map(|thread| (end, thread)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.teller.take() {
            drop(end);
            // It has nothing to say but what it printed.
            let _ = thread.join();
        }
    }
}

fn say(text: &str) {
    let mut out = io::stderr().lock();
    // A terminal that is gone is no reason to fail.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

//! A download that goes on and on, for the rate of one that runs.

use std::{
    io::{ErrorKind, Read},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::session::Session;
use crate::lab::{Family, Host};

/// How long a download may stand still before it counts as broken.
const STALL: Duration = Duration::from_secs(30);

/// A running download; dropping it breaks it off.
pub struct Download {
    // Held: the server ends a transfer whose session ends.
    _session: Session,
    stream: TcpStream,
    bytes: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<u64>>>,
}

impl Download {
    /// Logs in from `host` and asks for a file of the user's home.
    ///
    /// # Errors
    /// When the server refuses, or no data connection comes about.
    pub fn start(host: &Host, family: Family, port: u16, file: &str) -> Result<Self> {
        let mut session = Session::log_in(host, family, port)?;
        let server = session.passive()?;
        let stream = host.enter(|| TcpStream::connect_timeout(&server, STALL));
        let stream = stream.context("no data connection")?;
        stream.set_read_timeout(Some(STALL))?;
        session.command("TYPE I")?;
        let answer = session.command(&format!("RETR {file}"))?;
        ensure!(answer.starts_with("150"), "RETR: {answer}");
        let bytes = Arc::new(AtomicU64::new(0));
        let (mut reader, counter) = (stream.try_clone()?, Arc::clone(&bytes));
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 256 << 10];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => return Ok(counter.load(Ordering::Relaxed)),
                    Ok(read) => counter.fetch_add(read as u64, Ordering::Relaxed),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error).context("the download broke"),
                };
            }
        });
        Ok(Self {
            _session: session,
            stream,
            bytes,
            thread: Some(thread),
        })
    }

    /// Bytes that have come so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes a second over the next while.
    #[must_use]
    pub fn rate_over(&self, time: Duration) -> f64 {
        let (start, before) = (Instant::now(), self.bytes());
        thread::sleep(time);
        (self.bytes() - before) as f64 / start.elapsed().as_secs_f64()
    }

    /// Waits for the file's end and returns how many bytes it had.
    ///
    /// # Errors
    /// When the download breaks, or stands still for too long.
    pub fn finish(mut self) -> Result<u64> {
        let thread = self.thread.take().context("it has ended")?;
        thread
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The reader ends; whoever drops a download does not ask how it went.
            let _ = self.stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }
}

//! Many logins one after the other, each with the time that it took.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::lab::{Host, PASSWORD, USER};

/// How logins follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many there are.
    pub count: usize,
    /// Time from the begin of one to the begin of the next, whether that one has ended or not.
    pub every: Duration,
    /// Time for each, from the SYN to the server's word that the user is in.
    pub limit: Duration,
}

/// Logs in from `host` again and again. What came of each, in their order: the time that it took.
///
/// # Panics
/// When a thread does.
#[must_use]
pub fn log_in(host: &Host, server: SocketAddr, plan: Plan) -> Vec<Result<Duration>> {
    let start = Instant::now();
    let all: Vec<_> = (0..plan.count)
        .map(|number| {
            let due = plan.every * u32::try_from(number).unwrap_or(u32::MAX);
            thread::sleep(due.saturating_sub(start.elapsed()));
            host.thread(move || once(server, plan.limit))
        })
        .collect();
    all.into_iter()
        .map(|login| {
            login
                .join()
                .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
        })
        .collect()
}

/// One login, in the calling thread's network namespace.
fn once(server: SocketAddr, limit: Duration) -> Result<Duration> {
    let start = Instant::now();
    let stream = TcpStream::connect_timeout(&server, limit).context("no connection")?;
    let mut stream = BufReader::new(stream);
    let mut said = Vec::new();
    for (command, wanted) in [
        (None, "220"),
        (Some(format!("USER {USER}\r\n")), "331"),
        (Some(format!("PASS {PASSWORD}\r\n")), "230"),
    ] {
        let left = limit.saturating_sub(start.elapsed());
        ensure!(!left.is_zero(), "not in after {limit:?}: {said:?}");
        stream.get_ref().set_read_timeout(Some(left))?;
        if let Some(command) = command {
            stream.get_mut().write_all(command.as_bytes())?;
        }
        let mut line = String::new();
        let read = stream.read_line(&mut line);
        let read = read.with_context(|| format!("waiting for {wanted}, after {said:?}"))?;
        if read == 0 || !line.starts_with(wanted) {
            bail!("{line:?} instead of {wanted}");
        }
        said.push(line);
    }
    let took = start.elapsed();
    // What becomes of the connection is no part of the login.
    let _ = stream.get_mut().write_all(b"QUIT\r\n");
    Ok(took)
}

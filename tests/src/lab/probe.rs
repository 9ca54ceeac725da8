//! Knocking at ports.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};

use super::{Family, Host, SERVER};

/// What came back when a connection was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the SYN or its answer was lost.
    Nothing,
    /// A refusal: the host's stack got the SYN, and no program listens.
    Refused,
    /// A connection.
    Connected,
}

/// The ports of an FTP server that a guard keeps: control, active data and passive data.
#[must_use]
pub fn ftp_ports(passive: impl IntoIterator<Item = u16>) -> Vec<u16> {
    [21, 990, 20, 989].into_iter().chain(passive).collect()
}

impl Answer {
    /// How long it takes to be sure of this answer: for nothing, a SYN and its first retransmission
    /// (after 1 s); for anything else, longer than a loaded machine needs.
    fn patience(self) -> Duration {
        match self {
            Self::Nothing => Duration::from_millis(1500),
            Self::Refused | Self::Connected => Duration::from_secs(15),
        }
    }
}

/// Knocks at all of `targets` and makes sure that each gives the answer `wanted`.
///
/// # Errors
/// With the first target that gives another answer.
pub fn expect(host: &Host, targets: &[SocketAddr], wanted: Answer) -> Result<()> {
    for (target, answer) in knock(host, targets, wanted.patience()) {
        let name = host.name();
        ensure!(
            answer == wanted,
            "{name} at {target}: {answer:?}, {wanted:?} expected"
        );
    }
    Ok(())
}

/// Makes sure that `host` gets this answer from the server's control port, over both IP versions.
///
/// # Errors
/// When it gets another one.
pub fn expect_control_port(host: &Host, wanted: Answer) -> Result<()> {
    expect(
        host,
        &Family::BOTH.map(|family| SERVER.at(family, 21)),
        wanted,
    )
}

/// Asks for a connection to each of `targets` at once, and waits for answers for `patience`.
/// The connections are closed again.
#[must_use]
pub fn knock(host: &Host, targets: &[SocketAddr], patience: Duration) -> Vec<(SocketAddr, Answer)> {
    let asked: Vec<_> = targets
        .iter()
        .map(|target| {
            let target = *target;
            (target, host.thread(move || knock_once(target, patience)))
        })
        .collect();
    asked
        .into_iter()
        .map(|(target, answer)| (target, join(answer)))
        .collect()
}

fn knock_once(target: SocketAddr, patience: Duration) -> Answer {
    match TcpStream::connect_timeout(&target, patience) {
        Ok(_) => Answer::Connected,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Refused,
        Err(_) => Answer::Nothing,
    }
}

fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

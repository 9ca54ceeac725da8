//! Knocking at ports.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use super::Host;

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

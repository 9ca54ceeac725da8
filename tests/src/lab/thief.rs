//! A stranger who knocks at a passive port at the very moment that it is open for someone else.
//!
//! The moment lasts microseconds with a real client, so it is held: the client's own packet filter
//! discards the SYN to the passive port. Between this SYN and its repetition the server listens and
//! the client waits; the stranger knocks, then the filter lets this one connection pass, and TCP
//! repeats the SYN by itself.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    ops::RangeInclusive,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    Addresses, Family, Host,
    probe::{Answer, knock},
    stack::{connecting, listening_ports},
};

/// Time for a command of the packet filter.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a knock waits for an answer. Any answer comes within a millisecond; the client's SYN is
/// repeated after a second.
const PATIENCE: Duration = Duration::from_millis(400);
/// Pause between two looks at the sockets.
const PAUSE: Duration = Duration::from_millis(5);

/// Holds the passive data connections of a client and knocks at their ports, over both IP versions.
pub struct Thief<'a> {
    client: &'a Host,
    stranger: &'a Host,
    server: &'a Host,
    /// Where the server is reached.
    target: Addresses,
    ports: RangeInclusive<u16>,
    stop: AtomicBool,
}

impl<'a> Thief<'a> {
    /// Holds every connection that `client` opens to one of `ports` from now on, for as long as the
    /// value lives. `target` is the server as the stranger reaches it.
    ///
    /// # Errors
    /// When `nft` is missing or fails.
    pub fn new(
        client: &'a Host,
        stranger: &'a Host,
        server: &'a Host,
        target: Addresses,
        ports: RangeInclusive<u16>,
    ) -> Result<Self> {
        let thief = Self {
            client,
            stranger,
            server,
            target,
            ports,
            stop: AtomicBool::new(false),
        };
        let (first, last) = (thief.ports.start(), thief.ports.end());
        thief.filter(&format!(
            "table inet hold {{
                set released {{ type inet_service . inet_service; }}
                chain output {{
                    type filter hook output priority 0;
                    tcp dport {first}-{last} tcp flags & (syn | ack) == syn \
                        tcp sport . tcp dport != @released drop
                }}
            }}"
        ))?;
        Ok(thief)
    }

    /// Does `work` while the stranger knocks at every passive port that the client waits for, and
    /// returns what came of it and how many data connections the stranger knocked at, in vain.
    ///
    /// # Errors
    /// When the stranger got an answer: a connection, or a refusal by the stack behind the guard.
    pub fn watch<T>(&self, work: impl FnOnce() -> T) -> Result<(T, usize)> {
        self.stop.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let knocked = self.knock_at_all();
                if knocked.is_err() {
                    // Nobody else lets the client go on.
                    self.let_go();
                }
                knocked
            });
            let done = work();
            self.stop.store(true, Ordering::Relaxed);
            let knocked = watch
                .join()
                .unwrap_or_else(|payload| std::panic::resume_unwind(payload))?;
            Ok((done, knocked))
        })
    }

    fn knock_at_all(&self) -> Result<usize> {
        let mut done = BTreeSet::new();
        while !self.stop.load(Ordering::Relaxed) {
            let listening = listening_ports(self.server)?;
            let waiting: Vec<_> = connecting(self.client)?
                .into_iter()
                .filter(|(_, port)| self.ports.contains(port) && listening.contains(port))
                .filter(|connection| !done.contains(connection))
                .collect();
            if waiting.is_empty() {
                thread::sleep(PAUSE);
                continue;
            }
            let targets: Vec<SocketAddr> = waiting
                .iter()
                .flat_map(|(_, port)| Family::BOTH.map(|family| self.target.at(family, *port)))
                .collect();
            for (target, answer) in knock(self.stranger, &targets, PATIENCE) {
                ensure!(
                    answer == Answer::Nothing,
                    "the stranger at {target}, open for the client: {answer:?}"
                );
            }
            let listening = listening_ports(self.server)?;
            for (from, port) in &waiting {
                ensure!(
                    listening.contains(port),
                    "port {port} was closed while the client's connection was held"
                );
                self.filter(&format!(
                    "add element inet hold released {{ {from} . {port} }}"
                ))?;
            }
            done.extend(waiting);
        }
        Ok(done.len())
    }

    fn filter(&self, rules: &str) -> Result<()> {
        let mut command = Command::new("nft");
        command.arg(rules);
        let output = self.client.run(command, LIMIT).context("nft")?;
        ensure!(output.success(), "nft: {}", output.stderr);
        Ok(())
    }

    fn let_go(&self) {
        // It is made first, so that deleting it twice is no error. What led here is told already.
        let _ = self.filter("add table inet hold; delete table inet hold");
    }
}

impl Drop for Thief<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}

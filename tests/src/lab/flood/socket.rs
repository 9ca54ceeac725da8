//! SYN floods of a packet socket: slow, but of any host without a program.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use ftp_guard::frame::{FrameSpec, TcpFlags, tcp_frame};
use rand::Rng;

use crate::lab::{Addresses, Host, Site, tap::Tap};

/// How many frames are made beforehand; they are sent round and round.
const VARIANTS: usize = 512;

/// Where the sources of a flood lie.
#[derive(Clone, Copy, Debug)]
pub enum Sources {
    /// The sender's own address.
    Own,
    /// Random addresses of 198.18.0.0/15 and 2001:2::/48 (RFC 2544, RFC 5180: benchmarks), which
    /// stand on no allowlist of the lab.
    Random,
}

/// How fast a flood is.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as one thread can send.
    Full,
    /// At most this many frames a millisecond: slow enough for a veth's ring of 256 frames, which
    /// loses frames of everyone when a flood fills it.
    PerMillisecond(u64),
}

/// A flood that goes on until it is stopped or dropped.
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Flood {
    /// Starts to send SYNs from `host`, whose addresses are `own`, to `targets` in turn.
    ///
    /// # Errors
    /// When the host has no interface.
    pub fn start(
        host: &Host,
        own: &Addresses,
        towards: &Addresses,
        targets: &[SocketAddr],
        sources: Sources,
        pace: Pace,
    ) -> Result<Self> {
        let tap = Tap::open(host, Site::INTERFACE)?;
        let frames = frames(own, towards, targets, sources);
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = host.thread(move || {
            for frame in frames.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                tap.send(frame).context("the flood ended")?;
                let sent = counter.fetch_add(1, Ordering::Relaxed) + 1;
                if let Pace::PerMillisecond(batch) = pace
                    && sent.is_multiple_of(batch)
                {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Ok(())
        });
        Ok(Self {
            stop,
            sent,
            thread: Some(thread),
        })
    }

    /// How many frames were sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends the flood; how many frames were sent in all.
    ///
    /// # Errors
    /// When sending failed before.
    pub fn stop(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread
                .join()
                .unwrap_or_else(|payload| std::panic::resume_unwind(payload))?;
        }
        Ok(self.sent())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever drops a flood does not ask how it went.
            let _ = thread.join();
        }
    }
}

fn frames(
    own: &Addresses,
    towards: &Addresses,
    targets: &[SocketAddr],
    sources: Sources,
) -> Vec<Vec<u8>> {
    let mut random = rand::rng();
    targets
        .iter()
        .cycle()
        .take(VARIANTS)
        .map(|target| {
            let source = match (sources, target.ip()) {
                (Sources::Own, IpAddr::V4(_)) => own.v4.into(),
                (Sources::Own, IpAddr::V6(_)) => own.v6.into(),
                (Sources::Random, IpAddr::V4(_)) => IpAddr::V4(Ipv4Addr::new(
                    198,
                    random.random_range(18..=19),
                    random.random(),
                    random.random(),
                )),
                (Sources::Random, IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::new(
                    0x2001,
                    2,
                    0,
                    random.random(),
                    0,
                    0,
                    0,
                    random.random(),
                )),
            };
            let mut frame = tcp_frame(&FrameSpec {
                source,
                destination: target.ip(),
                source_port: random.random_range(1024..=65535),
                destination_port: target.port(),
                flags: TcpFlags::SYN,
                vlans: Vec::new(),
                payload: Vec::new(),
            });
            frame[..6].copy_from_slice(&towards.mac);
            frame[6..12].copy_from_slice(&own.mac);
            frame
        })
        .collect()
}

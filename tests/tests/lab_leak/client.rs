//! Clients of the small server, a wave at a time.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{Family, SERVER};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{server::FILE, wire::Wire};

/// Time for a session to get as far as it is meant to, among hundreds.
const LIMIT: Duration = Duration::from_secs(30);

/// How the client ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It closes: FIN.
    Close,
    /// It closes without waiting for anything: RST.
    Reset,
    /// It says QUIT, and the server closes first.
    Quit,
    /// The server resets.
    ServerReset,
}

impl End {
    pub const ALL: [Self; 4] = [Self::Close, Self::Reset, Self::Quit, Self::ServerReset];
}

/// What a session does before it ends, by its number: each thing with each other one.
#[derive(Clone, Copy, Debug)]
struct Plan {
    data: Data,
    family: Family,
    encrypted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    None,
    /// A passive port is named, and nobody connects.
    Unused,
    /// A passive connection stays open.
    Open,
    /// A download over a passive connection.
    Download,
    /// A download over an active connection.
    Active,
}

impl Plan {
    fn number(number: usize) -> Self {
        const DATA: [Data; 5] = [
            Data::None,
            Data::Unused,
            Data::Open,
            Data::Download,
            Data::Active,
        ];
        Self {
            data: DATA[number % 5],
            family: Family::BOTH[number / 5 % 2],
            encrypted: number / 10 % 2 == 1,
        }
    }
}

/// How far a session has come, for whoever waits for it in vain.
#[derive(Default)]
struct Step(AtomicUsize);

impl Step {
    const NAMES: [&str; 7] = [
        "connecting",
        "waiting for the greeting",
        "logging in",
        "opening a data connection",
        "asking for the file",
        "reading the file",
        "waiting for the end of the transfer",
    ];

    fn set(&self, number: usize) {
        self.0.store(number, Ordering::Relaxed);
    }

    fn name(&self) -> &'static str {
        Self::NAMES[self.0.load(Ordering::Relaxed)]
    }
}

/// A session that has done what it is meant to do.
pub struct Session {
    wire: Wire,
    data: Option<TcpStream>,
}

impl Session {
    /// Opens session `number` and does what its number says.
    pub async fn open(number: usize) -> Result<Self> {
        let plan = Plan::number(number);
        let step = Step::default();
        let opened = timeout(LIMIT, Self::follow(plan, &step)).await;
        opened
            .map_err(anyhow::Error::from)
            .flatten()
            .with_context(|| format!("session {number}, {plan:?}, {}", step.name()))
    }

    async fn follow(plan: Plan, step: &Step) -> Result<Self> {
        let stream = TcpStream::connect(SERVER.at(plan.family, 21)).await?;
        let mut wire = Wire::new(stream);
        step.set(1);
        expect(&mut wire, "220").await?;
        step.set(2);
        if plan.encrypted {
            ask(&mut wire, "AUTH TLS", "234").await?;
            wire.records = true;
        }
        ask(&mut wire, "USER lab", "230").await?;
        step.set(3);
        let mut data = match plan.data {
            Data::None => None,
            Data::Unused => {
                passive(&mut wire, plan.family).await?;
                None
            }
            Data::Open | Data::Download => {
                let port = passive(&mut wire, plan.family).await?;
                Some(TcpStream::connect(SERVER.at(plan.family, port)).await?)
            }
            Data::Active => Some(active(&mut wire).await?),
        };
        if matches!(plan.data, Data::Download | Data::Active) {
            step.set(4);
            ask(&mut wire, "RETR file", "150").await?;
            step.set(5);
            let mut contents = Vec::new();
            if let Some(mut stream) = data.take() {
                stream.read_to_end(&mut contents).await?;
            }
            ensure!(contents == FILE, "{} bytes came", contents.len());
            step.set(6);
            expect(&mut wire, "226").await?;
        }
        Ok(Self { wire, data })
    }

    /// Ends it.
    pub async fn end(mut self, end: End) -> Result<()> {
        match end {
            End::Close => {}
            End::Reset => {
                self.wire.stream().set_zero_linger()?;
                if let Some(data) = &self.data {
                    data.set_zero_linger()?;
                }
            }
            End::Quit => {
                ask(&mut self.wire, "QUIT", "221").await?;
                self.see_the_end().await?;
            }
            End::ServerReset => {
                self.wire.send("RSET").await?;
                let reset = self.see_the_end().await.is_err();
                ensure!(reset, "the server closed in peace");
            }
        }
        Ok(())
    }

    /// Waits until the server has closed.
    pub async fn see_the_end(&mut self) -> Result<()> {
        while timeout(LIMIT, self.wire.receive()).await??.is_some() {}
        Ok(())
    }
}

async fn ask(wire: &mut Wire, command: &str, code: &str) -> Result<String> {
    wire.send(command).await?;
    expect(wire, code).await.with_context(|| command.to_owned())
}

async fn expect(wire: &mut Wire, code: &str) -> Result<String> {
    let line = wire.receive().await?.context("the server closed")?;
    ensure!(line.starts_with(code), "{code} expected: {line}");
    Ok(line)
}

/// Asks for a passive port.
async fn passive(wire: &mut Wire, family: Family) -> Result<u16> {
    let port = match family {
        Family::V4 => {
            let reply = ask(wire, "PASV", "227").await?;
            let mut numbers = reply.rsplit(',').map(|field| {
                let digits = field.trim_end_matches([')', '.']);
                digits.parse::<u16>().ok()
            });
            let (low, high) = (numbers.next().flatten(), numbers.next().flatten());
            low.zip(high).map(|(low, high)| high << 8 | low)
        }
        Family::V6 => {
            let reply = ask(wire, "EPSV", "229").await?;
            reply.split('|').nth(3).and_then(|port| port.parse().ok())
        }
    };
    port.context("no port in the reply")
}

/// Has the server connect.
async fn active(wire: &mut Wire) -> Result<TcpStream> {
    let mut local: SocketAddr = wire.stream().local_addr()?;
    local.set_port(0);
    let listener = TcpListener::bind(local).await?;
    let local = listener.local_addr()?;
    let family = if local.is_ipv4() { 1 } else { 2 };
    let command = format!("EPRT |{family}|{}|{}|", local.ip(), local.port());
    ask(wire, &command, "200").await?;
    Ok(listener.accept().await?.0)
}

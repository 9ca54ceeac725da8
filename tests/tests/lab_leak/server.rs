//! A server that knows just enough of FTP to be quick: real ones take a process and a password check
//! for each of ten thousand sessions.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::wire::Wire;

/// Its passive ports.
pub const PASSIVE: RangeInclusive<u16> = 50000..=50999;
/// What every download sends.
pub const FILE: &[u8] = b"contents\n";
/// For how long it waits for a silent client, as every FTP server does, though longer.
const IDLE: Duration = Duration::from_secs(10);
/// Connections that may wait for it. Where more come at once than the kernel keeps waiting, it sends SYN cookies; and when
/// there is no room for the last segment of such a handshake either, the client is connected to nothing, and waits.
const WAITING: u32 = 4096;

/// Serves until the process is killed.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Serves IPv4 as well.
        let socket = TcpSocket::new_v6()?;
        // The one before was killed with connections of this port.
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv6Addr::UNSPECIFIED, 21).into())?;
        let listener = socket.listen(WAITING)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                // A client that goes is no error here.
                let _ = timeout(IDLE * 20, session(stream)).await;
            });
        }
    })
}

async fn session(stream: TcpStream) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    // The data connection, or what will become it; aborted when the session ends.
    let mut data = JoinSet::new();
    wire.send("220 ready").await?;
    while let Ok(Some(line)) = timeout(IDLE, wire.receive()).await? {
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "AUTH" => {
                wire.send("234 go on").await?;
                wire.records = true;
            }
            "PASV" | "EPSV" => {
                let listener = listen(wire.stream().local_addr()?).await?;
                let port = listener.local_addr()?.port();
                wire.send(&passive_reply(verb, wire.stream().local_addr()?, port))
                    .await?;
                data.spawn(async move { Ok(listener.accept().await?.0) });
            }
            "EPRT" => {
                wire.send("200 noted").await?;
                data.spawn(TcpStream::connect(destination(argument)?));
            }
            "RETR" => {
                wire.send("150 coming").await?;
                if let Some(stream) = timeout(IDLE, data.join_next()).await? {
                    let mut stream = stream??;
                    stream.write_all(FILE).await?;
                    stream.shutdown().await?;
                    // The client closes as well, before the reply is sent.
                    let _ = stream.read(&mut [0]).await;
                }
                wire.send("226 sent").await?;
            }
            "QUIT" => return wire.send("221 bye").await,
            // No command of FTP: the ends of a session that a server can choose.
            "RSET" => {
                wire.stream().set_zero_linger()?;
                return Ok(());
            }
            _ => wire.send("230 all right").await?,
        }
    }
    Ok(())
}

/// The next passive port that nobody listens on, at the address that the client came to.
async fn listen(mut local: SocketAddr) -> io::Result<TcpListener> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % PASSIVE.len() as u16;
        local.set_port(PASSIVE.start() + number);
        match TcpListener::bind(local).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
}

fn passive_reply(verb: &str, local: SocketAddr, port: u16) -> String {
    match local.ip().to_canonical() {
        IpAddr::V4(address) if verb == "PASV" => {
            let [a, b, c, d] = address.octets();
            let [high, low] = port.to_be_bytes();
            format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low}).")
        }
        _ => format!("229 Entering Extended Passive Mode (|||{port}|)"),
    }
}

/// The destination of `EPRT |n|address|port|` (RFC 2428).
fn destination(argument: &str) -> io::Result<SocketAddr> {
    let mut fields = argument.split('|').skip(2);
    let address = fields.next().and_then(|field| field.parse().ok());
    let port = fields.next().and_then(|field| field.parse().ok());
    let parts: Option<(IpAddr, u16)> = address.zip(port);
    parts
        .map(SocketAddr::from)
        .ok_or_else(|| io::Error::other("no destination"))
}

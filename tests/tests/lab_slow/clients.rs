//! Clients in the test's own hands.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_tests::lab::{Family, PASSWORD, SERVER, USER};
use socket2::{Domain, Socket, Type};

use crate::LIMIT;

/// A control connection.
pub struct Control(BufReader<TcpStream>);

impl Control {
    /// Connects from the namespace of the calling thread.
    pub fn connect(port: u16) -> Result<Self> {
        let to = SERVER.at(Family::V4, port);
        let stream = TcpStream::connect_timeout(&to, LIMIT).context("no control connection")?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Connects, and reads the greeting.
    pub fn greeted() -> Result<Self> {
        let mut control = Self::connect(21)?;
        control.expect("220")?;
        Ok(control)
    }

    /// Logs in as well.
    pub fn logged_in() -> Result<Self> {
        let mut control = Self::greeted()?;
        control.say(&format!("USER {USER}"))?;
        control.expect("331")?;
        control.say(&format!("PASS {PASSWORD}"))?;
        control.expect("230")?;
        Ok(control)
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) -> Result<()> {
        Ok(write!(self.0.get_mut(), "{line}\r\n")?)
    }

    /// Reads a reply of one line.
    pub fn expect(&mut self, code: &str) -> Result<String> {
        let mut line = String::new();
        ensure!(
            self.0.read_line(&mut line)? > 0,
            "{code} expected, the end came"
        );
        ensure!(line.starts_with(code), "{code} expected, not {line}");
        Ok(line)
    }

    /// Has the server listen, and tells where.
    pub fn passive(&mut self) -> Result<SocketAddr> {
        self.say("EPSV")?;
        let reply = self.expect("229")?;
        let port = reply.split('|').nth(3).and_then(|port| port.parse().ok());
        let port: u16 = port.with_context(|| format!("no port: {reply}"))?;
        Ok(SERVER.at(Family::V4, port))
    }

    /// Reads until the connection ends; what the server says meanwhile is no end.
    pub fn wait_for_the_end(&mut self) -> Result<Instant> {
        wait_for_the_end(&mut self.0)
    }
}

/// Reads a stream to its end, which may be a reset.
pub fn wait_for_the_end(stream: &mut impl Read) -> Result<Instant> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(Instant::now()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Instant::now()),
            Err(error) => bail!("it goes on: {error}"),
        }
    }
}

/// A data connection of a client whose buffer is as small as can be.
pub fn narrow(to: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_recv_buffer_size(2048)?;
    socket.connect_timeout(&to.into(), LIMIT)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Downloads a file at the speed of the server, and compares it.
pub fn download(name: &str, contents: &[u8]) -> Result<Duration> {
    let start = Instant::now();
    let mut control = Control::logged_in()?;
    control.say("TYPE I")?;
    control.expect("200")?;
    let to = control.passive()?;
    let mut data = TcpStream::connect_timeout(&to, LIMIT)?;
    data.set_read_timeout(Some(LIMIT))?;
    control.say(&format!("RETR {name}"))?;
    control.expect("150")?;
    let mut read = Vec::new();
    data.read_to_end(&mut read)
        .context("the transfer was cut")?;
    ensure!(read == contents, "{} bytes arrived", read.len());
    control.expect("226")?;
    control.say("NOOP")?;
    control.expect("200")?;
    Ok(start.elapsed())
}

//! A control connection held by the test itself, for what no client offers.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::lab::{Family, Host, PASSWORD, SERVER, USER};

/// Time for one reply.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// A logged-in FTP session.
pub struct Session {
    stream: BufReader<TcpStream>,
    server: IpAddr,
}

impl Session {
    /// Logs in from `host`.
    ///
    /// # Errors
    /// When the server does not let the user in.
    pub fn log_in(host: &Host, family: Family, port: u16) -> Result<Self> {
        let server = SERVER.at(family, port);
        let stream = host
            .enter(|| TcpStream::connect_timeout(&server, REPLY_LIMIT))
            .context("no control connection")?;
        stream.set_read_timeout(Some(REPLY_LIMIT))?;
        let mut session = Self {
            stream: BufReader::new(stream),
            server: server.ip(),
        };
        let greeting = session.reply()?;
        ensure!(greeting.starts_with("220"), "no greeting: {greeting}");
        let asked = session.command(&format!("USER {USER}"))?;
        ensure!(asked.starts_with("331"), "USER: {asked}");
        let answer = session.command(&format!("PASS {PASSWORD}"))?;
        ensure!(answer.starts_with("230"), "PASS: {answer}");
        Ok(session)
    }

    /// Sends a command and returns the last line of the reply.
    ///
    /// # Errors
    /// When the connection ends, or no reply comes in time.
    pub fn command(&mut self, command: &str) -> Result<String> {
        write!(self.stream.get_mut(), "{command}\r\n")?;
        self.reply().with_context(|| command.to_owned())
    }

    /// Reads a reply and returns its last line (RFC 959, 4.2).
    fn reply(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            ensure!(
                self.stream.read_line(&mut line)? > 0,
                "the server closed the connection"
            );
            let last = line.len() > 3
                && line.as_bytes()[..3].iter().all(u8::is_ascii_digit)
                && line.as_bytes()[3] == b' ';
            if last {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// Has the server listen for a data connection (EPSV) and tells where.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn passive(&mut self) -> Result<SocketAddr> {
        let reply = self.command("EPSV")?;
        let port = reply.split('|').nth(3).and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("no port in the reply: {reply}"))?;
        Ok(SocketAddr::new(self.server, port))
    }
}

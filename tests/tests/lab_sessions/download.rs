//! A download in the test's own hands, that goes exactly as far as the test reads: clients with a
//! limited rate read megabytes at once and then sleep.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_tests::lab::{CLIENT, Family, Host, clients::session::Session, servers::FtpServer};
use rand::RngCore;

/// Time for a step.
const LIMIT: Duration = Duration::from_secs(20);

/// More than all buffers between server and client hold.
const SIZE: usize = 24 << 20;

/// A download under way.
pub struct Download {
    session: Session,
    data: TcpStream,
    contents: Vec<u8>,
    read: usize,
}

impl Download {
    /// Starts one, passive (EPSV) or active (EPRT), and reads its first bytes.
    pub fn start(host: &Host, server: &FtpServer, family: Family, active: bool) -> Result<Self> {
        // A length that no buffer has: a piece that is lost or comes twice shows.
        let mut piece = vec![0; 99_991];
        rand::rng().fill_bytes(&mut piece);
        let contents: Vec<u8> = piece.repeat(SIZE / piece.len() + 1)[..SIZE].to_vec();
        let name = format!("download-{family}-{active}.bin");
        server.put(&name, &contents)?;
        let mut session = Session::log_in(host, family, server.port())?;
        let begins = |answer: String| {
            ensure!(answer.starts_with('1'), "RETR: {answer}");
            Ok(())
        };
        ensure!(session.command("TYPE I")?.starts_with("200"));
        let retrieve = format!("RETR {name}");
        let data = if active {
            let listener = host.enter(|| TcpListener::bind((CLIENT.ip(family), 0)))?;
            let own = listener.local_addr()?;
            let number = if own.is_ipv4() { 1 } else { 2 };
            let eprt = format!("EPRT |{number}|{}|{}|", own.ip(), own.port());
            ensure!(session.command(&eprt)?.starts_with("200"));
            begins(session.command(&retrieve)?)?;
            listener.accept()?.0
        } else {
            let to = session.passive()?;
            let data = host.enter(|| TcpStream::connect_timeout(&to, LIMIT))?;
            begins(session.command(&retrieve)?)?;
            data
        };
        data.set_read_timeout(Some(LIMIT))?;
        let mut download = Self {
            session,
            data,
            contents,
            read: 0,
        };
        download.read(1000)?;
        Ok(download)
    }

    /// Reads on, and compares.
    pub fn read(&mut self, count: usize) -> Result<()> {
        let mut bytes = vec![0; count];
        self.data
            .read_exact(&mut bytes)
            .with_context(|| format!("after {} bytes", self.read))?;
        ensure!(
            self.contents[self.read..][..count] == bytes,
            "the file changed on the way"
        );
        self.read += count;
        Ok(())
    }

    /// Reads to the end.
    pub fn finish(mut self) -> Result<()> {
        self.read(SIZE - self.read)?;
        ensure!(
            self.data.read(&mut [0; 1])? == 0,
            "more came than was asked for"
        );
        // ProFTPD says that it is done when the client has closed as well.
        drop(self.data);
        let answer = self.session.command("NOOP")?;
        ensure!(answer.starts_with("226"), "{answer}");
        Ok(())
    }

    /// Reads until the connection breaks, which must not take long.
    pub fn expect_broken(mut self) -> Result<()> {
        self.data.set_read_timeout(Some(Duration::from_secs(3)))?;
        let mut bytes = vec![0; 1 << 20];
        loop {
            match self.data.read(&mut bytes) {
                Ok(0) => bail!("the download came to an orderly end"),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error).context("no reset came"),
            }
        }
        let mut answer = self.session.command("NOOP");
        // The data connection ends first, and the server may get to say so.
        if answer
            .as_ref()
            .is_ok_and(|answer| answer.starts_with("426"))
        {
            answer = self.session.command("NOOP");
        }
        ensure!(answer.is_err(), "the session goes on: {answer:?}");
        Ok(())
    }
}

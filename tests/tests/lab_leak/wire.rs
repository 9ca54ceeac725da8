//! Lines as the small server and its clients exchange them: in clear text, or, after AUTH, in what has
//! the shape of TLS records (RFC 8446, 5.1). Nothing is encrypted; to whoever looks at the first byte
//! it is.

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// The type of a record of application data, and the version that TLS 1.2 and 1.3 write there.
const APPLICATION_DATA: [u8; 3] = [0x17, 0x03, 0x03];
/// Longest line: `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2).` and some room.
const LONGEST: u64 = 200;

/// A control connection, seen from either end.
pub struct Wire {
    stream: BufReader<TcpStream>,
    /// Whether lines travel in records.
    pub records: bool,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream: BufReader::new(stream),
            records: false,
        }
    }

    /// The connection below.
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends a line.
    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        let text = format!("{line}\r\n").into_bytes();
        let mut bytes = Vec::new();
        if self.records {
            bytes.extend(APPLICATION_DATA);
            let length = u16::try_from(text.len()).map_err(io::Error::other)?;
            bytes.extend(length.to_be_bytes());
        }
        bytes.extend(text);
        self.stream.get_mut().write_all(&bytes).await
    }

    /// The next line; none at the end.
    pub async fn receive(&mut self) -> io::Result<Option<String>> {
        if self.records {
            let mut header = [0; 5];
            match self.stream.read_exact(&mut header).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                result => result?,
            };
        }
        let mut line = String::new();
        let mut limited = (&mut self.stream).take(LONGEST);
        if limited.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end().to_owned()))
    }
}

//! The two hellos of TLS: RFC 5246 section 7.4.1, RFC 8446 section 4.1, RFC 6066 section 3.

use ftp_guard_common::text::HELLO_BYTES;
use tls_parser::{parse_tls_handshake_client_hello, parse_tls_handshake_server_hello};

use super::{record::SessionRecord, text::shown};

/// Type of a record of a handshake.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;

/// What a hello says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// The name that the client asks for.
    pub(super) server_name: Option<String>,
    /// The newest version that the client offers, or that the server chose.
    pub(super) version: Option<&'static str>,
}

/// Puts a hello together.
#[derive(Debug, Default)]
pub(super) struct HelloReader {
    bytes: Vec<u8>,
    is_done: bool,
}

impl HelloReader {
    /// Whether more bytes would tell nothing.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether any byte has come.
    pub(super) fn has_begun(&self) -> bool {
        self.is_done || !self.bytes.is_empty()
    }

    /// Bytes are missing: there will be no hello.
    pub(super) fn give_up(&mut self) {
        *self = Self {
            is_done: true,
            ..Self::default()
        };
    }

    /// Takes the next bytes; the hello once it is complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Hello> {
        if self.is_done {
            return None;
        }
        let room = usize::from(HELLO_BYTES).saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        let read = message(&self.bytes);
        if read == Read::Incomplete && bytes.len() < room {
            return None;
        }
        let hello = match read {
            Read::Message(message) => hello(&message),
            Read::Incomplete | Read::Other => None,
        };
        self.give_up();
        hello
    }
}

/// What becomes of bytes.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// More are needed.
    Incomplete,
    /// They are no handshake.
    Other,
    /// The first message of a handshake.
    Message(Vec<u8>),
}

/// Whether bytes begin with a record of a handshake: RFC 8446 section 5.1.
pub(super) fn is_handshake(bytes: &[u8]) -> bool {
    matches!(bytes, [HANDSHAKE, 3, 0..=4, ..])
}

/// Whether a byte begins a record of TLS.
pub(super) fn is_record_type(byte: u8) -> bool {
    (0x14..=0x17).contains(&byte)
}

/// The first message, which may extend over records.
fn message(mut bytes: &[u8]) -> Read {
    let mut message = Vec::new();
    loop {
        if let [_, high, middle, low, rest @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            if rest.len() >= length {
                message.truncate(4 + length);
                return Read::Message(message);
            }
        }
        let [kind, major, _, high, low, rest @ ..] = bytes else {
            let is_other = matches!(bytes, [kind, ..] if *kind != HANDSHAKE)
                || matches!(bytes, [_, major, ..] if *major != 3);
            return if is_other {
                Read::Other
            } else {
                Read::Incomplete
            };
        };
        if *kind != HANDSHAKE || *major != 3 {
            return Read::Other;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length == 0 {
            return Read::Other;
        }
        let (part, behind) = rest.split_at(rest.len().min(length));
        message.extend_from_slice(part);
        bytes = behind;
        if part.len() < length && !is_complete(&message) {
            return Read::Incomplete;
        }
    }
}

fn is_complete(message: &[u8]) -> bool {
    match message {
        [_, high, middle, low, rest @ ..] => {
            rest.len() >= u32::from_be_bytes([0, *high, *middle, *low]) as usize
        }
        _ => false,
    }
}

fn hello(message: &[u8]) -> Option<Hello> {
    let (head, body) = message.split_at_checked(4)?;
    let (legacy, extensions) = match *head.first()? {
        CLIENT_HELLO => {
            let (_, hello) = parse_tls_handshake_client_hello(body).ok()?;
            (hello.version.0, hello.ext)
        }
        SERVER_HELLO => {
            let (_, hello) = parse_tls_handshake_server_hello(body).ok()?;
            (hello.version.0, hello.ext)
        }
        _ => return None,
    };
    let mut server_name = None;
    let mut newest = legacy;
    for (kind, value) in Extensions(extensions.unwrap_or_default()) {
        match kind {
            SERVER_NAME => server_name = name(value),
            SUPPORTED_VERSIONS => {
                // A list from the client, with its length; one version from the server.
                let list = if head[0] == CLIENT_HELLO {
                    value.get(1..).unwrap_or_default()
                } else {
                    value
                };
                let offered = list
                    .chunks_exact(2)
                    .map(|two| u16::from_be_bytes([two[0], two[1]]));
                newest = offered
                    .filter(|offered| version(*offered).is_some())
                    .max()
                    .unwrap_or(newest);
            }
            _ => {}
        }
    }
    Some(Hello {
        server_name,
        version: version(newest),
    })
}

/// Types and values of extensions.
struct Extensions<'a>(&'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, kind_low, high, low, rest @ ..] = self.0 else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((u16::from_be_bytes([*kind, *kind_low]), value))
    }
}

/// The first name of a list of server names: its length, a type of 0, the name with its length.
fn name(value: &[u8]) -> Option<String> {
    let [_, _, 0, high, low, rest @ ..] = value else {
        return None;
    };
    let name = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    let name = shown(name, SessionRecord::MOST_NAME);
    (!name.is_empty()).then_some(name)
}

fn version(number: u16) -> Option<&'static str> {
    match number {
        0x0300 => Some("ssl3"),
        0x0301 => Some("1.0"),
        0x0302 => Some("1.1"),
        0x0303 => Some("1.2"),
        0x0304 => Some("1.3"),
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests/tls.rs"]
mod tests;

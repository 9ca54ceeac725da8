//! What is spoken where FTP belongs, by the first bytes; and where FTP is spoken that does not belong there.

use super::{observation::Protocol, text::has, tls::is_handshake, told::Side};

/// Bytes by which it is decided at the latest.
pub(super) const ENOUGH: usize = 256;
/// Bytes that are looked at for what no text has.
const TEXT: usize = 8;

/// What the first bytes of a side are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// Too few to say.
    Undecided,
    /// Text that may be FTP.
    Text,
    /// Something else.
    Foreign(Protocol),
}

/// Request methods: RFC 9110 section 9, RFC 5789. None is a verb of FTP.
const METHODS: [&[u8]; 9] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
];
/// RFC 5321 section 4.1.1. MAIL alone was a verb of FTP once (RFC 765).
const MAIL: [&[u8]; 4] = [b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:"];

/// Says what the first bytes of a side are.
pub(super) fn spoken(side: Side, bytes: &[u8]) -> Spoken {
    let is_whole = bytes.len() >= ENOUGH || bytes.contains(&b'\n');
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let found = if bytes.starts_with(b"SSH-") {
        Some(Protocol::Ssh)
    } else if is_handshake(bytes) {
        Some(Protocol::Tls)
    } else if matches!(bytes, [0, _, _, _, 0xfe | 0xff, b'S', b'M', b'B', ..]) {
        Some(Protocol::Smb)
    } else {
        match side {
            Side::Client => client(bytes),
            Side::Server => server(line, is_whole),
        }
    };
    match found {
        Some(protocol) => Spoken::Foreign(protocol),
        None if !is_whole && (bytes.len() < TEXT || may_become(side, bytes)) => Spoken::Undecided,
        None if is_binary(line) => Spoken::Foreign(Protocol::Binary),
        None => Spoken::Text,
    }
}

fn client(bytes: &[u8]) -> Option<Protocol> {
    let begins =
        |word: &&[u8]| bytes.len() >= word.len() && bytes[..word.len()].eq_ignore_ascii_case(word);
    let is_request =
        METHODS.iter().any(|method| bytes.starts_with(method)) || bytes.starts_with(b"PRI * HTTP/");
    if is_request {
        Some(Protocol::Http)
    } else {
        MAIL.iter().any(begins).then_some(Protocol::Smtp)
    }
}

/// A server of mail says so in the text of its greeting: RFC 5321 section 4.2.
fn server(line: &[u8], is_whole: bool) -> Option<Protocol> {
    if line.starts_with(b"HTTP/") {
        return Some(Protocol::Http);
    }
    // A TLS alert to what was no TLS: RFC 8446 section 6.
    if matches!(line, [0x15, 3, 0..=4, 0, 2, ..]) {
        return Some(Protocol::Tls);
    }
    let is_mail = is_whole && line.starts_with(b"220") && has(line, b"SMTP") && !has(line, b"FTP");
    is_mail.then_some(Protocol::Smtp)
}

/// Whether more bytes could make something else of it than FTP.
fn may_become(side: Side, bytes: &[u8]) -> bool {
    let begins = |whole: &[u8]| whole.len() > bytes.len() && whole.starts_with(bytes);
    let is_common = begins(b"SSH-")
        || begins(&[22, 3, 1])
        || matches!(bytes, [22] | [22, 3])
        || matches!(bytes, [0] | [0, _] | [0, _, _] | [0, _, _, _])
        || matches!(bytes, [0, _, _, _, 0xfe | 0xff, rest @ ..] if b"SMB".starts_with(rest));
    is_common
        || match side {
            Side::Client => {
                let upper = bytes.to_ascii_uppercase();
                METHODS.iter().any(|method| begins(method))
                    || begins(b"PRI * HTTP/")
                    || MAIL
                        .iter()
                        .any(|word| word.len() > upper.len() && word.starts_with(&upper))
            }
            Side::Server => {
                begins(b"HTTP/")
                    || matches!(bytes, [0x15] | [0x15, 3] | [0x15, 3, _] | [0x15, 3, _, 0])
                    // The text behind a greeting's code decides.
                    || b"220".starts_with(&bytes[..bytes.len().min(3)])
            }
        }
}

/// Whether characters are among the first ones that no text has. Telnet sequences begin with 0xff.
fn is_binary(line: &[u8]) -> bool {
    let start = &line[..line.len().min(TEXT)];
    let has_controls = start
        .iter()
        .any(|byte| matches!(byte, 0..=8 | 0x0e..=0x1f | 0x7f));
    has_controls && !start.contains(&0xff)
}

/// Whether a server says what only one of FTP says. What is undecided is not.
pub(super) fn is_ftp(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if !super::reply::is_reply(line) {
        return false;
    }
    match &line[..3] {
        b"220" | b"421" | b"530" => has(bytes, b"FTP"),
        // RFC 5321 and RFC 3977 have none of these.
        b"227" | b"228" | b"229" | b"230" | b"257" | b"331" | b"332" => true,
        b"215" => has(line, b"UNIX") || has(line, b"Windows_NT"),
        _ => false,
    }
}

#[cfg(test)]
#[path = "tests/protocol.rs"]
mod tests;

//! A second reader of the control connection, to compare the guard's streaming one with.
//!
//! It reads a whole text at once, by the RFCs and the rules of `docs/replies.md`, with nothing of the
//! other's code. What it finds comes with the place of the byte that completes it. [`stream`] feeds
//! the guard's readers in the same terms; [`variants`] names the forms that servers and clients are
//! known to use.

pub mod client;
pub mod server;
pub mod stream;
pub mod variants;

use std::net::SocketAddr;

/// What a server has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A reply has named this passive port.
    Passive(u16),
    /// A reply of this code is complete.
    End(u16),
}

/// What a client has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing that matters.
    Other,
    /// To encrypt.
    Auth,
    /// A passive port.
    Passive,
    /// That the server connects there; `None`: to somewhere that is not understood.
    Active(Option<SocketAddr>),
}

/// A text cut at every LF: where each line begins, the line without the LF, and whether it has one.
fn lines(text: &[u8]) -> Vec<(usize, &[u8], bool)> {
    let mut start = 0;
    let mut lines = Vec::new();
    for piece in text.split_inclusive(|byte| *byte == b'\n') {
        match piece.split_last() {
            Some((b'\n', line)) => lines.push((start, line, true)),
            _ => lines.push((start, piece, false)),
        }
        start += piece.len();
    }
    lines
}

//! The guard's readers, fed byte by byte.

use std::net::SocketAddr;

use ftp_guard_common::{
    address::to_ip,
    ftp::{
        command::{CommandEvent, CommandParser},
        reply::ReplyParser,
    },
};

use super::{Asked, Said};

/// [`super::server::said`] by the guard's reader.
#[must_use]
pub fn said(text: &[u8]) -> Vec<(usize, Said)> {
    said_from(&mut ReplyParser::default(), text)
}

/// The same from any state of the reader, which it leaves behind the text.
pub fn said_from(parser: &mut ReplyParser, text: &[u8]) -> Vec<(usize, Said)> {
    let mut events = Vec::new();
    for (place, byte) in text.iter().enumerate() {
        let Some(event) = parser.feed(*byte) else {
            continue;
        };
        events.extend(event.port().map(|port| (place, Said::Passive(port))));
        events.extend(event.code().map(|code| (place, Said::End(code))));
    }
    events
}

/// [`super::client::asked`] by the guard's reader.
#[must_use]
pub fn asked(text: &[u8]) -> Vec<(usize, Asked)> {
    asked_from(&mut CommandParser::default(), text)
}

/// The same from any state of the reader, which it leaves behind the text.
pub fn asked_from(parser: &mut CommandParser, text: &[u8]) -> Vec<(usize, Asked)> {
    let mut events = Vec::new();
    for (place, byte) in text.iter().enumerate() {
        let Some(event) = parser.feed(*byte) else {
            continue;
        };
        let asked = match event {
            CommandEvent::Other => Asked::Other,
            CommandEvent::Auth => Asked::Auth,
            CommandEvent::Passive => Asked::Passive,
            CommandEvent::Active { destination, port } => Asked::Active(
                destination.map(|(address, family)| SocketAddr::new(to_ip(address, family), port)),
            ),
        };
        events.push((place, asked));
    }
    events
}

//! What the client says.

use crate::address::Address;

/// How far the client's commands have been read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandParser {
    state: [u32; 10],
}

/// What a byte of the client has completed: a command line, and what of it matters.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEvent {
    /// Any other command.
    Other,
    /// AUTH TLS, AUTH TLS-C, AUTH TLS-P or AUTH SSL.
    Auth,
    /// A command that asks for a passive port.
    Passive,
    /// PORT or EPRT.
    Active {
        /// The destination's address; `None`: its form is none that a server could accept.
        destination: Option<(Address, u8)>,
        /// The destination's port, host order.
        port: u16,
    },
}

impl CommandParser {
    /// Reads the next byte.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8) -> Option<CommandEvent> {
        let _ = byte;
        None
    }
}

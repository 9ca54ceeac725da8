//! What the server says.

/// How far the server's replies have been read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyParser {
    state: [u32; 6],
}

/// What a byte of the server has completed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEvent {
    /// A 227, 228 or 229 reply has named a passive port.
    Passive {
        /// The port, host order, not 0.
        port: u16,
    },
    /// A reply is complete (its last line has ended).
    End {
        /// The reply code, 100 to 599.
        code: u16,
    },
}

impl ReplyParser {
    /// Reads the next byte.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8) -> Option<ReplyEvent> {
        let _ = byte;
        None
    }
}

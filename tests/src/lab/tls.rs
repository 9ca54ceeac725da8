//! Whether, and how, an FTP session is encrypted.

use std::fmt;

/// How the control connection is protected; data connections then are as well (RFC 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Clear,
    /// After AUTH TLS, on the ordinary control port.
    Auth,
    /// From the first byte, on a port of its own.
    Implicit,
}

impl Tls {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clear, Self::Auth, Self::Implicit];

    /// The control port where servers offer it.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Clear | Self::Auth => 21,
            Self::Implicit => 990,
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Auth => "AUTH TLS",
            Self::Implicit => "implicit TLS",
        })
    }
}

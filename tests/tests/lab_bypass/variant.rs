use std::net::IpAddr;

use ftp_guard_tests::{lab::Family, packet::Macs};

/// What a variant is sent with.
pub(crate) struct Envelope {
    pub(crate) macs: Macs,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Tells the variants apart in the server's answers.
    pub(crate) source_port: u16,
    /// Tells the packets apart whose fragments the stack puts together.
    pub(crate) identification: u16,
}

/// Builds the frames of an attempt, in the order in which they are sent.
pub(crate) type Build = Box<dyn Fn(&Envelope) -> Vec<Vec<u8>>>;

/// One attempt to reach the server.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) family: Family,
    /// Without the guard, the server's stack must answer this one.
    pub(crate) reaches: bool,
    /// Nothing in it is meant for an FTP port.
    pub(crate) of_other_port: bool,
    pub(crate) frames: Build,
}

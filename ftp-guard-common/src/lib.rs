//! What crosses the boundary between the kernel programs and the daemon: verdicts and reasons, port
//! classes, counters, allowlist entries, sessions and their data connections, the configuration block and
//! the names of maps and programs; and the readers of FTP that both sides use.
//!
//! Every type that crosses is `#[repr(C)]`, made of integers and byte arrays only, without padding;
//! [`layout`] proves it at compile time. Addresses and ports in keys are big-endian byte arrays,
//! all other integers are in native order (both sides run on the same machine).

#![no_std]

pub mod address;
pub mod allow;
pub mod ban;
pub mod class;
pub mod config;
pub mod event;
pub mod front;
pub mod ftp;
pub mod layout;
pub mod limits;
pub mod lookup;
pub mod names;
pub mod ports;
pub mod reason;
pub mod session;
pub mod sockets;
pub mod stats;
pub mod text;
pub mod trace;

/// Number of the layout of all pinned maps. A daemon refuses pins that carry another number.
///
/// Raise it whenever a shared type, a map's kind or the meaning of a stored number changes.
pub const ABI_VERSION: u32 = 9;

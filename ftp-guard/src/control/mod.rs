//! The control socket: how the command line and other programs talk to the daemon.
//!
//! JSON lines over a Unix stream socket, described for other programs in
//! `docs/control-protocol.md`. The server knows nothing of the guard: it hands typed requests to a
//! [`Service`](server::Service) and writes what comes back.

pub mod ban_view;
pub mod client;
pub mod counters_view;
pub mod credentials;
pub mod event_view;
pub mod feed;
pub mod flood_view;
mod following;
pub mod import;
pub mod limit_view;
pub mod mode_view;
pub mod name_view;
pub mod past;
pub mod protocol;
pub mod record_view;
pub mod server;
pub mod session_view;
pub mod socket;
pub mod suggest_view;
pub mod view;
pub mod would_drop_view;

use std::time::Duration;

/// The protocol's version; each request and each reply carries it.
pub const VERSION: u32 = 1;

/// Longest line in bytes that the server reads. Long texts travel in several requests
/// ([`protocol::Request::AllowImport`]).
pub const MAX_REQUEST_LINE: usize = 256 * 1024;

/// Longest line in bytes that the client reads. Lists come in parts of about
/// [`PART_BYTES`], so that only an error with very many diagnostics comes near it.
pub const MAX_REPLY_LINE: usize = 16 * 1024 * 1024;

/// Size in bytes beyond which a part of a list is closed and the next one begun.
pub const PART_BYTES: usize = 64 * 1024;

/// Most bytes of text that one import may collect: a million entries with labels fit.
pub const MAX_IMPORT: usize = 128 * 1024 * 1024;

/// Most connections at a time; a further one is answered with an error and closed.
pub const MAX_CONNECTIONS: usize = 32;

/// How long a connection may neither send a whole request nor take its reply before it is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

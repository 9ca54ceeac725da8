//! Readers of the control connection (RFC 959, 2228, 2428, 4217), one byte at a time.
//!
//! Both sides use them: the kernel programs on every byte that passes, the daemon and the tests on
//! text. A reader's whole state is a small value of integers, so that it can wait in a table for the
//! next segment; where segments begin and end makes no difference.

pub mod command;
pub mod reply;

//! Captures of FTP traffic: reading them, and who is server and who is client in them.

mod capture;
mod roles;

pub use capture::{Capture, Contents};
pub use roles::Roles;

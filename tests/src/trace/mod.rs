//! Captures of FTP traffic: reading them, who is server and who is client in them, what was said on
//! control connections, and what others have read there.

mod capture;
mod control;
mod reference;
mod roles;
mod split;

pub use capture::{Capture, Contents};
pub use control::{Conversation, Side};
pub use reference::{Data, Negotiation, Reference};
pub use roles::Roles;
pub use split::split;

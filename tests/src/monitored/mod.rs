//! Captures as the monitor understands them, and what others have understood of the same ones.

mod packets;
mod programs;
mod reference;
mod replay;

pub use packets::Packets;
pub use programs::Programs;
pub use reference::{Entry, Filter, Readings};
pub use replay::{Exchange, Replayed, Source, replay};

//! Sessions and their data connections: what the tables should hold, and what people see of them.

mod socket;
pub mod view;

pub use socket::{Socket, TcpBytes, TcpState};

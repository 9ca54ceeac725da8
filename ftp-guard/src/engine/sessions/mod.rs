//! Sessions and their data connections: what the tables should hold, and what people see of them.
//!
//! The kernel programs write the tables by themselves. What is here looks at them once a second,
//! beside the host's sockets, and says in [`Command`]s what to put right: [`Keeper`] takes over
//! connections from before the guard and removes what has ended unseen; [`Selection`] ends
//! connections, by command or because their client is no longer listed.

mod adopt;
mod clients;
mod command;
mod end;
mod keeper;
mod listeners;
mod outlook;
mod passive;
mod reconcile;
mod show;
mod socket;
mod tables;
pub mod view;

pub use clients::Delta;
pub use command::Command;
pub use end::Selection;
pub use keeper::Keeper;
pub use outlook::Outlook;
pub use passive::watch;
pub use show::show;
pub use socket::{Socket, TcpBytes, TcpState};
pub use tables::{Listed, Look, Rules, Tables};

#[cfg(test)]
mod tests;

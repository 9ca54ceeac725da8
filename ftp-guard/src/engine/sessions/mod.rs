//! Sessions and their data connections: what the tables should hold, and what people see of them.
//!
//! The kernel programs write the tables by themselves. What is here looks at them once a second,
//! beside the host's sockets, and says in [`Command`]s what to put right: [`Keeper`] takes over
//! connections from before the guard and removes what has ended unseen; [`Overdue`] finds connections
//! that take longer than their client's profile permits; [`Selection`] ends connections, for that, by
//! command, or because their client is no longer listed.

mod adopt;
mod clients;
mod command;
mod end;
mod ending;
mod keeper;
mod listeners;
mod opening;
mod outlook;
mod overdue;
mod passive;
mod patience;
mod reconcile;
mod show;
mod socket;
mod sources;
mod tables;
pub mod view;

pub use clients::Delta;
pub use command::Command;
pub use end::{Chosen, Selection};
pub use ending::{EndCounts, EndReason, Ending, Part};
pub use keeper::Keeper;
pub use outlook::Outlook;
pub use overdue::{Overdue, ends_session};
pub use passive::watch;
pub use patience::Patience;
pub use show::{show, show_sources};
pub use socket::{Socket, TcpBytes, TcpState};
pub use sources::SourceDelta;
pub use tables::{Listed, Look, Permit, Rules, Tables};

#[cfg(test)]
mod tests;

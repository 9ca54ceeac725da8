//! Sessions over tables and sockets in memory.

mod adoption;
mod end;
mod listeners;
mod overdue;
mod reconcile;
mod seen;
mod soak;
mod sources;
mod world;

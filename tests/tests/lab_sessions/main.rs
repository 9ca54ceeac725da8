//! Sessions over real servers and sockets: they are taken over in their middle, end in every way, and
//! leave nothing behind. And what is known of sockets that listen.

mod adoption;
mod download;
mod endings;
mod listeners;
mod revocation;
mod tables;

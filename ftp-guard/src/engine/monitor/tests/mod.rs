//! The monitor as a whole: sessions in, observations and records out.

mod corpus;
mod properties;
mod scenes;
mod secrets;
mod stage;
mod witnessed;

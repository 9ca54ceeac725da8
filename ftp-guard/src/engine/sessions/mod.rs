//! Sessions and their data connections: what the tables should hold, and what people see of them.

pub mod view;

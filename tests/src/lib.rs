//! Harness and laboratory of the suites.

pub mod model;
pub mod packet;
pub mod policy;

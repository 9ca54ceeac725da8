//! Harness and laboratory of the suites.

pub mod agree;
pub mod ledger;
pub mod model;
pub mod packet;
pub mod policy;
pub mod program;
pub mod random;
pub mod sys;

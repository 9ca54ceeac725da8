//! Harness and laboratory of ftp-guard's suites: `lab` makes hosts out of network namespaces and runs
//! real FTP servers, clients and guards in them.

pub mod agree;
pub mod conversation;
pub mod lab;
pub mod ledger;
pub mod lists;
pub mod model;
pub mod monitored;
pub mod packet;
pub mod policy;
pub mod program;
pub mod random;
pub mod replies;
pub mod report;
pub mod sequence;
pub mod stack;
pub mod state;
pub mod sys;
pub mod trace;

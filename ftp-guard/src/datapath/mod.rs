//! The only module that imports aya.

pub mod object;

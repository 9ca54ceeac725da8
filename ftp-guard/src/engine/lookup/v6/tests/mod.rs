//! Against a plain search for the longest prefix.

mod lab;
mod lists;
mod random;

//! The only module that imports aya.

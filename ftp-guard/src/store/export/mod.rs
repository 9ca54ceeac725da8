//! The export.

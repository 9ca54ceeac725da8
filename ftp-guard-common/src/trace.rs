//! The switch of the programs' own log.

/// Name of the read-only global that the loader sets.
pub const TRACE_GLOBAL: &str = "TRACE_PACKETS";
/// No log. Not zero: LLVM merges a zero global with zero constants that are passed by address, such as
/// the keys of array maps, and setting the global would then change those.
pub const TRACE_OFF: u32 = 0x0ff0_0ff0;
/// Every packet that is dropped, or would be, is logged.
pub const TRACE_ON: u32 = 1;

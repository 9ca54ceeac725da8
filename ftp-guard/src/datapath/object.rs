//! The kernel programs, as the build script compiled them.

/// The ELF object with the programs and maps, aligned as its parser needs it.
pub fn bytes() -> &'static [u8] {
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ftp-guard.o"))
}

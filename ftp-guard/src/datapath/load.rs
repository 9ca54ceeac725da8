//! Loads the embedded object.

use std::io;

use aya::{Ebpf, EbpfLoader, programs::Xdp};
use ftp_guard_common::names::{ALLOW_V4_MAP, ALLOW_V6_MAP, XDP_PROGRAM};

use super::{error::DatapathError, object, pins::Pins};

/// aya-log's level of the programs that logs nothing, and the one of `--trace-packets`.
pub const LOG_OFF: u8 = 0;
/// See [`LOG_OFF`].
pub const LOG_DEBUG: u8 = 4;

/// Loads the object's maps and programs. Maps in `pinned` are opened by their pins, or made and
/// pinned; the others belong to this instance. `allow_entries` sizes the allowlist of new maps.
pub fn object<'a>(
    pins: &Pins,
    pinned: impl Iterator<Item = &'a str>,
    log_level: u8,
    allow_entries: Option<u32>,
) -> Result<Ebpf, DatapathError> {
    let mut loader = EbpfLoader::new();
    loader.override_global("AYA_LOG_LEVEL", &log_level, true);
    for name in pinned {
        loader.map_pin_path(name, pins.map(name));
    }
    if let Some(entries) = allow_entries {
        loader
            .map_max_entries(ALLOW_V4_MAP, entries)
            .map_max_entries(ALLOW_V6_MAP, entries);
    }
    loader
        .load(object::bytes())
        .map_err(|error| DatapathError::kernel("load the BPF object into the kernel", error))
}

/// Loads the XDP program into the kernel, past the verifier.
pub fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, DatapathError> {
    let failed = |error| DatapathError::kernel("load the XDP program into the kernel", error);
    let program: &mut Xdp = ebpf
        .program_mut(XDP_PROGRAM)
        .ok_or_else(|| missing(XDP_PROGRAM))?
        .try_into()
        .map_err(failed)?;
    if program.fd().is_err() {
        program.load().map_err(failed)?;
    }
    Ok(program)
}

/// The embedded object lacks something that the loader names; the object ring tests that it does not.
pub fn missing(name: &str) -> DatapathError {
    let missing = io::Error::other("the embedded object does not have it");
    DatapathError::kernel(format!("find `{name}`"), missing)
}

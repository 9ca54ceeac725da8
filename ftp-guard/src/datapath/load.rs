//! Loads the embedded object.

use std::io;

use aya::{
    Ebpf, EbpfLoader,
    programs::{SchedClassifier, Xdp},
};
use ftp_guard_common::{
    names::XDP_PROGRAM,
    trace::{TRACE_GLOBAL, TRACE_OFF, TRACE_ON},
};

use super::{error::DatapathError, object, pins::Pins, sockets::Globals, tables::Hook};

/// Loads the object's maps and programs. Maps in `pinned` are opened by their pins, or made and
/// pinned; the others belong to this instance. `sizes` are those of new maps, by name;
/// `globals` what the socket program is told.
pub fn object<'a>(
    pins: &Pins,
    pinned: impl Iterator<Item = &'a str>,
    trace: bool,
    sizes: &[(&'static str, u32)],
    globals: Option<&'a Globals>,
) -> Result<Ebpf, DatapathError> {
    let mut loader = EbpfLoader::new();
    let switch = if trace { &TRACE_ON } else { &TRACE_OFF };
    loader.override_global(TRACE_GLOBAL, switch, true);
    if let Some(globals) = globals {
        globals.set(&mut loader);
    }
    for name in pinned {
        loader.map_pin_path(name, pins.map(name));
    }
    for (name, entries) in sizes {
        loader.map_max_entries(name, *entries);
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

/// Loads a classifier into the kernel, past the verifier.
pub fn classifier(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut SchedClassifier, DatapathError> {
    let what = || format!("load the {} classifier into the kernel", hook.as_str());
    let failed = |error| DatapathError::kernel(what(), error);
    let program: &mut SchedClassifier = ebpf
        .program_mut(hook.program())
        .ok_or_else(|| missing(hook.program()))?
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

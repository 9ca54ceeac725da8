//! Loads the embedded object.

use std::io;

use aya::{
    Ebpf, EbpfLoader,
    programs::{SchedClassifier, Xdp},
};
use ftp_guard_common::{
    config::{ROLE_GLOBAL, ROLE_UNSAID, Role},
    names::XDP_PROGRAM,
    trace::{TRACE_GLOBAL, TRACE_OFF, TRACE_ON},
};

use super::{error::DatapathError, object, pins::Pins, sockets::Globals, tables::Hook};

/// Options that only a start changes. The programs find them in read-only globals, so that what is off costs
/// nothing: the verifier removes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed {
    /// Whether each packet that is dropped is logged.
    pub trace: bool,
    /// Where the servers are; nothing where the programs are to go by the configuration block.
    pub role: Option<Role>,
}

impl Fixed {
    /// The globals and their values.
    #[must_use]
    pub fn globals(self) -> [(&'static str, &'static u32); 2] {
        let trace = if self.trace { &TRACE_ON } else { &TRACE_OFF };
        let role = match self.role {
            None => &ROLE_UNSAID,
            Some(Role::Host) => &(Role::Host as u32),
            Some(Role::Router) => &(Role::Router as u32),
        };
        [(TRACE_GLOBAL, trace), (ROLE_GLOBAL, role)]
    }
}

/// Loads the object's maps and programs. Maps in `pinned` are opened by their pins, or made and
/// pinned; the others belong to this instance. `sizes` are those of new maps, by name; `fixed` the options
/// that a start sets, `globals` what the socket program is told.
pub fn object(
    pins: &Pins,
    pinned: impl Iterator<Item = &'static str>,
    fixed: Fixed,
    sizes: &[(&'static str, u32)],
    globals: Option<&Globals>,
) -> Result<Ebpf, DatapathError> {
    let mut loader = EbpfLoader::new();
    for (name, value) in fixed.globals() {
        loader.override_global(name, value, true);
    }
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

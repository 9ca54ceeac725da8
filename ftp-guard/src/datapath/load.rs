//! Loads the embedded object.

use std::{io, panic::resume_unwind, thread};

use aya::{
    Ebpf, EbpfLoader,
    programs::{Program, ProgramError, SchedClassifier, Xdp},
};
use ftp_guard_common::{
    config::{ROLE_GLOBAL, ROLE_UNSAID, Role},
    front::{FRONT_GLOBAL, FRONT_OFF, FRONT_ON},
    names::{SOCKETS_PROGRAM, XDP_PROGRAM},
    trace::{TRACE_GLOBAL, TRACE_OFF, TRACE_ON},
};

use super::{
    error::DatapathError,
    object,
    pins::Pins,
    sockets::{self, Globals},
    tables::Hook,
};

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
    pub fn globals(self) -> [(&'static str, &'static u32); 3] {
        let trace = if self.trace { &TRACE_ON } else { &TRACE_OFF };
        let role = match self.role {
            None => &ROLE_UNSAID,
            Some(Role::Host) => &(Role::Host as u32),
            Some(Role::Router) => &(Role::Router as u32),
        };
        // Loads and stores of other processors need fences, which cost more than what they were for.
        let front = if cfg!(target_arch = "x86_64") {
            &FRONT_ON
        } else {
            &FRONT_OFF
        };
        [
            (TRACE_GLOBAL, trace),
            (ROLE_GLOBAL, role),
            (FRONT_GLOBAL, front),
        ]
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

/// Loads the programs that are attached to interfaces, all at once: the verifier takes up to half a second for each, and
/// the kernel has one for every program that asks. With `sockets` also that on the tracepoint, should it load:
/// [`sockets::attach`] tells why it does not.
pub fn programs(ebpf: &mut Ebpf, sockets: bool) -> Result<(), DatapathError> {
    let load = |name: &str, program: &mut Program| match program {
        Program::Xdp(program) if name == XDP_PROGRAM => load_xdp(program),
        Program::SchedClassifier(program) => {
            let hook = Hook::ALL.into_iter().find(|hook| hook.program() == name);
            hook.map_or(Ok(()), |hook| load_classifier(program, hook))
        }
        Program::BtfTracePoint(program) if sockets && name == SOCKETS_PROGRAM => {
            drop(sockets::load_program(program));
            Ok(())
        }
        _ => Ok(()),
    };
    thread::scope(|scope| {
        let loads: Vec<_> = ebpf
            .programs_mut()
            .map(|(name, program)| {
                thread::Builder::new()
                    .name("verifier".to_owned())
                    .spawn_scoped(scope, move || load(name, program))
                    .map_err(|error| DatapathError::kernel("start a thread", error))
            })
            .collect();
        // All are waited for, whichever fails.
        let results: Vec<_> = loads
            .into_iter()
            .map(|load| load?.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        results.into_iter().collect()
    })
}

/// Loads the XDP program into the kernel, past the verifier.
pub fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, DatapathError> {
    let program: &mut Xdp = ebpf
        .program_mut(XDP_PROGRAM)
        .ok_or_else(|| missing(XDP_PROGRAM))?
        .try_into()
        .map_err(not_loaded)?;
    load_xdp(program)?;
    Ok(program)
}

fn load_xdp(program: &mut Xdp) -> Result<(), DatapathError> {
    match program.fd() {
        Ok(_) => Ok(()),
        Err(_) => program.load().map_err(not_loaded),
    }
}

fn not_loaded(error: ProgramError) -> DatapathError {
    DatapathError::kernel("load the XDP program into the kernel", error)
}

/// Loads a classifier into the kernel, past the verifier.
pub fn classifier(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut SchedClassifier, DatapathError> {
    let program: &mut SchedClassifier = ebpf
        .program_mut(hook.program())
        .ok_or_else(|| missing(hook.program()))?
        .try_into()
        .map_err(|error| classifier_not_loaded(hook, error))?;
    load_classifier(program, hook)?;
    Ok(program)
}

fn load_classifier(program: &mut SchedClassifier, hook: Hook) -> Result<(), DatapathError> {
    match program.fd() {
        Ok(_) => Ok(()),
        Err(_) => program
            .load()
            .map_err(|error| classifier_not_loaded(hook, error)),
    }
}

fn classifier_not_loaded(hook: Hook, error: ProgramError) -> DatapathError {
    let what = format!("load the {} classifier into the kernel", hook.as_str());
    DatapathError::kernel(what, error)
}

/// The embedded object lacks something that the loader names; the object ring tests that it does not.
pub fn missing(name: &str) -> DatapathError {
    let missing = io::Error::other("the embedded object does not have it");
    DatapathError::kernel(format!("find `{name}`"), missing)
}

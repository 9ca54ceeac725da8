//! The program on the kernel's tracepoint of TCP states, which hears of this host's sockets.

use std::{fs, io, os::unix::fs::MetadataExt};

use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{BtfTracePoint, ProgramError, links::FdLink},
};
use ftp_guard_common::{
    names::SOCKETS_PROGRAM,
    sockets::{INUM_OFFSET_GLOBAL, NET_OFFSET_GLOBAL, NETNS_GLOBAL, SPORT_OFFSET_GLOBAL},
};

use super::{
    btf::{self, Offsets},
    error::DatapathError,
    load,
    pins::Pins,
};

/// The tracepoint.
const TRACEPOINT: &str = "inet_sock_set_state";

/// Where the kernel describes its own types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Puts the program on its tracepoint, in the place of a predecessor's. Such a link cannot be updated,
/// so that for a moment both run; what they do to the tables is the same.
pub fn attach(ebpf: &mut Ebpf, pins: &Pins) -> Result<(), DatapathError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        DatapathError::kernel(
            format!("attach to the kernel's tracepoint {TRACEPOINT}"),
            error,
        )
    };
    let program = load(ebpf)?;
    let id = program.attach().map_err(|error| failed(error.into()))?;
    let link = program
        .take_link(id)
        .map_err(|error| failed(error.into()))?;
    pins.replace_sockets(FdLink::from(link))
}

/// Takes the program off; whether it was on.
pub fn detach(pins: &Pins) -> Result<bool, DatapathError> {
    pins.remove(&pins.sockets())
}

fn load(ebpf: &mut Ebpf) -> Result<&mut BtfTracePoint, DatapathError> {
    let program: &mut BtfTracePoint = ebpf
        .program_mut(SOCKETS_PROGRAM)
        .ok_or_else(|| load::missing(SOCKETS_PROGRAM))?
        .try_into()
        .map_err(not_loaded)?;
    load_program(program)?;
    Ok(program)
}

/// Loads the program into the kernel, unless it is there.
pub fn load_program(program: &mut BtfTracePoint) -> Result<(), DatapathError> {
    if program.fd().is_ok() {
        return Ok(());
    }
    let types = kernel_types()?;
    // Without them its globals are unset, and it would read anything.
    offsets(&types)?;
    let types = Btf::parse(&types, aya::Endianness::default())
        .map_err(|error| DatapathError::kernel(format!("read {KERNEL_BTF}"), error))?;
    program.load(TRACEPOINT, &types).map_err(not_loaded)
}

fn not_loaded(error: ProgramError) -> DatapathError {
    DatapathError::kernel("load the socket program into the kernel", error)
}

/// What the socket program is told of the kernel and of this network namespace when it is loaded.
pub struct Globals {
    values: [(&'static str, u32); 4],
}

impl Globals {
    /// Reads them; nothing where the kernel does not describe its types: [`attach`] says so, should the
    /// program be wanted.
    pub fn read() -> Result<Option<Self>, DatapathError> {
        let types = match kernel_types() {
            Ok(types) => types,
            Err(DatapathError::NoKernelTypes { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(offsets) = offsets(&types) else {
            return Ok(None);
        };
        Ok(Some(Self {
            values: [
                (NETNS_GLOBAL, namespace()?),
                (NET_OFFSET_GLOBAL, offsets.net),
                (INUM_OFFSET_GLOBAL, offsets.inum),
                (SPORT_OFFSET_GLOBAL, offsets.source_port),
            ],
        }))
    }

    /// Hands them to the loader.
    pub fn set<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        for (name, value) in &self.values {
            loader.override_global(name, value, true);
        }
    }
}

/// The inode number of this thread's network namespace, as `ns.inum` in the kernel. Threads of one process
/// may be in several.
fn namespace() -> Result<u32, DatapathError> {
    const NAMESPACE: &str = "/proc/thread-self/ns/net";
    let failed = |error| DatapathError::kernel(format!("examine {NAMESPACE}"), error);
    let inode = fs::metadata(NAMESPACE).map_err(failed)?.ino();
    u32::try_from(inode).map_err(|error| failed(io::Error::other(error)))
}

fn offsets(types: &[u8]) -> Result<Offsets, DatapathError> {
    btf::offsets(types).map_err(|error| DatapathError::kernel(format!("read {KERNEL_BTF}"), error))
}

/// The kernel's description of its types, as it stands in the file.
fn kernel_types() -> Result<Vec<u8>, DatapathError> {
    fs::read(KERNEL_BTF).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DatapathError::NoKernelTypes { path: KERNEL_BTF },
        _ => DatapathError::kernel(format!("read {KERNEL_BTF}"), error),
    })
}

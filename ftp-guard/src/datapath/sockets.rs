//! The program on the kernel's tracepoint of TCP states, which hears of this host's sockets.

use std::{fs, io};

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, links::FdLink},
};
use ftp_guard_common::names::SOCKETS_PROGRAM;

use super::{error::DatapathError, load, pins::Pins};

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
    let failed = |error| DatapathError::kernel("load the socket program into the kernel", error);
    let program: &mut BtfTracePoint = ebpf
        .program_mut(SOCKETS_PROGRAM)
        .ok_or_else(|| load::missing(SOCKETS_PROGRAM))?
        .try_into()
        .map_err(failed)?;
    if program.fd().is_err() {
        let types = kernel_types()?;
        let types = Btf::parse(&types, aya::Endianness::default())
            .map_err(|error| DatapathError::kernel(format!("read {KERNEL_BTF}"), error))?;
        program.load(TRACEPOINT, &types).map_err(failed)?;
    }
    Ok(program)
}

/// The kernel's description of its types, as it stands in the file.
fn kernel_types() -> Result<Vec<u8>, DatapathError> {
    fs::read(KERNEL_BTF).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DatapathError::NoKernelTypes { path: KERNEL_BTF },
        _ => DatapathError::kernel(format!("read {KERNEL_BTF}"), error),
    })
}

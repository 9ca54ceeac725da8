//! Calls of `bpf(2)` that aya does not offer.

use std::{
    ffi::CString,
    io, mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_link_info, bpf_link_type};

/// Makes one call.
///
/// # Safety
///
/// Each pointer in the attributes points to memory of the length that they tell, which lives until the
/// call returns.
pub unsafe fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the attributes are a whole `bpf_attr`; the caller vouches for its pointers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_int,
            std::ptr::from_mut(attributes),
            size_of::<bpf_attr>(),
        )
    };
    match result {
        0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Attributes of zeros.
pub fn attributes() -> bpf_attr {
    // SAFETY: a union of structs of integers, for which zeros are a value.
    unsafe { mem::zeroed() }
}

/// A pinned link, as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedLink {
    /// Kernel id of the program behind it.
    pub program: u32,
    /// Index of the interface that it is on; 0 when that is gone or the link was taken off by force.
    pub ifindex: u32,
}

/// Examines a pinned link of an XDP program or a tcx classifier; nothing when there is no such pin.
pub fn pinned_link(pin: &Path) -> io::Result<Option<PinnedLink>> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut open = attributes();
    open.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    // SAFETY: the path is a string with its end, and lives.
    let link = match unsafe { bpf(bpf_cmd::BPF_OBJ_GET, &mut open) } {
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd as i32) },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // SAFETY: a struct of integers and a union of such, for which zeros are a value.
    let mut info: bpf_link_info = unsafe { mem::zeroed() };
    let mut examine = attributes();
    examine.info.bpf_fd = link.as_raw_fd() as u32;
    examine.info.info_len = size_of::<bpf_link_info>() as u32;
    examine.info.info = std::ptr::from_mut(&mut info) as u64;
    // SAFETY: `info` is as long as `info_len` says, and lives.
    unsafe { bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut examine)? };
    // SAFETY: any bytes are a value of these members; those of the kind at hand the kernel has set.
    let ifindex = unsafe {
        match info.type_ {
            kind if kind == bpf_link_type::BPF_LINK_TYPE_XDP as u32 => {
                info.__bindgen_anon_1.xdp.ifindex
            }
            kind if kind == bpf_link_type::BPF_LINK_TYPE_TCX as u32 => {
                info.__bindgen_anon_1.tcx.ifindex
            }
            _ => 0,
        }
    };
    Ok(Some(PinnedLink {
        program: info.prog_id,
        ifindex,
    }))
}

//! What the kernel offers, found out by trying it: versions lie, since distributions take features back into
//! older kernels, and leave others out.

use std::{ffi::CString, io, os::fd::FromRawFd, os::fd::OwnedFd};

use aya_obj::generated::{
    BPF_F_XDP_HAS_FRAGS, bpf_attach_type, bpf_attr, bpf_cmd, bpf_func_id, bpf_map_type,
    bpf_prog_type,
};
use nix::errno::Errno;

use super::sys;

/// Something that the programs use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Programs of type XDP.
    Xdp,
    /// Programs of type SCHED_CLS.
    Classifier,
    /// XDP programs that take frames of several buffers.
    XdpFrags,
    /// Tables of prefixes.
    LpmTrie,
    /// Ring buffers.
    RingBuffer,
    /// The helper `bpf_loop`.
    Loop,
    /// The helper `bpf_xdp_load_bytes`.
    XdpLoadBytes,
    /// The helpers that make and check SYN cookies.
    SynCookies,
    /// The helper `bpf_ktime_get_tai_ns`.
    TaiClock,
    /// Classifiers as links.
    Tcx,
}

/// What came of trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel has it.
    Present,
    /// The kernel does not have it.
    Missing,
    /// The kernel, or somebody before it, does not let us try.
    Refused {
        /// Its word.
        because: String,
    },
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Xdp,
        Self::Classifier,
        Self::XdpFrags,
        Self::LpmTrie,
        Self::RingBuffer,
        Self::Loop,
        Self::XdpLoadBytes,
        Self::SynCookies,
        Self::TaiClock,
        Self::Tcx,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Classifier => "sched_cls",
            Self::XdpFrags => "xdp.frags",
            Self::LpmTrie => "lpm_trie",
            Self::RingBuffer => "ring buffer",
            Self::Loop => "bpf_loop",
            Self::XdpLoadBytes => "bpf_xdp_load_bytes",
            Self::SynCookies => "bpf_tcp_raw_gen_syncookie",
            Self::TaiClock => "bpf_ktime_get_tai_ns",
            Self::Tcx => "tcx",
        }
    }

    /// The first kernel that has it.
    #[must_use]
    pub const fn since(self) -> &'static str {
        match self {
            Self::Xdp => "4.8",
            Self::Classifier => "4.1",
            Self::XdpFrags | Self::XdpLoadBytes => "5.18",
            Self::LpmTrie => "4.11",
            Self::RingBuffer => "5.8",
            Self::Loop => "5.17",
            Self::SynCookies => "6.0",
            Self::TaiClock => "6.1",
            Self::Tcx => "6.6",
        }
    }

    /// What does its work where it is missing; nothing: the programs do not load without it.
    #[must_use]
    pub const fn instead(self) -> Option<&'static str> {
        match self {
            Self::Tcx => Some("filters of a clsact qdisc"),
            _ => None,
        }
    }

    /// Tries it. Nothing is attached, and what is made for it goes at once.
    #[must_use]
    pub fn probe(self) -> Outcome {
        let xdp = bpf_prog_type::BPF_PROG_TYPE_XDP;
        let classifier = bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS;
        match self {
            Self::Xdp => loads(xdp, 0),
            Self::Classifier => loads(classifier, 0),
            Self::XdpFrags => loads(xdp, BPF_F_XDP_HAS_FRAGS),
            // A prefix is a length and at least a byte; such a trie cannot be preallocated.
            Self::LpmTrie => makes(bpf_map_type::BPF_MAP_TYPE_LPM_TRIE, 8, 4, NO_PREALLOC, 1),
            Self::RingBuffer => makes(bpf_map_type::BPF_MAP_TYPE_RINGBUF, 0, 0, 0, PAGE),
            Self::Loop => helper(classifier, bpf_func_id::BPF_FUNC_loop),
            Self::XdpLoadBytes => helper(xdp, bpf_func_id::BPF_FUNC_xdp_load_bytes),
            Self::SynCookies => helper(xdp, bpf_func_id::BPF_FUNC_tcp_raw_gen_syncookie_ipv4),
            Self::TaiClock => helper(xdp, bpf_func_id::BPF_FUNC_ktime_get_tai_ns),
            Self::Tcx => tcx(),
        }
    }
}

/// Whether bpf(2) gets to the kernel: an impossible request is E2BIG there, and whatever a filter of system
/// calls makes of it elsewhere. It needs no privilege.
///
/// # Errors
///
/// What was answered instead.
pub fn reaches_kernel() -> io::Result<()> {
    const TOO_LARGE: usize = 1 << 20;
    let mut attributes = sys::attributes();
    // SAFETY: the kernel looks at the size before it touches the memory, and refuses one beyond a page.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            bpf_cmd::BPF_MAP_CREATE as libc::c_int,
            std::ptr::from_mut(&mut attributes),
            TOO_LARGE,
        )
    };
    match Errno::last() {
        _ if result >= 0 => Ok(()),
        Errno::E2BIG => Ok(()),
        errno => Err(errno.into()),
    }
}

/// linux/bpf.h, BPF_F_NO_PREALLOC
const NO_PREALLOC: u32 = 1;
/// The smallest ring buffer, on any architecture.
const PAGE: u32 = 64 * 1024;

/// `r0 = 2; exit`: XDP_PASS; of a classifier TC_ACT_SHOT, but nobody attaches it.
const PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x95];

fn loads(kind: bpf_prog_type, flags: u32) -> Outcome {
    match load(kind, flags, &PASS).0 {
        Ok(_) => Outcome::Present,
        Err(error) => refused(&error).unwrap_or(Outcome::Missing),
    }
}

/// A program that does nothing but call the helper. The verifier may well refuse the arguments: what it says
/// of a helper that it does not know is something else.
fn helper(kind: bpf_prog_type, helper: bpf_func_id) -> Outcome {
    let call = u64::from(helper as u32) << 32 | 0x85;
    let (result, log) = load(kind, 0, &[call, 0x95]);
    match result {
        Ok(_) => Outcome::Present,
        Err(_) if is_unknown(&log) => Outcome::Missing,
        Err(_) if !log.is_empty() => Outcome::Present,
        Err(error) => refused(&error).unwrap_or(Outcome::Missing),
    }
}

/// What the verifier says (kernel/bpf/verifier.c) of a number that is no helper, and of a helper that is not
/// for this type of program.
fn is_unknown(log: &str) -> bool {
    ["invalid func", "unknown func", "cannot use helper"]
        .iter()
        .any(|words| log.contains(words))
}

fn load(kind: bpf_prog_type, flags: u32, code: &[u64]) -> (io::Result<OwnedFd>, String) {
    // Some helpers are for programs under the GPL.
    let license = CString::from(c"GPL");
    let mut log = vec![0_u8; 4096];
    let mut attributes = sys::attributes();
    let program = program_of(&mut attributes);
    program.prog_type = kind as u32;
    program.insn_cnt = code.len() as u32;
    program.insns = code.as_ptr() as u64;
    program.license = license.as_ptr() as u64;
    program.prog_flags = flags;
    program.log_level = 1;
    program.log_size = log.len() as u32;
    program.log_buf = log.as_mut_ptr() as u64;
    // SAFETY: code, license and log live until the call returns, and are as long as the attributes say.
    let result = unsafe { make(bpf_cmd::BPF_PROG_LOAD, &mut attributes) };
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    (result, String::from_utf8_lossy(&log[..end]).into_owned())
}

type ProgramAttributes = aya_obj::generated::bpf_attr__bindgen_ty_4;

fn program_of(attributes: &mut bpf_attr) -> &mut ProgramAttributes {
    // SAFETY: structs of integers, for which any bytes are a value.
    unsafe { &mut attributes.__bindgen_anon_3 }
}

fn makes(kind: bpf_map_type, key: u32, value: u32, flags: u32, entries: u32) -> Outcome {
    let mut attributes = sys::attributes();
    attributes.__bindgen_anon_1.map_type = kind as u32;
    attributes.__bindgen_anon_1.key_size = key;
    attributes.__bindgen_anon_1.value_size = value;
    attributes.__bindgen_anon_1.max_entries = entries;
    attributes.__bindgen_anon_1.map_flags = flags;
    // SAFETY: these attributes hold no pointers.
    match unsafe { make(bpf_cmd::BPF_MAP_CREATE, &mut attributes) } {
        Ok(_) => Outcome::Present,
        Err(error) => refused(&error).unwrap_or(Outcome::Missing),
    }
}

/// A link to an interface that cannot be there: a kernel that knows tcx misses the interface, one that does
/// not know it cannot make sense of the request.
fn tcx() -> Outcome {
    let program = match load(bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS, 0, &PASS).0 {
        Ok(program) => program,
        Err(error) => return refused(&error).unwrap_or(Outcome::Missing),
    };
    let mut attributes = sys::attributes();
    attributes.link_create.__bindgen_anon_1.prog_fd =
        std::os::fd::AsRawFd::as_raw_fd(&program) as u32;
    attributes.link_create.__bindgen_anon_2.target_ifindex = i32::MAX as u32;
    attributes.link_create.attach_type = bpf_attach_type::BPF_TCX_EGRESS as u32;
    // SAFETY: these attributes hold no pointers.
    match unsafe { make(bpf_cmd::BPF_LINK_CREATE, &mut attributes) } {
        Ok(_) => Outcome::Present,
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Outcome::Present,
        Err(error) => refused(&error).unwrap_or(Outcome::Missing),
    }
}

/// Makes a call that returns a descriptor.
///
/// # Safety
///
/// As [`sys::bpf`].
unsafe fn make(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for the pointers; the kernel has just made the descriptor, and nobody
    // else has it.
    unsafe { sys::bpf(command, attributes).map(|fd| OwnedFd::from_raw_fd(fd as i32)) }
}

/// A lack of privilege, memory or system call says nothing about the feature.
fn refused(error: &io::Error) -> Option<Outcome> {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS | libc::ENOMEM) => Some(Outcome::Refused {
            because: error.to_string(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_tells_what_it_does_not_know() {
        for log in [
            "0: (85) call unknown#9999\ninvalid func unknown#9999\n",
            "0: (85) call bpf_loop#181\nunknown func bpf_loop#181\n",
            "program of this type cannot use helper bpf_xdp_load_bytes#189\n",
        ] {
            assert!(is_unknown(log), "{log}");
        }
        assert!(!is_unknown("0: (85) call bpf_loop#181\nR1 !read_ok\n"));
    }

    #[test]
    fn what_a_kernel_has_is_found_or_refused_and_nothing_else_is_there() {
        // As root the first, else the second.
        let found = Feature::Classifier.probe();
        assert_ne!(found, Outcome::Missing);
        let strange = loads(bpf_prog_type::__MAX_BPF_PROG_TYPE, 0);
        assert_ne!(strange, Outcome::Present);
        if found == Outcome::Present {
            assert_eq!(strange, Outcome::Missing);
            // A helper of another type of program.
            let kind = bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS;
            let other = helper(kind, bpf_func_id::BPF_FUNC_xdp_load_bytes);
            assert_eq!(other, Outcome::Missing);
            assert_eq!(
                helper(kind, bpf_func_id::BPF_FUNC_skb_load_bytes),
                Outcome::Present
            );
        }
    }

    #[test]
    fn the_system_call_gets_to_the_kernel() {
        reaches_kernel().unwrap();
    }
}

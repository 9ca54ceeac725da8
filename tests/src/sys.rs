//! System calls that the suites need and the libraries do not offer.

mod maps;

use std::{
    ffi::CString,
    io, mem,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use aya::{Pod, maps::MapData};
use aya_obj::generated::{
    __BindgenBitfieldUnit, bpf_attach_type, bpf_attr, bpf_cmd, bpf_insn, bpf_prog_type,
};
use ftp_guard_common::stats::{Counter, STATS_LEN};

pub use self::maps::{Shape, add_key, array_holds, clear_keys, fill_array, first_key};

fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the attributes are a whole `bpf_attr`, and each caller makes the pointers in them
    // point to memory that lives until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_int,
            std::ptr::from_mut(attributes),
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn zeroed() -> bpf_attr {
    // SAFETY: `bpf_attr` is a union of structs of integers, for which zeros are a value.
    unsafe { mem::zeroed() }
}

/// Reads the whole counter table in one call (per-CPU arrays: kernel 5.13),
/// the CPUs' shares added up: [`STATS_LEN`] cells.
///
/// # Errors
///
/// What the kernel says.
pub fn counters(map: BorrowedFd<'_>, cpus: usize) -> io::Result<Vec<Counter>> {
    let length = STATS_LEN as usize;
    let mut keys = vec![0_u32; length];
    let mut values = vec![Counter::default(); length * cpus];
    let mut cursor = 0_u32;
    let mut attributes = zeroed();
    attributes.batch.out_batch = std::ptr::from_mut(&mut cursor) as u64;
    attributes.batch.keys = keys.as_mut_ptr() as u64;
    attributes.batch.values = values.as_mut_ptr() as u64;
    attributes.batch.count = STATS_LEN;
    attributes.batch.map_fd = map.as_raw_fd() as u32;
    match bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attributes) {
        // ENOENT: the end of the map came with this batch.
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
        _ => {}
    }
    // SAFETY: the kernel has written the member that was set above.
    let count = unsafe { attributes.batch.count };
    if count != STATS_LEN || keys.iter().enumerate().any(|(i, key)| i != *key as usize) {
        return Err(io::Error::other(format!(
            "the kernel returned {count} of {STATS_LEN} counters, or in another order"
        )));
    }
    Ok(values
        .chunks(cpus)
        .map(|shares| {
            shares
                .iter()
                .fold(Counter::default(), |sum, share| Counter {
                    packets: sum.packets + share.packets,
                    bytes: sum.bytes + share.bytes,
                })
        })
        .collect())
}

/// Reads a whole array of words in one call (kernel 5.6).
///
/// # Errors
///
/// What the kernel says: the array is of another length.
pub fn words(map: BorrowedFd<'_>, length: u32) -> io::Result<Vec<u64>> {
    let mut keys = vec![0_u32; length as usize];
    let mut values = vec![0_u64; length as usize];
    let mut cursor = 0_u32;
    let mut attributes = zeroed();
    attributes.batch.out_batch = std::ptr::from_mut(&mut cursor) as u64;
    attributes.batch.keys = keys.as_mut_ptr() as u64;
    attributes.batch.values = values.as_mut_ptr() as u64;
    attributes.batch.count = length;
    attributes.batch.map_fd = map.as_raw_fd() as u32;
    match bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attributes) {
        // ENOENT: the end of the map came with this batch.
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
        _ => {}
    }
    // SAFETY: the kernel has written the member that was set above.
    if unsafe { attributes.batch.count } != length {
        return Err(io::Error::other("the array is of another length"));
    }
    Ok(values)
}

/// The value of key 0 of an array, as so many numbers. It may be larger than a stack.
///
/// # Errors
///
/// What the kernel says; the value is of another length.
pub fn first_value<T: Pod>(map: &MapData, length: usize) -> io::Result<Vec<T>> {
    let info = map.info().map_err(io::Error::other)?;
    if info.value_size() as usize != length * size_of::<T>() {
        return Err(io::Error::other("the value is of another length"));
    }
    let key = 0_u32;
    let mut values: Vec<T> = Vec::with_capacity(length);
    let mut attributes = zeroed();
    attributes.__bindgen_anon_2.key = std::ptr::from_ref(&key) as u64;
    attributes.__bindgen_anon_2.__bindgen_anon_1.value = values.as_mut_ptr() as u64;
    attributes.__bindgen_anon_2.map_fd = map.fd().as_fd().as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attributes)?;
    // SAFETY: the kernel has written all of the value, and any bits are a value of the type.
    unsafe { values.set_len(length) };
    Ok(values)
}

/// Overwrites an array of words from its beginning, in one call (kernel 5.6).
///
/// # Errors
///
/// What the kernel says: the array is shorter.
pub fn set_words(map: BorrowedFd<'_>, values: &[u64]) -> io::Result<()> {
    let keys: Vec<u32> = (0..values.len() as u32).collect();
    update(map, keys.as_ptr().cast(), values)
}

/// Inserts words into a map under keys of any one size, in one call (kernel 5.6).
///
/// # Errors
///
/// What the kernel says: the map is full, or has no such keys.
pub fn insert_words(map: BorrowedFd<'_>, keys: &[u8], values: &[u64]) -> io::Result<()> {
    update(map, keys.as_ptr().cast(), values)
}

/// Overwrites some words of an array, by their indices, in one call (kernel 5.6).
///
/// # Errors
///
/// What the kernel says: the array is shorter.
pub fn set_some_words(map: BorrowedFd<'_>, keys: &[u32], values: &[u64]) -> io::Result<()> {
    if keys.len() != values.len() {
        return Err(io::Error::other("not as many words as indices"));
    }
    if keys.is_empty() {
        return Ok(());
    }
    update(map, keys.as_ptr().cast(), values)
}

/// As many keys as there are values, wherever they are.
fn update(map: BorrowedFd<'_>, keys: *const u8, values: &[u64]) -> io::Result<()> {
    let mut attributes = zeroed();
    attributes.batch.keys = keys as u64;
    attributes.batch.values = values.as_ptr() as u64;
    attributes.batch.count = values.len() as u32;
    attributes.batch.map_fd = map.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut attributes).map(drop)
}

/// Loads an XDP program that does nothing but return `XDP_PASS`: what a test run costs by itself.
///
/// # Errors
///
/// What the kernel says.
pub fn load_pass_program() -> io::Result<OwnedFd> {
    load_constant(crate::program::XDP_PASS)
}

/// Loads an XDP program that does nothing but return `XDP_DROP`: the least that discarding a frame costs.
///
/// # Errors
///
/// What the kernel says.
pub fn load_drop_program() -> io::Result<OwnedFd> {
    load_constant(crate::program::XDP_DROP)
}

fn load_constant(action: u32) -> io::Result<OwnedFd> {
    const MOV64_IMM: u8 = 0xb7;
    load_xdp(&[instruction(MOV64_IMM, 0, 0, 0, action as i32), EXIT])
}

/// Attaches an XDP program to an interface of the calling thread's network namespace, for as long as
/// the link lives that is returned (kernel 5.9).
///
/// # Errors
///
/// What the kernel says.
pub fn attach_xdp(program: BorrowedFd<'_>, ifindex: u32) -> io::Result<OwnedFd> {
    let mut attributes = zeroed();
    attributes.link_create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    attributes.link_create.__bindgen_anon_2.target_ifindex = ifindex;
    attributes.link_create.attach_type = bpf_attach_type::BPF_XDP as u32;
    let fd = bpf(bpf_cmd::BPF_LINK_CREATE, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Takes a pinned link off by force, as `bpftool link detach` does: the pin stays (kernel 5.9).
///
/// # Errors
///
/// What the kernel says.
pub fn detach_link(pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attributes = zeroed();
    attributes.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    let fd = bpf(bpf_cmd::BPF_OBJ_GET, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    let link = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let mut attributes = zeroed();
    attributes.link_detach.link_fd = link.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_LINK_DETACH, &mut attributes).map(drop)
}

const EXIT: bpf_insn = instruction(0x95, 0, 0, 0, 0);

const fn instruction(code: u8, to: u8, from: u8, off: i16, imm: i32) -> bpf_insn {
    bpf_insn {
        code,
        _bitfield_align_1: [],
        _bitfield_1: __BindgenBitfieldUnit::new([to | from << 4]),
        off,
        imm,
    }
}

/// Loads an XDP program that returns the length of the linear part of its frame.
fn load_linear_length_program() -> io::Result<OwnedFd> {
    const LOAD_32: u8 = 0x61;
    const SUBTRACT: u8 = 0x1f;
    // `struct xdp_md`: `data` is its first 32-bit field, `data_end` its second.
    load_xdp(&[
        instruction(LOAD_32, 0, 1, 4, 0),
        instruction(LOAD_32, 2, 1, 0, 0),
        instruction(SUBTRACT, 0, 2, 0, 0),
        EXIT,
    ])
}

fn load_xdp(program: &[bpf_insn]) -> io::Result<OwnedFd> {
    const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;
    let mut attributes = zeroed();
    attributes.__bindgen_anon_3.prog_type = bpf_prog_type::BPF_PROG_TYPE_XDP as u32;
    attributes.__bindgen_anon_3.prog_flags = BPF_F_XDP_HAS_FRAGS;
    attributes.__bindgen_anon_3.insns = program.as_ptr() as u64;
    attributes.__bindgen_anon_3.insn_cnt = program.len() as u32;
    attributes.__bindgen_anon_3.license = c"MIT".as_ptr() as u64;
    let fd = bpf(bpf_cmd::BPF_PROG_LOAD, &mut attributes)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// How many bytes of a frame a program finds in the linear part when a test run asks for `linear`.
///
/// # Errors
///
/// `EINVAL` where the kernel cannot split a test frame at will (before 6.18).
pub fn linear_length(frame: &[u8], linear: u32) -> io::Result<u32> {
    let program = load_linear_length_program()?;
    let context = linear_context(linear);
    let mut attributes = zeroed();
    attributes.test.prog_fd = program.as_raw_fd() as u32;
    attributes.test.data_in = frame.as_ptr() as u64;
    attributes.test.data_size_in = frame.len() as u32;
    attributes.test.ctx_in = context.as_ptr() as u64;
    attributes.test.ctx_size_in = context.len() as u32;
    attributes.test.repeat = 1;
    bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attributes)?;
    // SAFETY: the kernel has written the member that was set above.
    Ok(unsafe { attributes.test.retval })
}

/// The `struct xdp_md` (six 32-bit fields) by which a test run asks for a linear part of this
/// length: it stands in the second field, `data_end`.
#[must_use]
pub fn linear_context(linear: u32) -> [u8; 24] {
    let mut context = [0; 24];
    context[4..8].copy_from_slice(&linear.to_ne_bytes());
    context
}

/// Runs an XDP program `repeat` times on a frame, in one system call.
///
/// # Errors
///
/// What the kernel says.
pub fn run_many(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> io::Result<()> {
    let mut attributes = zeroed();
    attributes.test.prog_fd = program.as_raw_fd() as u32;
    attributes.test.data_in = frame.as_ptr() as u64;
    attributes.test.data_size_in = frame.len() as u32;
    attributes.test.repeat = repeat;
    bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attributes)?;
    Ok(())
}

/// Keeps the calling thread on the CPU that it runs on.
///
/// # Errors
///
/// What the kernel says.
pub fn stay_on_this_cpu() -> nix::Result<()> {
    stay_on_cpu(nix::sched::sched_getcpu()?)
}

/// Keeps the calling thread on a CPU.
///
/// # Errors
///
/// There is no such CPU, or what the kernel says.
pub fn stay_on_cpu(cpu: usize) -> nix::Result<()> {
    let mut cpus = nix::sched::CpuSet::new();
    cpus.set(cpu)?;
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &cpus)
}

/// Seconds by which the host's CLOCK_TAI is ahead of CLOCK_REALTIME; 0 where no time daemon has told
/// the kernel.
///
/// # Errors
///
/// What the kernel says.
pub fn tai_offset_s() -> io::Result<i64> {
    // SAFETY: `timex` is a struct of integers, for which zeros are a value.
    let mut clock: libc::timex = unsafe { mem::zeroed() };
    // SAFETY: the struct is whole; mode 0 only reads.
    if unsafe { libc::adjtimex(&mut clock) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(clock.tai.into())
}

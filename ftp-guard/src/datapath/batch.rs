//! Reads a whole hash table (`BPF_MAP_LOOKUP_BATCH`, kernel 5.6).
//!
//! The kernel walks the table bucket by bucket, each under its lock. So the walk ends however fast
//! entries come and go, no key is told twice, and one that goes before its turn is left out. Walking
//! from key to key, as aya's iterator does, begins anew when the key at hand has gone.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
};

use aya::Pod;

/// linux/bpf.h, `enum bpf_cmd`.
const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;

/// Entries asked for in one call. A bucket must fit; a hash table has about one entry in each.
const CHUNK: u32 = 1024;

/// The member `batch` of `union bpf_attr` (linux/bpf.h).
#[repr(C)]
struct Attributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// All entries of a hash table of keys `K` and values `V`, in the kernel's order.
///
/// # Errors
///
/// What the kernel says.
pub fn entries<K: Pod, V: Pod>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>> {
    let mut found = Vec::new();
    let mut chunk = CHUNK;
    let mut bucket = None;
    loop {
        let mut next = 0_u32;
        let mut keys = vec![MaybeUninit::<K>::uninit(); chunk as usize];
        let mut values = vec![MaybeUninit::<V>::uninit(); chunk as usize];
        let mut attributes = Attributes {
            in_batch: bucket
                .as_ref()
                .map_or(0, |bucket: &u32| std::ptr::from_ref(bucket) as u64),
            out_batch: std::ptr::from_mut(&mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: chunk,
            map_fd: map.as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        let result = lookup(&mut attributes);
        let ended = match &result {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            // The next bucket has more entries than fit.
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && chunk < 1 << 20 => {
                chunk *= 4;
                continue;
            }
            Err(_) => return result.map(|()| found),
            Ok(()) => false,
        };
        let count = attributes.count.min(chunk) as usize;
        found.reserve(count);
        for (key, value) in keys.iter().zip(&values).take(count) {
            // SAFETY: the kernel has written `count` of each, of the map's key and value size, which
            // the caller has checked to be those of the types; `Pod` takes any bytes.
            found.push(unsafe { (key.assume_init(), value.assume_init()) });
        }
        if ended {
            return Ok(found);
        }
        bucket = Some(next);
    }
}

fn lookup(attributes: &mut Attributes) -> io::Result<()> {
    // SAFETY: the attributes are a whole `batch`, and the caller makes its pointers point to memory of
    // the lengths that they tell, alive until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_LOOKUP_BATCH,
            std::ptr::from_mut(attributes),
            size_of::<Attributes>(),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

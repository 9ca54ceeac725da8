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
use aya_obj::generated::bpf_cmd;

use super::sys;

/// Entries asked for in one call. A bucket must fit; a hash table has about one entry in each.
const CHUNK: u32 = 1024;

/// The most that is asked for, should a bucket not fit.
const LARGEST_CHUNK: u32 = 1 << 20;

/// All entries of a hash table of keys `K` and values `V`, in the kernel's order.
///
/// # Safety
///
/// The map's keys and values are of the sizes of the types.
///
/// # Errors
///
/// What the kernel says.
pub unsafe fn entries<K: Pod, V: Pod>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>> {
    let mut found = Vec::new();
    let mut chunk = CHUNK;
    let mut bucket: Option<u32> = None;
    loop {
        let mut next = 0_u32;
        let mut keys = vec![MaybeUninit::<K>::uninit(); chunk as usize];
        let mut values = vec![MaybeUninit::<V>::uninit(); chunk as usize];
        let mut attributes = sys::attributes();
        let from = bucket
            .as_ref()
            .map_or(0, |at| std::ptr::from_ref(at) as u64);
        attributes.batch.in_batch = from;
        attributes.batch.out_batch = std::ptr::from_mut(&mut next) as u64;
        attributes.batch.keys = keys.as_mut_ptr() as u64;
        attributes.batch.values = values.as_mut_ptr() as u64;
        attributes.batch.count = chunk;
        attributes.batch.map_fd = map.as_raw_fd() as u32;
        // SAFETY: keys and values are `chunk` of the map's size each; all live until the call returns.
        let result = unsafe { sys::bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attributes) };
        let ended = match result {
            Ok(_) => false,
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOENT) => true,
                // The next bucket has more entries than fit.
                Some(libc::ENOSPC) if chunk < LARGEST_CHUNK => {
                    chunk *= 4;
                    continue;
                }
                _ => return Err(error),
            },
        };
        // SAFETY: the kernel has written the member that was set above.
        let count = unsafe { attributes.batch.count }.min(chunk) as usize;
        for (key, value) in keys.iter().zip(&values).take(count) {
            // SAFETY: the kernel has written `count` of each; `Pod` takes any bytes.
            found.push(unsafe { (key.assume_init(), value.assume_init()) });
        }
        if ended {
            return Ok(found);
        }
        bucket = Some(next);
    }
}

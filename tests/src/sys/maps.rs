//! Maps of any kind, by their shape alone.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use aya_obj::generated::bpf_cmd;

use super::{bpf, zeroed};

/// How many bytes of values go to the kernel at a time.
const BATCH: usize = 1 << 20;

/// What a map is made of.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many entries it has room for.
    pub entries: u32,
    /// Bytes of a key.
    pub key: usize,
    /// Bytes of a value, of all CPUs together where each has its own.
    pub value: usize,
}

impl Shape {
    fn batches(self) -> impl Iterator<Item = Vec<u32>> {
        let most = (BATCH / self.value).max(1);
        (0..self.entries)
            .step_by(most)
            .map(move |first| (first..self.entries).take(most).collect())
    }
}

/// Makes all bytes of an array the same (per-CPU arrays: kernel 5.13).
///
/// # Errors
///
/// What the kernel says.
pub fn fill_array(map: BorrowedFd<'_>, shape: Shape, byte: u8) -> io::Result<()> {
    for keys in shape.batches() {
        let values = vec![byte; keys.len() * shape.value];
        let mut attributes = zeroed();
        attributes.batch.keys = keys.as_ptr() as u64;
        attributes.batch.values = values.as_ptr() as u64;
        attributes.batch.count = keys.len() as u32;
        attributes.batch.map_fd = map.as_raw_fd() as u32;
        bpf(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut attributes)?;
    }
    Ok(())
}

/// Whether any byte of an array is not zero.
///
/// # Errors
///
/// What the kernel says.
pub fn array_holds(map: BorrowedFd<'_>, shape: Shape) -> io::Result<bool> {
    let mut value = vec![0_u8; shape.value];
    for index in 0..shape.entries {
        let mut attributes = zeroed();
        attributes.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
        attributes.__bindgen_anon_2.key = std::ptr::from_ref(&index) as u64;
        attributes.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
        bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attributes)?;
        if value.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first key of a table or a trie.
///
/// # Errors
///
/// What the kernel says.
pub fn first_key(map: BorrowedFd<'_>, shape: Shape) -> io::Result<Option<Vec<u8>>> {
    let mut key = vec![0_u8; shape.key];
    let mut attributes = zeroed();
    attributes.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
    attributes.__bindgen_anon_2.__bindgen_anon_1.next_key = key.as_mut_ptr() as u64;
    match bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attributes) {
        Ok(_) => Ok(Some(key)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes all entries of a table or a trie.
///
/// # Errors
///
/// What the kernel says.
pub fn clear_keys(map: BorrowedFd<'_>, shape: Shape) -> io::Result<()> {
    while let Some(key) = first_key(map, shape)? {
        let mut attributes = zeroed();
        attributes.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
        attributes.__bindgen_anon_2.key = key.as_ptr() as u64;
        bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attributes)?;
    }
    Ok(())
}

/// Adds an entry to a table, or to a trie, where it is a prefix of one bit.
///
/// # Errors
///
/// What the kernel says.
pub fn add_key(map: BorrowedFd<'_>, shape: Shape) -> io::Result<()> {
    let mut key = vec![0_u8; shape.key];
    key[..4].copy_from_slice(&1_u32.to_ne_bytes());
    let value = vec![0xa5_u8; shape.value];
    let mut attributes = zeroed();
    attributes.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
    attributes.__bindgen_anon_2.key = key.as_ptr() as u64;
    attributes.__bindgen_anon_2.__bindgen_anon_1.value = value.as_ptr() as u64;
    bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attributes).map(drop)
}

//! Arrays of the kernel, mapped into memory (kernel 5.5).

use std::{
    io,
    ops::Deref,
    os::fd::{AsFd, AsRawFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use aya::maps::MapData;

use super::error::DatapathError;

/// Values of an array, which programs read and write meanwhile. Who wants references wants [`Word`]s.
pub(super) struct Mapped<T> {
    first: NonNull<T>,
    count: usize,
}

// SAFETY: it is a pointer to memory of this process that only `drop` gives back. To read or write there takes atomics, or
// `unsafe`.
unsafe impl<T> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Mapped<T> {}

/// Words that any bits are a value of, and that others may write at any time.
pub(super) trait Word: Sync + 'static {
    fn clear(&self);
}

impl Word for AtomicU32 {
    fn clear(&self) {
        self.store(0, Relaxed);
    }
}

impl Word for AtomicU64 {
    fn clear(&self) {
        self.store(0, Relaxed);
    }
}

impl<T> Mapped<T> {
    /// Maps the first `count` values of an array.
    pub(super) fn of(
        map: &MapData,
        name: &'static str,
        count: usize,
    ) -> Result<Self, DatapathError> {
        let failed = |error| DatapathError::kernel(format!("map {name} into memory"), error);
        // SAFETY: a new mapping at a place of the kernel's choice; the kernel refuses to map more than there is.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                count * size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(failed(io::Error::last_os_error()));
        }
        NonNull::new(address.cast())
            .map(|first| Self { first, count })
            .ok_or_else(|| failed(io::Error::other("mapped at nothing")))
    }

    /// The first value.
    pub(super) fn as_ptr(&self) -> *mut T {
        self.first.as_ptr()
    }
}

impl<T: Word> Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping is of this many words, readable and writable, and lives until `drop`.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.count) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `of` made; nobody has a reference into it.
        unsafe {
            libc::munmap(self.as_ptr().cast(), self.count * size_of::<T>());
        }
    }
}

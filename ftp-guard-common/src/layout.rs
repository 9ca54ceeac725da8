//! Proof that the shared types have one layout on both sides: sizes, offsets and no padding.

use core::mem::{align_of, offset_of, size_of};

use crate::{allow::AllowValue, config::GuardConfig, stats::Counter};

/// Asserts that the fields, in order, fill the type without a gap.
macro_rules! assert_packed {
    ($type:ty, size $size:literal, align $align:literal, $($field:ident: $field_type:ty),+ $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            assert!(align_of::<$type>() == $align);
            let mut end = 0;
            $(
                assert!(offset_of!($type, $field) == end);
                end += size_of::<$field_type>();
            )+
            assert!(end == $size);
        };
    };
}

assert_packed!(Counter, size 16, align 8, packets: u64, bytes: u64);
assert_packed!(GuardConfig, size 16, align 8, mode: u32, reserved: u32, tai_offset_ns: i64);
assert_packed!(AllowValue, size 8, align 4,
    expires_s: u32, profile: u16, prefix_len: u8, kind: u8);

#[cfg(feature = "user")]
mod user {
    use super::{AllowValue, Counter, GuardConfig};

    // SAFETY: `#[repr(C)]`, integers only, proved to have no padding above.
    unsafe impl aya::Pod for Counter {}
    // SAFETY: as for `Counter`.
    unsafe impl aya::Pod for GuardConfig {}
    // SAFETY: as for `Counter`.
    unsafe impl aya::Pod for AllowValue {}
}

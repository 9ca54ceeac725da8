//! Which parts of the address space changes concern.

use ipnet::IpNet;

/// All four /18s of a /16.
pub const ALL: u8 = 0xf;
/// The outcome of a prefix of up to 16 bits may be another.
pub const DEFAULT: u8 = 0x10;

/// By /16: a bit for each /18 that changes concern, and [`DEFAULT`]. Nothing: they are all of IPv6.
pub fn masks<'a>(changed: impl Iterator<Item = &'a IpNet>) -> Option<Vec<u8>> {
    let mut masks = Vec::new();
    for prefix in changed {
        let IpNet::V4(prefix) = prefix else {
            continue;
        };
        if masks.is_empty() {
            masks = vec![0; 1 << 16];
        }
        let (address, bits) = (u32::from(prefix.network()), prefix.prefix_len());
        let root = (address >> 16) as usize;
        let group = address >> 14 & 3;
        match bits {
            0..=16 => {
                for mask in &mut masks[root..root + (1 << (16 - bits))] {
                    *mask = ALL | DEFAULT;
                }
            }
            17 => masks[root] |= 3 << group,
            _ => masks[root] |= 1 << group,
        }
    }
    (!masks.is_empty()).then_some(masks)
}

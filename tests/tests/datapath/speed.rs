//! How much is run where the processor is emulated, some fifty times slower: the programs there are the same,
//! and it is the kernel's part that may differ.

use ftp_guard_common::config::Mode;

/// Whether the processor is emulated.
fn emulated() -> bool {
    std::env::var_os("FTP_GUARD_EMULATED").is_some()
}

/// The modes of stories: both; or the one that drops. The other one goes the same ways through the programs
/// up to their exit, and the rows of single frames have it there.
pub(crate) fn modes() -> &'static [Mode] {
    if emulated() {
        &[Mode::Enforce]
    } else {
        &[Mode::Enforce, Mode::Monitor]
    }
}

/// Of frames cut at every length, every one; or each eleventh, of all kinds in turn.
pub(crate) fn stride() -> usize {
    if emulated() { 11 } else { 1 }
}

/// A number of sources, or a tenth of it.
pub(crate) fn scaled(number: u32) -> u32 {
    if emulated() { number / 10 } else { number }
}

//! The commands that profiles refuse. The daemon fills the table.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use ftp_guard_common::{
    limits::{COMMANDS, CommandKey},
    reason::Reason,
};

#[btf_map]
static FTPG_COMMANDS: HashMap<CommandKey, u8, { COMMANDS as usize }> = HashMap::new();

/// Why a command is refused, if it is.
#[inline(always)]
pub fn refusal(key: &CommandKey) -> Option<Reason> {
    // SAFETY: entries of a preallocated table stay readable while the program runs, and a value is one byte.
    let number = unsafe { FTPG_COMMANDS.get(key) }.copied()?;
    Reason::refusal(number)
}

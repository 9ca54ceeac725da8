//! Read-only globals of the socket program, which the loader sets: where the kernel at hand keeps what
//! the program reads, from its BTF.
//!
//! None of them is 0 before it is set: LLVM merges zero globals with zero constants (see
//! [`TRACE_OFF`](crate::trace::TRACE_OFF)).

/// Inode number of the network namespace whose sockets count (`ns.inum`); a tracepoint hears of all.
pub const NETNS_GLOBAL: &str = "SOCK_NETNS";
/// Offset of `skc_net` in `struct sock_common`, in bytes.
pub const NET_OFFSET_GLOBAL: &str = "SOCK_NET_OFF";
/// Offset of `ns.inum` in `struct net`, in bytes.
pub const INUM_OFFSET_GLOBAL: &str = "SOCK_INUM_OFF";
/// Offset of `inet_sport` in `struct inet_sock`, in bytes.
pub const SPORT_OFFSET_GLOBAL: &str = "SOCK_SPORT_OFF";
/// What they are before the loader sets them.
pub const UNSET: u32 = 0x0ff0_0ff0;

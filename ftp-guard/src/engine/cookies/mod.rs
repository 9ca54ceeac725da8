//! When SYN cookies are engaged, and whether the guard is under attack.
//!
//! The programs answer connection requests with cookies; the host's stack has to accept what follows, for
//! which two sysctls are changed. The order is what this is about: the sysctls are set before the first
//! cookie is sent, and put back only when the last one that was sent can no longer come back. What is
//! under way is in the kernel, so that a daemon that starts anew goes on where its predecessor stopped.

mod attack;
mod keeper;
mod sysctls;
#[cfg(test)]
mod tests;

pub use self::{
    attack::{AttackWatch, Change, rate},
    keeper::{Command, Keeper, LINGER_NS, Phase, RETRY_NS, Scene},
    sysctls::{NEEDED, TcpSysctls, restored},
};

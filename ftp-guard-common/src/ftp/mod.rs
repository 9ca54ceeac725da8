//! Readers of the control connection (RFC 959, 1639, 2228, 2428, 4217), one byte at a time.
//!
//! Both sides use them: the kernel programs on every byte that passes, the daemon and the tests on
//! text. A reader's whole state is a small value of integers, all of them zero at the start, so that
//! it can wait in a table for the next segment; where segments begin and end makes no difference.
//!
//! The kernel's verifier walks through a reader once for a byte of any value in any state. So there
//! is no loop here, no index that is not a constant, and no arithmetic that can panic.
//!
//! What each form of a reply or command leads to is in `docs/replies.md`.

pub mod command;
pub mod hello;
mod host;
mod passive;
pub mod reply;

pub use host::HostReader;
pub use passive::PassiveReader;

/// Numbers in the list of PORT and 227: the host's four and the port's two (RFC 959 section 4.1.2).
const HOST_AND_PORT: u8 = 6;
/// Numbers in the list of LPRT and 228 for IPv4: family and length, the host's, length, and the port's
/// two (RFC 1639).
const LONG_IPV4: u8 = 9;
/// The same for IPv6.
const LONG_IPV6: u8 = 21;

/// What stands for 256 and more where a number must fit a byte: further digits leave it there.
const TOO_LARGE: u16 = 256;

/// A number of at most 255 with one more digit.
#[inline(always)]
const fn octet_with(number: u16, digit: u8) -> u16 {
    if number >= TOO_LARGE {
        return TOO_LARGE;
    }
    let number = number.wrapping_mul(10).wrapping_add(digit as u16);
    if number >= TOO_LARGE {
        TOO_LARGE
    } else {
        number
    }
}

/// A port with one more digit. Numbers beyond 65535 become 65536 and stay that.
#[inline(always)]
const fn port_with(number: u32, digit: u8) -> u32 {
    const TOO_LARGE: u32 = 1 << 16;
    if number >= TOO_LARGE {
        return TOO_LARGE;
    }
    let number = number.wrapping_mul(10).wrapping_add(digit as u32);
    if number >= TOO_LARGE {
        TOO_LARGE
    } else {
        number
    }
}

/// The value of a decimal digit.
#[inline(always)]
const fn decimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        _ => None,
    }
}

//! Which driver an interface has.

use std::{io, mem, os::fd::AsRawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// linux/ethtool.h
const ETHTOOL_GDRVINFO: u32 = 3;
const DRIVER_INFO: usize = 196;
const DRIVER_NAME: std::ops::Range<usize> = 4..36;

/// The name of an interface's driver (SIOCETHTOOL), such as `virtio_net`.
///
/// # Errors
///
/// No such interface, or one without a driver that has a name.
pub fn driver(interface: &str) -> io::Result<String> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut info = [0_u32; DRIVER_INFO / 4];
    info[0] = ETHTOOL_GDRVINFO;
    // SAFETY: a struct of integers and a union of such, for which zeros are a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = info.as_mut_ptr().cast();
    // SAFETY: `info` is a whole `ethtool_drvinfo`, and lives with the request until the call returns.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes: Vec<u8> = info.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let name = bytes[DRIVER_NAME].split(|byte| *byte == 0).next();
    Ok(String::from_utf8_lossy(name.unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_not_there_has_no_driver() {
        assert!(super::driver("no-such-iface").is_err());
    }
}

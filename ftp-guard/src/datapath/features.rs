//! Whether a program on an interface can answer packets (XDP_TX).
//!
//! Drivers tell since kernel 6.3 (generic netlink, family `netdev`). Where nobody tells, a driver that has
//! native XDP is taken for one that can: nearly all do.

use std::io;

use netlink_packet_core::NlasIterator;
use netlink_sys::{Socket as Netlink, SocketAddr, protocols::NETLINK_GENERIC};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::TimeVal,
};

use crate::{host::driver::driver, netlink::index_of};

/// linux/netlink.h, linux/genetlink.h
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// linux/netdev.h
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
/// Pass, drop and TX.
const NETDEV_XDP_ACT_BASIC: u64 = 1;
/// Frames of others are sent. On a veth: the other end takes frames that a program sends.
const NETDEV_XDP_ACT_NDO_XMIT: u64 = 4;

/// Frames of several buffers are taken.
const NETDEV_XDP_ACT_RX_SG: u64 = 32;

/// Bytes of `nlmsghdr`, and of `genlmsghdr` behind it.
const HEADER: usize = 16;
const GENERIC: usize = 4;

/// What a driver offers to XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpFeatures {
    /// Whether it runs programs itself, as the interface is set up now.
    pub native: bool,
    /// Whether native programs take frames of several buffers, which longer packets than a page are.
    pub frags: bool,
}

/// What the driver of an interface offers to XDP, as it tells itself since kernel 6.3.
///
/// # Errors
///
/// No such interface; a kernel that does not tell.
pub fn driver_features(interface: &str) -> io::Result<XdpFeatures> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let features = xdp_features(index_of(interface).ok_or_else(gone)?)?;
    Ok(XdpFeatures {
        native: features & NETDEV_XDP_ACT_BASIC != 0,
        frags: features & NETDEV_XDP_ACT_RX_SG != 0,
    })
}

/// Why a native program on this interface cannot answer packets, if that is known.
pub fn cannot_answer(interface: &str) -> Option<String> {
    // One that is not there is somebody else's concern, and a kernel that does not tell hides nothing.
    let features = xdp_features(index_of(interface)?).ok()?;
    let veth = || driver(interface).is_ok_and(|driver| driver == "veth");
    if features & NETDEV_XDP_ACT_BASIC == 0 {
        Some(format!("the driver of {interface} does not have XDP_TX"))
    } else if features & NETDEV_XDP_ACT_NDO_XMIT == 0 && veth() {
        Some(format!(
            "the other end of {interface}, a veth, takes no answers of a program: it has neither an XDP \
             program nor GRO (there: `ethtool -K IFACE gro on`)"
        ))
    } else {
        None
    }
}

/// The XDP features of an interface.
fn xdp_features(index: u32) -> io::Result<u64> {
    let mut netlink = Netlink::new(NETLINK_GENERIC)?;
    netlink.bind_auto()?;
    netlink.connect(&SocketAddr::new(0, 0))?;
    setsockopt(&netlink, ReceiveTimeout, &TimeVal::new(1, 0))?;
    let family = ask(
        &netlink,
        GENL_ID_CTRL,
        CTRL_CMD_GETFAMILY,
        (CTRL_ATTR_FAMILY_NAME, b"netdev\0"),
        CTRL_ATTR_FAMILY_ID,
    )?;
    let family = family.try_into().map_err(|_| unexpected())?;
    let features = ask(
        &netlink,
        u16::from_ne_bytes(family),
        NETDEV_CMD_DEV_GET,
        (NETDEV_A_DEV_IFINDEX, &index.to_ne_bytes()),
        NETDEV_A_DEV_XDP_FEATURES,
    )?;
    let features = features.try_into().map_err(|_| unexpected())?;
    Ok(u64::from_ne_bytes(features))
}

/// Sends a request with one attribute and returns one attribute of the answer.
fn ask(
    netlink: &Netlink,
    family: u16,
    command: u8,
    attribute: (u16, &[u8]),
    wanted: u16,
) -> io::Result<Vec<u8>> {
    netlink.send(&request(family, command, attribute), 0)?;
    let (answer, _) = netlink.recv_from_full()?;
    value(&answer, wanted)
}

fn request(family: u16, command: u8, (kind, value): (u16, &[u8])) -> Vec<u8> {
    let padded = value.len().next_multiple_of(4);
    let length = (HEADER + GENERIC + 4 + padded) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(family.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    // Number of the request, and port of the sender: both free.
    bytes.extend([0; 8]);
    bytes.extend([command, 1, 0, 0]);
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length as usize, 0);
    bytes
}

fn value(answer: &[u8], wanted: u16) -> io::Result<Vec<u8>> {
    let word = |at: usize| {
        let bytes = answer.get(at..at + 4)?;
        Some(i32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let kind = answer.get(4..6).and_then(|kind| kind.try_into().ok());
    if kind.map(u16::from_ne_bytes) == Some(NLMSG_ERROR) {
        let error = word(HEADER).ok_or_else(unexpected)?;
        return Err(io::Error::from_raw_os_error(error.saturating_neg()));
    }
    let attributes = answer.get(HEADER + GENERIC..).ok_or_else(unexpected)?;
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|_| unexpected())?;
        if attribute.kind() == wanted {
            return Ok(attribute.value().to_vec());
        }
    }
    Err(unexpected())
}

fn unexpected() -> io::Error {
    io::Error::other("an answer that is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_no_native_xdp() {
        // Kernels before 6.3 do not tell.
        if let Ok(features) = xdp_features(index_of("lo").unwrap()) {
            assert_eq!(features & NETDEV_XDP_ACT_BASIC, 0);
            let why = cannot_answer("lo").unwrap();
            assert!(why.contains("driver of lo"), "{why}");
        }
        assert_eq!(cannot_answer("no-such-iface"), None);
    }

    #[test]
    fn answers_are_read() {
        let answer = request(17, 1, (NETDEV_A_DEV_XDP_FEATURES, &7_u64.to_ne_bytes()));
        assert_eq!(value(&answer, 3).unwrap(), 7_u64.to_ne_bytes());
        assert!(value(&answer, 4).is_err());
        assert!(value(&answer[..18], 3).is_err());
        let mut error = request(NLMSG_ERROR, 0, (0, &[]));
        error[HEADER..HEADER + 4].copy_from_slice(&(-libc::ENOENT).to_ne_bytes());
        let error = value(&error, 3).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}

//! A prefix or a range of addresses, as other programs write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Subnets};

use crate::diagnostic::quoted;
use crate::engine::allowlist::parse_prefix;

/// How many IPv4 addresses there are.
const ALL_V4: u64 = 1 << 32;

/// Addresses without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Net(IpNet),
    /// First and last.
    V4(Ipv4Addr, Ipv4Addr),
    /// First and last.
    V6(Ipv6Addr, Ipv6Addr),
}

impl Source {
    pub(super) fn is_v4(&self) -> bool {
        matches!(self, Self::V4(..) | Self::Net(IpNet::V4(_)))
    }

    /// The addresses from `first` to `last`.
    pub(super) fn range(first: IpAddr, last: IpAddr) -> Result<Self, String> {
        match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => Ok(Self::V4(a, b)),
            (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => {
                // Mapped addresses are IPv4 on the wire (parse_prefix refuses them, too).
                if a.to_ipv4_mapped().is_some() || b.to_ipv4_mapped().is_some() {
                    return Err(format!("{a}-{b} is IPv4 in IPv6 form: write it as IPv4"));
                }
                Ok(Self::V6(a, b))
            }
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Err(format!(
                "the range {first}-{last} ends before it begins: write {last}-{first}"
            )),
            _ => Err(format!(
                "the range {first}-{last} begins in one family and ends in the other"
            )),
        }
    }

    /// `count` addresses from `first` on.
    pub(super) fn counted(first: Ipv4Addr, count: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "bad count {}: no so many addresses follow {first}",
                quoted(count)
            )
        };
        let count: u32 = match count.parse::<u64>() {
            Ok(ALL_V4) if first.is_unspecified() => {
                return Ok(Self::V4(first, Ipv4Addr::BROADCAST));
            }
            Ok(0) | Err(_) => return Err(bad()),
            Ok(count) => u32::try_from(count).map_err(|_| bad())?,
        };
        let last = u32::from(first).checked_add(count - 1).ok_or_else(bad)?;
        Ok(Self::V4(first, last.into()))
    }

    /// Reads `ADDRESS`, `ADDRESS/LENGTH`, `ADDRESS/MASK` or `FIRST-LAST`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (first.trim(), last.trim());
            if let (Ok(first), Ok(last)) = (first.parse(), last.parse()) {
                return Self::range(first, last);
            }
        }
        if let Some((address, mask)) = text.split_once('/')
            && let (Ok(address), Ok(mask)) = (address.parse::<Ipv4Addr>(), mask.parse::<Ipv4Addr>())
        {
            return masked(address, mask).map(|net| Self::Net(net.into()));
        }
        parse_prefix(text).map(Self::Net)
    }

    /// The fewest prefixes that cover it.
    pub(super) fn prefixes(self) -> impl Iterator<Item = IpNet> {
        let (one, v4, v6) = match self {
            Self::Net(net) => (Some(net), None, None),
            Self::V4(a, b) => (None, Some(Ipv4Subnets::new(a, b, 0)), None),
            Self::V6(a, b) => (None, None, Some(Ipv6Subnets::new(a, b, 0))),
        };
        one.into_iter()
            .chain(v4.into_iter().flatten().map(IpNet::V4))
            .chain(v6.into_iter().flatten().map(IpNet::V6))
    }
}

/// The network of a mask in dotted form.
pub(super) fn masked(address: Ipv4Addr, mask: Ipv4Addr) -> Result<Ipv4Net, String> {
    let net = Ipv4Net::with_netmask(address, mask)
        .map_err(|_| format!("{mask} is no network mask: its ones have a gap"))?;
    if net.trunc() == net {
        Ok(net)
    } else {
        Err(format!(
            "{address}/{mask} has bits set beyond its mask: write {} for the network",
            net.trunc()
        ))
    }
}

/// The number of a line, from 1.
pub(super) fn line_number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

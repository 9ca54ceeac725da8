//! What DNS says of a name, and which of it is taken.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ftp_guard_common::class::Family;

use super::name::HostName;

/// What is asked: the addresses of one family of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name.
    pub name: HostName,
    /// `Ipv4`: A records, `Ipv6`: AAAA records.
    pub family: Family,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Addresses.
    Addresses {
        /// All of them, in any order, at least one.
        addresses: Vec<IpAddr>,
        /// How long that holds: the shortest of all records that led there.
        ttl: Duration,
    },
    /// DNS says that there is no such name, or that it has no address of this family.
    Nothing {
        /// Whether the name itself does not exist.
        no_such_name: bool,
        /// How long that holds, if it says so.
        ttl: Option<Duration>,
    },
    /// No answer, or one that says nothing about the name.
    Failed(String),
}

/// Why an address of an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No host on a network has it as its source, or only one on the same link.
    Odd,
    /// It is private and `names.private` is off.
    Private,
}

/// Whether an address that DNS gives may become an entry.
///
/// # Errors
/// Why not.
pub fn judge(address: IpAddr, private: bool) -> Result<(), Refusal> {
    let (odd, inner) = match address {
        IpAddr::V4(address) => (odd_v4(address), inner_v4(address)),
        IpAddr::V6(address) => (odd_v6(address), address.is_unique_local()),
    };
    match (odd, inner) {
        (true, _) => Err(Refusal::Odd),
        (false, true) if !private => Err(Refusal::Private),
        _ => Ok(()),
    }
}

/// RFC 6890: this network, loopback, link-local, multicast, reserved and broadcast.
fn odd_v4(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first == 0 || address.is_loopback() || address.is_link_local() || first >= 224
}

/// Unspecified, loopback, IPv4 in IPv6 form, link-local, multicast.
fn odd_v6(address: Ipv6Addr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.to_ipv4_mapped().is_some()
        || address.is_unicast_link_local()
        || address.is_multicast()
}

/// RFC 1918, and what providers use behind their own translation (RFC 6598).
fn inner_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private() || (first == 100 && (64..128).contains(&second))
}

/// An answer, judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) taken: BTreeSet<IpAddr>,
    /// How many were not, as addresses that no partner has or that are private.
    pub(super) refused: u32,
}

/// `family`: addresses of the other one are none of this answer.
pub(super) fn judged(
    addresses: impl IntoIterator<Item = IpAddr>,
    family: Family,
    private: bool,
) -> Judged {
    let mut found = Judged::default();
    let unique: BTreeSet<IpAddr> = addresses.into_iter().collect();
    for address in unique {
        let right = address.is_ipv4() == (family == Family::Ipv4);
        if right && judge(address, private).is_ok() {
            found.taken.insert(address);
        } else {
            found.refused = found.refused.saturating_add(1);
        }
    }
    found
}

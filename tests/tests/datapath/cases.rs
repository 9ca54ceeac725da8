//! Packets that are judged by source and port: each is sent from a listed and from an unlisted
//! source, to its own port and to port 22, in IPv4 and IPv6, behind several kinds of tags.

use std::{collections::BTreeSet, net::IpAddr};

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::{
    packet::{C_TAG, IPV4, IPV6, Ipv4, Ipv6, Macs, OLD_S_TAG, S_TAG, ethernet},
    policy::Policy,
};

use crate::{
    fragments, ipv4, ipv6,
    row::{Row, Table, Wanted},
    tcp,
};

/// The port of the neighbouring case: no FTP port.
pub(crate) const OTHER_PORT: u16 = 22;

/// Who sends to which port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) family: Family,
    pub(crate) listed: bool,
    pub(crate) port: u16,
}

impl Flow {
    pub(crate) fn source(&self) -> IpAddr {
        let text = match (self.family, self.listed) {
            (Family::Ipv6, true) => "2001:db8:1::7",
            (Family::Ipv6, false) => "2001:db8:2::7",
            (_, true) => "198.51.100.7",
            (_, false) => "203.0.113.7",
        };
        text.parse().unwrap()
    }

    pub(crate) fn destination(&self) -> IpAddr {
        let text = match self.family {
            Family::Ipv6 => "2001:db8::1",
            _ => "192.0.2.1",
        };
        text.parse().unwrap()
    }

    /// An IPv4 packet of this flow.
    pub(crate) fn ipv4(&self, payload: Vec<u8>) -> Ipv4 {
        match (self.source(), self.destination()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Ipv4::new(source, destination, payload)
            }
            _ => panic!("{self:?} is not IPv4"),
        }
    }

    /// An IPv6 packet of this flow.
    pub(crate) fn ipv6(&self, payload: Vec<u8>) -> Ipv6 {
        match (self.source(), self.destination()) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Ipv6::new(source, destination, payload)
            }
            _ => panic!("{self:?} is not IPv6"),
        }
    }

    /// A packet of this flow without options or extensions.
    pub(crate) fn plain(&self, payload: Vec<u8>) -> Vec<u8> {
        match self.family {
            Family::Ipv6 => self.ipv6(payload).to_bytes(),
            _ => self.ipv4(payload).to_bytes(),
        }
    }

    pub(crate) fn ethertype(&self) -> u16 {
        match self.family {
            Family::Ipv6 => IPV6,
            _ => IPV4,
        }
    }
}

/// The policy of the tables: one listed network of each family.
pub(crate) fn policy() -> Policy {
    Policy::new()
        .allowing("198.51.100.0/24")
        .allowing("2001:db8:1::/64")
}

/// Builds a packet, from the IP header on.
pub(crate) type Build = Box<dyn Fn(&Flow) -> Vec<u8>>;

/// A packet and what happens to it by source and port.
pub(crate) struct Case {
    /// What is sent, without saying from where and to which port.
    pub(crate) name: String,
    /// The FTP port it goes to.
    pub(crate) port: u16,
    pub(crate) families: &'static [Family],
    pub(crate) packet: Build,
    /// From an unlisted source to `port`.
    pub(crate) unlisted: Wanted,
    /// From a listed source to `port`.
    pub(crate) listed: Wanted,
    /// To port 22, whoever sends it.
    pub(crate) other_port: Wanted,
}

/// IPv4 and IPv6.
pub(crate) const BOTH: &[Family] = &[Family::Ipv4, Family::Ipv6];
/// IPv4 alone.
pub(crate) const V4: &[Family] = &[Family::Ipv4];
/// IPv6 alone.
pub(crate) const V6: &[Family] = &[Family::Ipv6];

const TAGS: [(&str, &[u16]); 6] = [
    ("untagged", &[]),
    ("behind one VLAN tag", &[C_TAG]),
    ("behind QinQ tags", &[S_TAG, C_TAG]),
    ("behind an 0x9100 tag", &[OLD_S_TAG]),
    ("behind three tags", &[OLD_S_TAG, S_TAG, C_TAG]),
    ("behind four tags", &[S_TAG, S_TAG, C_TAG, C_TAG]),
];

impl Case {
    fn rows(&self, rows: &mut Vec<Row>) {
        for family in self.families {
            for (listed, port) in [
                (false, self.port),
                (true, self.port),
                (false, OTHER_PORT),
                (true, OTHER_PORT),
            ] {
                let flow = Flow {
                    family: *family,
                    listed,
                    port,
                };
                let wanted = match (port, listed) {
                    (OTHER_PORT, _) => self.other_port,
                    (_, true) => self.listed,
                    (_, false) => self.unlisted,
                };
                let packet = (self.packet)(&flow);
                for (how, tags) in TAGS {
                    rows.push(Row {
                        name: format!(
                            "{} from {} source to port {port}, {}, {how}, {} as {}",
                            self.name,
                            if listed { "a listed" } else { "an unlisted" },
                            family.as_str(),
                            if wanted.passes {
                                "passes"
                            } else {
                                "is dropped"
                            },
                            wanted.reason.as_str()
                        ),
                        frame: ethernet(Macs::default(), tags, flow.ethertype(), &packet),
                        family: *family,
                        wanted,
                    });
                }
            }
        }
    }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = tcp::cases();
    cases.extend(fragments::cases());
    cases.extend(ipv4::cases());
    cases.extend(ipv6::cases());
    cases
}

/// The rows of cases, each once.
pub(crate) fn rows(cases: impl IntoIterator<Item = Case>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for case in cases {
        case.rows(&mut rows);
    }
    // Cases that differ in their FTP port alone have one neighbour at port 22.
    let mut seen = BTreeSet::new();
    rows.retain(|row| seen.insert((row.name.clone(), row.frame.clone())));
    rows
}

pub(crate) fn table() -> Table {
    Table {
        policy: policy(),
        rows: rows(cases()),
    }
}

/// What a packet with a readable, sound TCP header gets at a control port.
pub(crate) fn judged_by_source() -> (Wanted, Wanted, Wanted) {
    (
        crate::row::drop(Reason::NotListed, PortClass::Control),
        crate::row::pass(Reason::Listed, PortClass::Control),
        not_ftp(),
    )
}

/// What a TCP packet to port 22 gets.
pub(crate) const fn not_ftp() -> Wanted {
    crate::row::pass(Reason::NotFtp, PortClass::Other)
}

//! Ethernet: other protocols, and tags in every depth and order.

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::packet::{C_TAG, IPV4, IPV6, Macs, OLD_S_TAG, S_TAG, ethernet};

use crate::{
    cases::{Flow, policy},
    row::{Row, Table, drop, pass},
    tcp::syn,
};

const TPIDS: [u16; 3] = [C_TAG, S_TAG, OLD_S_TAG];

pub(crate) fn table() -> Table {
    let mut rows = other_protocols();
    rows.extend(depths());
    rows.extend(cut_tags());
    Table {
        policy: policy(),
        rows,
    }
}

fn flow(family: Family) -> Flow {
    Flow {
        family,
        listed: false,
        port: 21,
    }
}

fn other_protocols() -> Vec<Row> {
    let packet = flow(Family::Ipv4).plain(syn(&flow(Family::Ipv4)));
    let mut rows = Vec::new();
    for (name, ethertype) in [
        ("ARP", 0x0806),
        ("RARP", 0x8035),
        ("an IEEE 802.3 length", 64),
        ("MPLS", 0x8847),
        ("PPPoE", 0x8864),
        ("MACsec", 0x88e5),
        ("LLDP", 0x88cc),
        ("PTP", 0x88f7),
        ("EAPOL", 0x888e),
        ("0x9200", 0x9200),
        ("0x88a9", 0x88a9),
        ("0x8101", 0x8101),
        ("0x0081, a tag in the wrong byte order", 0x0081),
        ("0x0008, IPv4 in the wrong byte order", 0x0008),
    ] {
        for (how, tags) in [
            ("untagged", &[][..]),
            ("behind one tag", &[C_TAG]),
            ("behind four tags", &[S_TAG, S_TAG, C_TAG, C_TAG]),
        ] {
            rows.push(Row {
                name: format!("a frame of {name}, {how}, passes"),
                frame: ethernet(Macs::default(), tags, ethertype, &packet),
                family: Family::Other,
                wanted: pass(Reason::NotIp, PortClass::Other),
            });
        }
    }
    rows
}

/// Every order of the three kinds of tags up to four, and a fifth of each kind.
fn depths() -> Vec<Row> {
    let mut rows = Vec::new();
    for (family, ethertype) in [(Family::Ipv4, IPV4), (Family::Ipv6, IPV6)] {
        let packet = flow(family).plain(syn(&flow(family)));
        let mut stacks: Vec<Vec<u16>> = vec![Vec::new()];
        for _ in 0..4 {
            stacks = stacks
                .iter()
                .flat_map(|tags| TPIDS.map(|tag| [&tags[..], &[tag]].concat()))
                .collect();
            for tags in &stacks {
                rows.push(Row {
                    name: format!(
                        "an unlisted {} SYN behind the tags {tags:#06x?} is dropped",
                        family.as_str()
                    ),
                    frame: ethernet(Macs::default(), tags, ethertype, &packet),
                    family,
                    wanted: drop(Reason::NotListed, PortClass::Control),
                });
            }
        }
        for deep in 5..=8 {
            for tag in TPIDS {
                rows.push(Row {
                    name: format!(
                        "{} behind {deep} tags of {tag:#06x} is dropped",
                        family.as_str()
                    ),
                    frame: ethernet(Macs::default(), &vec![tag; deep], ethertype, &packet),
                    family: Family::Other,
                    wanted: drop(Reason::VlanTooDeep, PortClass::Other),
                });
            }
        }
    }
    for tag in TPIDS {
        rows.push(Row {
            name: format!("ARP behind five tags of {tag:#06x} is dropped"),
            frame: ethernet(Macs::default(), &[tag; 5], 0x0806, &[0; 28]),
            family: Family::Other,
            wanted: drop(Reason::VlanTooDeep, PortClass::Other),
        });
        rows.push(Row {
            name: format!("a fifth tag of {tag:#06x} that the frame cuts off is dropped"),
            frame: ethernet(Macs::default(), &[S_TAG, S_TAG, C_TAG, C_TAG], tag, &[]),
            family: Family::Other,
            wanted: drop(Reason::VlanTooDeep, PortClass::Other),
        });
    }
    rows
}

/// Frames that end inside a tag.
fn cut_tags() -> Vec<Row> {
    let mut rows = Vec::new();
    for depth in 0..4 {
        for tag in TPIDS {
            for length in 0..4 {
                rows.push(Row {
                    name: format!(
                        "a frame that ends {length} bytes behind the TPID {tag:#06x} of tag {} passes",
                        depth + 1
                    ),
                    frame: ethernet(Macs::default(), &vec![S_TAG; depth], tag, &vec![0; length]),
                    family: Family::Other,
                    wanted: pass(Reason::Truncated, PortClass::Other),
                });
            }
        }
    }
    rows
}

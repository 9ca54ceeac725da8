//! The offloads of interfaces that change what a program sees of a packet (ethtool(8), `-k`).

use std::{collections::BTreeMap, io};

use ethtool::{EthtoolAttr, EthtoolFeatureAttr, EthtoolFeatureBit, EthtoolHeader};
use futures_util::TryStreamExt;

/// An offload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// Whether it is on.
    pub on: bool,
    /// Whether it can be changed.
    pub changeable: bool,
}

/// The offloads of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// The card joins TCP segments, and forgets where each began.
    pub lro: Offload,
    /// The card joins TCP segments so that they can be parted again.
    pub hw_gro: Offload,
    /// The card takes VLAN tags out of frames.
    pub rx_vlan: Offload,
}

/// The offloads of all interfaces, by name.
///
/// # Errors
///
/// When the kernel does not tell (before 5.7, or built without CONFIG_ETHTOOL_NETLINK).
pub fn offloads() -> io::Result<BTreeMap<String, Offloads>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let (connection, mut handle, _) = ethtool::new_connection()?;
        tokio::spawn(connection);
        let mut answers = std::pin::pin!(handle.feature().get(None).execute().await);
        let mut found = BTreeMap::new();
        while let Some(answer) = answers.try_next().await.map_err(io::Error::other)? {
            found.extend(read(&answer.payload.nlas));
        }
        Ok(found)
    })
}

fn read(attributes: &[EthtoolAttr]) -> Option<(String, Offloads)> {
    let mut name = None;
    let mut offloads = Offloads::default();
    for attribute in attributes {
        match attribute {
            EthtoolAttr::Feature(EthtoolFeatureAttr::Header(header)) => {
                name = header.iter().find_map(|field| match field {
                    EthtoolHeader::DevName(name) => Some(name.clone()),
                    _ => None,
                });
            }
            EthtoolAttr::Feature(EthtoolFeatureAttr::Active(bits)) => {
                set(&mut offloads, bits, |offload| offload.on = true);
            }
            EthtoolAttr::Feature(EthtoolFeatureAttr::Hw(bits)) => {
                set(&mut offloads, bits, |offload| offload.changeable = true);
            }
            _ => {}
        }
    }
    Some((name?, offloads))
}

fn set(offloads: &mut Offloads, bits: &[EthtoolFeatureBit], with: impl Fn(&mut Offload)) {
    for bit in bits.iter().filter(|bit| bit.value) {
        // The kernel's names (net/ethtool/common.c), not those of the command.
        match bit.name.as_str() {
            "rx-lro" => with(&mut offloads.lro),
            "rx-gro-hw" => with(&mut offloads.hw_gro),
            "rx-vlan-hw-parse" => with(&mut offloads.rx_vlan),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_one_interface_are_read() {
        let bit = |name: &str, value| EthtoolFeatureBit {
            index: 1,
            name: name.to_owned(),
            value,
        };
        let attributes = [
            EthtoolFeatureAttr::Header(vec![EthtoolHeader::DevName("eth7".into())]),
            EthtoolFeatureAttr::Hw(vec![bit("rx-lro", true), bit("rx-gro-hw", false)]),
            EthtoolFeatureAttr::Active(vec![
                bit("rx-lro", true),
                bit("rx-vlan-hw-parse", true),
                bit("rx-checksum", true),
            ]),
        ]
        .map(EthtoolAttr::Feature);
        let (name, offloads) = read(&attributes).unwrap();
        assert_eq!(name, "eth7");
        assert!(offloads.lro.on && offloads.lro.changeable);
        assert!(offloads.rx_vlan.on && !offloads.rx_vlan.changeable);
        assert_eq!(offloads.hw_gro, Offload::default());
        assert_eq!(read(&attributes[1..]), None);
    }

    #[test]
    fn the_kernel_tells_of_the_loopback_interface() {
        // Kernels before 5.7 tell nothing.
        if let Ok(found) = offloads() {
            let loopback = found.get("lo").unwrap();
            assert!(!loopback.lro.on && !loopback.lro.changeable);
        }
    }
}

//! The longest-prefix tries of the bans.

use std::collections::BTreeMap;

use aya::{
    Ebpf, Pod,
    maps::{LpmTrie, MapData, lpm_trie::Key},
};
use ipnet::IpNet;

use super::map_mut;

/// Makes two tries, of IPv4 and of IPv6, hold what is wanted.
pub(super) fn follow<V: Pod + PartialEq>(
    ebpf: &mut Ebpf,
    (v4, v6): (&str, &str),
    installed: &mut BTreeMap<IpNet, V>,
    wanted: &BTreeMap<IpNet, V>,
) -> anyhow::Result<()> {
    let name = |prefix: &IpNet| if prefix.addr().is_ipv4() { v4 } else { v6 };
    for prefix in installed.keys() {
        if !wanted.contains_key(prefix) {
            change_entry::<V>(ebpf, name(prefix), *prefix, None)?;
        }
    }
    for (prefix, value) in wanted {
        if installed.get(prefix) != Some(value) {
            change_entry(ebpf, name(prefix), *prefix, Some(*value))?;
        }
    }
    installed.clone_from(wanted);
    Ok(())
}

fn change_entry<V: Pod>(
    ebpf: &mut Ebpf,
    name: &str,
    prefix: IpNet,
    value: Option<V>,
) -> anyhow::Result<()> {
    let length = u32::from(prefix.prefix_len());
    match prefix {
        IpNet::V4(prefix) => {
            let mut trie: LpmTrie<&mut MapData, [u8; 4], V> = map_mut(ebpf, name)?.try_into()?;
            let key = Key::new(length, prefix.network().octets());
            match value {
                Some(value) => trie.insert(&key, value, 0)?,
                None => trie.remove(&key)?,
            }
        }
        IpNet::V6(prefix) => {
            let mut trie: LpmTrie<&mut MapData, [u8; 16], V> = map_mut(ebpf, name)?.try_into()?;
            let key = Key::new(length, prefix.network().octets());
            match value {
                Some(value) => trie.insert(&key, value, 0)?,
                None => trie.remove(&key)?,
            }
        }
    }
    Ok(())
}

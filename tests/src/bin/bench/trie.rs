//! The program with the kernel's longest-prefix trie, on a rig.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use aya::{EbpfLoader, maps::Map, programs::Xdp};
use ftp_guard_tests::{
    lab::{attach, flood::Rig},
    sys,
};
use ipnet::IpNet;

/// Entries of a system call.
const BATCH: usize = 1 << 10;
/// The kernel makes nodes out of a small reserve, which it fills up a little later: how often to wait for that.
const PATIENCE: usize = 10_000;

/// Attaches the program with a list to the rig's server, for as long as the link lives that is returned.
pub fn attach_with(rig: &Rig, list: &[IpNet]) -> Result<OwnedFd> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trie.o"));
    let size = u32::try_from(list.len().max(1))?;
    let mut ebpf = EbpfLoader::new()
        .map_max_entries("TRIE_V4", size)
        .map_max_entries("TRIE_V6", size)
        .load(object)
        .context("cannot load the program with the trie (root is needed)")?;
    // Nodes that are near each other come near each other.
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    for (name, v6) in [("TRIE_V4", false), ("TRIE_V6", true)] {
        let Some(Map::LpmTrie(trie)) = ebpf.map(name) else {
            bail!("no trie {name}");
        };
        let entries: Vec<&IpNet> = sorted
            .iter()
            .filter(|net| net.addr().is_ipv6() == v6)
            .collect();
        for entries in entries.chunks(BATCH) {
            let mut keys = Vec::new();
            for net in entries {
                keys.extend(u32::from(net.prefix_len()).to_ne_bytes());
                match net {
                    IpNet::V4(net) => keys.extend(net.network().octets()),
                    IpNet::V6(net) => keys.extend(net.network().octets()),
                }
            }
            let values = vec![1_u64; entries.len()];
            insert(trie.fd().as_fd(), &keys, &values)?;
        }
    }
    let program: &mut Xdp = ebpf
        .program_mut("ftpg_trie")
        .context("no program with a trie")?
        .try_into()?;
    program.load()?;
    let program = program.fd()?.as_fd().try_clone_to_owned()?;
    attach(&rig.server, Rig::INTERFACE, &program)
}

/// Inserts entries, those that are there already once more.
fn insert(trie: BorrowedFd<'_>, keys: &[u8], values: &[u64]) -> Result<()> {
    for _ in 0..PATIENCE {
        match sys::insert_words(trie, keys, values) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                thread::sleep(Duration::from_millis(1));
            }
            result => return result.context("the trie takes no entries"),
        }
    }
    bail!("the kernel has no memory for the trie")
}

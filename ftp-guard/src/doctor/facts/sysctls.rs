//! The sysctls of this network namespace that matter.

use std::{collections::BTreeMap, fs, io};

use super::{Known, Link, Unseen};
use crate::datapath::SysctlFiles;

const FOLDER: &str = "/proc/sys/net/ipv4";

/// Their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctls {
    /// `net.ipv4.tcp_syncookies`
    pub syncookies: Known<u32>,
    /// `net.ipv4.tcp_timestamps`
    pub timestamps: Known<u32>,
    /// Why the two could not be set, if so.
    pub unwritable: Option<String>,
    /// What `rp_filter` amounts to, by interface: the larger value of its own and that of all.
    pub rp_filter: BTreeMap<String, Known<u32>>,
}

impl Sysctls {
    pub(super) fn gather(links: &[Link]) -> Self {
        let files = SysctlFiles::default();
        let names = links.iter().map(|link| link.interface.name.clone());
        Self {
            syncookies: value("tcp_syncookies"),
            timestamps: value("tcp_timestamps"),
            unwritable: files.writable().err().map(|error| error.to_string()),
            rp_filter: names.map(|name| (name.clone(), rp_filter(&name))).collect(),
        }
    }
}

fn rp_filter(interface: &str) -> Known<u32> {
    let all = value("conf/all/rp_filter")?;
    Ok(all.max(value(&format!("conf/{interface}/rp_filter"))?))
}

fn value(name: &str) -> Known<u32> {
    let path = format!("{FOLDER}/{name}");
    let read = fs::read_to_string(&path).and_then(|text| {
        let value = text.trim().parse();
        value.map_err(|_| io::Error::other("not a number"))
    });
    read.map_err(|error| Unseen::io(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sysctls {
        pub(in crate::doctor) fn sound() -> Self {
            Self {
                syncookies: Ok(1),
                timestamps: Ok(1),
                unwritable: None,
                rp_filter: [("eth0".to_owned(), Ok(2))].into(),
            }
        }
    }

    #[test]
    fn this_kernel_has_them() {
        assert!(value("tcp_syncookies").is_ok() && rp_filter("lo").is_ok());
        let missing = rp_filter("no-such-iface").unwrap_err();
        assert!(missing.what.contains("no-such-iface") && !missing.denied);
    }
}

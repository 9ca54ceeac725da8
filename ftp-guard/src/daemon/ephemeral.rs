//! Passive ports that the host's own outgoing connections may use as well.
//!
//! The guard judges a packet by its destination port. When the host opens a connection and the
//! kernel picks a passive port as its source port, the answers arrive at an FTP port, from a source
//! that is probably not listed, and are dropped.

use std::{io, ops::RangeInclusive, path::Path};

use crate::config::PortRange;

/// A warning about passive ports that outgoing connections may use, with the setting that helps;
/// none if there is no overlap or the kernel does not tell.
#[must_use]
pub fn overlap_warning(passive: &[PortRange]) -> Option<String> {
    let settings = Settings::read(Path::new("/proc/sys/net/ipv4")).ok()?;
    settings.warning(passive)
}

/// `net.ipv4.ip_local_port_range` and `net.ipv4.ip_local_reserved_ports`; they count for IPv6 too.
#[derive(Debug)]
struct Settings {
    local: RangeInclusive<u16>,
    reserved: Vec<RangeInclusive<u16>>,
    reserved_text: String,
}

impl Settings {
    fn read(folder: &Path) -> io::Result<Self> {
        let local = std::fs::read_to_string(folder.join("ip_local_port_range"))?;
        let reserved = std::fs::read_to_string(folder.join("ip_local_reserved_ports"))?;
        Self::parse(&local, &reserved)
            .ok_or_else(|| io::Error::other("unexpected form of the port settings"))
    }

    fn parse(local: &str, reserved: &str) -> Option<Self> {
        let mut numbers = local.split_whitespace().map(str::parse::<u16>);
        let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let reserved_text = reserved.trim().to_owned();
        let reserved = reserved_text
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                Some(first.parse().ok()?..=last.parse().ok()?)
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            local: first..=last,
            reserved,
            reserved_text,
        })
    }

    fn warning(&self, passive: &[PortRange]) -> Option<String> {
        let exposed: Vec<String> = passive
            .iter()
            .filter(|range| (range.first..=range.last).any(|port| self.may_pick(port)))
            .map(ToString::to_string)
            .collect();
        if exposed.is_empty() {
            return None;
        }
        let ports = exposed.join(",");
        let mut reserve = self.reserved_text.clone();
        if !reserve.is_empty() {
            reserve.push(',');
        }
        reserve.push_str(&ports);
        Some(format!(
            "passive ports {ports} overlap the ports of outgoing connections \
             (net.ipv4.ip_local_port_range {}-{}): a connection of this host that gets one of them \
             would lose its answers; reserve them: sysctl -w \
             net.ipv4.ip_local_reserved_ports={reserve}",
            self.local.start(),
            self.local.end()
        ))
    }

    fn may_pick(&self, port: u16) -> bool {
        self.local.contains(&port) && !self.reserved.iter().any(|range| range.contains(&port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> PortRange {
        PortRange { first, last }
    }

    fn warning(reserved: &str, passive: &[PortRange]) -> Option<String> {
        Settings::parse("32768\t60999\n", reserved)
            .unwrap()
            .warning(passive)
    }

    #[test]
    fn an_overlap_is_told_with_the_setting_that_helps() {
        let text = warning("\n", &[range(50000, 50100), range(2000, 2100)]).unwrap();
        assert!(text.contains("passive ports 50000-50100 overlap"), "{text}");
        assert!(
            text.ends_with("ip_local_reserved_ports=50000-50100"),
            "{text}"
        );
    }

    #[test]
    fn what_is_reserved_already_stays_reserved() {
        let text = warning("8080,50000-50050\n", &[range(50000, 50100)]).unwrap();
        assert!(text.ends_with("=8080,50000-50050,50000-50100"), "{text}");
    }

    #[test]
    fn reserved_or_distant_ports_need_no_warning() {
        assert_eq!(warning("49000-51000\n", &[range(50000, 50100)]), None);
        assert_eq!(
            warning("50000-50050,50051-50100\n", &[range(50000, 50100)]),
            None
        );
        assert_eq!(
            warning("\n", &[range(61000, 61100), range(32767, 32767)]),
            None
        );
        assert!(warning("\n", &[range(60999, 61100)]).is_some());
        assert_eq!(warning("\n", &[]), None);
    }

    #[test]
    fn an_unexpected_form_is_no_setting() {
        assert!(Settings::parse("32768", "").is_none());
        assert!(Settings::parse("32768 60999", "many").is_none());
        assert!(Settings::parse("32768 60999", "1-2,").is_some());
    }

    #[test]
    fn this_kernel_is_understood() {
        Settings::read(Path::new("/proc/sys/net/ipv4")).unwrap();
    }
}

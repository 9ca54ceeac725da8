//! What a host's own network stack has seen: the proof that a packet did not reach it.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::{Context, Result};

use super::{Host, wait_until};

/// For how long nothing arrives on a quiet host.
const QUIET: Duration = Duration::from_millis(150);
/// Time for a host to become quiet.
const QUIET_LIMIT: Duration = Duration::from_secs(10);

/// The counters of `/proc/net/snmp`, `/proc/net/netstat` and `/proc/net/snmp6`, by names such as
/// `Tcp.InSegs`, `TcpExt.ListenDrops` and `Ip6InReceives`.
#[derive(Clone, Debug, Default)]
pub struct Counters(BTreeMap<String, i64>);

impl Counters {
    /// Reads the counters of a host.
    ///
    /// # Errors
    /// When the files are not as the kernel writes them.
    pub fn read(host: &Host) -> Result<Self> {
        let mut counters = BTreeMap::new();
        for file in ["snmp", "netstat"] {
            parse_pairs(&host.proc_net(file)?, &mut counters).context(file)?;
        }
        for line in host.proc_net("snmp6")?.lines() {
            let (name, value) = line.split_once(char::is_whitespace).context("snmp6")?;
            counters.insert(name.to_owned(), value.trim().parse()?);
        }
        Ok(Self(counters))
    }

    /// Reads the counters of a host once no TCP segment has arrived for a while, so that what is
    /// still on its way (a delayed acknowledgement takes up to 40 ms) is not taken for news.
    ///
    /// # Errors
    /// When segments keep arriving.
    pub fn settled(host: &Host) -> Result<Self> {
        let mut last = Self::read(host)?;
        wait_until("TCP is quiet", QUIET_LIMIT, || {
            thread::sleep(QUIET);
            let now = Self::read(host)?;
            let news = now.since(&last, "Tcp.InSegs")?;
            last = now.clone();
            Ok((news == 0).then_some(now))
        })
    }

    /// The counter of this name.
    ///
    /// # Errors
    /// When the kernel has none.
    pub fn get(&self, name: &str) -> Result<i64> {
        let value = self.0.get(name).copied();
        value.with_context(|| format!("the kernel has no counter {name}"))
    }

    /// By how much a counter has grown since `earlier`.
    ///
    /// # Errors
    /// When the kernel has none of this name.
    pub fn since(&self, earlier: &Self, name: &str) -> Result<i64> {
        Ok(self.get(name)? - earlier.get(name)?)
    }
}

/// Reads pairs of lines, one of names and one of values, both after the group's name.
fn parse_pairs(text: &str, counters: &mut BTreeMap<String, i64>) -> Result<()> {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (group, names) = names.split_once(':').context("no group")?;
        let (_, values) = values.split_once(':').context("no group")?;
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            counters.insert(format!("{group}.{name}"), value.parse()?);
        }
    }
    Ok(())
}

/// The TCP ports on which a host listens, in order, each once.
///
/// # Errors
/// When the socket tables cannot be read.
pub fn listening_ports(host: &Host) -> Result<Vec<u16>> {
    // include/net/tcp_states.h: TCP_LISTEN is 10.
    let mut ports: Vec<_> = sockets(host, "0A")?
        .into_iter()
        .map(|(local, _)| local)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// The connections that a host has asked for and not got yet: local and remote port of each.
///
/// # Errors
/// When the socket tables cannot be read.
pub fn connecting(host: &Host) -> Result<Vec<(u16, u16)>> {
    // include/net/tcp_states.h: TCP_SYN_SENT is 2.
    sockets(host, "02")
}

/// Local and remote port of the TCP sockets of both IP versions in a state.
fn sockets(host: &Host, wanted: &str) -> Result<Vec<(u16, u16)>> {
    let mut found = Vec::new();
    for file in ["tcp", "tcp6"] {
        for line in host.proc_net(file)?.lines().skip(1) {
            let mut fields = line.split_whitespace().skip(1);
            let (Some(local), Some(remote), Some(state)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            if state == wanted {
                found.push((port(local)?, port(remote)?));
            }
        }
    }
    Ok(found)
}

/// The port of an address as `/proc/net/tcp` has it, `ADDRESS:PORT` in hexadecimal.
fn port(address: &str) -> Result<u16> {
    let (_, port) = address.rsplit_once(':').context("no port")?;
    Ok(u16::from_str_radix(port, 16)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_lines_become_named_counters() {
        let mut counters = BTreeMap::new();
        let text = "Tcp: MaxConn InSegs\nTcp: -1 7\nUdp: InDatagrams\nUdp: 3\n";
        parse_pairs(text, &mut counters).unwrap();
        let counters = Counters(counters);
        assert_eq!(counters.get("Tcp.MaxConn").unwrap(), -1);
        assert_eq!(counters.get("Tcp.InSegs").unwrap(), 7);
        assert_eq!(counters.get("Udp.InDatagrams").unwrap(), 3);
        assert!(counters.get("Udp.Absent").is_err());
    }
}

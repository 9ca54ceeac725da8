//! How the rules are set up.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    rule::{Rule, RuleSet},
    vulnerabilities::Vulnerabilities,
};

/// The rules as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Whether anything is looked at.
    pub enabled: bool,
    /// Rules that are left out.
    pub disable: RuleSet,
    /// Rules whose source is banned.
    pub ban: RuleSet,
    /// Rules that end the session.
    pub end: RuleSet,
    /// How long a ban lasts; `None`: as bans do for which no time is given.
    pub ban_time: Option<Duration>,
    /// Refused passwords of a source within [`Rules::window`] that are one too many; 0: none is.
    pub max_failures: u32,
    /// The same of all sources, for one user or at one server.
    pub max_failures_all: u32,
    /// Short sessions under TLS of a source, the same.
    pub max_tls_failures: u32,
    /// Deletions of a source, the same.
    pub max_deletes: u32,
    /// Renamings of a source, the same.
    pub max_renames: u32,
    /// Commands of a source each second; 0: no limit.
    pub max_commands: u32,
    /// The window.
    pub window: Duration,
    /// For how long the same is not told again of the same source: it is counted.
    pub repeat: Duration,
    /// Sources that are not looked at.
    pub ignore: Vec<IpNet>,
    /// Sources that are told of, but not banned.
    pub never_ban: Vec<IpNet>,
    /// Length of the IPv6 prefix that counts as one source.
    pub ipv6_source_prefix: u8,
    /// Whether PORT and EPRT may name a third host.
    pub fxp: bool,
    /// Whether messages may show names of files.
    pub file_names: bool,
    /// Known vulnerabilities.
    pub vulnerabilities: Arc<Vulnerabilities>,
}

impl Default for Rules {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            enabled: true,
            disable: RuleSet::default(),
            ban: RuleSet::from_iter([Rule::LoginFailures]),
            end: RuleSet::default(),
            ban_time: None,
            max_failures: 5,
            max_failures_all: 50,
            max_tls_failures: 20,
            max_deletes: 500,
            max_renames: 1000,
            max_commands: 200,
            window: MINUTE.saturating_mul(10),
            repeat: MINUTE.saturating_mul(5),
            ignore: Vec::new(),
            never_ban: Vec::new(),
            ipv6_source_prefix: 64,
            fxp: false,
            file_names: true,
            vulnerabilities: Arc::new(Vulnerabilities::default()),
        }
    }
}

impl Rules {
    /// The source that an address belongs to. An IPv4 address in an IPv6 one is that IPv4 address.
    #[must_use]
    pub fn source_of(&self, address: IpAddr) -> IpNet {
        match address.to_canonical() {
            IpAddr::V4(address) => Ipv4Net::from(address).into(),
            IpAddr::V6(address) => {
                let bits = self.ipv6_source_prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                let network = Ipv6Addr::from(u128::from(address) & mask);
                Ipv6Net::new(network, bits)
                    .map_or_else(|_| Ipv6Net::from(network).into(), IpNet::V6)
            }
        }
    }

    pub(super) fn ignores(&self, address: IpAddr) -> bool {
        covered(&self.ignore, address)
    }

    pub(super) fn never_bans(&self, address: IpAddr) -> bool {
        address.to_canonical().is_loopback() || covered(&self.never_ban, address)
    }
}

fn covered(prefixes: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    prefixes.iter().any(|prefix| prefix.contains(&address))
}

//! From evidence to entries.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::evidence::{Evidence, Sightings};

/// Successful IPv4 addresses of one /24 that stand for all of it.
const FEW_V4: usize = 4;
/// Successful IPv6 addresses of one /64 that stand for all of it: a host of it takes a new address every day.
const FEW_V6: usize = 2;

/// What is asked of a client before an entry is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Sessions with a login that succeeded, at least.
    pub min_sessions: u64,
    /// Days with such a session, at least.
    pub min_days: u64,
    /// Whether those count that were anonymous only.
    pub anonymous: bool,
}

/// What the guard would do with an address now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No entry covers it.
    NotListed,
    /// An entry lets it in.
    Listed,
    /// A ban keeps it out.
    Banned,
    /// An entry excludes it.
    Excluded,
    /// Its entry has expired.
    Expired,
}

/// What the guard would do now.
pub struct Present<'a> {
    /// With an address.
    pub standing: &'a dyn Fn(IpAddr) -> Standing,
    /// The prefixes that are banned or excluded.
    pub kept_out: &'a HashSet<IpNet>,
}

/// An entry that is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its prefix.
    pub prefix: IpNet,
    /// How many addresses it stands for.
    pub addresses: u64,
    /// What was seen of them.
    pub evidence: Evidence,
}

/// Clients for which there is no entry, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// An entry lets them in by now.
    pub listed: u64,
    /// A ban keeps them out.
    pub banned: u64,
    /// An entry excludes them.
    pub excluded: u64,
    /// Their entry has expired: somebody wanted it so.
    pub expired: u64,
    /// The server has refused all their logins.
    pub refused: u64,
    /// They have not tried to log in.
    pub no_login: u64,
    /// They were anonymous only.
    pub anonymous: u64,
    /// They had too few sessions, or on too few days.
    pub too_few: u64,
}

/// What is proposed, and who is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestion {
    /// The entries, by prefix; none lies inside another.
    pub entries: Vec<Proposal>,
    /// Who has none.
    pub left_out: LeftOut,
}

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Proposed,
    TooFew,
    Listed,
    Banned,
    Excluded,
    Expired,
    Refused,
    NoLogin,
    Anonymous,
}

impl Verdict {
    fn of(evidence: &Evidence, standing: Standing, terms: &Terms) -> Self {
        match standing {
            Standing::Listed => Self::Listed,
            Standing::Banned => Self::Banned,
            Standing::Excluded => Self::Excluded,
            Standing::Expired => Self::Expired,
            Standing::NotListed if evidence.successful == 0 && evidence.refused > 0 => {
                Self::Refused
            }
            Standing::NotListed if evidence.successful == 0 => Self::NoLogin,
            Standing::NotListed if evidence.is_anonymous() && !terms.anonymous => Self::Anonymous,
            Standing::NotListed => {
                let days = evidence.days.len() as u64;
                match evidence.successful >= terms.min_sessions && days >= terms.min_days {
                    true => Self::Proposed,
                    false => Self::TooFew,
                }
            }
        }
    }

    /// Whether a wider entry may let such a client in.
    fn may_be_covered(self) -> bool {
        matches!(self, Self::Proposed | Self::TooFew | Self::Listed)
    }

    fn count(self, left_out: &mut LeftOut) {
        *match self {
            Self::Proposed => return,
            Self::TooFew => &mut left_out.too_few,
            Self::Listed => &mut left_out.listed,
            Self::Banned => &mut left_out.banned,
            Self::Excluded => &mut left_out.excluded,
            Self::Expired => &mut left_out.expired,
            Self::Refused => &mut left_out.refused,
            Self::NoLogin => &mut left_out.no_login,
            Self::Anonymous => &mut left_out.anonymous,
        } += 1;
    }
}

/// The entries that follow from what was seen.
#[must_use]
pub fn propose(seen: &Sightings, terms: &Terms, present: &Present<'_>) -> Suggestion {
    let mut networks: BTreeMap<IpNet, Vec<Client<'_>>> = BTreeMap::new();
    for (address, evidence) in seen.clients() {
        let verdict = Verdict::of(evidence, (present.standing)(address), terms);
        let client = Client {
            address,
            evidence,
            verdict,
        };
        networks.entry(network(address)).or_default().push(client);
    }
    let kept_out_inside: HashSet<IpNet> = present
        .kept_out
        .iter()
        .filter(|prefix| prefix.prefix_len() >= network_length(prefix))
        .map(|prefix| network(prefix.addr()))
        .collect();
    let mut suggestion = Suggestion::default();
    for (network, clients) in networks {
        let touches = |network: &IpNet| {
            kept_out_inside.contains(network) || is_inside(network, present.kept_out)
        };
        if is_whole(&network, &clients) && !touches(&network) {
            suggestion.add_network(network, &clients);
        } else {
            clients.iter().for_each(|client| suggestion.add(client));
        }
    }
    suggestion
}

struct Client<'a> {
    address: IpAddr,
    evidence: &'a Evidence,
    verdict: Verdict,
}

impl Suggestion {
    fn add(&mut self, client: &Client<'_>) {
        client.verdict.count(&mut self.left_out);
        if client.verdict == Verdict::Proposed {
            self.entries.push(Proposal {
                prefix: client.address.into(),
                addresses: 1,
                evidence: client.evidence.clone(),
            });
        }
    }

    /// Adds an entry for a whole network. It stands for all that it lets in and that nothing else does.
    fn add_network(&mut self, network: IpNet, clients: &[Client<'_>]) {
        let mut sum: Option<(u64, Evidence)> = None;
        for client in clients {
            match (client.verdict, &mut sum) {
                (Verdict::Proposed | Verdict::TooFew, Some((addresses, evidence))) => {
                    *addresses += 1;
                    evidence.join(client.evidence);
                }
                (Verdict::Proposed | Verdict::TooFew, None) => {
                    sum = Some((1, client.evidence.clone()));
                }
                (verdict, _) => verdict.count(&mut self.left_out),
            }
        }
        self.entries
            .extend(sum.map(|(addresses, evidence)| Proposal {
                prefix: network,
                addresses,
                evidence,
            }));
    }
}

/// Whether these clients bear out an entry for all of their network.
fn is_whole(network: &IpNet, clients: &[Client<'_>]) -> bool {
    let few = match network {
        IpNet::V4(_) => FEW_V4,
        // One network for all links: it says nothing of who is who.
        IpNet::V6(network) if network.addr().is_unicast_link_local() => return false,
        IpNet::V6(_) => FEW_V6,
    };
    let proposed = clients
        .iter()
        .filter(|client| client.verdict == Verdict::Proposed);
    proposed.count() >= few && clients.iter().all(|client| client.verdict.may_be_covered())
}

const fn network_length(prefix: &IpNet) -> u8 {
    match prefix {
        IpNet::V4(_) => 24,
        IpNet::V6(_) => 64,
    }
}

/// The /24 or /64 of an address.
fn network(address: IpAddr) -> IpNet {
    let host = IpNet::from(address);
    let network = IpNet::new(address, network_length(&host));
    network.map_or(host, |network| network.trunc())
}

/// Whether a prefix lies inside one of these, or is one of them.
fn is_inside(prefix: &IpNet, wider: &HashSet<IpNet>) -> bool {
    let mut around = Some(*prefix);
    while let Some(this) = around {
        if wider.contains(&this) {
            return true;
        }
        around = this.supernet();
    }
    false
}

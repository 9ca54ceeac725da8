//! The task that asks DNS.

use std::{
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

use ftp_guard_common::class::Family;
use hickory_resolver::{
    TokioResolver,
    config::{
        ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
    },
    lookup::Lookup,
    net::{DnsError, NetError, NoRecords, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};
use tokio::{sync::watch, task::JoinSet};

use super::{names::Asking, owner::Owner};
use crate::{
    config::NameSettings,
    engine::names::{Outcome, Question},
};

/// Where the system's servers stand.
const SYSTEM: &str = "/etc/resolv.conf";

/// How often a server is asked.
const ATTEMPTS: usize = 2;

/// Beyond all servers and attempts a question has failed.
const LONGEST: Duration = Duration::from_secs(60);

/// Asks what the owner wants asked, until it ends.
pub async fn run(mut asking: Asking, owner: Owner) {
    let mut resolver = Servers::new(asking.servers.clone());
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            question = asking.questions.recv() => {
                let Some(question) = question else { return };
                let resolver = resolver.get();
                under_way.spawn(async move {
                    let outcome = match resolver {
                        Ok(resolver) => ask(&resolver, &question).await,
                        Err(why) => Outcome::Failed(why),
                    };
                    (question, outcome)
                });
            }
            Some(done) = under_way.join_next() => {
                let mut answers: Vec<(Question, Outcome)> = done.into_iter().collect();
                // What is ready with it goes with it: one change of the kernel for all.
                while let Some(done) = under_way.try_join_next() {
                    answers.extend(done);
                }
                owner.names_answered(answers).await;
            }
        }
    }
}

/// The resolver of the servers that are to be asked now.
struct Servers {
    settings: watch::Receiver<NameSettings>,
    resolver: Option<TokioResolver>,
    /// The system's file as it was when the resolver was made.
    system: Option<(SystemTime, u64)>,
}

impl Servers {
    fn new(settings: watch::Receiver<NameSettings>) -> Self {
        Self {
            settings,
            resolver: None,
            system: None,
        }
    }

    fn get(&mut self) -> Result<TokioResolver, String> {
        let changed = self.settings.has_changed().unwrap_or(false);
        let settings = self.settings.borrow_and_update().clone();
        let system = settings.servers.is_empty().then(about_system).flatten();
        if let Some(resolver) = &self.resolver
            && !changed
            && system == self.system
        {
            return Ok(resolver.clone());
        }
        self.resolver = None;
        let made = make(&settings)?;
        self.system = system;
        self.resolver = Some(made.clone());
        Ok(made)
    }
}

fn about_system() -> Option<(SystemTime, u64)> {
    let about = std::fs::metadata(SYSTEM).ok()?;
    Some((about.modified().ok()?, about.len()))
}

fn make(settings: &NameSettings) -> Result<TokioResolver, String> {
    let servers = if settings.servers.is_empty() {
        let system = hickory_resolver::system_conf::read_system_conf();
        let (config, _) = system.map_err(|error| format!("{SYSTEM}: {error}"))?;
        config.name_servers().to_vec()
    } else {
        settings
            .servers
            .iter()
            .map(|server| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                let connections = connections.map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                NameServerConfig::new(server.ip(), true, connections.to_vec())
            })
            .collect()
    };
    // No domain and no search list: names are whole.
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = ATTEMPTS;
    // The book knows when to ask again; a cache of our own would answer in the servers' place.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.edns0 = true;
    options.try_tcp_on_error = true;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    builder.build().map_err(|error| error.to_string())
}

async fn ask(resolver: &TokioResolver, question: &Question) -> Outcome {
    // The dot makes it whole for the resolver, too.
    let name = match Name::from_ascii(format!("{}.", question.name)) {
        Ok(name) => name,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let kind = match question.family {
        Family::Ipv6 => RecordType::AAAA,
        _ => RecordType::A,
    };
    match tokio::time::timeout(LONGEST, resolver.lookup(name, kind)).await {
        Ok(Ok(found)) => addresses(&found),
        Ok(Err(error)) => refused(error),
        Err(_) => Outcome::Failed("no server answers in time".to_owned()),
    }
}

fn addresses(found: &Lookup) -> Outcome {
    let addresses: Vec<IpAddr> = found
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        })
        .collect();
    // Aliases on the way hold no longer than their own time.
    let shortest = found.answers().iter().map(|record| record.ttl).min();
    let until = found
        .valid_until()
        .saturating_duration_since(Instant::now());
    let ttl = shortest.map_or(until, |ttl| Duration::from_secs(ttl.into()));
    match addresses.is_empty() {
        true => Outcome::Nothing {
            no_such_name: false,
            ttl: Some(ttl),
        },
        false => Outcome::Addresses { addresses, ttl },
    }
}

fn refused(error: NetError) -> Outcome {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => nothing(&none),
        NetError::Timeout => Outcome::Failed("no server answers".to_owned()),
        NetError::NoConnections => Outcome::Failed("no server can be reached".to_owned()),
        NetError::Dns(DnsError::ResponseCode(code)) => {
            Outcome::Failed(format!("the server answers {code}"))
        }
        error => Outcome::Failed(error.to_string()),
    }
}

fn nothing(none: &NoRecords) -> Outcome {
    let ttl = none
        .negative_ttl
        .map(|seconds| Duration::from_secs(seconds.into()));
    match none.response_code {
        ResponseCode::NXDomain => Outcome::Nothing {
            no_such_name: true,
            ttl,
        },
        // A referral to other servers says nothing about the name.
        ResponseCode::NoError if none.ns.is_some() && none.soa.is_none() => {
            Outcome::Failed("the server only names other servers: it does not resolve".to_owned())
        }
        ResponseCode::NoError => Outcome::Nothing {
            no_such_name: false,
            ttl,
        },
        code => Outcome::Failed(format!("the server answers {code}")),
    }
}

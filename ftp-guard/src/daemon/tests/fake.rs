//! A kernel that is a few maps and notes what is done to it, and files for a guard over it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    path::PathBuf,
};

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    allow::AllowValue,
    ban::BanValue,
    class::{Family, PortClass},
    config::{Mode, ModeSetting},
    limits::{Attack, Opening, Profile, Source, SourceKey, Sysctls},
    names,
    ports::PortTable,
    reason::{Reason, Verdict},
    session::{Client, Flow, Listener, Named, Pinhole, Session},
    stats::{Counter, StatsKey},
    text::TEXT_LOSS_SLOTS,
};
use ipnet::IpNet;

use crate::{
    config::XdpChoice,
    control::protocol::{Failure, Prefix},
    daemon::{
        bans::Bans, guard::Guard, inputs::Inputs, kernel::Kernel, names::Names, start::start,
    },
    datapath::{
        AllowMemory, AttachMode, Attachment, Capacities, CommandTable, DatapathError, Hook,
        Judgement, LimitSettings, SessionSettings, TcKind,
    },
    engine::{
        allowlist::{AllowTable, Change},
        bans::{BanChange, BanTable, deciding},
        cookies::TcpSysctls,
    },
    netlink::Interface,
    sockets::{Query, Socket},
};

type Result<T> = std::result::Result<T, DatapathError>;

/// A kernel in memory. An operation whose name is in `broken` fails.
#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) table: AllowTable,
    pub(super) bans: BanTable,
    pub(super) time_s: u64,
    pub(super) mode: Mode,
    pub(super) confirm_until_ns: u64,
    pub(super) attached: BTreeMap<String, XdpChoice>,
    pub(super) pinned: BTreeSet<String>,
    pub(super) host: BTreeMap<String, u32>,
    pub(super) broken: BTreeSet<&'static str>,
    pub(super) log: Vec<String>,
    pub(super) session_config: SessionSettings,
    pub(super) profiles: BTreeMap<u16, Profile>,
    pub(super) commands: CommandTable,
    pub(super) limits: LimitSettings,
    pub(super) allow_generation: u32,
    pub(super) adopt_until: u64,
    pub(super) port_bits: BTreeMap<u16, u8>,
    pub(super) sessions: BTreeMap<FlowKey, Session>,
    pub(super) flows: BTreeMap<FlowKey, Flow>,
    pub(super) pinholes: BTreeMap<EndpointKey, Pinhole>,
    pub(super) named: BTreeMap<EndpointKey, Named>,
    pub(super) clients: BTreeMap<ClientKey, Client>,
    pub(super) listeners: BTreeMap<ListenKey, Listener>,
    pub(super) sources: BTreeMap<SourceKey, Source>,
    pub(super) opening: BTreeMap<FlowKey, Opening>,
    pub(super) hook_counters: BTreeMap<Hook, Vec<(StatsKey, Counter)>>,
    pub(super) capacities: Capacities,
    pub(super) sockets: bool,
    pub(super) clock_ns: u64,
    pub(super) tcp: Vec<Socket>,
    pub(super) attack: Attack,
    pub(super) cookies_since: u64,
    pub(super) saved_sysctls: Sysctls,
    pub(super) tcp_sysctls: TcpSysctls,
    pub(super) absorbed: u64,
    pub(super) suppressed: Vec<(Reason, u64)>,
    pub(super) cannot_answer: Option<String>,
}

impl Fake {
    pub(super) fn with_interfaces(names: &[&str]) -> Self {
        let host = names
            .iter()
            .zip(1..)
            .map(|(name, index)| ((*name).to_owned(), index));
        Self {
            host: host.collect(),
            capacities: Capacities {
                sessions: 8,
                flows: 16,
            },
            ..Self::default()
        }
    }

    pub(super) fn step(&mut self, name: &'static str, what: &str) -> Result<()> {
        if self.broken.contains(name) {
            return Err(DatapathError::Kernel {
                what: name.to_owned(),
                source: Box::new(io::Error::other("broken on purpose")),
            });
        }
        self.log.push(format!("{name} {what}").trim().to_owned());
        Ok(())
    }
}

impl Kernel for Fake {
    fn mode_setting(&self) -> Result<ModeSetting> {
        Ok(ModeSetting {
            mode: self.mode,
            confirm_until_ns: self.confirm_until_ns,
        })
    }

    fn set_mode(&mut self, setting: ModeSetting) -> Result<()> {
        let until = match setting.deadline_ns() {
            Some(ns) => format!(" until {ns}"),
            None => String::new(),
        };
        self.step("mode", &format!("{}{until}", setting.mode.as_str()))?;
        self.mode = setting.mode;
        self.confirm_until_ns = setting.confirm_until_ns;
        Ok(())
    }

    fn set_ports(&mut self, _: &PortTable) -> Result<()> {
        self.step("ports", "")
    }

    fn refresh_clock(&mut self) -> Result<()> {
        Ok(())
    }

    fn allow_table(&self) -> Result<AllowTable> {
        Ok(self.table.clone())
    }

    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()> {
        self.step("apply", &changes.len().to_string())?;
        for change in changes {
            match change {
                Change::Insert(prefix, value) => self.table.insert(*prefix, *value),
                Change::Remove(prefix) => self.table.remove(prefix),
            };
        }
        assert_eq!(self.table, *wanted, "the plan leads elsewhere");
        Ok(())
    }

    fn allow_memory(&self) -> AllowMemory {
        AllowMemory {
            bytes: 1 << 20,
            used: 100 * self.table.len() as u64,
            ..AllowMemory::default()
        }
    }

    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>> {
        let covering = self
            .table
            .iter()
            .filter(|(prefix, _)| prefix.contains(&source));
        Ok(covering
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(prefix, value)| (*prefix, *value)))
    }

    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment> {
        self.step("attach", interface)?;
        self.attached.insert(interface.to_owned(), choice);
        self.pinned.insert(interface.to_owned());
        Ok(attachment(interface, self.host[interface]))
    }

    fn detach_interface(&mut self, interface: &str) -> Result<bool> {
        self.step("detach", interface)?;
        self.pinned.remove(interface);
        Ok(self.attached.remove(interface).is_some())
    }

    fn attachments(&self) -> Result<Vec<Attachment>> {
        Ok(self
            .attached
            .keys()
            .filter_map(|name| Some(attachment(name, *self.host.get(name)?)))
            .collect())
    }

    fn pinned_interfaces(&self) -> Result<Vec<String>> {
        Ok(self.pinned.iter().cloned().collect())
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>> {
        Ok(Vec::new())
    }

    fn set_session_config(&mut self, settings: &SessionSettings) -> Result<()> {
        self.step("session config", "")?;
        self.session_config = *settings;
        Ok(())
    }

    fn set_profiles(&mut self, profiles: &[(u16, Profile)]) -> Result<()> {
        let numbers: Vec<_> = profiles.iter().map(|(number, _)| number).collect();
        self.step("profiles", &format!("{numbers:?}"))?;
        self.profiles.extend(profiles.iter().copied());
        Ok(())
    }

    fn profiles(&self) -> Result<Vec<(u16, Profile)>> {
        Ok(copied(&self.profiles))
    }

    fn commands(&self) -> Result<CommandTable> {
        Ok(self.commands.clone())
    }

    fn set_commands(&mut self, wanted: &CommandTable) -> Result<()> {
        self.step("commands", &wanted.len().to_string())?;
        self.commands.clone_from(wanted);
        Ok(())
    }

    fn set_limits(&mut self, settings: &LimitSettings) -> Result<()> {
        self.step("limits", "")?;
        self.limits = *settings;
        Ok(())
    }

    fn limits(&self) -> Result<LimitSettings> {
        Ok(self.limits)
    }

    fn raise_allow_generation(&mut self) -> Result<()> {
        self.step("allow generation", "")?;
        self.allow_generation += 1;
        Ok(())
    }

    fn adopt_until(&mut self, ns: u64) -> Result<()> {
        self.step("adopt", "")?;
        self.adopt_until = ns;
        Ok(())
    }

    fn port_bits(&self) -> Result<Vec<(u16, u8)>> {
        Ok(self
            .port_bits
            .iter()
            .map(|(port, bits)| (*port, *bits))
            .collect())
    }

    fn clear_port_bits(&mut self, ports: &[u16]) -> Result<()> {
        self.step("clear port bits", "")?;
        self.port_bits.retain(|port, _| !ports.contains(port));
        Ok(())
    }

    fn sessions(&self) -> Result<Vec<(FlowKey, Session)>> {
        Ok(copied(&self.sessions))
    }

    fn flows(&self) -> Result<Vec<(FlowKey, Flow)>> {
        Ok(copied(&self.flows))
    }

    fn pinholes(&self) -> Result<Vec<(EndpointKey, Pinhole)>> {
        Ok(copied(&self.pinholes))
    }

    fn named(&self) -> Result<Vec<(EndpointKey, Named)>> {
        Ok(copied(&self.named))
    }

    fn clients(&self) -> Result<Vec<(ClientKey, Client)>> {
        Ok(copied(&self.clients))
    }

    fn listeners(&self) -> Result<Vec<(ListenKey, Listener)>> {
        Ok(copied(&self.listeners))
    }

    fn sources(&self) -> Result<Vec<(SourceKey, Source)>> {
        Ok(copied(&self.sources))
    }

    fn opening(&self) -> Result<Vec<(FlowKey, Opening)>> {
        Ok(copied(&self.opening))
    }

    fn insert_session(&mut self, key: &FlowKey, value: &Session) -> Result<bool> {
        self.step("insert session", "")?;
        insert(
            &mut self.sessions,
            key,
            value,
            names::SESSIONS_MAP,
            self.capacities.sessions,
        )
    }

    fn update_session(&mut self, key: &FlowKey, value: &Session) -> Result<bool> {
        self.step("update session", "")?;
        Ok(update(&mut self.sessions, key, value))
    }

    fn remove_session(&mut self, key: &FlowKey) -> Result<bool> {
        self.step("remove session", "")?;
        Ok(self.sessions.remove(key).is_some())
    }

    fn insert_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool> {
        self.step("insert flow", "")?;
        insert(
            &mut self.flows,
            key,
            value,
            names::FLOWS_MAP,
            self.capacities.flows,
        )
    }

    fn update_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool> {
        self.step("update flow", "")?;
        Ok(update(&mut self.flows, key, value))
    }

    fn close_flow(&mut self, key: &FlowKey, began_ns: u64, now_ns: u64) -> Result<bool> {
        self.step("close flow", "")?;
        let traffic = self.flows.get_mut(key).map(|flow| &mut flow.traffic);
        let live = traffic.filter(|it| it.created_ns == began_ns && it.closed_ns == 0);
        Ok(live.map(|it| it.closed_ns = now_ns).is_some())
    }

    fn remove_flow(&mut self, key: &FlowKey) -> Result<bool> {
        self.step("remove flow", "")?;
        Ok(self.flows.remove(key).is_some())
    }

    fn remove_pinhole(&mut self, key: &EndpointKey) -> Result<bool> {
        self.step("remove pinhole", "")?;
        Ok(self.pinholes.remove(key).is_some())
    }

    fn remove_named(&mut self, key: &EndpointKey) -> Result<bool> {
        self.step("remove named", "")?;
        Ok(self.named.remove(key).is_some())
    }

    fn client(&self, key: &ClientKey) -> Result<Option<Client>> {
        Ok(self.clients.get(key).copied())
    }

    fn set_client(&mut self, key: &ClientKey, value: &Client) -> Result<()> {
        self.step("set client", "")?;
        self.clients.remove(key);
        insert(
            &mut self.clients,
            key,
            value,
            names::CLIENTS_MAP,
            self.capacities.sessions,
        )
        .map(drop)
    }

    fn remove_client(&mut self, key: &ClientKey) -> Result<bool> {
        self.step("remove client", "")?;
        Ok(self.clients.remove(key).is_some())
    }

    fn set_listener(&mut self, key: &ListenKey, value: &Listener) -> Result<()> {
        self.step("set listener", "")?;
        self.listeners.remove(key);
        insert(
            &mut self.listeners,
            key,
            value,
            names::LISTEN_MAP,
            self.capacities.flows,
        )
        .map(drop)
    }

    fn remove_listener(&mut self, key: &ListenKey, since_ns: u64) -> Result<bool> {
        self.step("remove listener", "")?;
        let same = self
            .listeners
            .get(key)
            .is_some_and(|listener| listener.since_ns == since_ns);
        Ok(same && self.listeners.remove(key).is_some())
    }

    fn source(&self, key: &SourceKey) -> Result<Option<Source>> {
        Ok(self.sources.get(key).copied())
    }

    fn set_source(
        &mut self,
        key: &SourceKey,
        seen: Option<Source>,
        value: &Source,
    ) -> Result<bool> {
        self.step("set source", "")?;
        if self.sources.get(key).copied() != seen {
            return Ok(false);
        }
        self.sources.remove(key);
        insert(
            &mut self.sources,
            key,
            value,
            names::SOURCES_MAP,
            self.capacities.sessions,
        )
    }

    fn remove_source(&mut self, key: &SourceKey) -> Result<bool> {
        self.step("remove source", "")?;
        Ok(self.sources.remove(key).is_some())
    }

    fn remove_opening(&mut self, key: &FlowKey) -> Result<bool> {
        self.step("remove opening", "")?;
        Ok(self.opening.remove(key).is_some())
    }

    fn capacities(&self) -> Capacities {
        self.capacities
    }

    fn hook_counters(&self, hook: Hook) -> Result<Vec<(StatsKey, Counter)>> {
        Ok(self.hook_counters.get(&hook).cloned().unwrap_or_default())
    }

    fn attach_sockets(&mut self) -> Result<()> {
        self.step("attach sockets", "")?;
        self.sockets = true;
        Ok(())
    }

    fn detach_sockets(&mut self) -> Result<bool> {
        self.step("detach sockets", "")?;
        Ok(std::mem::take(&mut self.sockets))
    }

    fn attack(&self) -> Result<Attack> {
        Ok(self.attack)
    }

    fn cookies_since(&self) -> Result<u64> {
        Ok(self.cookies_since)
    }

    fn set_cookies_since(&mut self, ns: u64) -> Result<()> {
        self.step("cookies", if ns == 0 { "off" } else { "on" })?;
        self.cookies_since = ns;
        Ok(())
    }

    fn saved_sysctls(&self) -> Result<Sysctls> {
        Ok(self.saved_sysctls)
    }

    fn save_sysctls(&mut self, saved: &Sysctls) -> Result<()> {
        self.step("save sysctls", "")?;
        self.saved_sysctls = *saved;
        Ok(())
    }

    fn absorbed(&self) -> Result<u64> {
        Ok(self.absorbed)
    }

    fn suppressed(&self) -> Result<Vec<(Reason, u64)>> {
        Ok(self.suppressed.clone())
    }

    fn text_losses(&self) -> Result<[u64; TEXT_LOSS_SLOTS as usize]> {
        Ok([0; TEXT_LOSS_SLOTS as usize])
    }

    fn sysctls(&self) -> io::Result<TcpSysctls> {
        Ok(self.tcp_sysctls)
    }

    fn set_sysctls(&mut self, values: TcpSysctls) -> io::Result<()> {
        self.sysctls_writable()?;
        self.log.push("set sysctls".to_owned());
        self.tcp_sysctls = values;
        Ok(())
    }

    fn sysctls_writable(&self) -> io::Result<()> {
        match self.broken.contains("sysctls") {
            true => Err(io::Error::other("tcp_syncookies: broken on purpose")),
            false => Ok(()),
        }
    }

    fn cannot_answer(&self, _: &str) -> Option<String> {
        self.cannot_answer.clone()
    }

    fn probe(&self) -> Result<()> {
        match self.broken.contains("probe") {
            true => Err(DatapathError::Kernel {
                what: "probe".to_owned(),
                source: Box::new(io::Error::other("broken on purpose")),
            }),
            false => Ok(()),
        }
    }

    fn explain(&mut self, frame: &[u8]) -> Result<Judgement> {
        assert!(frame.len() > 50);
        Ok(Judgement {
            verdict: Verdict::Drop,
            reason: Reason::NotListed,
            class: PortClass::Control,
            family: Family::Ipv4,
        })
    }

    fn ban_table(&self) -> Result<BanTable> {
        Ok(self.bans.clone())
    }

    fn apply_bans(&mut self, changes: &[BanChange], wanted: &BanTable) -> Result<()> {
        if !changes.is_empty() {
            self.step("apply bans", &changes.len().to_string())?;
        }
        for change in changes {
            match change {
                Change::Insert(prefix, value) => self.bans.insert(*prefix, *value),
                Change::Remove(prefix) => self.bans.remove(prefix),
            };
        }
        assert_eq!(self.bans, *wanted, "the plan leads elsewhere");
        Ok(())
    }

    fn ban_lookup(&self, source: IpAddr) -> Result<Option<(IpNet, BanValue)>> {
        deciding(source, self.time_s, |prefix| {
            let covering = self.bans.iter().filter(|(entry, _)| entry.contains(prefix));
            let longest = covering.max_by_key(|(entry, _)| entry.prefix_len());
            Ok(longest.map(|(_, value)| *value))
        })
    }

    fn detach_all(self) -> Result<Vec<String>> {
        Ok(self.pinned.into_iter().collect())
    }

    fn now_ns(&self) -> u64 {
        self.clock_ns
    }

    fn sockets(&self, query: &Query) -> io::Result<Vec<Socket>> {
        if self.broken.contains("sockets") {
            return Err(io::Error::other("broken on purpose"));
        }
        let asked = |socket: &&Socket| {
            query.states.contains(&socket.state)
                && query
                    .ports
                    .iter()
                    .any(|ports| ports.contains(&socket.local.port()))
        };
        Ok(self.tcp.iter().filter(asked).cloned().collect())
    }

    /// As on a host, where the socket program closes the entry with the socket. All its clients have one
    /// connection of a kind.
    fn destroy(&mut self, socket: &Socket) -> io::Result<bool> {
        if self.broken.contains("destroy") {
            return Err(io::Error::other("broken on purpose"));
        }
        self.log.push(format!("destroy {}", socket.remote));
        let before = self.tcp.len();
        self.tcp.retain(|other| other.cookie != socket.cookie);
        let key = socket.key();
        self.opening.remove(&key);
        self.sources.clear();
        if let Some(session) = self.sessions.get_mut(&key)
            && session.traffic.closed_ns == 0
        {
            session.traffic.closed_ns = self.clock_ns;
            let client = key.client_key([0; 16]);
            self.clients.remove(&client);
        }
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.traffic.closed_ns = self.clock_ns;
            flow.traffic.fin_client = 1;
        }
        Ok(self.tcp.len() < before)
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        let interface = |name: &String| Interface {
            name: name.clone(),
            loopback: false,
            addressed: true,
        };
        Ok(self.host.keys().map(interface).collect())
    }

    fn index_of(&self, interface: &str) -> Option<u32> {
        self.host.get(interface).copied()
    }
}

fn copied<K: Copy, V: Copy>(table: &BTreeMap<K, V>) -> Vec<(K, V)> {
    table.iter().map(|(key, value)| (*key, *value)).collect()
}

fn insert<K: Copy + Ord, V: Copy>(
    table: &mut BTreeMap<K, V>,
    key: &K,
    value: &V,
    name: &'static str,
    room: u32,
) -> Result<bool> {
    if table.contains_key(key) {
        return Ok(false);
    }
    if table.len() >= room as usize {
        return Err(DatapathError::StateFull { table: name, room });
    }
    table.insert(*key, *value);
    Ok(true)
}

fn update<K: Ord, V: Copy>(table: &mut BTreeMap<K, V>, key: &K, value: &V) -> bool {
    let old = table.get_mut(key);
    old.map(|old| *old = *value).is_some()
}

fn attachment(interface: &str, ifindex: u32) -> Attachment {
    Attachment {
        interface: interface.to_owned(),
        ifindex,
        mode: AttachMode::Native,
        program_id: 7,
        tc: TcKind::Tcx,
    }
}

/// A folder with a configuration and allowlists.
pub(super) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(super) fn new(interfaces: &str) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(files.path("allow.d")).unwrap();
        files.configure(interfaces, "enforce");
        files
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn configure(&self, interfaces: &str, mode: &str) {
        let (pattern, bans) = (self.path("allow.d/*.list"), self.path("lib/bans.json"));
        let names = self.path("lib/names.json");
        let text = format!(
            "# kept\nmode = \"{mode}\"\ninterfaces = {interfaces}\n[ftp]\npassive_ports = []\n\
             [bans]\nfile = {bans:?}\n[names]\nfile = {names:?}\n[allow]\nfiles = [{pattern:?}]\n"
        );
        std::fs::write(self.path("guard.toml"), text).unwrap();
    }

    pub(super) fn list(&self, name: &str, text: &str) {
        std::fs::write(self.path("allow.d").join(name), text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn guard(&self, kernel: Fake) -> Guard<Fake> {
        self.try_guard(kernel, false).unwrap()
    }

    pub(super) fn try_guard(
        &self,
        kernel: Fake,
        adopted: bool,
    ) -> std::result::Result<Guard<Fake>, Failure> {
        let inputs = Inputs::load(&self.path("guard.toml"))?;
        let bans = Bans::load(&inputs.config)?;
        let names = Names::load(&inputs.config, &inputs.set);
        start(
            kernel,
            inputs,
            bans,
            names,
            adopted,
            &self.path("guard.sock"),
        )
    }
}

pub(super) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(super) fn listed(guard: &Guard<Fake>) -> Vec<String> {
    guard.kernel.table.keys().map(ToString::to_string).collect()
}

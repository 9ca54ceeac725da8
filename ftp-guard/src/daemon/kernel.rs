//! What the daemon needs of the kernel, so that its decisions can be tested without one.

use std::{io, net::IpAddr};

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    allow::AllowValue,
    ban::BanValue,
    config::{Mode, ModeSetting},
    limits::{Attack, Opening, Profile, Source, SourceKey, Sysctls},
    ports::PortTable,
    reason::Reason,
    session::{Client, Flow, Listener, Named, Pinhole, Session},
    stats::{Counter, StatsKey},
    text::TEXT_LOSS_SLOTS,
};
use ipnet::IpNet;

use crate::{
    config::XdpChoice,
    datapath::{
        AllowMemory, Attachment, Capacities, CommandTable, Datapath, DatapathError, Hook,
        Judgement, LimitSettings, SessionSettings, SysctlFiles, cannot_answer, monotonic_ns,
    },
    engine::{
        allowlist::{AllowTable, Change},
        bans::{BanChange, BanTable},
        cookies::TcpSysctls,
    },
    netlink::{self, Interface},
    sockets::{self, Query, Socket},
};

type Result<T> = std::result::Result<T, DatapathError>;

/// The datapath and the host's interfaces. The methods of [`Datapath`] say what each does.
#[expect(missing_docs, reason = "the methods are those of `Datapath`")]
pub trait Kernel: Send + 'static {
    fn mode_setting(&self) -> Result<ModeSetting>;
    /// The mode in force.
    fn mode(&self) -> Result<Mode> {
        Ok(self.mode_setting()?.in_force(|| self.now_ns()))
    }
    fn set_mode(&mut self, setting: ModeSetting) -> Result<()>;
    fn set_ports(&mut self, ports: &PortTable) -> Result<()>;
    fn refresh_clock(&mut self) -> Result<()>;
    fn allow_table(&self) -> Result<AllowTable>;
    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()>;
    fn allow_memory(&self) -> AllowMemory;
    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>>;
    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment>;
    fn detach_interface(&mut self, interface: &str) -> Result<bool>;
    fn attachments(&self) -> Result<Vec<Attachment>>;
    fn pinned_interfaces(&self) -> Result<Vec<String>>;
    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>>;
    fn set_session_config(&mut self, settings: &SessionSettings) -> Result<()>;
    fn set_profiles(&mut self, profiles: &[(u16, Profile)]) -> Result<()>;
    fn profiles(&self) -> Result<Vec<(u16, Profile)>>;
    fn commands(&self) -> Result<CommandTable>;
    fn set_commands(&mut self, wanted: &CommandTable) -> Result<()>;
    fn set_limits(&mut self, settings: &LimitSettings) -> Result<()>;
    fn limits(&self) -> Result<LimitSettings>;
    fn raise_allow_generation(&mut self) -> Result<()>;
    fn adopt_until(&mut self, ns: u64) -> Result<()>;
    fn port_bits(&self) -> Result<Vec<(u16, u8)>>;
    fn clear_port_bits(&mut self, ports: &[u16]) -> Result<()>;
    fn sessions(&self) -> Result<Vec<(FlowKey, Session)>>;
    fn flows(&self) -> Result<Vec<(FlowKey, Flow)>>;
    fn pinholes(&self) -> Result<Vec<(EndpointKey, Pinhole)>>;
    fn named(&self) -> Result<Vec<(EndpointKey, Named)>>;
    fn clients(&self) -> Result<Vec<(ClientKey, Client)>>;
    fn listeners(&self) -> Result<Vec<(ListenKey, Listener)>>;
    fn sources(&self) -> Result<Vec<(SourceKey, Source)>>;
    fn opening(&self) -> Result<Vec<(FlowKey, Opening)>>;
    fn insert_session(&mut self, key: &FlowKey, value: &Session) -> Result<bool>;
    fn update_session(&mut self, key: &FlowKey, value: &Session) -> Result<bool>;
    fn remove_session(&mut self, key: &FlowKey) -> Result<bool>;
    fn insert_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool>;
    fn update_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool>;
    fn close_flow(&mut self, key: &FlowKey, began_ns: u64, now_ns: u64) -> Result<bool>;
    fn remove_flow(&mut self, key: &FlowKey) -> Result<bool>;
    fn remove_pinhole(&mut self, key: &EndpointKey) -> Result<bool>;
    fn remove_named(&mut self, key: &EndpointKey) -> Result<bool>;
    fn client(&self, key: &ClientKey) -> Result<Option<Client>>;
    fn set_client(&mut self, key: &ClientKey, value: &Client) -> Result<()>;
    fn remove_client(&mut self, key: &ClientKey) -> Result<bool>;
    fn set_listener(&mut self, key: &ListenKey, value: &Listener) -> Result<()>;
    fn remove_listener(&mut self, key: &ListenKey, since_ns: u64) -> Result<bool>;
    fn source(&self, key: &SourceKey) -> Result<Option<Source>>;
    fn set_source(&mut self, key: &SourceKey, seen: Option<Source>, value: &Source)
    -> Result<bool>;
    fn remove_source(&mut self, key: &SourceKey) -> Result<bool>;
    fn remove_opening(&mut self, key: &FlowKey) -> Result<bool>;
    fn capacities(&self) -> Capacities;
    fn hook_counters(&self, hook: Hook) -> Result<Vec<(StatsKey, Counter)>>;
    fn attach_sockets(&mut self) -> Result<()>;
    fn detach_sockets(&mut self) -> Result<bool>;
    fn attack(&self) -> Result<Attack>;
    fn cookies_since(&self) -> Result<u64>;
    fn set_cookies_since(&mut self, ns: u64) -> Result<()>;
    fn saved_sysctls(&self) -> Result<Sysctls>;
    fn save_sysctls(&mut self, saved: &Sysctls) -> Result<()>;
    fn absorbed(&self) -> Result<u64>;
    fn suppressed(&self) -> Result<Vec<(Reason, u64)>>;
    fn text_losses(&self) -> Result<[u64; TEXT_LOSS_SLOTS as usize]>;
    fn explain(&mut self, frame: &[u8]) -> Result<Judgement>;
    fn probe(&self) -> Result<()>;
    fn ban_table(&self) -> Result<BanTable>;
    fn apply_bans(&mut self, changes: &[BanChange], wanted: &BanTable) -> Result<()>;
    fn ban_lookup(&self, source: IpAddr) -> Result<Option<(IpNet, BanValue)>>;
    fn detach_all(self) -> Result<Vec<String>>;
    /// CLOCK_MONOTONIC in nanoseconds, the clock of the state tables.
    fn now_ns(&self) -> u64;
    /// TCP sockets of this host.
    fn sockets(&self, query: &Query) -> io::Result<Vec<Socket>>;
    /// Ends a connection of this host; false: it had ended already.
    fn destroy(&mut self, socket: &Socket) -> io::Result<bool>;
    /// The sysctls that SYN cookies need.
    fn sysctls(&self) -> io::Result<TcpSysctls>;
    /// Sets them.
    fn set_sysctls(&mut self, values: TcpSysctls) -> io::Result<()>;
    /// Whether they could be set.
    fn sysctls_writable(&self) -> io::Result<()>;
    /// Why a native program on this interface cannot answer packets, if it cannot.
    fn cannot_answer(&self, interface: &str) -> Option<String>;
    /// The host's interfaces.
    fn interfaces(&self) -> io::Result<Vec<Interface>>;
    /// The present index of an interface.
    fn index_of(&self, interface: &str) -> Option<u32>;
}

impl Kernel for Datapath {
    fn mode_setting(&self) -> Result<ModeSetting> {
        self.mode()
    }

    fn set_mode(&mut self, setting: ModeSetting) -> Result<()> {
        self.set_mode(setting)
    }

    fn set_ports(&mut self, ports: &PortTable) -> Result<()> {
        self.set_ports(ports)
    }

    fn refresh_clock(&mut self) -> Result<()> {
        self.refresh_clock()
    }

    fn allow_table(&self) -> Result<AllowTable> {
        self.allow_table()
    }

    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()> {
        self.apply(changes, wanted)
    }

    fn allow_memory(&self) -> AllowMemory {
        self.allow_memory()
    }

    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>> {
        self.lookup(source)
    }

    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment> {
        self.attach(interface, choice)
    }

    fn detach_interface(&mut self, interface: &str) -> Result<bool> {
        self.detach_interface(interface)
    }

    fn attachments(&self) -> Result<Vec<Attachment>> {
        self.attachments()
    }

    fn pinned_interfaces(&self) -> Result<Vec<String>> {
        self.pinned_interfaces()
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>> {
        self.counters()
    }

    fn set_session_config(&mut self, settings: &SessionSettings) -> Result<()> {
        self.set_session_config(settings)
    }

    fn set_profiles(&mut self, profiles: &[(u16, Profile)]) -> Result<()> {
        self.set_profiles(profiles)
    }

    fn profiles(&self) -> Result<Vec<(u16, Profile)>> {
        self.profiles()
    }

    fn commands(&self) -> Result<CommandTable> {
        self.commands()
    }

    fn set_commands(&mut self, wanted: &CommandTable) -> Result<()> {
        self.set_commands(wanted)
    }

    fn set_limits(&mut self, settings: &LimitSettings) -> Result<()> {
        self.set_limits(settings)
    }

    fn limits(&self) -> Result<LimitSettings> {
        self.limits()
    }

    fn raise_allow_generation(&mut self) -> Result<()> {
        self.raise_allow_generation()
    }

    fn adopt_until(&mut self, ns: u64) -> Result<()> {
        self.adopt_until(ns)
    }

    fn port_bits(&self) -> Result<Vec<(u16, u8)>> {
        self.port_bits()
    }

    fn clear_port_bits(&mut self, ports: &[u16]) -> Result<()> {
        self.clear_port_bits(ports)
    }

    fn sessions(&self) -> Result<Vec<(FlowKey, Session)>> {
        self.sessions()
    }

    fn flows(&self) -> Result<Vec<(FlowKey, Flow)>> {
        self.flows()
    }

    fn pinholes(&self) -> Result<Vec<(EndpointKey, Pinhole)>> {
        self.pinholes()
    }

    fn named(&self) -> Result<Vec<(EndpointKey, Named)>> {
        self.named()
    }

    fn clients(&self) -> Result<Vec<(ClientKey, Client)>> {
        self.clients()
    }

    fn listeners(&self) -> Result<Vec<(ListenKey, Listener)>> {
        self.listeners()
    }

    fn sources(&self) -> Result<Vec<(SourceKey, Source)>> {
        self.sources()
    }

    fn opening(&self) -> Result<Vec<(FlowKey, Opening)>> {
        self.opening()
    }

    fn insert_session(&mut self, key: &FlowKey, value: &Session) -> Result<bool> {
        self.insert_session(key, value)
    }

    fn update_session(&mut self, key: &FlowKey, value: &Session) -> Result<bool> {
        self.update_session(key, value)
    }

    fn remove_session(&mut self, key: &FlowKey) -> Result<bool> {
        self.remove_session(key)
    }

    fn insert_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool> {
        self.insert_flow(key, value)
    }

    fn update_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool> {
        self.update_flow(key, value)
    }

    fn close_flow(&mut self, key: &FlowKey, began_ns: u64, now_ns: u64) -> Result<bool> {
        self.close_flow(key, began_ns, now_ns)
    }

    fn remove_flow(&mut self, key: &FlowKey) -> Result<bool> {
        self.remove_flow(key)
    }

    fn remove_pinhole(&mut self, key: &EndpointKey) -> Result<bool> {
        self.remove_pinhole(key)
    }

    fn remove_named(&mut self, key: &EndpointKey) -> Result<bool> {
        self.remove_named(key)
    }

    fn client(&self, key: &ClientKey) -> Result<Option<Client>> {
        self.client(key)
    }

    fn set_client(&mut self, key: &ClientKey, value: &Client) -> Result<()> {
        self.set_client(key, value)
    }

    fn remove_client(&mut self, key: &ClientKey) -> Result<bool> {
        self.remove_client(key)
    }

    fn set_listener(&mut self, key: &ListenKey, value: &Listener) -> Result<()> {
        self.set_listener(key, value)
    }

    fn remove_listener(&mut self, key: &ListenKey, since_ns: u64) -> Result<bool> {
        self.remove_listener(key, since_ns)
    }

    fn source(&self, key: &SourceKey) -> Result<Option<Source>> {
        self.source(key)
    }

    fn set_source(
        &mut self,
        key: &SourceKey,
        seen: Option<Source>,
        value: &Source,
    ) -> Result<bool> {
        self.set_source(key, seen, value)
    }

    fn remove_source(&mut self, key: &SourceKey) -> Result<bool> {
        self.remove_source(key)
    }

    fn remove_opening(&mut self, key: &FlowKey) -> Result<bool> {
        self.remove_opening(key)
    }

    fn capacities(&self) -> Capacities {
        self.capacities()
    }

    fn hook_counters(&self, hook: Hook) -> Result<Vec<(StatsKey, Counter)>> {
        self.hook_counters(hook)
    }

    fn attach_sockets(&mut self) -> Result<()> {
        self.attach_sockets()
    }

    fn detach_sockets(&mut self) -> Result<bool> {
        self.detach_sockets()
    }

    fn attack(&self) -> Result<Attack> {
        self.attack()
    }

    fn cookies_since(&self) -> Result<u64> {
        self.cookies_since()
    }

    fn set_cookies_since(&mut self, ns: u64) -> Result<()> {
        self.set_cookies_since(ns)
    }

    fn saved_sysctls(&self) -> Result<Sysctls> {
        self.saved_sysctls()
    }

    fn save_sysctls(&mut self, saved: &Sysctls) -> Result<()> {
        self.save_sysctls(saved)
    }

    fn absorbed(&self) -> Result<u64> {
        self.absorbed()
    }

    fn suppressed(&self) -> Result<Vec<(Reason, u64)>> {
        self.suppressed()
    }

    fn text_losses(&self) -> Result<[u64; TEXT_LOSS_SLOTS as usize]> {
        self.text_losses()
    }

    fn explain(&mut self, frame: &[u8]) -> Result<Judgement> {
        self.explain(frame)
    }

    fn probe(&self) -> Result<()> {
        self.probe()
    }

    fn ban_table(&self) -> Result<BanTable> {
        self.ban_table()
    }

    fn apply_bans(&mut self, changes: &[BanChange], wanted: &BanTable) -> Result<()> {
        self.apply_bans(changes, wanted)
    }

    fn ban_lookup(&self, source: IpAddr) -> Result<Option<(IpNet, BanValue)>> {
        self.ban_lookup(source)
    }

    fn detach_all(self) -> Result<Vec<String>> {
        self.detach_all()
    }

    fn now_ns(&self) -> u64 {
        monotonic_ns()
    }

    fn sockets(&self, query: &Query) -> io::Result<Vec<Socket>> {
        sockets::dump(query)
    }

    fn destroy(&mut self, socket: &Socket) -> io::Result<bool> {
        sockets::destroy(socket)
    }

    fn sysctls(&self) -> io::Result<TcpSysctls> {
        SysctlFiles::default().read()
    }

    fn set_sysctls(&mut self, values: TcpSysctls) -> io::Result<()> {
        SysctlFiles::default().write(values)
    }

    fn sysctls_writable(&self) -> io::Result<()> {
        SysctlFiles::default().writable()
    }

    fn cannot_answer(&self, interface: &str) -> Option<String> {
        cannot_answer(interface)
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        netlink::interfaces()
    }

    fn index_of(&self, interface: &str) -> Option<u32> {
        netlink::index_of(interface)
    }
}

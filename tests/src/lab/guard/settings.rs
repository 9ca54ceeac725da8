//! A guard's configuration in the lab.

use super::Guard;
use crate::lab::{Addresses, CLIENT, Family, Folder, Site, servers};

/// What a guard is told. The default enforces, guards the server's interface and the ports of a
/// default FTP server, and lists the client for both IP versions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `monitor` or `enforce`.
    pub mode: &'static str,
    /// Interfaces to guard.
    pub interfaces: Vec<String>,
    /// `auto`, `native` or `generic`.
    pub xdp_mode: &'static str,
    /// Ports for passive data connections.
    pub passive: String,
    /// Size of the kernel's tables.
    pub max_entries: u32,
    /// Lines of the allowlist file.
    pub list: Vec<String>,
    /// Folder of the files, the socket and the pins below the lab's folder. Two guards of one host
    /// need two names.
    pub name: &'static str,
    /// Address of the metrics, or `off`.
    pub metrics: &'static str,
    /// `host` or `router`.
    pub role: &'static str,
    /// Lines of the section `[sessions]`.
    pub sessions: Vec<String>,
    /// Further lines of the section `[bans]`.
    pub bans: Vec<String>,
    /// A file of the history other than the usual one, as the guard sees it.
    pub history: Option<String>,
    /// Lines at the end, with the headings of their sections.
    pub more: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: "enforce",
            interfaces: vec![Site::INTERFACE.to_owned()],
            xdp_mode: "auto",
            passive: servers::Settings::default().passive_range(),
            max_entries: 20_000,
            list: Family::BOTH
                .map(|family| CLIENT.ip(family).to_string())
                .into(),
            name: "guard",
            metrics: Guard::METRICS,
            role: "host",
            sessions: Vec::new(),
            bans: Vec::new(),
            history: None,
            more: Vec::new(),
        }
    }
}

impl Settings {
    /// For [`Settings::more`]: no limit of connections, where a test makes more than clients do.
    #[must_use]
    pub fn unlimited() -> Vec<String> {
        let lines = [
            "[profile.default]",
            "connections_per_second = 0",
            "max_sessions = 0",
            "max_data_connections = 0",
            "[limits]",
            "network_connections_per_second = 0",
            "total_connections_per_second = 0",
            "stray_packets_per_second = 0",
            "total_stray_packets_per_second = 0",
        ];
        lines.map(str::to_owned).to_vec()
    }

    /// Lists hosts instead of the client.
    #[must_use]
    pub fn listing(mut self, hosts: &[Addresses]) -> Self {
        let all = hosts.iter().flat_map(|host| host.ips());
        self.list = all.map(|address| address.to_string()).collect();
        self
    }

    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}/ftp-guard.toml", self.name)
    }

    /// The allowlist file of the site.
    #[must_use]
    pub fn list_file(&self) -> String {
        format!("{}/allow.d/site.list", self.name)
    }

    /// The allowlist file of the command line.
    #[must_use]
    pub fn cli_file(&self) -> String {
        format!("{}/allow.d/cli.list", self.name)
    }

    /// The control socket.
    #[must_use]
    pub fn socket(&self) -> String {
        format!("{}/ftp-guard.sock", self.name)
    }

    /// The file of bans.
    #[must_use]
    pub fn bans_file(&self) -> String {
        format!("{}/lib/bans.json", self.name)
    }

    /// The file of the history.
    #[must_use]
    pub fn history_file(&self) -> String {
        format!("{}/lib/history.db", self.name)
    }

    /// The folder of the pins.
    #[must_use]
    pub fn pins(&self) -> String {
        format!("bpf/{}", self.name)
    }

    /// The configuration file's text.
    #[must_use]
    pub fn toml(&self, folder: &Folder) -> String {
        let Self {
            mode,
            xdp_mode,
            interfaces,
            passive,
            max_entries,
            name,
            metrics,
            role,
            ..
        } = self;
        let (sessions, more) = (self.sessions.join("\n"), self.more.join("\n"));
        let inside = |path: &str| folder.inside(path).display().to_string();
        let lists = inside(&format!("{name}/allow.d/*.list"));
        let (cli_file, socket) = (inside(&self.cli_file()), inside(&self.socket()));
        let pins = inside(&self.pins());
        let (bans_file, bans) = (inside(&self.bans_file()), self.bans.join("\n"));
        let usual = || inside(&self.history_file());
        let history = self.history.clone().unwrap_or_else(usual);
        format!(
            "mode = \"{mode}\"\n\
             interfaces = {interfaces:?}\n\
             xdp_mode = \"{xdp_mode}\"\n\
             role = \"{role}\"\n\
             \n\
             [ftp]\n\
             control_ports = [21, 990]\n\
             active_data_ports = [20, 989]\n\
             passive_ports = [\"{passive}\"]\n\
             \n\
             [allow]\n\
             files = [\"{lists}\"]\n\
             cli_file = \"{cli_file}\"\n\
             max_entries = {max_entries}\n\
             \n\
             [sessions]\n\
             {sessions}\n\
             \n\
             [bans]\n\
             file = \"{bans_file}\"\n\
             {bans}\n\
             \n\
             [history]\n\
             file = \"{history}\"\n\
             \n\
             [metrics]\n\
             listen = \"{metrics}\"\n\
             \n\
             [control]\n\
             socket = \"{socket}\"\n\
             \n\
             [bpf]\n\
             pin_path = \"{pins}\"\n\
             \n\
             {more}\n"
        )
    }
}

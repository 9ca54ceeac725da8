//! What there is on this host, as far as it can be seen. Each look may fail by itself: what could not
//! be seen is said, and the others count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use netlink_packet_core::Parseable;
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{RouteAttribute, RouteMessage, RouteMessageBuffer, RouteType},
};

use super::servers;
use crate::{
    host::{
        interfaces::{self, Interface},
        listeners::{self, Listener, Process},
    },
    netlink::route,
    server_config::{self, Examined, Software, USUAL_PLACES},
    sockets::{self, Query, TcpState},
};

/// Where systemd finds units that packages and administrators install.
const UNIT_FOLDERS: [&str; 3] = [
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// How many sources are kept: a proposal is to be read by people.
const MOST_SOURCES: usize = 1000;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// All interfaces.
    pub interfaces: Vec<Interface>,
    /// Indexes of the interfaces that a route leads out of.
    pub routed: BTreeSet<u32>,
    /// Of these, those of a default route.
    pub default_route: BTreeSet<u32>,
    /// All that listens.
    pub listeners: Vec<Listener>,
    /// The configurations of FTP servers that were read.
    pub configurations: Vec<Examined>,
    /// Configurations that exist where `passive_ports = "auto"` looks by itself.
    pub usual: Vec<PathBuf>,
    /// Sources that have a connection to a control port, and these ports.
    pub sources: BTreeMap<IpAddr, BTreeSet<u16>>,
    /// What is wrong with a proposal of `"auto"`: then there is to be none.
    pub not_auto: Vec<String>,
    /// Whether systemd has a unit of the guard.
    pub unit: bool,
    /// What could not be seen, and what would help.
    pub unseen: Vec<String>,
}

/// Looks at this host and network namespace. `configurations`: those of the FTP servers; empty: they
/// are looked for.
#[must_use]
pub fn survey(configurations: &[PathBuf]) -> Facts {
    let mut facts = Facts {
        usual: USUAL_PLACES
            .iter()
            .map(PathBuf::from)
            .filter(|path| path.exists())
            .collect(),
        unit: UNIT_FOLDERS
            .iter()
            .any(|folder| Path::new(folder).join("ftp-guard.service").exists()),
        ..Facts::default()
    };
    facts.see_interfaces();
    facts.see_listeners();
    facts.see_configurations(configurations);
    facts.see_sources();
    facts
}

impl Facts {
    fn see_interfaces(&mut self) {
        match interfaces::interfaces() {
            Ok(found) => self.interfaces = found,
            Err(error) => self.miss("interfaces", &error),
        }
        if let Err(error) = self.see_routes() {
            self.miss("routes", &error);
            // Then addresses alone have to do.
            self.routed = self.interfaces.iter().map(|found| found.index).collect();
        }
    }

    fn see_routes(&mut self) -> io::Result<()> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        route::dump(request, |payload| {
            let message = RouteMessageBuffer::new_checked(&payload)
                .and_then(|buffer| RouteMessage::parse(&buffer))
                .map_err(io::Error::other)?;
            // The kernel's own table has local and multicast routes for whatever is up.
            if message.header.kind != RouteType::Unicast {
                return Ok(());
            }
            let mut out: Vec<u32> = Vec::new();
            for attribute in &message.attributes {
                match attribute {
                    RouteAttribute::Oif(index) => out.push(*index),
                    RouteAttribute::MultiPath(hops) => {
                        out.extend(hops.iter().map(|hop| hop.interface_index));
                    }
                    _ => {}
                }
            }
            if message.header.destination_prefix_length == 0 {
                self.default_route.extend(&out);
            }
            self.routed.extend(out);
            Ok(())
        })
    }

    fn see_listeners(&mut self) {
        match listeners::listeners() {
            Ok(found) => self.listeners = found,
            Err(error) => self.miss("listening sockets", &error),
        }
        let hidden: BTreeSet<u16> = self
            .listeners
            .iter()
            .filter(|listener| listener.processes.is_empty())
            .map(|listener| listener.address.port())
            .collect();
        if !hidden.is_empty() && !nix::unistd::geteuid().is_root() {
            let ports: Vec<_> = hidden.iter().map(ToString::to_string).collect();
            self.unseen.push(format!(
                "which programs listen on these ports: {}; an FTP server may be among them. Root \
                 sees them",
                ports.join(", ")
            ));
        }
    }

    fn see_configurations(&mut self, named: &[PathBuf]) {
        let mut paths: Vec<PathBuf> = named.to_vec();
        if named.is_empty() {
            let running = servers::control(&self.listeners);
            for server in &running {
                let process = server.listener.processes.first();
                if let (Some(software), Some(process)) = (server.listener.software(), process) {
                    let found = configuration_of(software, process);
                    match found {
                        Ok(path) => paths.push(path),
                        Err(why) => self.not_auto.push(why),
                    }
                }
            }
            // Nothing runs, or under a name that tells nothing: then what is installed counts.
            if running
                .iter()
                .all(|server| server.listener.ftp_server.is_none())
            {
                paths.extend(self.usual.iter().cloned());
            }
        }
        let mut known = BTreeSet::new();
        paths.retain(|path| known.insert(path.clone()));
        self.configurations = paths
            .iter()
            .map(|path| server_config::examine(path))
            .collect();
    }

    fn see_sources(&mut self) {
        let ports = servers::control_ports(&self.listeners).ports;
        let query = Query {
            states: vec![TcpState::Established, TcpState::CloseWait],
            ports: ports.iter().map(|port| *port..=*port).collect(),
            bytes: false,
        };
        let found = match sockets::dump(&query) {
            Ok(found) => found,
            Err(error) => return self.miss("sessions", &error),
        };
        let mut beyond = 0;
        for socket in found {
            let source = socket.remote.ip();
            if source.is_loopback() {
                continue;
            }
            if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&source) {
                beyond += 1;
                continue;
            }
            let ports = self.sources.entry(source).or_default();
            ports.insert(socket.local.port());
        }
        if beyond > 0 {
            self.unseen.push(format!(
                "the sources of {beyond} sessions: {MOST_SOURCES} sources are shown at most"
            ));
        }
    }

    fn miss(&mut self, what: &str, error: &io::Error) {
        self.unseen.push(format!("{what}: {error}"));
    }
}

/// Where the configuration of a running server is: named in its command line, or where it is usual; or
/// why it cannot be read.
fn configuration_of(software: Software, process: &Process) -> Result<PathBuf, String> {
    let path = servers::named_configuration(software, &process.arguments(), process.folder())
        .unwrap_or_else(|| servers::usual_place(software).into());
    let Process { pid, name } = process;
    let inside = format!("/proc/{pid}/root{}", path.display());
    let number = |file: fs::Metadata| (file.dev(), file.ino());
    let theirs = fs::metadata(inside).ok().map(number);
    let ours = fs::metadata(&path).ok().map(number);
    let shown = path.display();
    match (theirs, ours) {
        (Some(theirs), ours) if Some(theirs) != ours => Err(format!(
            "the configuration of {name} (process {pid}): it has another {shown} than this host, as in \
             a container"
        )),
        (_, None) => Err(format!(
            "the configuration of {name} (process {pid}): there is no {shown}; name it with \
             --server-config"
        )),
        _ => Ok(path),
    }
}

//! What `init` says: JSON for programs, text for people.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::super::escape::plain;
use crate::{
    server_config::Examined,
    setup::{
        plan::{Judged, Plan, Server},
        survey::Facts,
        write::{Done, State},
    },
};

/// All that is said.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    dry_run: bool,
    interfaces: Vec<Interface>,
    servers: Vec<ServerView>,
    configurations: Vec<Configuration>,
    sessions: Vec<Source>,
    settings: Settings,
    /// What somebody has to look at.
    remarks: Vec<String>,
    /// What could not be seen.
    unseen: Vec<String>,
    files: Vec<File>,
    next: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    addresses: Vec<String>,
    default_route: bool,
    guarded: bool,
    /// Why not.
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct ServerView {
    address: String,
    port: u16,
    /// The FTP server's name, if it is known by its process.
    server: Option<&'static str>,
    pid: Option<u32>,
    program: Option<String>,
    /// Whether clients can reach it from elsewhere.
    reachable: bool,
}

#[derive(Debug, Serialize)]
struct Configuration {
    path: PathBuf,
    server: Option<&'static str>,
    passive_ports: Vec<String>,
    tls: Vec<TlsView>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TlsView {
    /// `off`, `offered`, `required` or `implicit`.
    tls: &'static str,
    file: PathBuf,
    line: Option<u32>,
    conditional: bool,
}

#[derive(Debug, Serialize)]
struct Source {
    source: String,
    ports: Vec<u16>,
}

/// The values that were set.
#[derive(Debug, Serialize)]
struct Settings {
    mode: &'static str,
    interfaces: Vec<String>,
    control_ports: Vec<u16>,
    /// Ranges; `null`: `"auto"`.
    passive_ports: Option<Vec<String>>,
    server_configs: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Step {
    command: String,
    purpose: &'static str,
}

/// A file, and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct File {
    path: PathBuf,
    /// `made`, `unchanged`, `replaced`; not written: `would_make`, `unchanged`, `would_replace`.
    state: &'static str,
    /// Where the old one is.
    backup: Option<PathBuf>,
    /// What would be written.
    text: Option<String>,
}

impl File {
    pub(super) fn planned(path: PathBuf, text: &str, state: &State) -> Self {
        Self {
            path,
            state: match state {
                State::New => "would_make",
                State::Same => "unchanged",
                State::Different => "would_replace",
            },
            backup: None,
            text: Some(text.to_owned()),
        }
    }

    pub(super) fn done(path: PathBuf, done: &Done) -> Self {
        let (state, backup) = match done {
            Done::Made => ("made", None),
            Done::Unchanged => ("unchanged", None),
            Done::Replaced(backup) => ("replaced", Some(backup.clone())),
        };
        Self {
            path,
            state,
            backup,
            text: None,
        }
    }
}

impl Report {
    pub(super) fn new(facts: &Facts, plan: &Plan, files: Vec<File>, dry_run: bool) -> Self {
        let guarded = plan.interfaces.iter();
        let guarded = guarded.filter(|judged| judged.left_out.is_none());
        let ranges = plan.passive_ports.as_ref();
        Self {
            dry_run,
            interfaces: plan.interfaces.iter().map(interface).collect(),
            servers: plan.servers.iter().map(server).collect(),
            configurations: facts.configurations.iter().map(configuration).collect(),
            sessions: facts
                .sources
                .iter()
                .map(|(source, ports)| Source {
                    source: source.to_string(),
                    ports: ports.iter().copied().collect(),
                })
                .collect(),
            settings: Settings {
                mode: "monitor",
                interfaces: guarded
                    .map(|judged| judged.interface.name.clone())
                    .collect(),
                control_ports: plan.control_ports.clone(),
                passive_ports: ranges.map(|ranges| strings(ranges)),
                server_configs: plan.server_configs.clone(),
            },
            remarks: plan.remarks.clone(),
            unseen: facts.unseen.clone(),
            files,
            next: plan
                .next
                .iter()
                .map(|(command, purpose)| Step {
                    command: command.clone(),
                    purpose,
                })
                .collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        section(
            &mut text,
            "Interfaces",
            self.interfaces.iter().map(interface_line),
        );
        section(
            &mut text,
            "FTP servers",
            self.servers.iter().map(server_line),
        );
        let configurations = self.configurations.iter().flat_map(configuration_lines);
        section(&mut text, "Their configurations", configurations);
        let sessions = self.sessions.iter().map(|source| {
            let ports = strings(&source.ports).join(", ");
            format!("{} (port {ports})", source.source)
        });
        section(&mut text, "Sources with a session", sessions);
        section(&mut text, "Look at this", self.remarks.iter().cloned());
        section(&mut text, "Not seen", self.unseen.iter().cloned());
        let heading = match self.dry_run {
            true => "Nothing was written; these would be",
            false => "Files",
        };
        section(&mut text, heading, self.files.iter().map(file_line));
        let width = self.next.iter().map(|step| step.command.len()).max();
        let steps = self.next.iter().map(|step| {
            let width = width.unwrap_or_default();
            format!("{:width$}  # {}", step.command, step.purpose)
        });
        section(&mut text, "Next", steps);
        for file in &self.files {
            if let Some(planned) = &file.text {
                push(
                    &mut text,
                    format_args!("\n--- {}\n{planned}", shown(&file.path)),
                );
            }
        }
        text
    }
}

fn interface(judged: &Judged) -> Interface {
    Interface {
        name: judged.interface.name.clone(),
        addresses: strings(&judged.interface.addresses),
        default_route: judged.default_route,
        guarded: judged.left_out.is_none(),
        reason: judged.left_out.clone(),
    }
}

fn server(server: &Server) -> ServerView {
    let listener = &server.listener;
    let process = listener.processes.first();
    ServerView {
        address: listener.address.ip().to_string(),
        port: listener.address.port(),
        server: listener.ftp_server,
        pid: process.map(|process| process.pid),
        program: process.map(|process| process.name.clone()),
        reachable: !server.local,
    }
}

fn configuration(examined: &Examined) -> Configuration {
    let ranges = examined.origins.iter().filter_map(|origin| origin.range);
    Configuration {
        path: examined.path.clone(),
        server: examined.software.map(|software| software.as_str()),
        passive_ports: ranges.map(|range| range.to_string()).collect(),
        tls: examined
            .tls
            .iter()
            .map(|setting| TlsView {
                tls: setting.tls.as_str(),
                file: setting.file.clone(),
                line: setting.line,
                conditional: setting.conditional,
            })
            .collect(),
        problems: [strings(&examined.problems), strings(&examined.tls_problems)].concat(),
    }
}

fn interface_line(interface: &Interface) -> String {
    let addresses = match interface.addresses.is_empty() {
        true => String::new(),
        false => format!(" {}", interface.addresses.join(", ")),
    };
    let route = match interface.default_route {
        true => ", default route",
        false => "",
    };
    let name = &interface.name;
    match &interface.reason {
        None => format!("{name}{addresses}{route}"),
        Some(reason) => format!("{name}{addresses}{route}; left out: {reason}"),
    }
}

fn server_line(server: &ServerView) -> String {
    let name = match (server.server, &server.program) {
        (Some(name), _) => name,
        (None, Some(program)) => program,
        (None, None) => "a program that cannot be seen",
    };
    let process = match server.pid {
        Some(pid) => format!(" (process {pid})"),
        None => String::new(),
    };
    let reach = match server.reachable {
        true => "",
        false => "; left out: no client arrives there",
    };
    let ServerView { address, port, .. } = server;
    match address.contains(':') {
        true => format!("[{address}]:{port} {name}{process}{reach}"),
        false => format!("{address}:{port} {name}{process}{reach}"),
    }
}

fn configuration_lines(configuration: &Configuration) -> Vec<String> {
    let path = configuration.path.display();
    let ports = match configuration.passive_ports.is_empty() {
        true => "none".to_owned(),
        false => configuration.passive_ports.join(", "),
    };
    let mut lines = vec![format!("{path}: passive ports {ports}")];
    for setting in &configuration.tls {
        let place = match setting.line {
            Some(line) => format!("{}:{line}", setting.file.display()),
            None => format!("{}: not set", setting.file.display()),
        };
        let condition = match setting.conditional {
            true => ", if the module is loaded",
            false => "",
        };
        lines.push(format!("  TLS {} ({place}{condition})", setting.tls));
    }
    lines
}

fn file_line(file: &File) -> String {
    let state = file.state.replace('_', " ");
    match &file.backup {
        Some(backup) => format!(
            "{} {state}; the old one is {}",
            shown(&file.path),
            shown(backup)
        ),
        None => format!("{} {state}", shown(&file.path)),
    }
}

fn section(text: &mut String, heading: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    push(text, format_args!("{heading}:\n"));
    for line in lines {
        push(text, format_args!("  {}\n", plain(&line)));
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(line);
}

fn shown(path: &Path) -> String {
    plain(&path.display().to_string())
}

fn strings(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

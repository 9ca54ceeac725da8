//! From what was seen to what is proposed: the texts of the configuration and the allowlist, and what
//! people should know of them. No I/O.

use std::path::{Path, PathBuf};

use toml_edit::{Array, Value};

use super::{
    interfaces,
    servers::{self, Passive},
    survey::Facts,
    template::{Template, comments},
};
pub use super::{interfaces::Judged, servers::Server, template::PlanError};
use crate::config::PortRange;

/// What is in the configuration where it is for somebody to say.
const FILL_IN: &str = "FILL IN:";

/// Where what is planned is to be, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// The configuration file, an absolute path.
    pub configuration: PathBuf,
    /// The control socket, if not the default one.
    pub socket: Option<PathBuf>,
    /// Whether the sources that were seen are on the allowlist, or only in its comments.
    pub propose: bool,
}

impl Wishes {
    /// The folder of the allowlists.
    #[must_use]
    pub fn list_folder(&self) -> PathBuf {
        self.configuration
            .parent()
            .unwrap_or(Path::new("/"))
            .join("allow.d")
    }

    /// The allowlist file.
    #[must_use]
    pub fn list(&self) -> PathBuf {
        self.list_folder().join("proposed.list")
    }
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The text of the configuration.
    pub configuration: String,
    /// The text of the allowlist.
    pub allowlist: String,
    /// All interfaces but the loopback one.
    pub interfaces: Vec<Judged>,
    /// The FTP servers.
    pub servers: Vec<Server>,
    /// Ports of control connections.
    pub control_ports: Vec<u16>,
    /// The passive ports, where the configuration says them; `None`: it says `"auto"`.
    pub passive_ports: Option<Vec<PortRange>>,
    /// What `"auto"` reads beside its usual places.
    pub server_configs: Vec<PathBuf>,
    /// What somebody has to look at.
    pub remarks: Vec<String>,
    /// What to run next, in this order, with what for.
    pub next: Vec<(String, &'static str)>,
}

/// Plans a configuration.
///
/// # Errors
///
/// A path that is no UTF-8, which a configuration cannot name; or a fault of the example.
pub fn plan(facts: &Facts, wishes: &Wishes) -> Result<Plan, PlanError> {
    let interfaces = interfaces::judged(facts);
    let control = servers::control_ports(&facts.listeners);
    let (passive, unclear) = servers::passive(facts, &control);
    let mut remarks = control.remarks.clone();
    remarks.extend(unclear.iter().cloned());
    for examined in &facts.configurations {
        remarks.extend(examined.tls_problems.iter().map(ToString::to_string));
    }
    let servers = servers::control(&facts.listeners);
    if servers.is_empty() {
        remarks.push(
            "no FTP server listens here, so that control_ports has the usual ports; where the servers \
             are behind this machine, set role = \"router\""
                .to_owned(),
        );
    }

    let mut template = Template::new(&head())?;
    template.set("", "mode", "monitor", &[])?;

    let guarded = interfaces.iter().filter(|judged| judged.left_out.is_none());
    let guarded: Vec<_> = guarded.map(|judged| &*judged.interface.name).collect();
    // Hosts of containers have many that hold none.
    let addressed = interfaces.iter();
    let addressed = addressed.filter(|judged| !judged.interface.addresses.is_empty());
    let mut about: Vec<_> = addressed.map(about_interface).collect();
    let mut names = guarded;
    if names.is_empty() {
        let missing = "no interface holds an address and a route: set `interfaces`";
        remarks.push(missing.to_owned());
        about.push(format!("{FILL_IN} none was found; this one is an example."));
        names.push("eth0");
    }
    template.set("", "interfaces", strings(names), &about)?;

    let about: Vec<_> = servers.iter().map(about_server).collect();
    template.set("ftp", "control_ports", numbers(&control.ports), &about)?;
    template.set("ftp", "active_data_ports", numbers(&control.active), &[])?;

    let (passive_ports, server_configs) = match &passive {
        Passive::Auto {
            origins,
            server_configs,
        } => {
            let mut about: Vec<_> = origins
                .iter()
                .map(|origin| format!("Found: {origin}."))
                .collect();
            about.extend(about_tls(facts));
            template.set("ftp", "passive_ports", "auto", &about)?;
            let paths = server_configs.iter().map(|path| utf8(path));
            let paths = paths.collect::<Result<Vec<_>, _>>()?;
            template.set("ftp", "server_configs", strings(paths), &[])?;
            (None, server_configs.clone())
        }
        Passive::Known(ranges) => {
            let mut about: Vec<_> = unclear
                .iter()
                .map(|unclear| format!("Not understood: {unclear}"))
                .collect();
            let example = PortRange {
                first: 50_000,
                last: 50_100,
            };
            about.push(match ranges.is_empty() {
                true => {
                    format!("{FILL_IN} the passive range is not known; this one is an example.")
                }
                false => format!("{FILL_IN} this is what could be read, and more may be missing."),
            });
            about.extend(about_tls(facts));
            remarks.push(
                "the passive ports are not known for sure: set `ftp.passive_ports` to the ranges \
                 that the FTP servers use"
                    .to_owned(),
            );
            let ranges = match ranges.is_empty() {
                true => vec![example],
                false => ranges.clone(),
            };
            let texts: Vec<_> = ranges.iter().map(ToString::to_string).collect();
            let texts = strings(texts.iter().map(String::as_str));
            template.set("ftp", "passive_ports", texts, &about)?;
            (Some(ranges), Vec::new())
        }
    };

    let folder = wishes.list_folder();
    let folder = utf8(&folder)?;
    let pattern = format!("{}/*.list", glob::Pattern::escape(folder));
    template.set("allow", "files", strings([&*pattern]), &[])?;
    template.set("allow", "cli_file", format!("{folder}/cli.list"), &[])?;
    if let Some(socket) = &wishes.socket {
        template.set("control", "socket", utf8(socket)?, &[])?;
    }

    Ok(Plan {
        configuration: template.to_string(),
        allowlist: allowlist(facts, wishes),
        interfaces,
        servers,
        control_ports: control.ports,
        passive_ports,
        server_configs,
        remarks,
        next: next(facts, wishes),
    })
}

fn head() -> Vec<String> {
    [
        "ftp-guard: written by `ftp-guard init` from what it found on this host. Every key is here;",
        "those that it set have what it found above them. In monitor mode nothing is dropped.",
        "The reference is docs/configuration.md; `ftp-guard check` tells what is wrong with this file.",
    ]
    .map(str::to_owned)
    .into()
}

fn about_interface(judged: &Judged) -> String {
    let Judged {
        interface,
        default_route,
        left_out,
    } = judged;
    let addresses: Vec<_> = interface
        .addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut text = format!("{}: {}", interface.name, addresses.join(", "));
    if *default_route {
        text.push_str(", default route");
    }
    match left_out {
        Some(why) => format!("Left out: {text}: {why}."),
        None => format!("Found: {text}."),
    }
}

fn about_server(server: &Server) -> String {
    let listener = &server.listener;
    let name = match (listener.ftp_server, listener.processes.first()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(process)) => format!("{}, which starts other programs", process.name),
        (None, None) => "a program that could not be seen".to_owned(),
    };
    let verb = match server.local {
        true => "Left out",
        false => "Found",
    };
    format!("{verb}: {name} on {}.", listener.address)
}

fn about_tls(facts: &Facts) -> Vec<String> {
    let settings = facts
        .configurations
        .iter()
        .flat_map(|examined| &examined.tls);
    settings.map(|setting| format!("TLS: {setting}.")).collect()
}

fn allowlist(facts: &Facts, wishes: &Wishes) -> String {
    let mut head = vec![
        "Who may use FTP. Written by `ftp-guard init`; ftp-guard reads all files of this folder that"
            .to_owned(),
        "end in .list. One entry a line: PREFIX [key=value ...] [# comment], where PREFIX is an address"
            .to_owned(),
        "or a network; `ftp-guard allow add` does it, too, in cli.list.".to_owned(),
        String::new(),
    ];
    let rest: &[&str] = match (facts.sources.is_empty(), wishes.propose) {
        (true, _) => &["Nobody had a session when this was written, and nobody is listed."],
        (false, false) => &[
            "These sources had a connection to the FTP server when this was written, which does not make",
            "them partners. Take the `#` away from those that are.",
        ],
        (false, true) => &[
            "These sources had a connection to the FTP server when this was written, which does not make",
            "them partners. Remove those that are none.",
        ],
    };
    head.extend(rest.iter().map(ToString::to_string));
    let mut text = comments(&head);
    if !facts.sources.is_empty() {
        text.push_str("#\n");
    }
    for (source, ports) in &facts.sources {
        let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
        let off = if wishes.propose { "" } else { "# " };
        text.push_str(&format!("{off}{source}  # port {}\n", ports.join(", ")));
    }
    text
}

fn next(facts: &Facts, wishes: &Wishes) -> Vec<(String, &'static str)> {
    let default = Path::new(crate::config::Config::DEFAULT_PATH);
    let guard = match wishes.configuration == default {
        true => "ftp-guard".to_owned(),
        false => format!("ftp-guard --config {}", shell_word(&wishes.configuration)),
    };
    let mut next = vec![
        (format!("{guard} check"), "the files are right"),
        (
            format!("{guard} doctor"),
            "what on this host keeps the guard from its work",
        ),
        match facts.unit && wishes.configuration == default {
            true => (
                "systemctl enable --now ftp-guard".to_owned(),
                "start: it counts, and drops nothing",
            ),
            false => (
                format!("{guard} run"),
                "start: it counts, and drops nothing",
            ),
        },
        (format!("{guard} status"), "what it would have dropped"),
        (format!("{guard} sessions"), "who is there"),
    ];
    next.push((
        format!("{guard} allow add ADDRESS"),
        "list the partners that are missing",
    ));
    next.push((
        format!("{guard} mode enforce --confirm-within 10m"),
        "when only strangers would be dropped; it takes itself back unless `mode confirm` follows",
    ));
    next
}

/// The path as a word of a shell's command line.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn utf8(path: &Path) -> Result<&str, PlanError> {
    let unfit = || {
        PlanError(format!(
            "a configuration cannot name {}: it is not UTF-8",
            path.display()
        ))
    };
    path.to_str().ok_or_else(unfit)
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    texts.into_iter().collect::<Array>().into()
}

fn numbers(ports: &[u16]) -> Value {
    ports
        .iter()
        .map(|port| i64::from(*port))
        .collect::<Array>()
        .into()
}

//! The configuration, and the daemon with what it or the pins tell.

use std::{fs, io, path::PathBuf};

use super::{Known, Question, Unseen};
use crate::{
    config::{Config, XdpChoice},
    control::{
        client::{Client, ClientError},
        protocol::{ModeName, Request},
        view::Status,
    },
    daemon::inputs::Inputs,
    datapath::{self, monotonic_ns},
};
use ftp_guard_common::config::{Cookies, Role};

/// The configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// It and the lists that it names have no mistakes.
    Valid,
    /// There is none, and nobody has named one.
    Absent,
    /// Its mistakes, or those of the lists.
    Broken(Vec<String>),
    /// It cannot be read.
    Unseen(Unseen),
}

/// The daemon.
#[derive(Clone, Debug, PartialEq)]
pub enum Daemon {
    /// It answers.
    Running(Box<Status>),
    /// Nobody answers; why.
    Silent(String),
    /// It could not be asked.
    Unseen(Unseen),
}

/// What the configuration asks for, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The interfaces; none without a configuration.
    pub interfaces: Vec<String>,
    /// How to attach to them.
    pub xdp_mode: XdpChoice,
    /// Where the servers are.
    pub role: Role,
    /// The ports of control connections.
    pub control_ports: Vec<u16>,
    /// When SYN cookies are used.
    pub cookies: Cookies,
}

impl Wanted {
    fn of(config: &Config) -> Self {
        Self {
            interfaces: config.interfaces.clone(),
            xdp_mode: config.xdp_mode,
            role: config.role,
            control_ports: config.ftp.control_ports.clone(),
            cookies: config.limits.syn_cookies,
        }
    }

    /// What the keys are worth that nobody has set.
    fn defaults() -> Self {
        let least = "interfaces = [\"none\"]\n[ftp]\npassive_ports = []\n";
        let config = Config::parse(std::path::Path::new(""), least);
        let mut wanted = config.as_ref().map_or_else(
            |_| Self {
                interfaces: Vec::new(),
                xdp_mode: XdpChoice::default(),
                role: Role::Host,
                control_ports: vec![21, 990],
                cookies: Cookies::Auto,
            },
            Self::of,
        );
        wanted.interfaces.clear();
        wanted
    }
}

/// What is known of the guard.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The configuration file.
    pub path: PathBuf,
    /// What is in it.
    pub configuration: Configuration,
    /// What it asks for; the defaults where it cannot be understood.
    pub wanted: Wanted,
    /// The daemon.
    pub daemon: Daemon,
    /// The kernel's mode and the guarded interfaces; nothing where nothing is pinned.
    pub enforced: Known<Option<(ModeName, Vec<String>)>>,
}

impl Guard {
    pub(super) fn gather(question: &Question) -> Self {
        let config = Config::load(&question.config);
        let wanted = config
            .as_ref()
            .map_or_else(|_| Wanted::defaults(), Wanted::of);
        let daemon = daemon(question);
        Self {
            path: question.config.clone(),
            configuration: configuration(question),
            wanted,
            enforced: match &daemon {
                Daemon::Running(status) => Ok(of_status(status)),
                _ => of_pins(question),
            },
            daemon,
        }
    }
}

fn configuration(question: &Question) -> Configuration {
    let path = &question.config;
    let what = || format!("the configuration {}", path.display());
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Configuration::Unseen(Unseen::io(what(), &error));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && question.config_optional => {
            return Configuration::Absent;
        }
        _ => {}
    }
    match Inputs::load(path) {
        Ok(_) => Configuration::Valid,
        Err(failure) => {
            let mut mistakes: Vec<String> = failure
                .diagnostics
                .iter()
                .map(ToString::to_string)
                .collect();
            if mistakes.is_empty() {
                mistakes.push(failure.message);
            }
            let denied = io::Error::from_raw_os_error(libc::EACCES).to_string();
            let denied = denied.split(" (").next().unwrap_or_default();
            match mistakes.iter().find(|mistake| mistake.contains(denied)) {
                Some(mistake) => Configuration::Unseen(Unseen {
                    what: what(),
                    because: mistake.clone(),
                    denied: true,
                }),
                None => Configuration::Broken(mistakes),
            }
        }
    }
}

fn daemon(question: &Question) -> Daemon {
    let status = Client::connect(&question.socket)
        .and_then(|mut client| client.ask::<Status>(&Request::Status));
    match status {
        Ok(status) => Daemon::Running(Box::new(status)),
        Err(ClientError::NoDaemon { source, .. }) => Daemon::Silent(source.to_string()),
        Err(error) => Daemon::Unseen(Unseen {
            what: "the daemon".to_owned(),
            denied: matches!(error, ClientError::NotPermitted { .. }),
            because: error.to_string(),
        }),
    }
}

fn of_status(status: &Status) -> Option<(ModeName, Vec<String>)> {
    let names = status.interfaces.iter().map(|view| view.interface.clone());
    Some((status.mode?, names.collect()))
}

fn of_pins(question: &Question) -> Known<Option<(ModeName, Vec<String>)>> {
    let observation = datapath::observe(&question.pin_path)
        .map_err(|error| Unseen::datapath("the pins", &error))?;
    Ok(observation.map(|seen| {
        let names = seen.attachments.into_iter().map(|it| it.interface);
        let mode = seen.mode.in_force(monotonic_ns);
        (mode.into(), names.collect())
    }))
}

#[cfg(test)]
pub(in crate::doctor) mod tests {
    use super::*;

    pub(in crate::doctor) fn wanted() -> Wanted {
        Wanted {
            interfaces: vec!["eth0".to_owned()],
            ..Wanted::defaults()
        }
    }

    impl Guard {
        pub(in crate::doctor) fn sound() -> Self {
            Self {
                path: "/etc/ftp-guard/ftp-guard.toml".into(),
                configuration: Configuration::Valid,
                wanted: wanted(),
                daemon: Daemon::Running(Box::new(status())),
                enforced: Ok(Some((ModeName::Enforce, vec!["eth0".to_owned()]))),
            }
        }
    }

    fn status() -> Status {
        Status {
            running: true,
            mode: Some(ModeName::Enforce),
            pin_path: "/sys/fs/bpf/ftp-guard".into(),
            ..Status::default()
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_configuration() {
        let defaults = Wanted::defaults();
        assert_eq!(defaults.control_ports, [21, 990]);
        assert_eq!(defaults.cookies, Cookies::Auto);
        assert!(defaults.interfaces.is_empty());
    }

    #[test]
    fn a_file_may_be_absent_only_where_nobody_has_named_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut question = Question {
            config: folder.path().join("x.toml"),
            config_optional: true,
            socket: folder.path().join("x.sock"),
            pin_path: folder.path().join("pins"),
        };
        assert_eq!(configuration(&question), Configuration::Absent);
        assert!(matches!(daemon(&question), Daemon::Silent(_)));
        question.config_optional = false;
        assert!(matches!(configuration(&question), Configuration::Broken(_)));
        fs::write(&question.config, "colour = 1\n").unwrap();
        let Configuration::Broken(mistakes) = configuration(&question) else {
            panic!("`colour` is no key");
        };
        assert!(mistakes[0].contains("x.toml:1:1"), "{mistakes:?}");
        let text = "interfaces = [\"eth0\"]\n[ftp]\npassive_ports = []\n[allow]\nfiles = []\n\
                    cli_file = \"/nonexistent/cli.list\"\n";
        fs::write(&question.config, text).unwrap();
        assert_eq!(configuration(&question), Configuration::Valid);
        assert_eq!(Guard::gather(&question).wanted.interfaces, ["eth0"]);
    }
}

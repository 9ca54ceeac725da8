//! Which guard a command is for: its control socket and its pins.

use std::path::{Path, PathBuf};

use toml_edit::Document;

use super::Global;
use crate::{
    config::Config,
    control::{
        client::{Client, ClientError},
        protocol::Failure,
    },
};

/// Where the configuration puts them when it says nothing.
const DEFAULT_SOCKET: &str = "/run/ftp-guard/ftp-guard.sock";
const DEFAULT_PIN_PATH: &str = "/sys/fs/bpf/ftp-guard";

/// A guard that may be running.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) socket: PathBuf,
    pub(super) pin_path: PathBuf,
    /// What is wrong with the configuration; it may be the reason that nobody answers.
    pub(super) problem: Option<Failure>,
}

impl Target {
    /// The guard of the configuration file. One with mistakes still tells the paths, as far as it
    /// can be read, since `reload` has to reach the daemon to report the mistakes.
    pub(super) fn of(global: &Global) -> Self {
        let (socket, pin_path, problem) = match Config::load(&global.config) {
            Ok(config) => (Some(config.control.socket), Some(config.bpf.pin_path), None),
            Err(mistakes) => {
                let text = std::fs::read_to_string(&global.config).unwrap_or_default();
                let absent = !global.config.exists();
                let is_default = global.config == Path::new(Config::DEFAULT_PATH);
                (
                    lenient(&text, "control", "socket"),
                    lenient(&text, "bpf", "pin_path"),
                    (!(absent && is_default)).then(|| mistakes.into()),
                )
            }
        };
        Self {
            socket: global
                .socket
                .clone()
                .or(socket)
                .unwrap_or_else(|| DEFAULT_SOCKET.into()),
            pin_path: pin_path.unwrap_or_else(|| DEFAULT_PIN_PATH.into()),
            problem,
        }
    }

    /// Connects to the daemon.
    ///
    /// # Errors
    ///
    /// When nobody answers: the mistakes of the configuration, if it has some.
    pub(super) fn connect(&self) -> Result<Client, Failure> {
        Client::connect(&self.socket).map_err(|error| self.failure(error))
    }

    /// Connects to the daemon; none if nobody listens.
    ///
    /// # Errors
    ///
    /// When the socket keeps us out.
    pub(super) fn connect_if_running(&self) -> Result<Option<Client>, Failure> {
        match Client::connect(&self.socket) {
            Ok(client) => Ok(Some(client)),
            Err(ClientError::NoDaemon { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn failure(&self, error: ClientError) -> Failure {
        match (&self.problem, &error) {
            (Some(problem), ClientError::NoDaemon { .. }) => {
                eprintln!("ftp-guard: {error}");
                problem.clone()
            }
            _ => error.into(),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Failure(failure) => failure,
            error => Self::new(error.exit_code(), error.to_string()),
        }
    }
}

fn lenient(text: &str, table: &str, key: &str) -> Option<PathBuf> {
    let document = Document::parse(text).ok()?;
    let path = document.get(table)?.get(key)?.as_str()?;
    Some(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_configuration() {
        let config = Config::parse(
            Path::new(""),
            "interfaces = [\"lo\"]\n[ftp]\npassive_ports = []\n",
        )
        .unwrap();
        assert_eq!(config.control.socket, Path::new(DEFAULT_SOCKET));
        assert_eq!(config.bpf.pin_path, Path::new(DEFAULT_PIN_PATH));
    }

    #[test]
    fn a_configuration_with_mistakes_still_tells_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("guard.toml");
        std::fs::write(&config, "colour = 1\n[control]\nsocket = \"/run/x.sock\"\n").unwrap();
        let target = Target::of(&Global {
            config,
            socket: None,
        });
        assert_eq!(target.socket, Path::new("/run/x.sock"));
        assert_eq!(target.pin_path, Path::new(DEFAULT_PIN_PATH));
        assert_eq!(target.problem.map(|problem| problem.exit_code), Some(78));
    }

    #[test]
    fn the_command_line_wins() {
        let target = Target::of(&Global {
            config: "/no/such/file".into(),
            socket: Some("/run/y.sock".into()),
        });
        assert_eq!(target.socket, Path::new("/run/y.sock"));
        assert!(target.problem.is_some(), "it was named and is not there");
    }
}

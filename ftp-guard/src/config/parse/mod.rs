//! From text to a valid [`Config`].

mod detect;
mod history;
mod inspect;
mod limits;
mod names;

use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, Table};

use crate::config::keys;
use crate::config::model::{
    AllowConfig, BpfConfig, Config, ControlConfig, FtpConfig, MetricsConfig, PassivePorts,
    PortRange, SessionsConfig,
};
use crate::config::ports::{self, Claim};
use crate::config::problems::Problems;
use crate::config::schema::{self, Default, Key};
use crate::config::values::{self, Placed};
use crate::diagnostic::Diagnostics;

/// Reads a configuration; see [`Config::parse`].
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, Diagnostics> {
    let mut problems = Problems::new(path, text);
    let document = match document(text, &mut problems) {
        Some(document) => document,
        None => return Err(problems.finish().unwrap_or_default()),
    };
    keys::check(document.as_table(), &mut problems);
    let mut reader = Reader {
        root: document.as_table(),
        problems,
    };
    let config = reader.config(path);
    match (reader.problems.finish(), config) {
        (None, Some(config)) => Ok(config),
        (problems, _) => Err(problems.unwrap_or_default()),
    }
}

/// The parsed document, with the place of everything in it; a syntax error is noted.
pub(super) fn document<'t>(
    text: &'t str,
    problems: &mut Problems<'_>,
) -> Option<Document<&'t str>> {
    match Document::parse(text) {
        Ok(document) => Some(document),
        Err(error) => {
            let message = error.message().replace('\n', "; ");
            problems.note(error.span(), message);
            None
        }
    }
}

type Check<T> = fn(&mut Problems<'_>, &str, &Item) -> Option<T>;

struct Reader<'a> {
    root: &'a Table,
    problems: Problems<'a>,
}

impl<'a> Reader<'a> {
    fn config(&mut self, path: &Path) -> Option<Config> {
        // Everything is read before the first `?`, so that every mistake is noted.
        let mode = self.read(&schema::MODE, values::mode);
        let role = self.read(&schema::ROLE, values::role);
        let interfaces = self.read(&schema::INTERFACES, values::interfaces);
        let xdp_mode = self.read(&schema::XDP_MODE, values::xdp_choice);
        let ftp = self.ftp();
        let sessions = self.sessions();
        let allow = self.allow();
        let names = self.names();
        let profiles = self.profiles();
        let limits = self.limits();
        let bans = self.bans();
        let events = self.events();
        let inspect = self.inspect();
        let detect = self.detect();
        let history = self.history();
        let export = self.export();
        let listen = self.read(&schema::LISTEN, values::listen);
        let socket = self.read(&schema::SOCKET, values::socket_path);
        let pin_path = self.read(&schema::PIN_PATH, values::absolute_path);
        Some(Config {
            path: path.to_owned(),
            mode: mode?,
            role: role?,
            interfaces: interfaces?,
            xdp_mode: xdp_mode?,
            ftp: ftp?,
            sessions: sessions?,
            allow: allow?,
            names: names?,
            metrics: MetricsConfig { listen: listen? },
            control: ControlConfig { socket: socket? },
            bpf: BpfConfig {
                pin_path: pin_path?,
            },
            profiles: profiles?,
            limits: limits?,
            bans: bans?,
            events: events?,
            inspect: inspect?,
            detect: detect?,
            history: history?,
            export: export?,
        })
    }

    fn ftp(&mut self) -> Option<FtpConfig> {
        let control = self.ports(&schema::CONTROL_PORTS, ports::some_ports);
        let active = self.ports(&schema::ACTIVE_DATA_PORTS, ports::ports);
        let auto = self.item(&schema::PASSIVE_PORTS).and_then(Item::as_str) == Some("auto");
        // What "auto" finds is checked against the other classes when it is found.
        let passive = match auto {
            true => Some(Vec::new()),
            false => self.ports(&schema::PASSIVE_PORTS, ports::ranges),
        };
        let server_configs = self.read(&schema::SERVER_CONFIGS, values::absolute_paths);
        let fxp = self.read(&schema::FXP, values::boolean);
        let guard_outside_range = self.read(&schema::GUARD_OUTSIDE_RANGE, values::boolean);
        let claims: Vec<_> = [&control, &active, &passive]
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        ports::check_claims(&mut self.problems, &claims);
        let singles = |claims: Vec<Claim>| claims.iter().map(|claim| claim.range.first).collect();
        Some(FtpConfig {
            control_ports: singles(control?),
            active_data_ports: singles(active?),
            passive: match passive? {
                _ if auto => PassivePorts::Auto,
                claims => PassivePorts::Ranges(claims.iter().map(|claim| claim.range).collect()),
            },
            server_configs: server_configs?,
            fxp: fxp?,
            guard_outside_range: guard_outside_range?,
        })
    }

    fn sessions(&mut self) -> Option<SessionsConfig> {
        let max = self.read(&schema::SESSIONS_MAX, |problems, key, item| {
            values::count(problems, key, item, 1_000_000)
        });
        let max_data = self.read(&schema::SESSIONS_MAX_DATA, |problems, key, item| {
            values::count(problems, key, item, 4_000_000)
        });
        let idle_timeout = self.read(&schema::IDLE_TIMEOUT, |problems, key, item| {
            values::duration(problems, key, item, "30d")
        });
        let pinhole_timeout = self.read(&schema::PINHOLE_TIMEOUT, |problems, key, item| {
            values::duration(problems, key, item, "10m")
        });
        let max_pinholes = self.read(&schema::MAX_PINHOLES, |problems, key, item| {
            values::count(problems, key, item, 1000)
        });
        Some(SessionsConfig {
            max: max?,
            max_data: max_data?,
            idle_timeout: idle_timeout?,
            pinhole_timeout: pinhole_timeout?,
            max_pinholes: max_pinholes?,
        })
    }

    fn ports(&mut self, key: &Key, check: Check<Vec<Placed<PortRange>>>) -> Option<Vec<Claim>> {
        let given = self.item(key).is_some();
        let ranges = self.read(key, check)?;
        let claim = |(range, span): Placed<PortRange>| Claim {
            key: key.path(),
            range,
            span: span.filter(|_| given),
        };
        Some(ranges.into_iter().map(claim).collect())
    }

    fn allow(&mut self) -> Option<AllowConfig> {
        let files = self.read(&schema::FILES, |problems, key, item| {
            let patterns = values::patterns(problems, key, item)?;
            let owned = patterns
                .into_iter()
                .map(|(pattern, span)| (pattern.to_owned(), span));
            Some(owned.collect::<Vec<Placed<String>>>())
        });
        let cli_file = match (&files, self.item(&schema::CLI_FILE)) {
            (Some(files), None) => self.derived_cli_file(files),
            _ => self.read(&schema::CLI_FILE, values::absolute_path),
        };
        let max_entries = self.read(&schema::MAX_ENTRIES, |problems, key, item| {
            values::count(problems, key, item, 100_000_000)
        });
        Some(AllowConfig {
            files: files?.into_iter().map(|(pattern, _)| pattern).collect(),
            cli_file: cli_file?,
            max_entries: max_entries?,
        })
    }

    fn derived_cli_file(&mut self, files: &[Placed<String>]) -> Option<PathBuf> {
        let key = schema::CLI_FILE.path();
        let Some((pattern, span)) = files.last() else {
            let span = self.item(&schema::FILES).and_then(Item::span);
            self.problems.note(
                span,
                format!(
                    "{key} is missing: without a pattern in allow.files, `allow add` has no file \
                     to write"
                ),
            );
            return None;
        };
        let folder = Path::new(pattern).parent().unwrap_or(Path::new("/"));
        if folder.to_string_lossy().contains(['*', '?', '[']) {
            self.problems.note(
                span.clone(),
                format!(
                    "{key} is missing: the folder of the last pattern, {pattern:?}, is itself \
                     a pattern, so that `allow add` has no file to write"
                ),
            );
            return None;
        }
        Some(folder.join("cli.list"))
    }

    fn item(&self, key: &Key) -> Option<&'a Item> {
        match key.table {
            "" => self.root.get(key.name),
            table => self.root.get(table)?.as_table_like()?.get(key.name),
        }
    }

    fn read<T>(&mut self, key: &Key, check: Check<T>) -> Option<T> {
        if let Some(item) = self.item(key) {
            return check(&mut self.problems, &key.path(), item);
        }
        match key.default {
            Default::Value(toml) => default_value(key, toml, check),
            Default::Derived(_) => None,
            Default::Required { why, .. } => {
                let header = match key.table {
                    "" => None,
                    table => self.root.get(table).and_then(Item::span),
                };
                self.problems
                    .note(header, format!("{} is missing: {why}", key.path()));
                None
            }
        }
    }
}

/// The default goes through the same check as a given value: it is written down once.
fn default_value<T>(key: &Key, toml: &str, check: Check<T>) -> Option<T> {
    let text = format!("{} = {toml}", key.name);
    let mut problems = Problems::new(Path::new(""), &text);
    let document = document(&text, &mut problems)?;
    check(&mut problems, &key.path(), document.get(key.name)?)
}

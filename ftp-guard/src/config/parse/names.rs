//! How names are resolved.

use std::net::{IpAddr, SocketAddr};

use toml_edit::Item;

use super::Reader;
use crate::config::names::NameSettings;
use crate::config::problems::Problems;
use crate::config::schema::names;
use crate::config::values;
use crate::diagnostic::quoted;
use crate::engine::names::Settings;

/// The port of DNS.
const PORT: u16 = 53;

impl Reader<'_> {
    pub(super) fn names(&mut self) -> Option<NameSettings> {
        let servers = self.read(&names::SERVERS, servers);
        let timeout = self.read(&names::TIMEOUT, |problems, key, item| {
            values::duration(problems, key, item, "20s")
        });
        let min_ttl = self.read(&names::MIN_TTL, |problems, key, item| {
            values::duration(problems, key, item, "1d")
        });
        let max_ttl = self.read(&names::MAX_TTL, |problems, key, item| {
            values::duration(problems, key, item, "7d")
        });
        let linger = self.read(&names::LINGER, |problems, key, item| {
            values::duration(problems, key, item, "30d")
        });
        let keep = self.read(&names::KEEP, |problems, key, item| {
            values::duration_from(problems, key, item, "1m", "3650d")
        });
        let max_names = self.read(&names::MAX_NAMES, |problems, key, item| {
            values::count(problems, key, item, 10_000)
        });
        let max_addresses = self.read(&names::MAX_ADDRESSES, |problems, key, item| {
            values::count(problems, key, item, 256)
        });
        let private = self.read(&names::PRIVATE, values::boolean);
        let file = self.read(&names::NAMES_FILE, values::absolute_path);
        if let (Some(shortest), Some(longest)) = (min_ttl, max_ttl)
            && shortest > longest
        {
            // Either of the two may be a default, and a default is not wrong.
            let at = self.item(&names::MAX_TTL);
            let at = at.or_else(|| self.item(&names::MIN_TTL));
            self.problems.note(
                at.and_then(Item::span),
                format!(
                    "{} must be at least as long as {}",
                    names::MAX_TTL.path(),
                    names::MIN_TTL.path()
                ),
            );
            return None;
        }
        Some(NameSettings {
            servers: servers?,
            timeout: timeout?,
            max_names: max_names?,
            file: file?,
            rules: Settings {
                min_ttl: min_ttl?,
                max_ttl: max_ttl?,
                linger: linger?,
                keep: keep?,
                max_addresses: max_addresses?,
                private: private?,
            },
        })
    }
}

fn servers(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Vec<SocketAddr>> {
    let expected = "a list of addresses, each with a port or without, such as \"192.0.2.53\" or \"[2001:db8::53]:5353\"";
    let mut servers = Vec::new();
    let mut right = true;
    for (text, span) in values::strings(problems, key, item, expected)? {
        let address = text.parse::<IpAddr>();
        let server = address.map(|address| SocketAddr::new(address, PORT));
        match server.or_else(|_| text.parse()) {
            Ok(server) if server.port() != 0 => servers.push(server),
            _ => {
                let text = quoted(text);
                problems.note(span, format!("{key} must be {expected}, not {text}"));
                right = false;
            }
        }
    }
    right.then_some(servers)
}

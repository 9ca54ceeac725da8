//! JSON that holds prefixes under some keys: AWS's `ip-ranges.json`, Google's `cloud.json`, what
//! `allow export --json` prints, and others by `--key`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::collect::{Collector, Settings};
use super::durations;
use super::source::Source;
use crate::diagnostic::quoted;
use crate::engine::allowlist::parse_expiry;

/// Keys that prefixes stand under when none is given.
const KEYS: [&str; 5] = [
    "ip_prefix",
    "ipv6_prefix",
    "ipv4Prefix",
    "ipv6Prefix",
    "prefix",
];

/// Fields of a record that are kept; what has more has none that matter behind them.
const MOST_FIELDS: usize = 64;

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut walk = Walk {
        text,
        path: Vec::new(),
        found: 0,
        into,
    };
    let read = Node(&mut walk)
        .deserialize(&mut deserializer)
        .and_then(|_| deserializer.end());
    let found = walk.found;
    match read {
        Err(error) => {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            into.refuse(line, format!("the file is no JSON: {error}"));
        }
        Ok(()) if found == 0 && !into.over() => {
            let keys = keys(into).join(", ");
            let message = format!("no prefixes under the keys {keys}: name others with --key KEY");
            into.refuse(0, message);
        }
        Ok(()) => {}
    }
}

fn keys<'k>(into: &'k Collector<'_>) -> Vec<&'k str> {
    if into.options.keys.is_empty() {
        KEYS.to_vec()
    } else {
        into.options.keys.iter().map(String::as_str).collect()
    }
}

struct Walk<'w, 'o> {
    text: &'w str,
    /// Keys and places on the way to where we are.
    path: Vec<String>,
    /// Strings under keys of prefixes, whether or not they are prefixes.
    found: u64,
    into: &'w mut Collector<'o>,
}

impl Walk<'_, '_> {
    fn holds_prefixes(&self, key: &str) -> bool {
        let keys = &self.into.options.keys;
        if keys.is_empty() {
            KEYS.contains(&key)
        } else {
            keys.iter().any(|known| known == key)
        }
    }

    /// A record with prefixes among its fields, or none.
    fn record(&mut self, fields: &[(String, Scalar)]) {
        for (name, _) in fields {
            self.into.field(name);
        }
        let value = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v);
        for (name, scalar) in fields {
            let Scalar::Text(text) = scalar else {
                continue;
            };
            if !self.holds_prefixes(name) {
                continue;
            }
            self.found += 1;
            if !self.into.passes(|field| value(field).map(Scalar::text)) {
                self.into.leave_out();
                continue;
            }
            let settings = own(&value);
            self.take(name, text, settings);
        }
    }

    fn take(&mut self, name: &str, text: &str, settings: Result<Settings, String>) {
        let source = Source::parse(text);
        match source.and_then(|source| Ok((source, settings?))) {
            Ok((source, settings)) => self.into.take(0, source, &settings),
            Err(message) => {
                let (mut line, mut column) = (0, 0);
                if self.into.room_for_mistakes() {
                    // Where such a text stands first; the reader does not tell where it is.
                    if let Some(at) = self.text.find(&format!("\"{text}\"")) {
                        (line, column) = crate::diagnostic::position(self.text, at);
                    }
                }
                let path = self.path.concat();
                self.into.unknown_at(
                    line,
                    column,
                    format!("{}.{name}: {message}", path.trim_start_matches('.')),
                );
            }
        }
    }
}

/// What `allow export --json` says of an entry; a record of somebody else has no `kind`.
fn own<'f>(value: &impl Fn(&str) -> Option<&'f Scalar>) -> Result<Settings, String> {
    let mut settings = Settings::default();
    let text = |name: &str| match value(name) {
        Some(Scalar::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    match text("kind") {
        Some("allow") => {}
        Some("exclude") => settings.exclude = true,
        _ => return Ok(settings),
    }
    if let Some(profile) = text("profile") {
        if profile.is_empty() || profile.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(format!("bad name of a profile {}", quoted(profile)));
        }
        settings.profile = profile.into();
    }
    settings.expires = text("expires").map(parse_expiry).transpose()?;
    settings.label = text("label").and_then(durations::label);
    Ok(settings)
}

enum Scalar {
    Text(String),
    /// A number or a truth value, as it is written.
    Other(String),
}

impl Scalar {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Other(text) => text,
        }
    }
}

/// Reads a value; gives back what is no list or object.
struct Node<'n, 'w, 'o>(&'n mut Walk<'w, 'o>);

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = Option<Scalar>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = Option<Scalar>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Text(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Other(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Other(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Other(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Other(value.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let walk = self.0;
        // A list of texts under a key: each is as if it stood there alone.
        let name = walk.path.last().and_then(|last| last.strip_prefix('.'));
        let name = name.map(str::to_owned);
        let mut index = 0_u64;
        loop {
            walk.path.push(format!("[{index}]"));
            let element = seq.next_element_seed(Node(walk))?;
            walk.path.pop();
            match element {
                None => return Ok(None),
                Some(Some(Scalar::Text(text))) => {
                    if name
                        .as_deref()
                        .is_some_and(|name| walk.holds_prefixes(name))
                    {
                        walk.found += 1;
                        walk.take(&index.to_string(), &text, Ok(Settings::default()));
                    }
                }
                Some(_) => {}
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let walk = self.0;
        let mut fields: Vec<(String, Scalar)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            walk.path.push(format!(".{key}"));
            let value = map.next_value_seed(Node(walk))?;
            walk.path.pop();
            if let Some(value) = value
                && fields.len() < MOST_FIELDS
            {
                fields.push((key, value));
            }
        }
        walk.record(&fields);
        Ok(None)
    }
}

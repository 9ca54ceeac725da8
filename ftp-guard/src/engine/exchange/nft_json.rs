//! What `nft -j list set` and `nft -j list ruleset` print.

use serde::Deserialize;
use serde_json::Value;

use super::collect::{Collector, Settings};
use super::durations;
use super::source::Source;
use crate::diagnostic::quoted;

#[derive(Deserialize)]
struct Ruleset {
    nftables: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    set: Option<Set>,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    #[serde(rename = "type")]
    kind: Value,
    #[serde(default)]
    elem: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Address(String),
    Prefix { prefix: Prefix },
    Range { range: (String, String) },
    With { elem: With },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Prefix {
    addr: String,
    len: u8,
}

#[derive(Deserialize)]
struct With {
    val: Box<Element>,
    #[serde(default)]
    timeout: Option<u64>,
    #[serde(default)]
    expires: Option<u64>,
    #[serde(default)]
    comment: Option<String>,
}

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let ruleset: Ruleset = match serde_json::from_str(text) {
        Ok(ruleset) => ruleset,
        Err(error) => {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            return into.refuse(line, format!("not what `nft -j list set` prints: {error}"));
        }
    };
    for set in ruleset.nftables.into_iter().filter_map(|object| object.set) {
        let wanted = into.begin_set(&set.name);
        let sources = matches!(set.kind.as_str(), Some("ipv4_addr" | "ipv6_addr"));
        for (index, element) in set.elem.iter().enumerate() {
            if into.over() {
                return;
            }
            if !wanted {
                into.leave_out();
                continue;
            }
            let taken = if sources {
                take(element, Settings::default(), into)
            } else {
                Err("only sets of type ipv4_addr and ipv6_addr hold sources alone".to_owned())
            };
            if let Err(message) = taken {
                into.unknown(
                    0,
                    format!("set {}, element {}: {message}", set.name, index + 1),
                );
            }
        }
    }
}

fn take(element: &Element, settings: Settings, into: &mut Collector<'_>) -> Result<(), String> {
    let source = match element {
        Element::Address(text) => Source::parse(text)?,
        Element::Prefix { prefix } => Source::parse(&format!("{}/{}", prefix.addr, prefix.len))?,
        Element::Range { range: (a, b) } => match (a.parse(), b.parse()) {
            (Ok(a), Ok(b)) => Source::range(a, b)?,
            _ => return Err(format!("{} is no address", quoted(&format!("{a}-{b}")))),
        },
        Element::With { elem } => {
            // `elem` in `elem` does not occur; without this, depth would be the file's choice.
            if matches!(*elem.val, Element::With { .. }) {
                return Err("an element of several parts: only sources alone are taken".to_owned());
            }
            let expires = match elem.expires.or(elem.timeout) {
                None | Some(0) => None,
                Some(left) => Some(
                    durations::after(into.options.written, left)
                        .ok_or_else(|| format!("{left} s is too long a time"))?,
                ),
            };
            let label = elem.comment.as_deref().and_then(durations::label);
            let settings = Settings {
                expires,
                label,
                ..Settings::default()
            };
            return take(&elem.val, settings, into);
        }
        Element::Other(_) => {
            return Err("an element of several parts: only sources alone are taken".to_owned());
        }
    };
    into.take(0, source, &settings);
    Ok(())
}

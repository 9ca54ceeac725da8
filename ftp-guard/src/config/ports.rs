//! Port lists, and the rule that a port has one class.

use std::ops::Range;

use toml_edit::{Item, Value};

use super::model::PortRange;
use super::problems::Problems;
use super::values::{Placed, list};

/// A list of single ports.
pub(super) fn ports(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<Vec<Placed<PortRange>>> {
    let elements = list(problems, key, item, "ports")?;
    each(problems, elements, |value| match value {
        Value::Integer(number) => port(*number.value()).map(PortRange::single),
        Value::String(text) if number(text.value()).is_some() => {
            Err(format!("write the port {} without quotes", text.value()))
        }
        other => Err(format!(
            "each element of {key} must be a port from 1 to 65535, not {}",
            described(other)
        )),
    })
}

/// A list of single ports, at least one.
pub(super) fn some_ports(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<Vec<Placed<PortRange>>> {
    let ports = ports(problems, key, item)?;
    if ports.is_empty() {
        problems.note(
            item.span(),
            format!("{key} is empty: without a control port there is nothing to guard"),
        );
        return None;
    }
    Some(ports)
}

/// A list of ranges and single ports.
pub(super) fn ranges(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<Vec<Placed<PortRange>>> {
    if let Some(text) = item.as_str().filter(|text| !text.contains('-')) {
        problems.note(
            item.span(),
            format!("{key} must be \"auto\" or a list of port ranges, not {text:?}"),
        );
        return None;
    }
    let expected = "port ranges and ports such as [\"50000-50100\"]";
    let elements = list(problems, key, item, expected)?;
    each(problems, elements, |value| match value {
        Value::Integer(number) => port(*number.value()).map(PortRange::single),
        Value::String(text) if text.value() == "auto" => Err(format!(
            "\"auto\" stands alone: write {key} = \"auto\", and name what it reads in \
             ftp.server_configs"
        )),
        Value::String(text) => range(text.value()),
        other => Err(format!(
            "each element of {key} must be a range such as \"50000-50100\" or a port, not {}",
            described(other)
        )),
    })
}

fn each(
    problems: &mut Problems<'_>,
    elements: Vec<&Value>,
    read: impl Fn(&Value) -> Result<PortRange, String>,
) -> Option<Vec<Placed<PortRange>>> {
    let mut good = true;
    let mut ranges = Vec::new();
    for value in elements {
        match read(value) {
            Ok(range) => ranges.push((range, value.span())),
            Err(message) => {
                problems.note(value.span(), message);
                good = false;
            }
        }
    }
    good.then_some(ranges)
}

fn described(value: &Value) -> String {
    let name = value.type_name();
    let article = match name.starts_with(['a', 'i']) {
        true => "an",
        false => "a",
    };
    format!("{article} {name}")
}

fn range(text: &str) -> Result<PortRange, String> {
    let mistake = || {
        format!(
            "bad port range {text:?}: expected \"FIRST-LAST\" such as \"50000-50100\", or a port"
        )
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = port(number(first.trim()).ok_or_else(mistake)?)?;
    let last = port(number(last.trim()).ok_or_else(mistake)?)?;
    if first > last {
        return Err(format!(
            "bad port range {text:?}: it runs backwards; write \"{last}-{first}\""
        ));
    }
    Ok(PortRange { first, last })
}

/// Digits only: `str::parse` takes a sign too.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}

fn port(number: i64) -> Result<u16, String> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("port {number} is not from 1 to 65535")),
    }
}

/// A port range that a key claims for its class.
pub(super) struct Claim {
    pub(super) key: String,
    pub(super) range: PortRange,
    /// Where it is written; `None`: it is a default.
    pub(super) span: Option<Range<usize>>,
}

/// Notes every claim on a port that an earlier one holds already, and every claim on SSH.
pub(super) fn check_claims(problems: &mut Problems<'_>, claims: &[&Claim]) {
    const SSH: u16 = 22;
    let mut owners: Vec<Option<&Claim>> = vec![None; 1 << 16];
    for &claim in claims {
        if claim.range.contains(SSH) {
            problems.note(
                claim.span.clone(),
                format!(
                    "{} contains port 22: ftp-guard does not cut SSH; leave it out",
                    claim.key
                ),
            );
        }
        let ports = usize::from(claim.range.first)..=usize::from(claim.range.last);
        let clash = ports.clone().find_map(|port| Some((port, owners[port]?)));
        if let Some((port, owner)) = clash {
            // A default cannot be wrong: the mistake is in the one of the two that is written.
            let (at, other) = match &claim.span {
                Some(_) => (claim, owner),
                None => (owner, claim),
            };
            let message = format!(
                "port {port} is in {} already{}",
                other.key,
                place(problems, other)
            );
            problems.note(at.span.clone(), message);
        }
        for port in ports {
            owners[port].get_or_insert(claim);
        }
    }
}

fn place(problems: &Problems<'_>, claim: &Claim) -> String {
    match &claim.span {
        Some(span) => format!(" (line {})", problems.line(span)),
        None => " (its default)".to_owned(),
    }
}

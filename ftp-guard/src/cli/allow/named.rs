//! Names of hosts on the command line.

use std::{fmt::Write as _, str::FromStr};

use super::super::{
    escape::plain,
    output::{counted, duration},
};
use crate::{
    control::{
        name_view::{HostView, NameAddressView},
        protocol::{Host, Prefix},
    },
    engine::names::{HostName, MARK},
};

/// What stands first in an entry.
#[derive(Clone, Debug)]
pub(super) enum Listed {
    Prefix(Prefix),
    Name(Host),
}

impl FromStr for Listed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix(MARK) {
            Some(name) => HostName::parse(name)
                .map(|name| Self::Name(Host(name)))
                .map_err(|(_, message)| message),
            None => text.parse().map(Self::Prefix),
        }
    }
}

/// The two kinds in their order.
pub(super) fn apart(listed: Vec<Listed>) -> (Vec<Prefix>, Vec<Host>) {
    let mut apart = (Vec::new(), Vec::new());
    for one in listed {
        match one {
            Listed::Prefix(prefix) => apart.0.push(prefix),
            Listed::Name(name) => apart.1.push(name),
        }
    }
    apart
}

/// An entry of a name, and below it what DNS says.
pub(super) fn host_text(host: &HostView) -> String {
    let (text, file, line) = (&host.text, host.file.display(), host.line);
    let mut out = format!("{text:<40}  {file}:{line}\n");
    // Writing to a string does not fail.
    let _ = facts(&mut out, host);
    out
}

fn facts(out: &mut String, host: &HostView) -> std::fmt::Result {
    for address in &host.addresses {
        writeln!(out, "  {}{}", address.address, remark(address))?;
    }
    match host.age_seconds {
        Some(age) => write!(out, "  answered {} ago", duration(age))?,
        None => write!(out, "  never answered")?,
    }
    if let Some(ttl) = host.ttl_seconds {
        write!(out, ", holds {}", duration(ttl))?;
    }
    writeln!(out, ", asked again in {}", duration(host.next_seconds))?;
    match host.trouble.as_deref() {
        None => {}
        Some("no_such_name") => writeln!(out, "  FAILING: DNS says that there is no such name")?,
        Some("no_address") => writeln!(out, "  FAILING: DNS has no address of it")?,
        Some(_) => {
            let failures = counted(host.failures.into(), "failure", "failures");
            let since = duration(host.failing_seconds.unwrap_or(0));
            let why = plain(host.failure.as_deref().unwrap_or("no answer"));
            writeln!(out, "  FAILING: {failures} in {since}: {why}")?;
        }
    }
    for (count, what) in [
        (host.surplus, "beyond names.max_addresses"),
        (host.refused, "of no partner, or private,"),
    ] {
        if count > 0 {
            let addresses = counted(count.into(), "address", "addresses");
            writeln!(out, "  {addresses} {what} left out")?;
        }
    }
    Ok(())
}

fn remark(address: &NameAddressView) -> String {
    let state = match address.state.as_str() {
        "in_force" => "",
        "listed" => "  (an entry of its own decides)",
        "excluded" => "  (excluded)",
        "other_name" => "  (an earlier name has it, too)",
        _ => "  (not in force)",
    };
    match address.left_seconds {
        None => state.to_owned(),
        Some(left) => format!("{state}  (not in the answers for {})", duration(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_prefix_are_told_apart() {
        let parse = |text: &str| text.parse::<Listed>();
        assert!(matches!(parse("192.0.2.1"), Ok(Listed::Prefix(_))));
        assert!(matches!(parse("host:a.example.net"), Ok(Listed::Name(_))));
        assert!(parse("host:a").unwrap_err().contains("no whole name"));
        assert!(parse("a.example.net").unwrap_err().contains("host:NAME"));
    }

    #[test]
    fn what_is_known_of_a_name_stands_below_it() {
        let host = HostView {
            host: "a.example.net".into(),
            profile: "default".into(),
            expires: None,
            label: None,
            file: "a.list".into(),
            line: 3,
            addresses: vec![
                NameAddressView {
                    address: "192.0.2.1".parse().unwrap(),
                    left_seconds: None,
                    state: "in_force".into(),
                },
                NameAddressView {
                    address: "192.0.2.2".parse().unwrap(),
                    left_seconds: Some(60),
                    state: "excluded".into(),
                },
            ],
            age_seconds: Some(90),
            ttl_seconds: Some(30),
            next_seconds: 4,
            trouble: Some("failing".into()),
            failures: 2,
            failing_seconds: Some(12),
            failure: Some("no server \u{1b}answers".into()),
            refused: 1,
            surplus: 0,
            text: "host:a.example.net".into(),
        };
        let text = host_text(&host);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("host:a.example.net "), "{text}");
        assert!(lines[0].ends_with("  a.list:3"), "{text}");
        assert_eq!(lines[1], "  192.0.2.1");
        assert!(
            lines[2].contains("(excluded)  (not in the answers for 1 min"),
            "{text}"
        );
        assert!(
            lines[3].contains("answered 1 min") && lines[3].contains("holds 30 s"),
            "{text}"
        );
        assert!(
            lines[4].contains("FAILING: 2 failures in 12 s: no server"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(lines[5].starts_with("  1 address of no partner"), "{text}");
    }
}

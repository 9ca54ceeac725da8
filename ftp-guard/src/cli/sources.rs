//! `ftp-guard sessions --sources`

use serde::Serialize;

use super::{
    Global, Outcome,
    output::{counted, print, print_json},
    sessions::aligned,
    target::Target,
};
use crate::control::{
    protocol::{Prefix, Request},
    session_view::{SourceView, SourcesReport},
};

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Listing {
    /// The sources, those with most connections first.
    sources: Vec<SourceView>,
}

pub(super) fn run(global: &Global, client: Option<Prefix>, json: bool) -> Outcome {
    let mut listing = Listing::default();
    let request = Request::Sources { client };
    let mut client = Target::of(global).connect()?;
    let report: SourcesReport = client.call(&request, |source| listing.sources.push(source))?;
    if json {
        print_json(&listing)?;
        return Ok(0);
    }
    print(&listing.text())?;
    print(&format!(
        "{}\n",
        counted(report.sources, "source", "sources")
    ))?;
    Ok(0)
}

impl Listing {
    fn text(&self) -> String {
        if self.sources.is_empty() {
            return String::new();
        }
        let header = ["SOURCE", "PROFILE", "SESSIONS", "OPENING", "DATA"];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.sources.iter().map(row));
        aligned(&rows)
    }
}

fn row(source: &SourceView) -> [String; 5] {
    // Connections before their greeting take places of sessions.
    let of = |most: Option<u64>| most.map_or_else(String::new, |most| format!(" of {most}"));
    let profile = source.profile.as_deref();
    [
        address(source),
        profile.unwrap_or("not listed").to_owned(),
        format!(
            "{}{}",
            source.sessions,
            of(source.max_sessions.map(u64::from))
        ),
        source.opening.to_string(),
        format!(
            "{}{}",
            source.data_connections,
            of(source.max_data_connections)
        ),
    ]
}

fn address(source: &SourceView) -> String {
    let prefix = source.source;
    match prefix.prefix_len() == prefix.max_prefix_len() {
        true => prefix.addr().to_string(),
        false => prefix.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_line() {
        let near = SourceView {
            source: "192.0.2.7/32".parse().unwrap(),
            profile: Some("partners".to_owned()),
            sessions: 7,
            opening: 1,
            max_sessions: Some(8),
            data_connections: 3,
            max_data_connections: Some(28),
        };
        let free = SourceView {
            source: "2001:db8:0:1::/64".parse().unwrap(),
            profile: None,
            max_sessions: None,
            max_data_connections: None,
            ..near.clone()
        };
        let listing = Listing {
            sources: vec![near, free],
        };
        assert_eq!(
            listing.text(),
            "\
SOURCE             PROFILE     SESSIONS  OPENING  DATA
192.0.2.7          partners    7 of 8    1        3 of 28
2001:db8:0:1::/64  not listed  7         1        3
"
        );
        assert_eq!(Listing::default().text(), "");
    }
}

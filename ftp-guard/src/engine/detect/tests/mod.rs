//! The rules, by what sessions and servers do.

mod commands;
mod limits;
mod logins;
mod servers;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Detector, Finding, Rules, rule::Rule, rule::RuleSet};
use crate::engine::{
    events::{Event, EventKind, Packet, SessionEnded, TableFull},
    monitor::{
        observation::{About, Command, Observation, Seen},
        record::TlsMode,
        verb::Verb,
    },
};

/// A detector, and a clock for it, in milliseconds.
struct World {
    detector: Detector,
    now: i64,
    about: About,
}

const SERVER: &str = "198.51.100.1:21";

fn at(now: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + now).unwrap()
}

impl World {
    fn new(rules: Rules) -> Self {
        Self {
            detector: Detector::new(rules),
            now: 0,
            about: about("192.0.2.7:40000"),
        }
    }

    /// Rules that ban by these.
    fn banning(rules: &[Rule]) -> Self {
        Self::new(Rules {
            ban: rules.iter().copied().collect(),
            ..Rules::default()
        })
    }

    fn from(&mut self, client: &str) -> &mut Self {
        self.about.client = client.parse().unwrap();
        self.about.session += 1;
        self
    }

    fn wait(&mut self, ms: i64) -> &mut Self {
        self.now += ms;
        self
    }

    fn see(&mut self, seen: Seen) -> Vec<Finding> {
        let mut out = Vec::new();
        let observation = Observation {
            time: at(self.now),
            about: self.about.clone(),
            seen,
        };
        self.detector.take(&observation, &mut out);
        out
    }

    fn command(&mut self, line: &str) -> Vec<Finding> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        self.see(Seen::Command(Command {
            verb: Verb::of(verb.as_bytes()),
            argument: argument.to_owned(),
            length: line.len(),
        }))
    }

    fn reply(&mut self, verb: &str, code: u16) -> Vec<Finding> {
        let to = Some(Verb::of(verb.as_bytes()));
        self.see(Seen::Reply { code, to })
    }

    /// A password, and what the server says to it.
    fn login(&mut self, accepted: bool) -> Vec<Finding> {
        let mut found = self.command("PASS");
        let code = if accepted { 230 } else { 530 };
        found.extend(self.see(Seen::Login { accepted, code }));
        found
    }

    /// A second password of the same session, refused, as the rules about guessing see it: under TLS the
    /// one about clear text says nothing.
    fn fail(&mut self) -> Vec<Finding> {
        self.about.tls = TlsMode::Explicit;
        self.login(false)
    }

    fn event(&mut self, kind: EventKind) -> Vec<Finding> {
        let mut out = Vec::new();
        let event = Event {
            time: at(self.now),
            kind,
        };
        self.detector.take_event(&event, &mut out);
        out
    }

    fn tick(&mut self) -> Vec<Finding> {
        let mut out = Vec::new();
        self.detector.tick(at(self.now), &mut out);
        out
    }

    fn seen(&self, rule: Rule) -> u64 {
        self.detector.figures().seen[rule as usize].1
    }
}

fn about(client: &str) -> About {
    About {
        session: 17,
        client: client.parse().unwrap(),
        server: SERVER.parse().unwrap(),
        user: Some(Arc::from("alice")),
        logged_in: false,
        anonymous: false,
        tls: TlsMode::Clear,
    }
}

fn names(found: &[Finding]) -> Vec<&str> {
    found
        .iter()
        .map(|finding| finding.event.rule.as_str())
        .collect()
}

fn banned(found: &[Finding]) -> Vec<String> {
    let bans = found.iter().filter_map(|finding| finding.ban.as_ref());
    bans.map(|ban| ban.prefix.to_string()).collect()
}

/// The one finding.
fn one(mut found: Vec<Finding>) -> Finding {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn packet(hook: &str, reason: &str, source: &str, destination: &str) -> Packet {
    let [source, destination] = [source, destination].map(|end| end.parse::<SocketAddr>().unwrap());
    Packet {
        verdict: "drop".into(),
        reason: reason.into(),
        hook: hook.into(),
        class: "control".into(),
        family: "ipv4".into(),
        source: Some(source.ip()),
        source_port: Some(source.port()),
        destination: Some(destination.ip()),
        destination_port: Some(destination.port()),
        flags: None,
        bytes: 60,
        suppressed: 0,
    }
}

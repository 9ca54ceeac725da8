//! Commands: what single ones are, and how many there are.

use std::time::Duration;

use super::{
    Detector, Look, addresses,
    memory::{Slots, ms},
    paths, patterns,
    report::{Hit, Subject},
    rule::Rule,
    shown, words,
};
use crate::engine::{
    events::Severity,
    monitor::{observation::Command, verb::Verb},
};

/// What is remembered of what a source does.
#[derive(Debug, Default)]
pub(super) struct Activity {
    commands: Slots,
    deletions: Slots,
    renamings: Slots,
}

/// Over how long the rate of commands is taken.
const FLOOD: Duration = Duration::from_secs(10);

const DELETES: [&str; 4] = ["DELE", "RMD", "RMDA", "XRMD"];

impl Detector {
    pub(super) fn command(&mut self, command: &Command, look: &mut Look<'_>) {
        if command.verb.is(&["PASS"]) {
            self.password(look);
        }
        self.flood(look);
        self.bounce(command, look);
        self.dangerous(command, look);
        self.traversal(command, look);
    }

    /// What has been done counts, not what was asked for.
    pub(super) fn reply(&mut self, code: u16, to: Option<Verb>, look: &mut Look<'_>) {
        let Some(verb) = to.filter(|_| (200..300).contains(&code)) else {
            return;
        };
        let rules = &self.rules;
        let deletes = verb.is(&DELETES);
        if !deletes && !verb.is(&["RNTO"]) {
            return;
        }
        let (rule, most, what) = match deletes {
            true => (Rule::MassDelete, rules.max_deletes, "deleted"),
            false => (Rule::MassRename, rules.max_renames, "renamed"),
        };
        if most == 0 {
            return;
        }
        let window = rules.window;
        let activity = self.activity(look);
        let slots = match deletes {
            true => &mut activity.deletions,
            false => &mut activity.renamings,
        };
        if let Some(count) = slots.reach(look.now(), most.into(), ms(window)) {
            let message = format!("{count} files or folders {what} within {}", words(window));
            let hit = self.of_client(rule, look.about, message);
            self.hit(hit.count(count), look);
        }
    }

    fn activity(&mut self, look: &Look<'_>) -> &mut Activity {
        let source = self.rules.source_of(look.about.client.ip());
        self.activity.of(&source, Activity::default)
    }

    fn flood(&mut self, look: &mut Look<'_>) {
        let most = u64::from(self.rules.max_commands) * FLOOD.as_secs();
        if most == 0 {
            return;
        }
        let commands = &mut self.activity(look).commands;
        if let Some(count) = commands.reach(look.now(), most + 1, ms(FLOOD)) {
            let message = format!("{count} commands within {}", words(FLOOD));
            let hit = self.of_client(Rule::CommandFlood, look.about, message);
            self.hit(hit.count(count), look);
        }
    }

    fn bounce(&mut self, command: &Command, look: &mut Look<'_>) {
        let about = look.about;
        let Some(named) = addresses::named(command) else {
            return;
        };
        let client = about.client.ip().to_canonical();
        let (severity, what) = if named.port() < 1024 {
            (Severity::High, format!("the low port {named}"))
        } else if named.ip() == client || self.rules.fxp {
            return;
        } else if addresses::is_private(named.ip()) && !addresses::is_private(client) {
            (Severity::Medium, format!("the private address {named}"))
        } else {
            (Severity::High, format!("{named}, another host"))
        };
        let message = format!("{} named {what}", command.verb);
        let hit = self.of_client(Rule::BounceAttempt, about, message);
        self.hit(hit.severity(severity), look);
    }

    fn dangerous(&mut self, command: &Command, look: &mut Look<'_>) {
        let Some(pattern) = patterns::of(command) else {
            return;
        };
        let hit = self.of_client(Rule::DangerousCommand, look.about, pattern.what.to_owned());
        let source = self.rules.source_of(look.about.client.ip());
        let hit = Hit {
            // One kind is no reason to keep quiet about another.
            subject: Subject::Named(None, format!("{source} {}", pattern.what)),
            ..hit.severity(pattern.severity)
        };
        self.hit(hit, look);
    }

    fn traversal(&mut self, command: &Command, look: &mut Look<'_>) {
        let Some(path) = paths::of(command) else {
            return;
        };
        let Some(how) = paths::leaves(path) else {
            return;
        };
        let message = match self.rules.file_names {
            true => format!("{} with a path that {how}: {:?}", command.verb, shown(path)),
            false => format!("{} with a path that {how}", command.verb),
        };
        let hit = self.of_client(Rule::PathTraversal, look.about, message);
        self.hit(hit, look);
    }
}

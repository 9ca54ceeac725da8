//! `[detect]`.

use std::path::PathBuf;
use std::time::Duration;

use toml_edit::Item;

use super::{Reader, limits::prefixes};
use crate::config::detect::DetectSettings;
use crate::config::problems::Problems;
use crate::config::schema::{Key, detect};
use crate::config::suggest::nearest;
use crate::config::values;
use crate::engine::detect::rule::{Rule, RuleSet};

impl Reader<'_> {
    pub(super) fn detect(&mut self) -> Option<DetectSettings> {
        let enabled = self.read(&detect::ENABLED, values::boolean);
        let ban = self.read(&detect::BAN, banning);
        let ban_time = self.read(&detect::BAN_TIME, ban_time);
        let end_sessions = self.read(&detect::END_SESSIONS, rules);
        let disable = self.read(&detect::DISABLE, rules);
        let ignore = self.read(&detect::IGNORE, prefixes);
        let window = self.read(&detect::WINDOW, at_most_a_day);
        let max_failures = self.read(&detect::MAX_FAILURES, |problems, key, item| {
            values::integer(problems, key, item, 0..=1000)
        });
        let max_failures_all = self.read(&detect::MAX_FAILURES_ALL, number);
        let max_tls_failures = self.read(&detect::MAX_TLS_FAILURES, number);
        let max_deletes = self.read(&detect::MAX_DELETES, number);
        let max_renames = self.read(&detect::MAX_RENAMES, number);
        let max_commands = self.read(&detect::MAX_COMMANDS, number);
        let repeat = self.read(&detect::REPEAT, at_most_a_day);
        let cve_file = self.read(&detect::CVE_FILE, cve_file);
        let disable = disable?;
        let mut consistent = true;
        for (key, list) in [(&detect::BAN, ban), (&detect::END_SESSIONS, end_sessions)] {
            consistent &= self.none_disabled(key, list.unwrap_or_default(), disable);
        }
        if !consistent {
            return None;
        }
        Some(DetectSettings {
            enabled: enabled?,
            ban: ban?,
            ban_time: ban_time?,
            end_sessions: end_sessions?,
            disable,
            ignore: ignore?,
            window: window?,
            max_failures: max_failures?,
            max_failures_all: max_failures_all?,
            max_tls_failures: max_tls_failures?,
            max_deletes: max_deletes?,
            max_renames: max_renames?,
            max_commands: max_commands?,
            repeat: repeat?,
            cve_file: cve_file?,
        })
    }

    /// A rule that is left out and yet is to do something is a mistake, if somebody wrote both.
    fn none_disabled(&mut self, key: &Key, list: RuleSet, disable: RuleSet) -> bool {
        let Some(item) = self.item(key) else {
            return true;
        };
        let both = list.iter().find(|rule| disable.has(*rule));
        if let Some(rule) = both {
            self.problems.note(
                item.span(),
                format!(
                    "{:?} is in {} and in {}: leave it out of one",
                    rule.as_str(),
                    key.path(),
                    detect::DISABLE.path()
                ),
            );
        }
        both.is_none()
    }
}

fn rules(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<RuleSet> {
    chosen(problems, key, item, false)
}

fn banning(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<RuleSet> {
    chosen(problems, key, item, true)
}

fn chosen(problems: &mut Problems<'_>, key: &str, item: &Item, bans: bool) -> Option<RuleSet> {
    let mut found: Vec<Rule> = Vec::new();
    let mut good = true;
    for (name, span) in values::strings(problems, key, item, "names of rules")? {
        let mistake = match Rule::from_name(name) {
            None => unknown(name),
            Some(rule) if found.contains(&rule) => format!("{name:?} is in {key} already"),
            Some(rule) => match rule.banning().obstacle().filter(|_| bans) {
                Some(obstacle) => format!("{name} cannot ban: {obstacle}"),
                None => {
                    found.push(rule);
                    continue;
                }
            },
        };
        problems.note(span, mistake);
        good = false;
    }
    good.then(|| found.into_iter().collect())
}

fn unknown(name: &str) -> String {
    let names = || Rule::ALL.iter().map(|rule| rule.as_str());
    match nearest(name, names()) {
        Some(near) => format!("unknown rule {name:?}; did you mean {near:?}?"),
        None => {
            let known: Vec<_> = names().collect();
            format!("unknown rule {name:?}; known are {}", known.join(", "))
        }
    }
}

/// `Some(None)`: as bans without a time have it.
fn ban_time(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Option<Duration>> {
    match item.as_str() {
        Some("escalating") => Some(None),
        _ => values::duration_or(problems, key, item, "3650d", "escalating").map(Some),
    }
}

/// `Some(None)`: the built-in one.
fn cve_file(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Option<PathBuf>> {
    match item.as_str() {
        Some("built-in") => Some(None),
        _ => values::absolute_path(problems, key, item).map(Some),
    }
}

fn number(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<u32> {
    values::integer(problems, key, item, 0..=1_000_000)
}

fn at_most_a_day(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Duration> {
    values::duration(problems, key, item, "1d")
}

//! What is made of what the rules see: one finding at once, and for what goes on a count now and then.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    memory::{Ms, Recent, ms},
    rule::{Banning, Rule},
    settings::Rules,
};
use crate::engine::{
    bans::{BanRequest, Term},
    events::{DetectionEvent, Severity},
};

/// What a rule has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is to be told.
    pub event: DetectionEvent,
    /// When it was seen.
    pub time: Timestamp,
    /// Who is to be banned.
    pub ban: Option<BanRequest>,
    /// The session that is to be ended.
    pub end_session: Option<u64>,
}

/// What a rule has seen, once.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) rule: Rule,
    pub(super) severity: Severity,
    pub(super) subject: Subject,
    pub(super) source: Option<IpAddr>,
    pub(super) server: Option<SocketAddr>,
    pub(super) session: u64,
    pub(super) user: Option<String>,
    pub(super) message: String,
    pub(super) count: u64,
    /// Whether the source has proven its address.
    pub(super) proven: bool,
}

/// Whom the same is told of once in a while only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Source(IpNet),
    Server(SocketAddr),
    /// Something else of a server, such as its version.
    Named(Option<SocketAddr>, String),
    /// This host: a table of its kernel.
    Host,
}

type Key = (Rule, Subject);

#[derive(Debug)]
struct Report {
    told: Ms,
    /// The highest severity that was told.
    severity: Severity,
    /// When a ban was asked for.
    asked: Option<Ms>,
    /// The session whose end was asked for last.
    ended: u64,
    /// What came since, and how often.
    waiting: Option<Box<(Hit, u64)>>,
}

/// What was told of whom.
#[derive(Debug)]
pub(super) struct Reports {
    told: Recent<Key, Report>,
    /// How often each rule applied, by its place in [`Rule::ALL`].
    pub(super) seen: [u64; Rule::COUNT],
    /// Bans that were asked for.
    pub(super) bans: u64,
}

/// A second ban of the same source by the same rule is not asked for before: what was on its way when the
/// first one was says nothing new.
const ASK_EVERY: Ms = 1_000;

const DAY: Ms = 86_400_000;

impl Reports {
    /// Pairs of a rule and whom it was told of that are remembered.
    const MOST: usize = 8_192;

    pub(super) fn new() -> Self {
        Self {
            told: Recent::new(Self::MOST),
            seen: [0; Rule::COUNT],
            bans: 0,
        }
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.told.forgotten()
    }

    /// Tells of a hit, or counts it for later.
    pub(super) fn hit(
        &mut self,
        rules: &Rules,
        (now, time): (Ms, Timestamp),
        hit: Hit,
        out: &mut Vec<Finding>,
    ) {
        if rules.disable.has(hit.rule) {
            return;
        }
        self.seen[hit.rule as usize] += 1;
        let report = self.told.of(&(hit.rule, hit.subject.clone()), || Report {
            told: Ms::MIN,
            severity: hit.severity,
            asked: None,
            ended: 0,
            waiting: None,
        });
        let ban = bans(rules, &hit)
            && report
                .asked
                .is_none_or(|asked| now.saturating_sub(asked) >= ASK_EVERY);
        let ends = rules.end.has(hit.rule) && hit.session != 0 && report.ended != hit.session;
        let due = now.saturating_sub(report.told) >= interval(rules, hit.rule)
            || hit.severity > report.severity;
        let (earlier, times) = report
            .waiting
            .take()
            .map_or((0, 0), |waiting| (waiting.0.count, waiting.1));
        let hit = Hit {
            count: hit.count + earlier,
            ..hit
        };
        if !due && !ban && !ends {
            report.waiting = Some(Box::new((hit, times + 1)));
            return;
        }
        report.told = now;
        report.severity = hit.severity;
        if ends {
            report.ended = hit.session;
        }
        if ban {
            report.asked = Some(now);
            self.bans += 1;
        }
        out.push(Finding {
            end_session: ends.then_some(hit.session),
            ..finding(rules, &hit, times + 1, ban, time)
        });
    }

    /// Tells of what was counted, where it is time.
    pub(super) fn tick(
        &mut self,
        rules: &Rules,
        (now, time): (Ms, Timestamp),
        out: &mut Vec<Finding>,
    ) {
        for ((rule, _), report) in self.told.iter_mut() {
            let due = now.saturating_sub(report.told) >= interval(rules, *rule);
            // What is told once a day is told when it is seen: it may no longer be so.
            if !due || rule.daily() || rules.disable.has(*rule) {
                continue;
            }
            if let Some(waiting) = report.waiting.take() {
                report.told = now;
                // Who was to be banned was, at once.
                out.push(finding(rules, &waiting.0, waiting.1, false, time));
            }
        }
    }
}

fn interval(rules: &Rules, rule: Rule) -> Ms {
    match rule.daily() {
        true => DAY,
        false => ms(rules.repeat),
    }
}

fn bans(rules: &Rules, hit: &Hit) -> bool {
    rules.ban.has(hit.rule)
        && hit.rule.banning() == Banning::Possible
        && hit.proven
        && hit.source.is_some_and(|source| !rules.never_bans(source))
}

fn finding(rules: &Rules, hit: &Hit, times: u64, ban: bool, time: Timestamp) -> Finding {
    let name = hit.rule.as_str();
    let message = match times {
        0 | 1 => hit.message.clone(),
        _ => format!("{}; {times} times since it was last told", hit.message),
    };
    let ban = hit.source.filter(|_| ban).map(|source| BanRequest {
        term: rules.ban_time.map_or(Term::Escalating, Term::For),
        ..BanRequest::of_rule(name, rules.source_of(source), reason(&message))
    });
    Finding {
        event: DetectionEvent {
            rule: name.to_owned(),
            severity: hit.severity,
            source: hit.source.map(|source| source.to_canonical()),
            server: hit.server,
            session: hit.session,
            user: hit.user.clone(),
            message,
            count: hit.count,
            banned: ban.is_some(),
        },
        time,
        ban,
        end_session: None,
    }
}

/// A message as the reason of a ban: one line of at most 200 characters.
fn reason(message: &str) -> String {
    message
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

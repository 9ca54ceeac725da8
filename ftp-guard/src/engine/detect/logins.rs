//! Logins: guessing, and logins that are bad practice.

use std::{collections::VecDeque, net::SocketAddr};

use ipnet::IpNet;
use jiff::SignedDuration;

use super::{
    Detector, Look,
    memory::{Ms, Slots, Times, ms},
    report::{Hit, Subject},
    rule::Rule,
    shown, words,
};
use crate::engine::{
    events::Severity,
    monitor::record::{LoginState, SessionRecord, TlsMode},
};

/// What is remembered of the failures of a source.
#[derive(Debug, Default)]
pub(super) struct Guessing {
    failures: Times,
    /// Sessions under TLS that look like failures.
    short_sessions: Slots,
}

/// What failures are counted at over all sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    User(String),
    Server(SocketAddr),
}

/// Failures at one user or server.
#[derive(Debug, Default)]
pub(super) struct Spread {
    failures: Slots,
    /// The sources that failed last, and when.
    sources: VecDeque<(IpNet, Ms)>,
}

impl Spread {
    /// Sources that are remembered of one target.
    const MOST_SOURCES: usize = 256;
    /// From so many on failures are spread.
    const FEWEST_SOURCES: usize = 3;

    fn note(&mut self, source: IpNet, now: Ms, window: Ms) {
        self.sources
            .retain(|(other, time)| *other != source && now.saturating_sub(*time) <= window);
        if self.sources.len() >= Self::MOST_SOURCES {
            self.sources.pop_front();
        }
        self.sources.push_back((source, now));
    }
}

/// A session that lives longer is none that only tried to log in.
const SHORT: SignedDuration = SignedDuration::from_secs(10);

impl Detector {
    /// A session has sent a password.
    pub(super) fn password(&mut self, look: &Look<'_>) {
        self.passwords.of(&look.about.session, || ());
    }

    pub(super) fn login(&mut self, accepted: bool, code: u16, look: &mut Look<'_>) {
        let password = self.passwords.peek(&look.about.session).is_some();
        if accepted && look.about.anonymous {
            let hit = self.of_client(
                Rule::AnonymousLogin,
                look.about,
                "an anonymous login was accepted".to_owned(),
            );
            self.hit(hit, look);
        }
        self.in_clear(accepted, password, look);
        // 4xx is the server's trouble (RFC 959 section 4.2), and 534 a policy (RFC 4217): no guess.
        if !accepted && password && (500..600).contains(&code) && code != 534 {
            self.failure(look);
            self.failure_of_all(look);
        }
    }

    fn in_clear(&mut self, accepted: bool, password: bool, look: &mut Look<'_>) {
        let about = look.about;
        // The password of an anonymous user is no secret.
        if about.tls != TlsMode::Clear || about.anonymous || !(accepted || password) {
            return;
        }
        let (severity, what) = match accepted {
            true => (Severity::Medium, "accepted"),
            false => (Severity::Low, "refused"),
        };
        let message = format!("a login without TLS was {what}");
        let hit = self.of_client(Rule::CleartextLogin, about, message);
        self.hit(hit.severity(severity), look);
    }

    fn failure(&mut self, look: &mut Look<'_>) {
        let rules = &self.rules;
        let (most, window) = (rules.max_failures, rules.window);
        if most == 0 {
            return;
        }
        let source = rules.source_of(look.about.client.ip());
        let guessing = self.guessing.of(&source, Guessing::default);
        if guessing.failures.reach(look.now(), most, ms(window)) {
            let message = format!("{most} failed logins within {}", words(window));
            let hit = self.of_client(Rule::LoginFailures, look.about, message);
            self.hit(hit.count(most.into()), look);
        }
    }

    fn failure_of_all(&mut self, look: &mut Look<'_>) {
        if self.rules.max_failures_all == 0 || self.rules.disable.has(Rule::LoginFailuresSpread) {
            return;
        }
        let about = look.about;
        let server = Target::Server(about.server);
        let user = about.user.as_deref().map(|user| Target::User(shown(user)));
        for target in user.into_iter().chain([server]) {
            self.failure_at(target, look);
        }
    }

    fn failure_at(&mut self, target: Target, look: &mut Look<'_>) {
        let rules = &self.rules;
        let (most, window) = (u64::from(rules.max_failures_all), ms(rules.window));
        let source = rules.source_of(look.about.client.ip());
        let spread = self.targets.of(&target, Spread::default);
        spread.note(source, look.now(), window);
        let Some(count) = spread.failures.reach(look.now(), most, window) else {
            return;
        };
        let sources = spread.sources.len();
        if sources < Spread::FEWEST_SOURCES {
            return;
        }
        let took_part: Vec<IpNet> = spread.sources.iter().map(|(source, _)| *source).collect();
        let within = words(rules.window);
        let (at, user, server) = match &target {
            Target::User(user) => (format!("user {user:?}"), Some(user.clone()), None),
            Target::Server(server) => (format!("server {server}"), None, Some(*server)),
        };
        let message =
            format!("{count} failed logins for {at} from {sources} sources within {within}");
        let hit = Hit {
            rule: Rule::LoginFailuresSpread,
            severity: Rule::LoginFailuresSpread.severity(),
            subject: Subject::Named(server, user.clone().unwrap_or_default()),
            source: None,
            server,
            session: 0,
            user,
            message,
            count,
            proven: true,
        };
        self.hit(hit.clone(), look);
        if !self.rules.ban.has(Rule::LoginFailuresSpread) {
            return;
        }
        for source in took_part {
            let took_part = Hit {
                subject: Subject::Source(source),
                source: Some(source.addr()),
                message: format!("took part in {}", hit.message),
                count: 1,
                ..hit.clone()
            };
            self.hit(took_part, look);
        }
    }

    /// A session has ended: under TLS nothing else tells of logins.
    pub(super) fn ended(&mut self, record: &SessionRecord, look: &mut Look<'_>) {
        self.passwords.remove(&look.about.session);
        let most = self.rules.max_tls_failures;
        if most == 0 || !looks_like_a_failure(record) {
            return;
        }
        let window = self.rules.window;
        let source = self.rules.source_of(look.about.client.ip());
        let guessing = self.guessing.of(&source, Guessing::default);
        let reached = guessing
            .short_sessions
            .reach(look.now(), most.into(), ms(window));
        if let Some(count) = reached {
            let message = format!(
                "{count} sessions under TLS ended within {} s without a data connection, within {}",
                SHORT.as_secs(),
                words(window)
            );
            let hit = self.of_client(Rule::TlsLoginFailures, look.about, message);
            self.hit(hit.count(count), look);
        }
    }
}

fn looks_like_a_failure(record: &SessionRecord) -> bool {
    let hidden = matches!(record.tls.mode, TlsMode::Explicit | TlsMode::Implicit)
        && record.login != LoginState::Accepted;
    let idle = record.data_connections == 0 && record.transfer_count == 0;
    let short = record
        .ended
        .is_some_and(|ended| ended.duration_since(record.began) <= SHORT);
    hidden && idle && short && !record.partial && record.end_reason.is_none()
}

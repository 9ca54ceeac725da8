//! Names of hosts in the daemon: who asks DNS what, and what becomes of the answers.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::{guard::Guard, kernel::Kernel, wanted::Wanted};
use crate::{
    config::{Config, NameSettings},
    control::{
        name_view::{HostView, NameAddressView, NamesView},
        protocol::Failure,
    },
    engine::{
        allowlist::{AllowSet, HostRow},
        events::{EventKind, NameChanged},
        names::{Changed, HostName, NameBook, NameState, Outcome, Question, Trouble},
    },
    store,
    telemetry::metrics::NameFigures,
};

/// Questions that wait for the task that asks them; the book asks no more at once.
const QUEUE: usize = 64;

/// How often the file is written for answers that change no address. What is lost with them is how old
/// an answer is.
const REFRESH_WRITES: Duration = Duration::from_secs(600);

/// After a disk refused it, the file is not tried at every change.
const RETRY_WRITES: Duration = Duration::from_secs(60);

/// The names of a guard.
#[derive(Debug)]
pub struct Names {
    pub(super) book: NameBook,
    clock: Clock,
    /// Addresses have changed since the kernel was brought to them.
    unsettled: bool,
    /// Answers came since the file was written, and whether addresses changed with them.
    unwritten: Option<bool>,
    /// When it was written, or tried, last.
    written: Duration,
    questions: mpsc::Sender<Question>,
    asked: Option<mpsc::Receiver<Question>>,
    servers: watch::Sender<NameSettings>,
}

/// Since the beginning of Unix time, as the clock of the start had it: it never goes back.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Duration,
    since: Instant,
}

impl Clock {
    fn new() -> Self {
        let start = Timestamp::now().duration_since(Timestamp::UNIX_EPOCH);
        Self {
            start: Duration::try_from(start).unwrap_or_default(),
            since: Instant::now(),
        }
    }

    fn now(self) -> Duration {
        self.start + self.since.elapsed()
    }
}

/// What the task that asks DNS needs.
#[derive(Debug)]
pub struct Asking {
    /// The questions.
    pub questions: mpsc::Receiver<Question>,
    /// Whom to ask.
    pub servers: watch::Receiver<NameSettings>,
}

impl Names {
    /// Reads what was kept of the names of `set`. A file that cannot be read is logged and costs what it
    /// held: the names are resolved again.
    pub fn load(config: &Config, set: &AllowSet) -> Self {
        let settings = &config.names;
        let clock = Clock::new();
        let now = clock.now();
        let mut book = NameBook::new(settings.rules.clone());
        book.want(set.hosts().iter().map(|entry| entry.name.clone()), now);
        if !book.is_empty() {
            match store::read_names(&settings.file) {
                Ok(stored) => book.restore(&stored, now),
                Err(mistake) => tracing::warn!("what was kept of names is lost: {mistake}"),
            }
        }
        let (questions, asked) = mpsc::channel(QUEUE);
        Self {
            book,
            clock,
            unsettled: false,
            unwritten: None,
            written: now,
            questions,
            asked: Some(asked),
            servers: watch::Sender::new(settings.clone()),
        }
    }

    /// The book that other files would make; what is known of names that stay is in it.
    pub(super) fn after(&self, config: &Config, set: &AllowSet) -> NameBook {
        let mut book = self.book.clone();
        let now = self.clock.now();
        book.set(config.names.rules.clone(), now);
        book.want(set.hosts().iter().map(|entry| entry.name.clone()), now);
        book
    }

    /// Such a book is in force.
    pub(super) fn take(&mut self, book: NameBook, config: &Config) {
        let same = |one: &NameBook, other: &NameBook| {
            one.states(Duration::ZERO)
                .map(|(name, _)| name)
                .eq(other.states(Duration::ZERO).map(|(name, _)| name))
        };
        if !same(&self.book, &book) {
            self.unwritten = Some(true);
        }
        self.book = book;
        self.servers.send_if_modified(|old| {
            let changed = *old != config.names;
            old.clone_from(&config.names);
            changed
        });
    }

    /// All names are asked for at once.
    pub(super) fn ask_all(&mut self) {
        self.book.ask_all(self.clock.now());
    }

    /// What the task that asks DNS needs; once.
    pub fn asking(&mut self) -> Option<Asking> {
        Some(Asking {
            questions: self.asked.take()?,
            servers: self.servers.subscribe(),
        })
    }

    /// What is known of each name.
    fn states(&self) -> BTreeMap<HostName, NameState> {
        let states = self.book.states(self.clock.now());
        states.map(|(name, state)| (name.clone(), state)).collect()
    }
}

impl<K: Kernel> Guard<K> {
    /// What the task that asks DNS needs; once.
    pub fn asking(&mut self) -> Option<Asking> {
        self.names.asking()
    }

    /// What became of questions. The kernel is brought to it at once.
    pub fn names_answered(&mut self, answers: Vec<(Question, Outcome)>) {
        let now = self.names.clock.now();
        for (question, outcome) in answers {
            let before = self.names.book.state(&question.name, now);
            let changed = self.names.book.answer(&question, outcome, now);
            let after = self.names.book.state(&question.name, now);
            if let (Some(before), Some(after)) = (before, after) {
                log_trouble(&question.name, &before, &after);
            }
            let written = self.names.unwritten.unwrap_or(false);
            self.names.unwritten = Some(written || changed.is_some());
            self.tell_names(changed);
        }
        self.settle_names();
    }

    /// What is due every second: addresses whose time is over, questions, the file.
    pub(super) fn follow_names(&mut self) {
        if self.names.book.is_empty() && self.names.unwritten.is_none() {
            return;
        }
        let now = self.names.clock.now();
        let expired = self.names.book.expire(now);
        if !expired.is_empty() {
            self.names.unwritten = Some(true);
        }
        self.tell_names(expired);
        self.settle_names();
        for question in self.names.book.ask(now) {
            if let Err(unsent) = self.names.questions.try_send(question) {
                self.names.book.not_asked(&unsent.into_inner());
            }
        }
        self.write_names(now);
    }

    /// Logs and publishes changes of addresses.
    fn tell_names(&mut self, changes: impl IntoIterator<Item = Changed>) {
        for Changed {
            name,
            added,
            removed,
        } in changes
        {
            self.names.unsettled = true;
            let parts: Vec<String> = [("now has", &added), ("no longer has", &removed)]
                .into_iter()
                .filter(|(_, addresses)| !addresses.is_empty())
                .map(|(what, addresses)| format!("{what} {}", listed(addresses)))
                .collect();
            tracing::info!("host:{name} {}", parts.join(", "));
            self.events.publish(EventKind::NameChanged(NameChanged {
                name: name.as_str().to_owned(),
                added,
                removed,
            }));
        }
    }

    /// Brings the kernel to what the names have become. What it refuses is tried again every second.
    fn settle_names(&mut self) {
        if !self.names.unsettled {
            return;
        }
        let next = Wanted {
            table: self.set.table_with(&self.names.book, Timestamp::now()),
            ..self.wanted.clone()
        };
        let result = self.change_to(next);
        self.names.unsettled = result.is_err();
        self.note("addresses of names", result.map_err(Failure::from));
    }

    fn write_names(&mut self, now: Duration) {
        let Some(changed) = self.names.unwritten else {
            return;
        };
        let failed = self.complains("file of names");
        let wait = match (changed, failed) {
            (_, true) => RETRY_WRITES,
            (true, false) => Duration::ZERO,
            (false, false) => REFRESH_WRITES,
        };
        if now.saturating_sub(self.names.written) < wait {
            return;
        }
        let result = store::write_names(&self.config.names.file, &self.names.book.stored());
        self.names.written = now;
        if result.is_ok() {
            self.names.unwritten = None;
        }
        let result = result.map_err(|error| Failure::failed(error.to_string()));
        self.note("file of names", result);
    }

    /// The entries of names with all that is known of each.
    pub(super) fn host_views(&self) -> Vec<HostView> {
        let now = Timestamp::now();
        let states = self.names.states();
        let mut rows: BTreeMap<(&HostName, IpAddr), HostRow> = BTreeMap::new();
        let table = self.set.table(now);
        self.set
            .each_host(&table, &self.names.book, now, |entry, address, row| {
                rows.insert((&entry.name, address), row);
            });
        let view = |state: &NameState, name: &HostName| -> Vec<NameAddressView> {
            let addresses = state.addresses.iter();
            addresses
                .map(|address| NameAddressView {
                    address: address.address,
                    left_seconds: address.left.map(|left| left.as_secs()),
                    state: row_name(rows.get(&(name, address.address)).copied()).to_owned(),
                })
                .collect()
        };
        self.set
            .hosts()
            .iter()
            .map(|entry| {
                let state = states.get(&entry.name);
                let addresses = state.map(|state| view(state, &entry.name));
                HostView::of(entry, state, addresses.unwrap_or_default())
            })
            .collect()
    }

    /// The names, counted.
    pub(super) fn name_figures(&self) -> NameFigures {
        let now = self.names.clock.now();
        let mut figures = NameFigures::default();
        for (_, state) in self.names.book.states(now) {
            figures.names += 1;
            figures.failing += u64::from(state.trouble.is_some());
            figures.addresses += state.addresses.len() as u64;
        }
        figures.oldest = self.names.book.oldest(now);
        figures
    }

    /// The same for `status`; nothing without names.
    pub(super) fn names_view(&self) -> Option<NamesView> {
        let figures = self.name_figures();
        (figures.names > 0).then(|| NamesView {
            names: figures.names,
            addresses: figures.addresses,
            failing: figures.failing,
            oldest_answer_seconds: figures.oldest.map(|age| age.as_secs()),
        })
    }

    /// A line about names that do not resolve, and one about answers that are not taken whole.
    pub(super) fn name_warnings(&self) -> Vec<String> {
        let states = self.names.states();
        let mut failing = states
            .iter()
            .filter_map(|(name, state)| Some((name, state, state.trouble.as_ref()?)));
        let mut warnings = Vec::new();
        if let Some((name, state, trouble)) = failing.next() {
            let more = match failing.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let stays = match (state.addresses.len(), state.age) {
                (0, _) => "it lets nobody in".to_owned(),
                (_, Some(age)) => format!("its addresses of {} ago stay", age_text(age)),
                (_, None) => "its addresses stay".to_owned(),
            };
            let why = trouble_text(trouble);
            warnings.push(format!("host:{name}: {why}; {stays}{more}"));
        }
        let mut cut = states.iter().filter(|(_, state)| state.surplus > 0);
        if let Some((name, state)) = cut.next() {
            let more = match cut.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            warnings.push(format!(
                "host:{name}: {} of its addresses are left out: names.max_addresses is {}{more}",
                state.surplus, self.config.names.rules.max_addresses
            ));
        }
        warnings
    }
}

/// Logs that something is wrong with a name that was not, or no longer.
fn log_trouble(name: &HostName, before: &NameState, after: &NameState) {
    let kind = |state: &NameState| state.trouble.as_ref().map(std::mem::discriminant);
    if kind(before) != kind(after) {
        match &after.trouble {
            Some(trouble) => tracing::warn!("host:{name}: {}", trouble_text(trouble)),
            None => tracing::info!("host:{name} resolves again"),
        }
    }
    if after.surplus > 0 && before.surplus != after.surplus {
        let count = after.surplus;
        tracing::warn!("host:{name}: {count} addresses beyond names.max_addresses are left out");
    }
    if after.refused > 0 && before.refused != after.refused {
        let count = after.refused;
        tracing::warn!(
            "host:{name}: {count} addresses that no partner has, or that names.private shuts out, are left out"
        );
    }
}

/// What is wrong with a name, in words.
pub(super) fn trouble_text(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Failing {
            failures,
            since,
            why,
            ..
        } => {
            let times = if *failures == 1 {
                "failure"
            } else {
                "failures"
            };
            format!(
                "DNS gives no answer, {failures} {times} in {}: {why}",
                age_text(*since)
            )
        }
        Trouble::NoSuchName => "DNS says that there is no such name".to_owned(),
        Trouble::NoAddress => "DNS has no address of it".to_owned(),
    }
}

/// How long something has been, roughly.
pub(super) fn age_text(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn row_name(row: Option<HostRow>) -> &'static str {
    match row {
        Some(HostRow::InForce) => "in_force",
        Some(HostRow::Listed) => "listed",
        Some(HostRow::Excluded) => "excluded",
        Some(HostRow::OfAnother) => "other_name",
        None => "expired",
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

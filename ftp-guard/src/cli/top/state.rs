//! What is on the screen and what keys do to it. It does no input and no output.

use std::{collections::VecDeque, net::IpAddr};

use ipnet::IpNet;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    poll::Update,
    rows::{self, Drops, PortRow, SessionRow, SourceRow, orders},
    snapshot::{Changes, Rate, Snapshot},
};
use crate::{
    control::{
        ban_view::BanTerms,
        protocol::{Prefix, Request, Target},
    },
    engine::{
        events::{Event, EventKind},
        sessions::view::KillTarget,
    },
};

/// Events that are kept.
const MOST_EVENTS: usize = 500;
/// Longest filter, in characters.
const MOST_FILTER: usize = 60;

/// One of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// Live sessions.
    Sessions,
    /// Packets a second.
    Rates,
    /// Who connects, and whose packets are dropped.
    Sources,
    /// Passive ports.
    Ports,
    /// What happened.
    Events,
}

impl Panel {
    /// All lists, in the order of the keys.
    pub const ALL: [Self; 5] = [
        Self::Sessions,
        Self::Rates,
        Self::Sources,
        Self::Ports,
        Self::Events,
    ];

    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Sessions => "Sessions",
            Self::Rates => "Packets",
            Self::Sources => "Sources",
            Self::Ports => "Passive ports",
            Self::Events => "Events",
        }
    }
}

/// How long a ban may be: in words, and in seconds; 0 is for ever, none what the configuration says.
pub const BAN_TIMES: [(&str, Option<u64>); 6] = [
    ("as configured", None),
    ("10 min", Some(600)),
    ("1 h", Some(3_600)),
    ("1 d", Some(86_400)),
    ("7 d", Some(604_800)),
    ("for ever", Some(0)),
];

/// Something that waits for an answer, above the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// The keys.
    Help,
    /// Whether to end a session.
    Kill {
        /// Its number.
        id: u64,
        /// Whose it is.
        whose: String,
    },
    /// Whether to ban a source.
    Ban {
        /// Whom.
        source: IpNet,
        /// For how long: the place in [`BAN_TIMES`].
        time: usize,
    },
}

/// What a key asks of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The end.
    Quit,
    /// A request to the daemon.
    Send(Request),
}

/// The last word on something that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What.
    pub text: String,
    /// Whether it went wrong.
    pub bad: bool,
}

/// What is on the screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What the guard does.
    pub now: Option<Snapshot>,
    /// What has changed since the moment before.
    pub changes: Changes,
    /// Why nobody answers.
    pub down: Option<String>,
    /// Seconds without an answer, when they are more than there should be.
    pub silent: Option<u64>,
    /// Why there are no events.
    pub events_down: Option<String>,
    /// Whether the screen is held.
    pub paused: bool,
    /// What to look for.
    pub filter: String,
    /// Whether the filter is being written.
    pub writing: bool,
    /// What waits for an answer.
    pub dialog: Option<Dialog>,
    /// The last word.
    pub message: Option<Message>,
    panel: usize,
    order: [usize; Panel::ALL.len()],
    cursor: [usize; Panel::ALL.len()],
    chosen: [Option<String>; Panel::ALL.len()],
    events: VecDeque<Event>,
    drops: Drops,
    /// What came while the screen was held.
    held: Vec<Update>,
}

impl State {
    /// The list that keys are for.
    #[must_use]
    pub fn panel(&self) -> Panel {
        Panel::ALL[self.panel]
    }

    /// Makes a list the one that keys are for.
    pub fn show(&mut self, panel: Panel) {
        self.panel = panel as usize;
    }

    /// The order of a list.
    #[must_use]
    pub fn order(&self, panel: Panel) -> &'static str {
        orders(panel)[self.order[panel as usize]]
    }

    /// The line of a list that is selected: the same thing wherever it has moved to, or else the same place.
    #[must_use]
    pub fn selected(&self, panel: Panel) -> usize {
        self.selected_of(panel, &self.keys(panel))
    }

    fn selected_of(&self, panel: Panel, keys: &[String]) -> usize {
        let chosen = self.chosen[panel as usize].as_ref();
        let place = chosen.and_then(|chosen| keys.iter().position(|key| key == chosen));
        place.unwrap_or_else(|| self.cursor[panel as usize].min(keys.len().saturating_sub(1)))
    }

    /// What tells the lines of a list apart.
    fn keys(&self, panel: Panel) -> Vec<String> {
        let events = || self.events().into_iter();
        match panel {
            Panel::Sessions => self
                .sessions()
                .iter()
                .map(|row| row.id.to_string())
                .collect(),
            Panel::Rates => {
                let key = |row: &Rate| format!("{} {} {}", row.hook, row.verdict, row.reason);
                self.rates().iter().map(key).collect()
            }
            Panel::Sources => self
                .sources()
                .iter()
                .map(|row| row.source.to_string())
                .collect(),
            Panel::Ports => {
                let key = |row: &PortRow| format!("{} {}", row.port, row.client);
                self.ports().iter().map(key).collect()
            }
            Panel::Events => events().map(ToString::to_string).collect(),
        }
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionRow> {
        let order = self.order(Panel::Sessions);
        let rows = self.now.as_ref();
        rows.map(|now| rows::sessions(now, &self.changes, &self.filter, order))
            .unwrap_or_default()
    }

    /// The rates.
    #[must_use]
    pub fn rates(&self) -> Vec<Rate> {
        rows::rates(&self.changes, &self.filter, self.order(Panel::Rates))
    }

    /// The sources.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceRow> {
        let order = self.order(Panel::Sources);
        let rows = self.now.as_ref();
        rows.map(|now| rows::sources(now, &self.changes, &self.drops, &self.filter, order))
            .unwrap_or_default()
    }

    /// The passive ports.
    #[must_use]
    pub fn ports(&self) -> Vec<PortRow> {
        let order = self.order(Panel::Ports);
        let rows = self.now.as_ref();
        rows.map(|now| rows::ports(now, &self.changes, &self.filter, order))
            .unwrap_or_default()
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> Vec<&Event> {
        rows::events(&self.events, &self.filter, self.order(Panel::Events))
    }

    /// Takes what the daemon told.
    pub fn update(&mut self, update: Update) {
        match update {
            Update::Snapshot(_) | Update::Events(_) if self.paused => self.hold(update),
            Update::Snapshot(snapshot) => {
                let snapshot = *snapshot;
                self.changes = Changes::between(self.now.as_ref(), &snapshot);
                self.drops.sweep(snapshot.guard.time);
                self.now = Some(snapshot);
                self.down = None;
            }
            Update::Down(why) => self.down = Some(why),
            Update::Events(events) => {
                for event in events {
                    self.drops.take(&event);
                    // A flood of dropped packets must not push out what happens once.
                    if self.events.len() == MOST_EVENTS {
                        let drop = self.events.iter().position(|old| {
                            matches!(old.kind, EventKind::Drop(_) | EventKind::TableFull(_))
                        });
                        self.events.remove(drop.unwrap_or(0));
                    }
                    self.events.push_back(event);
                }
            }
            Update::EventsDown(why) => self.events_down = why,
            Update::Done(text) => self.message = Some(Message { text, bad: false }),
            Update::Failed(text) => self.message = Some(Message { text, bad: true }),
        }
    }

    /// Keeps what came while the screen is held: the last snapshot, and as many events as there is room for.
    fn hold(&mut self, update: Update) {
        if let Update::Snapshot(_) = update {
            self.down = None;
            self.held
                .retain(|held| !matches!(held, Update::Snapshot(_)));
        }
        if self.held.len() > MOST_EVENTS {
            self.held.remove(0);
        }
        self.held.push(update);
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Act> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'C') => Some(Act::Quit),
                _ => None,
            };
        }
        self.message = None;
        if let Some(dialog) = self.dialog.take() {
            return self.answer(dialog, key.code);
        }
        if self.writing {
            self.write(key.code);
            return None;
        }
        self.command(key.code)
    }

    fn command(&mut self, code: KeyCode) -> Option<Act> {
        match code {
            KeyCode::Char('q') => return Some(Act::Quit),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Panel::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='5') => self.panel = digit as usize - '1' as usize,
            KeyCode::Char('e') => self.show(Panel::Events),
            KeyCode::Down => self.step(1),
            KeyCode::Up => self.step(-1),
            KeyCode::PageDown => self.step(10),
            KeyCode::PageUp => self.step(-10),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Char('s') => {
                let order = &mut self.order[self.panel];
                *order = (*order + 1) % orders(Panel::ALL[self.panel]).len();
            }
            KeyCode::Char('/') => self.writing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('p' | ' ') => self.pause(),
            KeyCode::Char('?') | KeyCode::F(1) => self.dialog = Some(Dialog::Help),
            KeyCode::Char('k') => self.ask_kill(),
            KeyCode::Char('b') => self.ask_ban(),
            _ => {}
        }
        None
    }

    fn turn(&mut self, by: usize) {
        self.panel = (self.panel + by) % Panel::ALL.len();
    }

    fn step(&mut self, by: isize) {
        let panel = self.panel();
        let mut keys = self.keys(panel);
        let last = keys.len().saturating_sub(1);
        let to = self
            .selected_of(panel, &keys)
            .saturating_add_signed(by)
            .min(last);
        self.cursor[self.panel] = to;
        // At the top one looks at the top, whatever is there.
        self.chosen[self.panel] = (to > 0).then(|| keys.swap_remove(to));
    }

    fn pause(&mut self) {
        self.paused = !self.paused;
        if !self.paused {
            for update in std::mem::take(&mut self.held) {
                self.update(update);
            }
        }
    }

    fn write(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.writing = false,
            KeyCode::Esc => {
                self.writing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) if self.filter.chars().count() < MOST_FILTER => self.filter.push(c),
            _ => {}
        }
    }

    /// The session on the selected line.
    fn session(&self) -> Option<(u64, String)> {
        let whose = |user: &str, client: IpAddr| format!("{user} from {client}");
        match self.panel() {
            Panel::Sessions => {
                let mut rows = self.sessions();
                let at = self.selected(Panel::Sessions);
                (at < rows.len())
                    .then(|| rows.swap_remove(at))
                    .map(|row| (row.id, whose(&row.user, row.client.ip())))
            }
            Panel::Ports => {
                let rows = self.ports();
                let row = rows.get(self.selected(Panel::Ports))?;
                Some((row.session?, whose(&row.user, row.client)))
            }
            Panel::Events => {
                let rows = self.events();
                let event = rows.get(self.selected(Panel::Events))?;
                let (id, client) = match &event.kind {
                    EventKind::Login(login) => (login.session, login.client.ip()),
                    EventKind::Transfer(transfer) => (transfer.session, transfer.client.ip()),
                    EventKind::Detection(detection) => (detection.session, detection.source?),
                    _ => return None,
                };
                // What happened may be long ago, and its session with it.
                let now = self.now.as_ref()?;
                let session = now.sessions.iter().find(|session| session.id == id)?;
                let user = crate::cli::sessions::user(session);
                (session.client.ip() == client).then(|| (id, whose(user, client)))
            }
            Panel::Rates | Panel::Sources => None,
        }
    }

    /// The source on the selected line.
    fn source(&self) -> Option<IpNet> {
        match self.panel() {
            Panel::Sessions => {
                let rows = self.sessions();
                let row = rows.get(self.selected(Panel::Sessions))?;
                Some(IpNet::from(row.client.ip()))
            }
            Panel::Sources => {
                let rows = self.sources();
                let row = rows.get(self.selected(Panel::Sources))?;
                Some(row.source)
            }
            Panel::Ports => {
                let rows = self.ports();
                let row = rows.get(self.selected(Panel::Ports))?;
                Some(IpNet::from(row.client))
            }
            Panel::Events => {
                let rows = self.events();
                let event = rows.get(self.selected(Panel::Events))?;
                source_of(&event.kind)
            }
            Panel::Rates => None,
        }
    }

    fn ask_kill(&mut self) {
        match self.session() {
            Some((id, whose)) => self.dialog = Some(Dialog::Kill { id, whose }),
            None => self.complain("no session is selected"),
        }
    }

    fn ask_ban(&mut self) {
        match self.source() {
            Some(source) => self.dialog = Some(Dialog::Ban { source, time: 0 }),
            None => self.complain("no source is selected"),
        }
    }

    fn complain(&mut self, text: &str) {
        self.message = Some(Message {
            text: text.to_owned(),
            bad: true,
        });
    }

    /// An answer to a question; what is none leaves it open.
    fn answer(&mut self, dialog: Dialog, code: KeyCode) -> Option<Act> {
        match (dialog, code) {
            (Dialog::Help, _) | (_, KeyCode::Esc | KeyCode::Char('n' | 'q')) => None,
            (Dialog::Kill { id, .. }, KeyCode::Char('y')) => Some(Act::Send(Request::Kill {
                targets: vec![Target(KillTarget::Session(id))],
            })),
            (Dialog::Ban { source, time }, KeyCode::Char('y')) => {
                Some(Act::Send(ban(source, time)))
            }
            (Dialog::Ban { source, time }, code) => {
                let times = BAN_TIMES.len();
                let time = match code {
                    KeyCode::Right | KeyCode::Down | KeyCode::Tab => (time + 1) % times,
                    KeyCode::Left | KeyCode::Up | KeyCode::BackTab => (time + times - 1) % times,
                    _ => time,
                };
                self.dialog = Some(Dialog::Ban { source, time });
                None
            }
            (dialog, _) => {
                self.dialog = Some(dialog);
                None
            }
        }
    }
}

fn ban(source: IpNet, time: usize) -> Request {
    let seconds = BAN_TIMES.get(time).and_then(|(_, seconds)| *seconds);
    Request::BanAdd {
        prefixes: vec![Prefix(source)],
        terms: BanTerms {
            seconds: seconds.filter(|seconds| *seconds > 0),
            forever: seconds == Some(0),
            reason: Some("by hand, in ftp-guard top".to_owned()),
            ..BanTerms::default()
        },
    }
}

/// Whom an event is about.
fn source_of(kind: &EventKind) -> Option<IpNet> {
    let client = match kind {
        EventKind::Drop(packet) => packet_client(packet),
        EventKind::TableFull(full) => packet_client(&full.packet),
        EventKind::SessionEnded(ended) => Some(ended.client.ip()),
        EventKind::Login(login) => Some(login.client.ip()),
        EventKind::Transfer(transfer) => Some(transfer.client.ip()),
        EventKind::Detection(detection) => detection.source,
        EventKind::BanExpired(ban) | EventKind::BanRemoved(ban) => return Some(ban.prefix),
        _ => None,
    };
    client.map(IpNet::from)
}

fn packet_client(packet: &crate::engine::events::Packet) -> Option<IpAddr> {
    match packet.hook.as_str() {
        "egress" => packet.destination,
        _ => packet.source,
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

//! What is on the screen and what keys do to it. It does no input and no output.

use std::collections::VecDeque;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    ask::Dialog,
    poll::Update,
    rows::{self, Drops, PortRow, SessionRow, SourceRow, orders},
    snapshot::{Changes, Rate, Snapshot},
};
use crate::{
    control::protocol::Request,
    engine::events::{Event, EventKind},
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
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

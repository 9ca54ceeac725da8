//! Draws the state. All that peers chose is escaped, and each cell is cut to its room before it is drawn.

use std::ffi::OsString;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Paragraph},
};

use super::{
    ask::{BAN_TIMES, Dialog},
    header::{self, Weight},
    lists::rows_of,
    rows::address,
    state::{Panel, State},
};
use crate::cli::escape::{cut, padded, plain};

/// The least that there must be.
pub const LEAST: (u16, u16) = (70, 16);
/// From this size on all lists are shown together.
const LARGE: (u16, u16) = (110, 34);

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    colour: bool,
}

impl Theme {
    /// The look, with `NO_COLOR` of the environment: set and not empty means none (no-color.org).
    #[must_use]
    pub fn of(no_color: Option<OsString>) -> Self {
        Self {
            colour: no_color.is_none_or(|value| value.is_empty()),
        }
    }

    pub(super) fn coloured(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    pub(super) fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn title(self, active: bool) -> Style {
        match active {
            true => self.coloured(Color::Cyan).add_modifier(Modifier::BOLD),
            false => Style::new(),
        }
    }

    pub(super) fn verdict(self, verdict: &str) -> Style {
        match verdict {
            "drop" => self.coloured(Color::Red),
            "would_drop" => self.coloured(Color::Yellow),
            "answer" => self.coloured(Color::Magenta),
            _ => Style::new(),
        }
    }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "The terminal has {} columns and {} lines; at least {} and {} are needed. q quits.",
            area.width, area.height, LEAST.0, LEAST.1
        );
        let text = Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true });
        frame.render_widget(text, area);
        return;
    }
    let lines = header::lines(state);
    let [top, body, foot] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let width = usize::from(top.width);
    let shown: Vec<Line<'_>> = lines
        .into_iter()
        .enumerate()
        .map(|(number, (text, weight))| {
            let style = match (weight, number) {
                (Weight::Alarm, _) => theme.alarm(),
                (Weight::Normal, 0) => Style::new().add_modifier(Modifier::BOLD),
                _ => Style::new(),
            };
            Line::styled(cut(&text, width), style)
        })
        .collect();
    frame.render_widget(Paragraph::new(shown), top);
    if area.width >= LARGE.0 && area.height >= LARGE.1 {
        let [upper, middle, lower] = Layout::vertical([
            Constraint::Percentage(30),
            Constraint::Percentage(40),
            Constraint::Percentage(30),
        ])
        .areas(body);
        let halves = |area| Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
        let [rates, sources]: [Rect; 2] = halves(upper);
        let [ports, events]: [Rect; 2] = halves(lower);
        for (panel, area) in [
            (Panel::Rates, rates),
            (Panel::Sources, sources),
            (Panel::Sessions, middle),
            (Panel::Ports, ports),
            (Panel::Events, events),
        ] {
            list(frame, area, state, panel, theme);
        }
    } else {
        let [tabs, rest] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(body);
        frame.render_widget(Paragraph::new(tab_line(state, theme)), tabs);
        list(frame, rest, state, state.panel(), theme);
    }
    footer(frame, foot, state, theme);
    if let Some(dialog) = &state.dialog {
        ask(frame, area, dialog, theme);
    }
}

fn tab_line(state: &State, theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (number, panel) in Panel::ALL.into_iter().enumerate() {
        let active = panel == state.panel();
        let style = match active {
            true => theme.title(true).add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        spans.push(Span::styled(
            format!(" {} {} ", number + 1, panel.title()),
            style,
        ));
    }
    Line::from(spans)
}

/// One list with its frame.
fn list(frame: &mut Frame<'_>, area: Rect, state: &State, panel: Panel, theme: Theme) {
    let active = panel == state.panel();
    let width = usize::from(area.width.saturating_sub(2));
    let (head, rows) = rows_of(state, panel, width, theme);
    let mut title = format!(
        " {} {} by {}",
        panel.title(),
        rows.len(),
        state.order(panel)
    );
    if panel == Panel::Events
        && let Some(why) = &state.events_down
    {
        title.push_str(&format!(", none come: {}", plain(why)));
    }
    let block = Block::new()
        .borders(Borders::ALL)
        .border_style(theme.title(active))
        .title(Span::styled(
            cut(&format!("{title} "), width),
            theme.title(active),
        ));
    let height = usize::from(area.height.saturating_sub(3));
    let selected = state.selected(panel);
    let first = (selected + 1).saturating_sub(height.max(1));
    let mut lines = vec![Line::styled(
        cut(&head, width),
        Style::new().add_modifier(Modifier::BOLD),
    )];
    if rows.is_empty() {
        let nothing = match (&state.now, state.filter.is_empty()) {
            (None, _) => "waiting for the daemon",
            (_, true) => "nothing",
            (_, false) => "nothing that the filter leaves",
        };
        lines.push(Line::raw(nothing));
    }
    for (number, row) in rows.into_iter().enumerate().skip(first).take(height) {
        let style = match active && number == selected {
            true => row.style.add_modifier(Modifier::REVERSED),
            false => row.style,
        };
        lines.push(Line::styled(padded(&cut(&row.text, width), width), style));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn footer(frame: &mut Frame<'_>, area: Rect, state: &State, theme: Theme) {
    let width = usize::from(area.width);
    let (text, style) = if state.writing {
        (
            format!("filter: {}_", state.filter),
            Style::new().add_modifier(Modifier::BOLD),
        )
    } else if let Some(message) = &state.message {
        let style = match message.bad {
            true => theme.alarm(),
            false => theme.coloured(Color::Green),
        };
        (message.text.clone(), style)
    } else if let Some(why) = &state.down {
        (format!("NO ANSWER, trying again: {why}"), theme.alarm())
    } else if let Some(seconds) = state.silent {
        (format!("NO ANSWER for {seconds} s"), theme.alarm())
    } else {
        let mut text = String::new();
        if state.paused {
            text.push_str("HELD (p goes on)  ");
        }
        if !state.filter.is_empty() {
            text.push_str(&format!("filter {:?} (Esc: none)  ", state.filter));
        }
        text.push_str(
            "q quit  Tab list  / filter  s sort  b ban  k kill  p hold  e events  ? help",
        );
        (text, Style::new().add_modifier(Modifier::DIM))
    };
    frame.render_widget(Line::styled(cut(&text, width), style), area);
}

const HELP: [&str; 14] = [
    "Tab, left, right    the next list, the one before",
    "1 to 5              a list by its number",
    "e                   events",
    "up, down, PgUp ...  move in a list",
    "s                   sort by something else",
    "/                   filter: letters anywhere in a line; Enter keeps it",
    "Esc                 no filter",
    "b                   ban the selected source (asks first)",
    "k                   kill the selected session (asks first)",
    "p                   hold the screen, go on",
    "q, Ctrl-C           quit",
    "",
    "DROPS: reports of dropped packets in the last minute, a sample.",
    "SPEED: between two looks.    MOVED: by open data connections.",
];

/// A question, or the keys, in the middle.
fn ask(frame: &mut Frame<'_>, area: Rect, dialog: &Dialog, theme: Theme) {
    let (title, lines): (&str, Vec<Line<'_>>) = match dialog {
        Dialog::Help => ("Keys", HELP.iter().copied().map(Line::raw).collect()),
        Dialog::Kill { id, whose } => (
            "Kill a session",
            vec![
                Line::raw(format!("End session {id} of {}", cut(whose, 44))),
                Line::raw("and its data connections, at once?"),
                Line::raw(""),
                Line::raw("y yes    n no"),
            ],
        ),
        Dialog::Ban { source, time } => {
            let times = BAN_TIMES.iter().enumerate().flat_map(|(place, (name, _))| {
                let style = match place == *time {
                    true => Style::new().add_modifier(Modifier::REVERSED),
                    false => Style::new(),
                };
                [Span::styled(format!(" {name} "), style), Span::raw(" ")]
            });
            (
                "Ban a source",
                vec![
                    Line::raw(format!("Ban {} and end its sessions?", address(*source))),
                    Line::raw(""),
                    Line::from(times.collect::<Vec<_>>()),
                    Line::raw(""),
                    Line::raw("left, right: how long    y yes    n no"),
                ],
            )
        }
    };
    let width = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 4;
    let height = lines.len() as u16 + 2;
    let place = Rect {
        x: area.width.saturating_sub(width) / 2,
        y: area.height.saturating_sub(height) / 2,
        width: width.min(area.width),
        height: height.min(area.height),
    };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_style(theme.title(true))
        .title(format!(" {title} "))
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;

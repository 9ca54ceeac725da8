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
    header::{self, Weight, rate, speed},
    rows::address,
    state::{BAN_TIMES, Dialog, Panel, State},
};
use crate::{
    cli::{
        escape::{columns, cut, cut_front, padded, plain},
        output::{bytes, compact},
    },
    engine::events::{Event, EventKind, Severity},
};

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

    fn coloured(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn title(self, active: bool) -> Style {
        match active {
            true => self.coloured(Color::Cyan).add_modifier(Modifier::BOLD),
            false => Style::new(),
        }
    }

    fn verdict(self, verdict: &str) -> Style {
        match verdict {
            "drop" => self.coloured(Color::Red),
            "would_drop" => self.coloured(Color::Yellow),
            "answer" => self.coloured(Color::Magenta),
            _ => Style::new(),
        }
    }
}

/// A line of a list.
struct Row {
    text: String,
    style: Style,
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

/// The head and the lines of a list, for this many columns.
fn rows_of(state: &State, panel: Panel, width: usize, theme: Theme) -> (String, Vec<Row>) {
    match panel {
        Panel::Sessions => session_rows(state, width),
        Panel::Rates => {
            let head = cells(&[("HOOK", 7), ("VERDICT", 10), ("REASON", 19)])
                + &right(&[("PACKETS/S", 10), ("BYTES/S", 9)]);
            let rows = state.rates().into_iter().map(|row| Row {
                text: cells(&[
                    (row.hook, 7),
                    (&plain(&row.verdict), 10),
                    (&plain(&row.reason), 19),
                ]) + &right(&[
                    (&rate(row.packets_per_second), 10),
                    (&speed(row.bytes_per_second), 9),
                ]),
                style: match row.packets_per_second > 0.0 {
                    true => theme.verdict(&row.verdict),
                    false => Style::new().add_modifier(Modifier::DIM),
                },
            });
            (head, rows.collect())
        }
        Panel::Sources => source_rows(state, width, theme),
        Panel::Ports => port_rows(state, width),
        Panel::Events => {
            let rows = state.events().into_iter().map(|event| Row {
                text: event_text(event),
                style: event_style(event, theme),
            });
            ("TIME      EVENT".to_owned(), rows.collect())
        }
    }
}

fn session_rows(state: &State, width: usize) -> (String, Vec<Row>) {
    // A wide terminal has room for long addresses and names.
    let (client, user, idle) = match width {
        ..96 => (15, 10, 0),
        96..110 => (15, 14, 8),
        _ => (25, 18, 8),
    };
    let sessions = state.sessions();
    let digits = sessions.iter().map(|row| row.id.to_string().len()).max();
    let id = digits.unwrap_or(0).max(3) + 1;
    let head = cells(&[
        ("ID", id),
        ("CLIENT", client + 1),
        ("USER", user + 1),
        ("TLS", 8),
    ]) + &right(&[("IDLE", idle), ("SPEED/S", 9), ("MOVED", 9)])
        + "  TRANSFER";
    let rows = sessions.into_iter().map(|row| {
        let start = cells(&[
            (&row.id.to_string(), id),
            (&cut(&row.client.ip().to_string(), client), client + 1),
            (&cut(&row.user, user), user + 1),
            (&cut(&row.tls, 8), 8),
        ]) + &right(&[
            (&compact(row.idle as u64), idle),
            (&speed(row.speed), 9),
            (&row.moved.map_or_else(|| "-".to_owned(), bytes), 9),
        ]);
        let room = width.saturating_sub(columns(&start) + 2);
        let transfer = match &row.transfer {
            Some((direction, path)) => {
                let sign = match *direction {
                    "upload" => "up",
                    "download" => "down",
                    "listing" => "list",
                    other => other,
                };
                let path = cut_front(path, room.saturating_sub(sign.len() + 1));
                format!("{sign} {path}")
            }
            None => "-".to_owned(),
        };
        Row {
            text: format!("{start}  {transfer}"),
            style: Style::new(),
        }
    });
    (head, rows.collect())
}

fn source_rows(state: &State, width: usize, theme: Theme) -> (String, Vec<Row>) {
    // Beside another list the profile is left out.
    let (source, profile) = match width {
        ..72 => (17, 0),
        _ => (21, 11),
    };
    let head = cells(&[("SOURCE", source), ("PROFILE", profile)])
        + &right(&[("SESS", 5), ("DATA", 5), ("SPEED/S", 9), ("DROPS", 6)])
        + "  LAST REASON";
    let rows = state.sources().into_iter().map(|row| Row {
        text: cells(&[
            (&cut(&address(row.source), source - 1), source),
            (row.profile.as_deref().unwrap_or("not listed"), profile),
        ]) + &right(&[
            (&row.sessions.to_string(), 5),
            (&row.data.to_string(), 5),
            (&speed(row.speed), 9),
            (&row.drops.to_string(), 6),
        ]) + "  "
            + &plain(&row.reason),
        style: match row.drops {
            0 => Style::new(),
            _ => theme.coloured(Color::Yellow),
        },
    });
    (head, rows.collect())
}

fn port_rows(state: &State, width: usize) -> (String, Vec<Row>) {
    // Beside another list there is no room for times.
    let (client, user, time) = match width {
        ..72 => (16, 9, 0),
        _ => (26, 14, 7),
    };
    let head = cells(&[
        ("PORT", 6),
        ("STATE", 7),
        ("CLIENT", client),
        ("USER", user),
    ]) + &right(&[("TIME", time), ("BYTES", 9), ("SPEED/S", 9)]);
    let rows = state.ports().into_iter().map(|row| Row {
        text: cells(&[
            (&row.port.to_string(), 6),
            (row.state, 7),
            (&cut(&row.client.to_string(), client - 1), client),
            (&cut(&row.user, user - 1), user),
        ]) + &right(&[
            (&compact(row.seconds as u64), time),
            (&bytes(row.bytes), 9),
            (&speed(row.speed), 9),
        ]),
        style: Style::new(),
    });
    (head, rows.collect())
}

/// An event on one line: the day is that of the header.
fn event_text(event: &Event) -> String {
    plain(&format!("{}  {}", event.time.strftime("%T"), event.kind))
}

fn event_style(event: &Event, theme: Theme) -> Style {
    match &event.kind {
        EventKind::Detection(detection) => match detection.severity {
            Severity::High | Severity::Critical => theme.alarm(),
            Severity::Medium => theme.coloured(Color::Yellow),
            Severity::Low | Severity::Info => Style::new(),
        },
        EventKind::AttackBegin(_) => theme.alarm(),
        EventKind::Drop(_) | EventKind::TableFull(_) => Style::new().add_modifier(Modifier::DIM),
        EventKind::Login(login) if !login.accepted => theme.coloured(Color::Yellow),
        _ => Style::new(),
    }
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

/// Texts, each in its room.
fn cells(cells: &[(&str, usize)]) -> String {
    let cells = cells.iter();
    cells
        .map(|(text, width)| padded(&cut(text, *width), *width))
        .collect()
}

/// The same, at the right end of its room.
fn right(cells: &[(&str, usize)]) -> String {
    let each = cells.iter().map(|(text, width)| {
        let text = cut(text, *width);
        " ".repeat(width.saturating_sub(columns(&text))) + &text
    });
    each.collect()
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;

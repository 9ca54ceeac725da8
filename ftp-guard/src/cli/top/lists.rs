//! The lines of each list, cut to their room.

use ratatui::style::{Color, Modifier, Style};

use super::{
    header::{rate, speed},
    rows::address,
    state::{Panel, State},
    view::Theme,
};
use crate::{
    cli::{
        escape::{columns, cut, cut_front, padded, plain},
        output::{bytes, compact},
    },
    engine::events::{Event, EventKind, Severity},
};

/// A line of a list.
pub(super) struct Row {
    /// What it says, escaped.
    pub(super) text: String,
    /// How it looks.
    pub(super) style: Style,
}

/// The head and the lines of a list, for this many columns.
pub(super) fn rows_of(
    state: &State,
    panel: Panel,
    width: usize,
    theme: Theme,
) -> (String, Vec<Row>) {
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

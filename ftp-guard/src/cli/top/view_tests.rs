//! Screens, whole, and screens that hostile names must not break.

use ratatui::{Terminal, backend::TestBackend, crossterm::event::KeyCode};

use super::*;
use crate::{
    cli::{
        escape::columns,
        top::{
            poll::Update,
            tests_world::{at, events, session, snapshot},
        },
    },
    engine::events::EventKind,
};

fn working() -> State {
    let mut state = State::default();
    state.update(Update::Snapshot(Box::new(at(0.0, 0))));
    state.update(Update::Events(events()));
    state.update(Update::Snapshot(Box::new(snapshot())));
    state
}

fn screen(state: &State, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let theme = Theme::of(None);
    terminal.draw(|frame| draw(frame, state, theme)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    (0..height)
        .map(|y| {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..width {
                let symbol = buffer[(x, y)].symbol();
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                skip = Span::raw(symbol.to_owned()).width().saturating_sub(1);
                line.push_str(symbol);
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// `FTP_GUARD_GOLDEN=write cargo test` writes it anew, to be read before it is committed.
fn golden(name: &str, screen: &[String]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/top/golden/");
    let path = format!("{folder}{name}.txt");
    let text = screen.join("\n") + "\n";
    if std::env::var_os("FTP_GUARD_GOLDEN").is_some() {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == golden, "{name} is\n{text}\nand was\n{golden}");
}

fn press(state: &mut State, code: KeyCode) {
    let key = ratatui::crossterm::event::KeyEvent::from(code);
    let _ = state.key(key);
}

#[test]
fn small_screens() {
    let mut state = working();
    golden("sessions_80x24", &screen(&state, 80, 24));
    for (panel, name) in [
        (Panel::Rates, "rates_80x24"),
        (Panel::Sources, "sources_80x24"),
        (Panel::Ports, "ports_80x24"),
        (Panel::Events, "events_80x24"),
    ] {
        state.show(panel);
        golden(name, &screen(&state, 80, 24));
    }
    press(&mut state, KeyCode::Char('b'));
    golden("ban_80x24", &screen(&state, 80, 24));
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Char('?'));
    golden("help_80x24", &screen(&state, 80, 24));
}

#[test]
fn a_large_screen() {
    golden("all_120x40", &screen(&working(), 120, 40));
}

#[test]
fn too_small_a_screen_says_so() {
    for (width, height) in [(69, 24), (80, 15), (1, 1), (20, 3), (0, 0)] {
        let shown = screen(&working(), width, height).join(" ");
        if width >= 20 {
            assert!(shown.contains("terminal has"), "{shown}");
        }
    }
}

#[test]
fn before_the_first_answer_it_waits() {
    let mut state = State::default();
    let shown = screen(&state, 80, 24).join("\n");
    assert!(shown.contains("waiting for the daemon"), "{shown}");
    state.update(Update::Down("no daemon answers on /run/x".to_owned()));
    let shown = screen(&state, 80, 24).join("\n");
    state.down = None;
    state.silent = Some(7);
    let silent = screen(&state, 80, 24).join("\n");
    assert!(silent.contains("NO ANSWER for 7 s"), "{silent}");
    assert!(
        shown.contains("NO ANSWER, trying again: no daemon answers"),
        "{shown}"
    );
}

#[test]
fn hostile_names_stay_in_their_cells() {
    let names = [
        "\u{1b}[2J\u{1b}[H\u{1b}]0;title\u{7}",
        "a\r\nfake line\tx\0\u{8}\u{8}",
        "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
        "gpj\u{202e}exe.\u{2066}x",
        "e\u{301}\u{301}\u{301}\u{200d}👩\u{200d}👩\u{fe0f}🇩🇪",
        "\u{9b}31m\u{9c}",
    ];
    let calm = screen(&working(), 80, 24);
    for name in names {
        let mut now = snapshot();
        now.sessions = vec![
            session(17, "192.0.2.7:40000", name, Some(name)),
            session(18, "192.0.2.8:40000", name, None),
        ];
        let mut state = working();
        let mut told = events();
        for event in &mut told {
            if let EventKind::Login(login) = &mut event.kind {
                login.user = Some(name.to_owned());
            }
            if let EventKind::Detection(detection) = &mut event.kind {
                detection.message = name.to_owned();
                detection.rule = name.to_owned();
            }
        }
        state.update(Update::Events(told));
        state.update(Update::Snapshot(Box::new(now)));
        state.update(Update::Failed(name.to_owned()));
        for (width, height) in [(80, 24), (120, 40), (70, 16)] {
            for panel in Panel::ALL {
                state.show(panel);
                let shown = screen(&state, width, height);
                for line in &shown {
                    assert!(columns(line) <= usize::from(width), "{line}");
                    assert!(!line.chars().any(char::is_control), "{line:?}");
                    assert!(!line.contains('\u{202e}'), "{line:?}");
                }
            }
        }
        state.show(Panel::Sessions);
        let shown = screen(&state, 80, 24);
        // Frames and columns stand where they stand without such names.
        for (line, calm) in shown.iter().zip(&calm).skip(6).take(2) {
            assert_eq!(line, calm);
        }
        assert!(
            shown[8].starts_with("│17") && shown[8].ends_with('│'),
            "{}",
            shown[8]
        );
        assert_eq!(columns(&shown[8]), 80);
        press(&mut state, KeyCode::Char('k'));
        let _ = screen(&state, 80, 24);
    }
}

#[test]
fn without_colour_nothing_is_coloured() {
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    let theme = Theme::of(Some("1".into()));
    let state = working();
    terminal.draw(|frame| draw(frame, &state, theme)).unwrap();
    for cell in &terminal.backend().buffer().content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    assert!(
        Theme::of(Some("".into())).colour,
        "empty is as if it were not set"
    );
}

#[test]
fn a_long_list_moves_with_the_selection() {
    let mut now = snapshot();
    now.sessions = (1..=100)
        .map(|id| session(id, "192.0.2.7:40000", "anna", None))
        .collect();
    let mut state = working();
    state.update(Update::Snapshot(Box::new(now)));
    press(&mut state, KeyCode::End);
    let shown = screen(&state, 80, 24);
    assert!(
        shown.iter().any(|line| line.starts_with("│100 ")),
        "{shown:#?}"
    );
    assert!(!shown.iter().any(|line| line.starts_with("│1 ")));
}

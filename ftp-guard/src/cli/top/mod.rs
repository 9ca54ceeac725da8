//! `ftp-guard top`
//!
//! [`poll`] asks the daemon on threads of its own, [`state`] is what is on the screen and what keys do to it,
//! [`view`] draws it. Here is what holds the terminal.

mod ask;
mod header;
mod lists;
mod once;
mod poll;
mod rows;
mod snapshot;
mod state;
mod view;

use std::{
    io::{self, IsTerminal},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{TryRecvError, sync_channel},
    },
    time::{Duration, Instant},
};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event as Input},
};

use self::{
    poll::Update,
    state::{Act, State},
    view::Theme,
};
use super::{Global, Outcome, target::Target};
use crate::control::protocol::Failure;

/// Time that keys wait at most for what else there is to do.
const LOOK: Duration = Duration::from_millis(50);
/// Time without an answer from which on that is said. A daemon with very long tables takes its time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Updates that may wait while the terminal takes nothing.
const WAITING: usize = 64;

/// Show live what the guard sees and does: packets, sessions, transfers, sources, passive ports, events.
///
/// The lists are renewed every second. `Tab` and the arrow keys move, `/` filters, `s` sorts, `b` bans the
/// selected source and `k` ends the selected session (both ask first), `p` holds the screen, `e` shows the
/// events, `?` all keys, `q` quits. A daemon that ends or restarts does not end it. `NO_COLOR` in the
/// environment turns colours off.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ftp-guard top --interval 5\n  \
    ftp-guard top --once\n  \
    ftp-guard top --once --json | jq '.rates[] | select(.verdict == \"drop\")'")]
pub(super) struct Args {
    /// Seconds from one look to the next.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    interval: Duration,
    /// Print everything once as text, and end: for scripts. Rates are those of one interval.
    #[arg(long)]
    once: bool,
    /// Print JSON.
    #[arg(long, requires = "once")]
    json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let expected = "expected a number of seconds from 0.2 to 3600";
    let seconds: f64 = text.parse().map_err(|_| expected.to_owned())?;
    match (0.2..=3_600.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(expected.to_owned()),
    }
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let target = Target::of(global);
        if self.once {
            return once::run(&target, self.interval, self.json);
        }
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(Failure::usage(
                "`top` needs a terminal for its input and its output; `ftp-guard top --once` prints the \
                 same once, `ftp-guard status` the counters",
            ));
        }
        // Who is kept out is told so, before the screen is taken. Nobody at the socket is waited for.
        drop(target.connect_if_running()?);
        let (tell, updates) = sync_channel(WAITING);
        let failed = |error: io::Error| Failure::failed(format!("top: {error}"));
        let orders = poll::spawn(&target.socket, self.interval, &tell).map_err(failed)?;
        drop(tell);
        end_on_signals().map_err(|error| failed(error.into()))?;
        let mut screen = Screen::take().map_err(failed)?;
        let theme = Theme::of(std::env::var_os("NO_COLOR"));
        let mut state = State::default();
        let mut changed = true;
        let mut heard = Instant::now();
        let patience = PATIENCE.max(self.interval * 3);
        while !ENDED.load(Ordering::Relaxed) {
            if changed {
                screen
                    .0
                    .draw(|frame| view::draw(frame, &state, theme))
                    .map_err(failed)?;
                changed = false;
            }
            if event::poll(LOOK).map_err(failed)? {
                changed = true;
                if let Input::Key(key) = event::read().map_err(failed)? {
                    match state.key(key) {
                        Some(Act::Quit) => break,
                        Some(Act::Send(request)) => {
                            let sent = orders.send(request);
                            sent.map_err(|_| Failure::failed(DIED))?;
                        }
                        None => {}
                    }
                }
            }
            // One round takes what is there, not what comes meanwhile: keys come first.
            for _ in 0..WAITING {
                match updates.try_recv() {
                    Ok(update) => {
                        if matches!(update, Update::Snapshot(_) | Update::Down(_)) {
                            heard = Instant::now();
                        }
                        changed |= !state.paused || !matches!(update, Update::Snapshot(_));
                        state.update(update);
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Err(Failure::failed(DIED)),
                }
            }
            let silent = Some(heard.elapsed()).filter(|time| *time > patience);
            let silent = silent.map(|time| time.as_secs());
            changed |= silent != state.silent;
            state.silent = silent;
        }
        Ok(0)
    }
}

const DIED: &str = "top: a thread has ended unexpectedly";

/// The terminal, given back when this goes, and by ratatui's hook in a panic.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> io::Result<Self> {
        // A failure half-way leaves the terminal as it was, too.
        ratatui::try_init()
            .map(Self)
            .inspect_err(|_| ratatui::restore())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Set by signals that ask for an end.
static ENDED: AtomicBool = AtomicBool::new(false);

/// An interrupt comes as a key; these come from elsewhere.
fn end_on_signals() -> nix::Result<()> {
    extern "C" fn end(_: libc::c_int) {
        ENDED.store(true, Ordering::Relaxed);
    }
    let action = SigAction::new(
        SigHandler::Handler(end),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        // SAFETY: the handler only stores an atomic, which a signal handler may (signal-safety(7)).
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests_world;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(interval("1"), Ok(Duration::from_secs(1)));
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "0.1", "-1", "NaN", "inf", "1e9", "soon", ""] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}

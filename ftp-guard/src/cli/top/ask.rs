//! Questions before something is ended: whom the selected line is about, and the answers.

use std::net::IpAddr;

use ipnet::IpNet;
use ratatui::crossterm::event::KeyCode;

use super::state::{Act, Message, Panel, State};
use crate::{
    control::{
        ban_view::BanTerms,
        protocol::{Prefix, Request, Target},
    },
    engine::{
        events::{EventKind, Packet},
        sessions::view::KillTarget,
    },
};

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

impl State {
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

    pub(super) fn ask_kill(&mut self) {
        match self.session() {
            Some((id, whose)) => self.dialog = Some(Dialog::Kill { id, whose }),
            None => self.complain("no session is selected"),
        }
    }

    pub(super) fn ask_ban(&mut self) {
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
    pub(super) fn answer(&mut self, dialog: Dialog, code: KeyCode) -> Option<Act> {
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

fn packet_client(packet: &Packet) -> Option<IpAddr> {
    match packet.hook.as_str() {
        "egress" => packet.destination,
        _ => packet.source,
    }
}

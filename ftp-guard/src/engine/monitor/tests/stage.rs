//! A conversation that is fed to a monitor, segment by segment.

use std::net::SocketAddr;

use super::super::{
    observation::{Observation, Seen},
    record::{SessionRecord, TransferRecord},
    told::{Segment, Side, Told, Totals, What},
    *,
};

pub(super) const SESSION: u64 = 7;

/// A monitor, and both ends of one control connection.
pub(super) struct Stage {
    pub(super) monitor: Monitor,
    pub(super) seen: Vec<Observation>,
    pub(super) session: u64,
    pub(super) tls: Tls,
    pub(super) second: i64,
    /// The next sequence number of each side.
    pub(super) next: [u32; 2],
}

pub(super) fn client() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 4000))
}

pub(super) fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 21))
}

/// The server's end and the client's end of a data connection.
pub(super) fn data(port: u16) -> (SocketAddr, SocketAddr) {
    (
        SocketAddr::from(([198, 51, 100, 7], port)),
        SocketAddr::from(([192, 0, 2, 1], 50_000)),
    )
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self {
            monitor: Monitor::new(settings),
            seen: Vec::new(),
            session: SESSION,
            tls: Tls::Clear,
            second: 1_000_000,
            next: [u32::MAX - 20, 500],
        }
    }

    /// A session that has begun in clear text.
    pub(super) fn begun() -> Self {
        let mut stage = Self::new();
        stage.tell(What::Began(Tls::Clear, None));
        stage
    }

    /// The same, greeted and logged in.
    pub(super) fn logged_in() -> Self {
        let mut stage = Self::begun();
        stage.play("> 220 hello\n< USER bob\n> 331 x\n< PASS y\n> 230 z");
        stage.seen.clear();
        stage
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    pub(super) fn tell(&mut self, what: What<'_>) {
        let told = Told {
            time: self.now(),
            session: self.session,
            client: client(),
            server: server(),
            what,
        };
        self.monitor.take(&told, &mut self.seen);
    }

    pub(super) fn say(&mut self, side: Side, bytes: &[u8]) {
        let own = usize::from(side == Side::Server);
        let segment = Segment {
            side,
            tls: self.tls,
            sequence: self.next[own],
            acknowledgement: self.next[1 - own],
            length: bytes.len() as u32,
            bytes,
        };
        self.next[own] = self.next[own].wrapping_add(bytes.len() as u32);
        self.tell(What::Said(segment));
    }

    /// Bytes that are not told.
    pub(super) fn lose(&mut self, side: Side, count: u32) {
        let own = usize::from(side == Side::Server);
        self.next[own] = self.next[own].wrapping_add(count);
    }

    pub(super) fn data_began(&mut self, port: u16) {
        self.tell_data(port, What::DataBegan(FlowKind::Passive));
    }

    pub(super) fn data_ended(&mut self, port: u16, bytes: u64) {
        let totals = Totals {
            bytes_out: bytes,
            lived_ns: 1_000_000_000,
            ..Totals::default()
        };
        self.tell_data(port, What::DataEnded(FlowKind::Passive, totals));
    }

    fn tell_data(&mut self, port: u16, what: What<'_>) {
        let (client, server) = data(port);
        let told = Told {
            time: self.now(),
            session: self.session,
            client,
            server,
            what,
        };
        self.monitor.take(&told, &mut self.seen);
    }

    /// Lines: `< ` what the client says, `> ` what the server says, `+PORT` and `-PORT BYTES` for data connections.
    pub(super) fn play(&mut self, script: &str) {
        for line in script.lines() {
            match line.split_at(1) {
                ("<", text) => self.say(Side::Client, format!("{}\r\n", &text[1..]).as_bytes()),
                (">", text) => self.say(Side::Server, format!("{}\r\n", &text[1..]).as_bytes()),
                ("+", port) => self.data_began(port.parse().unwrap()),
                (_, ended) => {
                    let (port, bytes) = ended.split_once(' ').unwrap();
                    self.data_ended(port.parse().unwrap(), bytes.parse().unwrap());
                }
            }
        }
    }

    pub(super) fn end(&mut self) -> SessionRecord {
        self.end_with(Totals::default())
    }

    /// Ends it with these totals.
    pub(super) fn end_with(&mut self, totals: Totals) -> SessionRecord {
        self.tell(What::Ended(totals));
        self.second += 60;
        let now = self.now();
        self.monitor.sweep(now, &|_| true, &mut self.seen);
        match self.seen.pop() {
            Some(Observation {
                seen: Seen::Ended(record),
                ..
            }) => *record,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn record(&self) -> &SessionRecord {
        self.monitor.record(self.session).unwrap()
    }

    pub(super) fn transfers(&self) -> Vec<&TransferRecord> {
        let transfers = self
            .seen
            .iter()
            .filter_map(|observation| match &observation.seen {
                Seen::Transferred(transfer) => Some(transfer),
                _ => None,
            });
        transfers.collect()
    }

    /// What was seen, in short, and forgets it.
    pub(super) fn short(&mut self) -> String {
        let words: Vec<_> = self
            .seen
            .drain(..)
            .map(|observation| short(&observation))
            .collect();
        words.join(", ")
    }
}

fn short(observation: &Observation) -> String {
    match &observation.seen {
        Seen::Began => "began".to_owned(),
        Seen::Software { software, .. } => format!("is {}", software.product),
        Seen::ClientSoftware(text) => format!("client {text}"),
        Seen::Tls(tls) => format!(
            "tls {} {} {}{}",
            tls.mode.as_str(),
            tls.server_name.as_deref().unwrap_or("-"),
            tls.version.as_deref().unwrap_or("-"),
            if tls.cleared { " cleared" } else { "" }
        ),
        Seen::Command(command) => format!("{} {}", command.verb, command.argument)
            .trim()
            .to_owned(),
        Seen::Reply { code, to } => format!(
            "{code} to {}",
            to.map_or("-".to_owned(), |to| to.to_string())
        ),
        Seen::Login { accepted, code } => format!(
            "login {} {accepted} {code}",
            observation.about.user.as_deref().unwrap_or("-")
        ),
        Seen::Transferred(transfer) => format!(
            "{} {} {:?} {:?}",
            transfer.direction.as_str(),
            transfer.path.as_deref().unwrap_or("-"),
            transfer.code,
            transfer.bytes
        ),
        Seen::Foreign { side, protocol } => format!("{side:?} speaks {}", protocol.as_str()),
        Seen::OddPort { text } => format!("odd: {text}"),
        Seen::Overlong(side) => format!("{side:?} overlong"),
        Seen::Binary(side) => format!("{side:?} binary"),
        Seen::Lost { side, bytes } => format!("{side:?} lost {bytes}"),
        Seen::Ended(_) => "ended".to_owned(),
    }
}

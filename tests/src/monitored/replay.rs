use std::net::SocketAddr;

use ftp_guard::engine::monitor::{
    Losses, Monitor,
    observation::{Command, Observation, Seen},
    record::SessionRecord,
    told::{Side, Told},
};
use jiff::Timestamp;

/// Where what is told of a capture comes from: its packets, or the programs that they run through.
pub trait Source {
    /// Runs the next frame, and hands over what is told of it.
    fn frame(&mut self, frame: &[u8], take: &mut dyn FnMut(&Told<'_>));

    /// Ends what has not ended with the capture.
    fn end(&mut self, take: &mut dyn FnMut(&Told<'_>));
}

/// A command, and what answered it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of it.
    pub server: SocketAddr,
    /// Who had given a name by then.
    pub user: Option<String>,
    /// Whether that name is one for everybody.
    pub anonymous: bool,
    /// The command; `None`: the greeting, or a reply to no command.
    pub command: Option<Command>,
    /// The codes of the replies: preliminary ones and the final one.
    pub codes: Vec<u16>,
}

/// What became of a capture.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Commands in their order, with their replies.
    pub exchanges: Vec<Exchange>,
    /// The sessions, in the order of their end.
    pub records: Vec<SessionRecord>,
    /// Lines that were too long: whose.
    pub overlong: Vec<Side>,
    /// Everything that was seen.
    pub seen: Vec<Observation>,
    /// What was not.
    pub losses: Losses,
}

/// Replays a capture into a monitor.
#[must_use]
pub fn replay(frames: &[Vec<u8>], mut source: impl Source) -> Replayed {
    let mut monitor = Monitor::default();
    let mut seen = Vec::new();
    for frame in frames {
        source.frame(frame, &mut |told| monitor.take(told, &mut seen));
    }
    source.end(&mut |told| monitor.take(told, &mut seen));
    monitor.sweep(Timestamp::MAX, &|_| false, &mut seen);
    let mut replayed = Replayed {
        losses: monitor.losses(),
        ..Replayed::default()
    };
    for observation in &seen {
        replayed.note(observation);
    }
    replayed.seen = seen;
    replayed
}

impl Replayed {
    fn note(&mut self, observation: &Observation) {
        let about = &observation.about;
        let exchange = |command, codes| Exchange {
            client: about.client,
            server: about.server,
            user: about.user.as_deref().map(str::to_owned),
            anonymous: about.anonymous,
            command,
            codes,
        };
        match &observation.seen {
            Seen::Command(command) => self.exchanges.push(exchange(Some(command.clone()), vec![])),
            Seen::Reply { code, to } => {
                let own =
                    |one: &&mut Exchange| one.client == about.client && one.server == about.server;
                let open = |one: &&mut Exchange| {
                    let verb = one.command.as_ref().map(|command| command.verb);
                    verb.is_some() && verb == *to && one.codes.iter().all(|code| *code < 200)
                };
                match self.exchanges.iter_mut().filter(own).find(open) {
                    Some(asked) => asked.codes.push(*code),
                    None => self.exchanges.push(exchange(None, vec![*code])),
                }
            }
            Seen::Overlong(side) => self.overlong.push(*side),
            Seen::Ended(record) => self.records.push((**record).clone()),
            _ => {}
        }
    }
}

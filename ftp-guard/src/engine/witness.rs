//! Who would have been kept out, as monitor mode sees it: a tally of clients in bounded memory.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use ftp_guard_common::reason::Reason;
use jiff::Timestamp;

use super::{events::Packet, monitor::record::SessionRecord, suggest::Outcome as SessionOutcome};

/// The reasons for which nothing of a client passes, whatever it sends.
const WHO: [Reason; 4] = [
    Reason::NotListed,
    Reason::Excluded,
    Reason::Expired,
    Reason::Banned,
];

/// A client that would have been kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Why, as was said last.
    pub reason: Reason,
    /// Packets that were reported. There were at least so many: reports are sampled.
    pub packets: u64,
    /// Sessions.
    pub sessions: u64,
    /// Those among them with a login that succeeded.
    pub logins: u64,
    /// When something of it was last seen.
    pub last_seen: Timestamp,
}

impl Witnessed {
    /// A client of which nothing was seen yet.
    #[must_use]
    pub fn new(reason: Reason, time: Timestamp) -> Self {
        Self {
            reason,
            packets: 0,
            sessions: 0,
            logins: 0,
            last_seen: time,
        }
    }

    /// Notes a session, and whether a login succeeded in it.
    pub fn session(&mut self, reason: Reason, success: bool, time: Timestamp) {
        self.sessions = self.sessions.saturating_add(1);
        self.logins = self.logins.saturating_add(success.into());
        self.see(reason, time);
    }

    fn see(&mut self, reason: Reason, time: Timestamp) {
        if time >= self.last_seen {
            self.reason = reason;
            self.last_seen = time;
        }
    }
}

/// The clients that would have been kept out. The one that was noted longest ago gives way to a new one.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    clients: HashMap<IpAddr, (u64, Witnessed)>,
    /// Who was noted when.
    turns: BTreeMap<u64, IpAddr>,
    next: u64,
    forgotten: u64,
}

impl Witness {
    /// Clients that are remembered.
    pub const MOST_CLIENTS: usize = 1024;

    /// Takes a packet that was reported, if it is one of a client that may not be here and was let through.
    pub fn packet(&mut self, packet: &Packet, time: Timestamp) {
        if packet.verdict != "would_drop" {
            return;
        }
        if let (Some(reason), Some(client)) = (who(&packet.reason), packet.remote()) {
            let known = self.note(client, reason, time);
            known.packets = known.packets.saturating_add(1);
            known.see(reason, time);
        }
    }

    /// Takes a session that has ended, if it is one of such a client.
    pub fn session(&mut self, record: &SessionRecord) {
        let Some(reason) = record.would_drop.as_deref().and_then(who) else {
            return;
        };
        let time = record.ended.unwrap_or(record.began);
        let success = SessionOutcome::of(record).is_success();
        self.note(record.client.ip(), reason, time)
            .session(reason, success, time);
    }

    /// The clients, in no order.
    pub fn clients(&self) -> impl Iterator<Item = (IpAddr, Witnessed)> {
        self.clients
            .iter()
            .map(|(client, (_, witnessed))| (*client, *witnessed))
    }

    /// How many gave way to others.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn note(&mut self, client: IpAddr, reason: Reason, time: Timestamp) -> &mut Witnessed {
        let turn = self.next;
        self.next += 1;
        match self.clients.get(&client) {
            Some((before, _)) => drop(self.turns.remove(before)),
            None if self.clients.len() >= Self::MOST_CLIENTS => {
                if let Some((_, oldest)) = self.turns.pop_first() {
                    self.clients.remove(&oldest);
                    self.forgotten = self.forgotten.saturating_add(1);
                }
            }
            None => {}
        }
        self.turns.insert(turn, client);
        let known = self.clients.entry(client);
        let (at, witnessed) = known.or_insert_with(|| (turn, Witnessed::new(reason, time)));
        *at = turn;
        witnessed
    }
}

/// The reason of this name, if it is one for which nothing of a client passes.
fn who(name: &str) -> Option<Reason> {
    WHO.into_iter().find(|reason| reason.as_str() == name)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn packet(source: IpAddr, verdict: &str, reason: &str) -> Packet {
        Packet {
            verdict: verdict.to_owned(),
            reason: reason.to_owned(),
            hook: "xdp".to_owned(),
            class: "control".to_owned(),
            family: "ipv4".to_owned(),
            source: Some(source),
            source_port: Some(40_000),
            destination: None,
            destination_port: None,
            flags: None,
            bytes: 60,
            suppressed: 900,
        }
    }

    fn client(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0xC000_0200 + number))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(client: IpAddr, would_drop: Option<&str>) -> SessionRecord {
        let server = "198.51.100.1:21".parse().unwrap();
        let mut record = SessionRecord::new(1, (client, 40_000).into(), server, at(5));
        record.would_drop = would_drop.map(str::to_owned);
        record.logged_in = Some(at(6));
        record.ended = Some(at(9));
        record
    }

    #[test]
    fn only_who_would_be_kept_out_is_counted() {
        let mut witness = Witness::default();
        let one = client(1);
        witness.packet(&packet(one, "drop", "not_listed"), at(1));
        witness.packet(&packet(one, "would_drop", "tcp_null"), at(1));
        witness.session(&record(one, None));
        assert_eq!(witness.clients().count(), 0);
        witness.packet(&packet(one, "would_drop", "not_listed"), at(2));
        witness.packet(&packet(one, "would_drop", "banned"), at(7));
        witness.session(&record(one, Some("banned")));
        let (_, known) = witness.clients().next().unwrap();
        let expected = Witnessed {
            reason: Reason::Banned,
            packets: 2,
            sessions: 1,
            logins: 1,
            last_seen: at(9),
        };
        assert_eq!(known, expected);
        // What was heard late changes no word on what came after it.
        witness.packet(&packet(one, "would_drop", "excluded"), at(3));
        let (_, known) = witness.clients().next().unwrap();
        assert_eq!((known.packets, known.reason), (3, Reason::Banned));
        assert_eq!(known.last_seen, at(9));
    }

    #[test]
    fn who_was_noted_longest_ago_gives_way() {
        let mut witness = Witness::default();
        let most = Witness::MOST_CLIENTS as u32;
        for number in 0..most {
            witness.packet(
                &packet(client(number), "would_drop", "not_listed"),
                at(number.into()),
            );
        }
        assert_eq!(witness.forgotten(), 0);
        // The first is noted again, so that the second is the one to go.
        witness.session(&record(client(0), Some("not_listed")));
        for number in most..most + 10 {
            witness.packet(
                &packet(client(number), "would_drop", "not_listed"),
                at(9_999),
            );
        }
        assert_eq!(witness.forgotten(), 10);
        let known: Vec<IpAddr> = witness.clients().map(|(client, _)| client).collect();
        assert_eq!(known.len(), Witness::MOST_CLIENTS);
        assert_eq!(witness.turns.len(), known.len());
        assert!(known.contains(&client(0)) && known.contains(&client(11)));
        assert!((1..11).all(|number| !known.contains(&client(number))));
    }
}

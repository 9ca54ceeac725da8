//! Transfers: from a command that moves data to its final reply and the end of its data connection.
//!
//! The three come from different places and in no fixed order. What has not come some seconds after the rest
//! is not waited for any longer.

use std::{collections::VecDeque, net::SocketAddr};

use ftp_guard_common::session::FlowKind;
use jiff::{SignedDuration, Timestamp};

use super::{
    record::{Direction, TransferRecord},
    told::Totals,
    verb::Verb,
};

/// How long what is missing of a transfer is waited for.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// Transfers of a session that are under way or waited for.
const MOST_UNDER_WAY: usize = 16;
/// Data connections of a session that are looked after.
const MOST_CONNECTIONS: usize = 64;

/// The transfers and data connections of a session.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Oldest first.
    under_way: VecDeque<UnderWay>,
    connections: Vec<Connection>,
    next_number: u64,
}

/// A transfer that is not over.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    record: TransferRecord,
    /// When the final reply came.
    answered: Option<Timestamp>,
    /// Whether a preliminary reply came.
    has_begun: bool,
    /// When its data connection ended.
    data_ended: Option<Timestamp>,
}

/// A data connection that belongs to no transfer yet, or to a transfer under way.
#[derive(Debug)]
struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    kind: FlowKind,
    began: Timestamp,
    /// Number of its transfer.
    transfer: Option<u64>,
    ended: Option<(Timestamp, Totals)>,
}

/// The direction of what a verb moves.
pub(super) fn direction(verb: Verb) -> Option<Direction> {
    Some(match verb.as_str() {
        "RETR" => Direction::Download,
        "STOR" | "STOU" | "APPE" => Direction::Upload,
        "LIST" | "NLST" | "MLSD" => Direction::Listing,
        _ => return None,
    })
}

impl Transfers {
    /// Whether nothing is waited for.
    pub(super) fn are_over(&self) -> bool {
        self.under_way.is_empty() && self.connections.is_empty()
    }

    /// The transfer under way, as far as it is known.
    pub(super) fn current(&self) -> Option<&TransferRecord> {
        let open = self
            .under_way
            .iter()
            .find(|transfer| transfer.answered.is_none());
        open.map(|transfer| &transfer.record)
    }

    /// The data connection under way, of a session whose commands cannot be read.
    pub(super) fn current_hidden(&self) -> Option<TransferRecord> {
        let open = self.connections.iter().find(|one| one.ended.is_none())?;
        Some(open.hidden())
    }

    /// A command that moves data was given. Returns the transfer's number.
    pub(super) fn begin(
        &mut self,
        mut record: TransferRecord,
        out: &mut Vec<TransferRecord>,
    ) -> u64 {
        self.next_number += 1;
        let number = self.next_number;
        let mut data_ended = None;
        // The last connection is the one: those before it were for commands that failed.
        if let Some(connection) = self
            .connections
            .iter_mut()
            .rfind(|one| one.transfer.is_none())
        {
            connection.transfer = Some(number);
            connection.write(&mut record);
            data_ended = connection.ended.map(|(time, _)| time);
        }
        self.under_way.push_back(UnderWay {
            number,
            record,
            answered: None,
            has_begun: false,
            data_ended,
        });
        while self.under_way.len() > MOST_UNDER_WAY {
            self.finish(0, None, out);
        }
        number
    }

    /// A preliminary reply has come; some name the file that STOU makes (RFC 1123 section 4.1.2.9).
    pub(super) fn answer_preliminary(
        &mut self,
        number: u64,
        path: Option<(String, Option<String>)>,
    ) {
        if let Some(transfer) = self.find(number) {
            transfer.has_begun = true;
            if let Some((path, file_type)) = path
                && transfer.record.path.is_none()
            {
                transfer.record.path = Some(path);
                transfer.record.file_type = file_type;
            }
        }
    }

    /// The final reply has come.
    pub(super) fn answer(
        &mut self,
        number: u64,
        code: u16,
        now: Timestamp,
        out: &mut Vec<TransferRecord>,
    ) {
        let Some(transfer) = self.find(number) else {
            return;
        };
        transfer.answered = Some(now);
        transfer.record.code = Some(code);
        transfer.record.complete = (200..300).contains(&code);
        if code >= 400 && !transfer.has_begun {
            // Nothing was moved: the data connection is there for another command.
            for connection in &mut self.connections {
                if connection.transfer == Some(number) && connection.ended.is_none() {
                    connection.transfer = None;
                }
            }
            if let Some(transfer) = self.find(number) {
                transfer.record.forget_connection();
            }
            self.give_up(number, out);
        } else {
            self.finish_complete(out);
        }
    }

    /// The reply to this transfer is lost, or will never come.
    pub(super) fn orphan(&mut self, number: u64, now: Timestamp, out: &mut Vec<TransferRecord>) {
        if let Some(transfer) = self.find(number) {
            transfer.answered = Some(now);
            self.finish_complete(out);
        }
    }

    /// A reply has come to no command that is known: if a transfer's is missing, it may be that.
    pub(super) fn adopt(&mut self, code: u16) {
        let lacks = |one: &&mut UnderWay| one.answered.is_some() && one.record.code.is_none();
        if matches!(code, 226 | 250 | 425 | 426 | 451)
            && let Some(transfer) = self.under_way.iter_mut().find(lacks)
        {
            transfer.record.code = Some(code);
            transfer.record.complete = code < 300;
        }
    }

    /// Nothing of this transfer is waited for any more.
    fn give_up(&mut self, number: u64, out: &mut Vec<TransferRecord>) {
        if let Some(place) = self.under_way.iter().position(|one| one.number == number) {
            self.finish(place, None, out);
        }
    }

    /// A new data connection is asked for: what has had its final reply and no data connection gets none.
    pub(super) fn negotiate(&mut self, out: &mut Vec<TransferRecord>) {
        while let Some(place) = self
            .under_way
            .iter()
            .position(|one| one.answered.is_some() && one.record.mode.is_none())
        {
            self.finish(place, None, out);
        }
    }

    /// A data connection is established.
    pub(super) fn connect(
        &mut self,
        client: SocketAddr,
        server: SocketAddr,
        kind: FlowKind,
        now: Timestamp,
    ) {
        if self.connections.len() >= MOST_CONNECTIONS {
            self.connections.remove(0);
        }
        let mut connection = Connection {
            client,
            server,
            kind,
            began: now,
            transfer: None,
            ended: None,
        };
        let without = |transfer: &&mut UnderWay| transfer.record.mode.is_none();
        let open = |transfer: &&mut UnderWay| transfer.answered.is_none();
        let mut waiting = self.under_way.iter_mut().filter(without).filter(open);
        let mut transfer = waiting.next();
        if transfer.is_none() {
            transfer = self.under_way.iter_mut().find(without);
        }
        if let Some(transfer) = transfer {
            connection.transfer = Some(transfer.number);
            connection.write(&mut transfer.record);
        }
        self.connections.push(connection);
    }

    /// Whether this data connection is known.
    pub(super) fn knows(&self, client: SocketAddr, server: SocketAddr) -> bool {
        self.connections.iter().any(|one| one.is(client, server))
    }

    /// A data connection has ended. `is_hidden`: its command cannot be read.
    pub(super) fn disconnect(
        &mut self,
        client: SocketAddr,
        server: SocketAddr,
        totals: Totals,
        now: Timestamp,
        is_hidden: bool,
        out: &mut Vec<TransferRecord>,
    ) {
        let Some(place) = self
            .connections
            .iter()
            .position(|one| one.is(client, server))
        else {
            return;
        };
        let connection = &mut self.connections[place];
        connection.ended = Some((now, totals));
        match connection.transfer {
            Some(number) => {
                if let Some(transfer) = self
                    .under_way
                    .iter_mut()
                    .find(|transfer| transfer.number == number)
                {
                    self.connections[place].write(&mut transfer.record);
                    transfer.data_ended = Some(now);
                }
                self.finish_complete(out);
            }
            None if is_hidden => out.push(self.connections.remove(place).hidden()),
            None => {}
        }
    }

    /// Ends what was waited for long enough at `now`; `None`: all of it.
    pub(super) fn expire(&mut self, now: Option<Timestamp>, out: &mut Vec<TransferRecord>) {
        let is_due = |since: Timestamp| now.is_none_or(|now| now.duration_since(since) >= PATIENCE);
        while let Some(place) = self.under_way.iter().position(|one| {
            now.is_none() || one.answered.is_some_and(is_due) && !self.is_moving(one)
        }) {
            self.finish(place, now, out);
        }
        let mut place = 0;
        while let Some(connection) = self.connections.get(place) {
            let is_over = match connection.ended {
                Some((since, _)) => is_due(since) && connection.transfer.is_none(),
                None => now.is_none(),
            };
            if !is_over {
                place += 1;
                continue;
            }
            let connection = self.connections.remove(place);
            // What moved nothing was no transfer.
            if connection
                .ended
                .is_some_and(|(_, totals)| totals.bytes_in + totals.bytes_out > 0)
            {
                out.push(connection.hidden());
            }
        }
    }

    /// Whether all that shows a transfer's end is the end of its data connection.
    fn is_moving(&self, transfer: &UnderWay) -> bool {
        let mut connections = self.connections.iter();
        transfer.record.code.is_none()
            && connections.any(|one| one.transfer == Some(transfer.number) && one.ended.is_none())
    }

    fn find(&mut self, number: u64) -> Option<&mut UnderWay> {
        self.under_way
            .iter_mut()
            .find(|transfer| transfer.number == number)
    }

    fn finish_complete(&mut self, out: &mut Vec<TransferRecord>) {
        while let Some(place) = self
            .under_way
            .iter()
            .position(|one| one.answered.is_some() && one.data_ended.is_some())
        {
            self.finish(place, None, out);
        }
    }

    fn finish(&mut self, place: usize, now: Option<Timestamp>, out: &mut Vec<TransferRecord>) {
        let Some(UnderWay {
            number,
            mut record,
            answered,
            data_ended,
            ..
        }) = self.under_way.remove(place)
        else {
            return;
        };
        self.connections.retain(|one| one.transfer != Some(number));
        let end = answered.max(data_ended).or(now).unwrap_or(record.began);
        record.seconds = end.duration_since(record.began).as_secs_f64().max(0.0);
        out.push(record);
    }
}

impl Connection {
    fn is(&self, client: SocketAddr, server: SocketAddr) -> bool {
        self.client == client && self.server == server && self.ended.is_none()
    }

    fn write(&self, record: &mut TransferRecord) {
        record.mode = Some(self.kind.as_str().to_owned());
        record.data_client = Some(self.client);
        record.data_server = Some(self.server);
        if let Some((_, totals)) = self.ended {
            record.bytes = Some(totals.bytes_in.saturating_add(totals.bytes_out));
        }
    }

    fn hidden(&self) -> TransferRecord {
        let mut record = TransferRecord::new(self.began, Direction::Hidden);
        self.write(&mut record);
        if let Some((_, totals)) = self.ended {
            record.seconds = totals.lived_ns as f64 / 1e9;
        }
        record
    }
}

impl TransferRecord {
    /// A transfer of which nothing else is known yet.
    #[must_use]
    pub fn new(began: Timestamp, direction: Direction) -> Self {
        Self {
            began,
            direction,
            command: None,
            path: None,
            file_type: None,
            bytes: None,
            seconds: 0.0,
            code: None,
            mode: None,
            data_client: None,
            data_server: None,
            encrypted: None,
            complete: false,
        }
    }

    fn forget_connection(&mut self) {
        self.mode = None;
        self.data_client = None;
        self.data_server = None;
        self.bytes = None;
    }
}

#[cfg(test)]
#[path = "tests/transfer.rs"]
mod tests;

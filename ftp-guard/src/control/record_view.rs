//! What the monitor knows of a live session, as `sessions` tells it. Fields are only ever added.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::session_view::{DataView, SessionView};
use crate::engine::monitor::record::{
    Direction, LoginState, SessionRecord, Software, TlsInfo, TransferRecord,
};

/// What the control connection of a live session showed. The fields that a
/// [`SessionRecord`] has are named as there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordView {
    /// The name of the last login; null: none was seen.
    pub user: Option<String>,
    /// What became of logins.
    pub login: LoginState,
    /// Whether that name is one for everybody.
    pub anonymous: bool,
    /// When a login was accepted.
    pub logged_in: Option<Timestamp>,
    /// Logins that the server refused.
    pub failed_logins: u32,
    /// What there is of TLS.
    pub tls: TlsInfo,
    /// What the client calls itself.
    pub client_software: Option<String>,
    /// What the server calls itself.
    pub server_software: Option<Software>,
    /// Commands.
    pub commands: u64,
    /// Those among them with a verb that no standard has.
    pub unknown_commands: u64,
    /// Final replies.
    pub replies: u64,
    /// Transfers that have ended.
    pub transfer_count: u64,
    /// Bytes of transfers that have ended, from the client.
    pub bytes_up: u64,
    /// The same, from the server.
    pub bytes_down: u64,
    /// Data connections that were established.
    pub data_connections: u64,
    /// Bytes of the control connection that the guard did not get to see.
    pub lost_bytes: u64,
    /// Whether its beginning was not seen.
    pub partial: bool,
    /// The transfer under way.
    pub transferring: Option<TransferringView>,
}

/// A transfer under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferringView {
    /// When it began.
    pub began: Timestamp,
    /// Which way it goes.
    pub direction: Direction,
    /// The command; null: hidden.
    pub command: Option<String>,
    /// The path, or a hash of it, or nothing, as configured.
    pub path: Option<String>,
    /// What the path ends with.
    pub file_type: Option<String>,
    /// Bytes so far, from the counters of its data connection; null: none is there yet.
    pub bytes: Option<u64>,
    /// Those bytes by the age of the data connection, a second.
    pub bytes_per_second: Option<f64>,
    /// `passive` or `active`; null: there is no data connection yet.
    pub mode: Option<String>,
    /// Whether the data connection is encrypted; null: hidden.
    pub encrypted: Option<bool>,
}

/// Adds what the control connection of a session showed to that session, if it is among these, which are in the
/// order of their numbers.
pub fn join(sessions: &mut [SessionView], record: &SessionRecord) {
    let place = sessions.binary_search_by_key(&record.id, |session| session.id);
    // A number that was given anew is another session's.
    if let Some(session) = place.ok().and_then(|place| sessions.get_mut(place))
        && session.client == record.client
    {
        session.record = Some(Box::new(RecordView::of(record, &session.data)));
    }
}

impl RecordView {
    /// The record of a session with these data connections.
    #[must_use]
    pub fn of(record: &SessionRecord, data: &[DataView]) -> Self {
        Self {
            user: record.user.clone(),
            login: record.login,
            anonymous: record.anonymous,
            logged_in: record.logged_in,
            failed_logins: record.failed_logins,
            tls: record.tls.clone(),
            client_software: record.client_software.clone(),
            server_software: record.server_software.clone(),
            commands: record.commands,
            unknown_commands: record.unknown_commands,
            replies: record.replies,
            transfer_count: record.transfer_count,
            bytes_up: record.bytes_up,
            bytes_down: record.bytes_down,
            data_connections: record.data_connections,
            lost_bytes: record.lost_bytes,
            partial: record.partial,
            transferring: record
                .transferring
                .as_ref()
                .map(|transfer| TransferringView::of(transfer, data)),
        }
    }
}

impl TransferringView {
    fn of(transfer: &TransferRecord, data: &[DataView]) -> Self {
        // A session has one transfer at a time: of data connections that wait for their end the last one is
        // that of the transfer.
        let own = match (transfer.data_client, transfer.data_server) {
            (Some(client), Some(server)) => data
                .iter()
                .find(|flow| (flow.client, flow.server) == (client, server)),
            _ => {
                let open = data.iter().filter(|flow| flow.established);
                open.min_by(|a, b| a.age_seconds.total_cmp(&b.age_seconds))
            }
        };
        let bytes = own.map(|flow| flow.bytes_in.saturating_add(flow.bytes_out));
        // Within the first moments a rate says nothing.
        let age = own.map(|flow| flow.age_seconds).filter(|age| *age >= 0.1);
        Self {
            began: transfer.began,
            direction: transfer.direction,
            command: transfer.command.clone(),
            path: transfer.path.clone(),
            file_type: transfer.file_type.clone(),
            bytes: bytes.or(transfer.bytes),
            bytes_per_second: bytes
                .zip(age)
                .map(|(bytes, age)| (bytes as f64 / age).round()),
            mode: own
                .map(|flow| flow.kind.clone())
                .or_else(|| transfer.mode.clone()),
            encrypted: transfer.encrypted,
        }
    }
}

#[cfg(test)]
#[path = "record_view_tests.rs"]
mod tests;

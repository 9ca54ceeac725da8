//! A session that two starts of the daemon have seen, each its part.

use crate::engine::monitor::record::{LoginState, SessionRecord, TlsMode};

/// The whole of it: `before` is what the earlier start knew when it ended.
pub(super) fn merge(before: SessionRecord, now: &SessionRecord) -> SessionRecord {
    let mut transfers = before.transfers;
    transfers.extend(now.transfers.iter().cloned());
    let surplus = transfers
        .len()
        .saturating_sub(SessionRecord::MOST_TRANSFERS);
    transfers.drain(..surplus);
    // The later start may have seen no login at all.
    let same_login = matches!(now.login, LoginState::None | LoginState::Hidden);
    let tls = match now.tls.mode {
        TlsMode::Unknown => before.tls,
        _ => now.tls.clone(),
    };
    SessionRecord {
        id: now.id,
        client: now.client,
        server: now.server,
        began: before.began.min(now.began),
        ended: now.ended,
        partial: before.partial,
        tls,
        user: now.user.clone().or(before.user),
        login: if same_login { before.login } else { now.login },
        anonymous: if same_login {
            before.anonymous
        } else {
            now.anonymous
        },
        logged_in: now.logged_in.or(before.logged_in),
        failed_logins: before.failed_logins.saturating_add(now.failed_logins),
        client_software: now.client_software.clone().or(before.client_software),
        server_software: now.server_software.clone().or(before.server_software),
        commands: before.commands.saturating_add(now.commands),
        unknown_commands: before.unknown_commands.saturating_add(now.unknown_commands),
        replies: before.replies.saturating_add(now.replies),
        transfers,
        transfer_count: before.transfer_count.saturating_add(now.transfer_count),
        transferring: now.transferring.clone(),
        bytes_up: before.bytes_up.saturating_add(now.bytes_up),
        bytes_down: before.bytes_down.saturating_add(now.bytes_down),
        data_connections: before.data_connections.saturating_add(now.data_connections),
        lost_bytes: before.lost_bytes.saturating_add(now.lost_bytes),
        end_reason: now.end_reason.clone().or(before.end_reason),
        // Only the start that saw the beginning was told, until the end tells again.
        would_drop: now.would_drop.clone().or(before.would_drop),
    }
}

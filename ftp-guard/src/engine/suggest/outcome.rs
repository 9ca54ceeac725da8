//! What came of a session.

use crate::engine::monitor::record::{LoginState, SessionRecord};

/// Whether somebody who has an account was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has accepted a login by a name that is somebody's.
    Named,
    /// The server has accepted a login by a name that is everybody's.
    Anonymous,
    /// No login could be read, and data passed: no server lets it without one.
    Hidden,
    /// The server has refused logins, and accepted none.
    Refused,
    /// Nobody has logged in, as far as is known.
    NoLogin,
}

impl Outcome {
    /// What came of this session so far.
    #[must_use]
    pub fn of(record: &SessionRecord) -> Self {
        let is_accepted = record.login == LoginState::Accepted || record.logged_in.is_some();
        let is_unread = record.login == LoginState::Hidden || record.partial;
        let has_data = record.data_connections > 0
            || record.transfer_count > 0
            || record.transferring.is_some();
        match (is_accepted, is_unread && has_data) {
            (true, _) if record.anonymous => Self::Anonymous,
            (true, _) => Self::Named,
            (false, true) => Self::Hidden,
            (false, false) if record.failed_logins > 0 => Self::Refused,
            (false, false) if record.login == LoginState::Failed => Self::Refused,
            (false, false) => Self::NoLogin,
        }
    }

    /// Whether a login has succeeded.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Named | Self::Anonymous | Self::Hidden)
    }
}

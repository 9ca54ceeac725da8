//! The keys of profiles.

use super::{Default, Key, PROFILE_KEYS};

pub(in crate::config) const CONNECTIONS_PER_SECOND: Key = Key {
    table: PROFILE_KEYS,
    name: "connections_per_second",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("100"),
    doc: "New control connections of a source each second, on the average. One more is dropped \
          (`source_rate`), or answered with a SYN cookie, see `limits.syn_cookies`; connections \
          that live are not touched. The rate should be well above what the source opens by \
          itself: a client that retries, or many clients behind one address.",
};

pub(in crate::config) const CONNECTIONS_BURST: Key = Key {
    table: PROFILE_KEYS,
    name: "connections_burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("500"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const MAX_SESSIONS: Key = Key {
    table: PROFILE_KEYS,
    name: "max_sessions",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("256"),
    doc: "Control connections of a source at one time, those included that the server has not \
          greeted yet. One more is dropped (`session_limit`).",
};

pub(in crate::config) const MAX_DATA_CONNECTIONS: Key = Key {
    table: PROFILE_KEYS,
    name: "max_data_connections",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("16"),
    doc: "Data connections at one time for each session; the sessions of a source share what \
          they have together. One more is dropped (`data_limit`).",
};

pub(in crate::config) const LOGIN_TIME: Key = Key {
    table: PROFILE_KEYS,
    name: "login_time",
    kind: "duration from `\"1s\"` to `\"30d\"`; `\"0s\"` or `\"off\"`: no limit",
    default: Default::Value(r#""2m""#),
    doc: "How long a control connection may wait for the server's greeting, and how long after \
          it until somebody has logged in: else it is ended (`login_timeout`). That a login \
          succeeds is read from the server's replies. Under TLS they cannot be read: there a \
          session counts as logged in once it has, or has had, a data connection, or its client \
          has sent six segments with payload, more than a handshake, a name and a password \
          need. So does a session that was taken over in its middle.",
};

pub(in crate::config) const IDLE_TIME: Key = Key {
    table: PROFILE_KEYS,
    name: "idle_time",
    kind: "duration from `\"1s\"` to `\"30d\"`; `\"0s\"` or `\"off\"`: no limit",
    default: Default::Value(r#""30m""#),
    doc: "A session is ended (`idle_timeout`) when for so long no packet passed on its control \
          connection nor on its data connections. It differs from `sessions.idle_timeout`, \
          after which the guard forgets a session, and which on a host ends nothing: this one \
          ends the connection, so that it no longer occupies the server. It must be shorter \
          than that one to have an effect.",
};

pub(in crate::config) const DATA_IDLE_TIME: Key = Key {
    table: PROFILE_KEYS,
    name: "data_idle_time",
    kind: "duration from `\"1s\"` to `\"30d\"`; `\"0s\"` or `\"off\"`: no limit",
    default: Default::Value(r#""15m""#),
    doc: "A data connection is ended (`data_idle_timeout`) when for so long it carried no \
          payload. Probes and keep-alives are none: a peer that never reads answers them \
          without end.",
};

pub(in crate::config) const CONTROL_PACKETS_PER_SECOND: Key = Key {
    table: PROFILE_KEYS,
    name: "control_packets_per_second",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("500"),
    doc: "Segments from the client on one control connection each second, on the average. What \
          goes beyond is dropped (`control_rate`), and TCP sends it again more slowly.",
};

pub(in crate::config) const CONTROL_PACKETS_BURST: Key = Key {
    table: PROFILE_KEYS,
    name: "control_packets_burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("2000"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const REQUIRE_TLS: Key = Key {
    table: PROFILE_KEYS,
    name: "require_tls",
    kind: "boolean",
    default: Default::Value("false"),
    doc: "Whether USER, PASS and ACCT in clear text are refused (`tls_required`): the command never \
          reaches the server, the client is told and its connection ends. A login under TLS is not \
          touched. See `docs/policy.md` for this and the three keys below.",
};

pub(in crate::config) const ANONYMOUS: Key = Key {
    table: PROFILE_KEYS,
    name: "anonymous",
    kind: "boolean",
    default: Default::Value("true"),
    doc: "Whether USER may name `anonymous` or `ftp`, in any case. With `false` that is refused in \
          the same way (`anonymous_refused`). Under TLS names cannot be read.",
};

pub(in crate::config) const READ_ONLY: Key = Key {
    table: PROFILE_KEYS,
    name: "read_only",
    kind: "boolean",
    default: Default::Value("false"),
    doc: "Whether commands that change files or folders are refused (`read_only`): uploads, \
          deleting, renaming, folders, attributes, and SITE whatever follows it. Under TLS commands \
          cannot be read: there the server's own configuration has to do it.",
};

pub(in crate::config) const DENY_COMMANDS: Key = Key {
    table: PROFILE_KEYS,
    name: "deny_commands",
    kind: "list of commands, such as `\"DELE\"` or `\"SITE EXEC\"`",
    default: Default::Value("[]"),
    doc: "Further commands that are refused (`command_denied`), at most 64: a verb of 3 to 8 letters \
          or digits, which need not be a known one; behind SITE its first word, too. Under TLS \
          commands cannot be read.",
};

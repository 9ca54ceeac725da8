//! The keys of `[history]`.

use super::{Default, Key};

pub(in crate::config) const ENABLED: Key = Key {
    table: "history",
    name: "enabled",
    kind: "`true` or `false`",
    default: Default::Value("true"),
    doc: "Whether events and sessions are kept: for `ftp-guard events --since`, `ftp-guard sessions \
          --past` and `ftp-guard report`. Without it only the last 1000 events are known.",
};

pub(in crate::config) const HISTORY_FILE: Key = Key {
    table: "history",
    name: "file",
    kind: "absolute path",
    default: Default::Value(r#""/var/lib/ftp-guard/history.db""#),
    doc: "Where they are kept: an SQLite database, with the files `-wal` and `-shm` beside it. The \
          daemon makes it, and its folder, for itself and its group alone.",
};

pub(in crate::config) const KEEP: Key = Key {
    table: "history",
    name: "keep",
    kind: "duration from `\"1s\"` to `\"3650d\"`",
    default: Default::Value(r#""7d""#),
    doc: "How long they are kept. What is older is removed.",
};

pub(in crate::config) const MAX_SIZE: Key = Key {
    table: "history",
    name: "max_size",
    kind: "size from `\"1MiB\"` to `\"1TiB\"`, in `KiB`, `MiB`, `GiB` or `TiB`",
    default: Default::Value(r#""256MiB""#),
    doc: "How large the database may become, whatever `history.keep` says: the oldest goes first. \
          The file `-wal` comes on top, some MiB.",
};

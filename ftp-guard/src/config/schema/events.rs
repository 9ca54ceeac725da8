//! The keys of `[events]`.

use super::{Default, Key};

pub(in crate::config) const PER_SECOND: Key = Key {
    table: "events",
    name: "per_second",
    kind: "integer from 0 to 1000000; `0`: none is reported",
    default: Default::Value("10"),
    doc: "How many events of one reason each hook reports on each CPU in a second. What is not \
          reported is counted, so that a flood costs the daemon no time.",
};

pub(in crate::config) const BURST: Key = Key {
    table: "events",
    name: "burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("50"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const JOURNAL: Key = Key {
    table: "events",
    name: "journal",
    kind: "`true` or `false`",
    default: Default::Value("true"),
    doc: "Whether drops that are reported, and bans, are written to the log too. `ftp-guard \
          events` shows them in any case.",
};

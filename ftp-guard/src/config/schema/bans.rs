//! The keys of `[bans]`.

use super::{Default, Key};

pub(in crate::config) const FILE: Key = Key {
    table: "bans",
    name: "file",
    kind: "absolute path",
    default: Default::Value(r#""/var/lib/ftp-guard/bans.json""#),
    doc: "Where bans are kept over restarts. The daemon writes it; `ftp-guard ban` changes it. \
          A change takes effect at the next start of the daemon.",
};

pub(in crate::config) const NEVER_BAN: Key = Key {
    table: "bans",
    name: "never_ban",
    kind: "list of addresses and prefixes",
    default: Default::Value("[]"),
    doc: "Sources that no ban covers, by whatever rule or command: partners, and the addresses \
          from which administrators work. A ban of a prefix inside one of these is refused, and \
          a ban of a wider one leaves them out.",
};

pub(in crate::config) const DEFAULT_TIME: Key = Key {
    table: "bans",
    name: "default_time",
    kind: "duration from `\"1s\"` to `\"3650d\"`",
    default: Default::Value(r#""1h""#),
    doc: "How long a ban lasts for which no time is given. It cannot be longer than \
          `bans.max_time`.",
};

pub(in crate::config) const ESCALATION: Key = Key {
    table: "bans",
    name: "escalation",
    kind: "integer from 1 to 100",
    default: Default::Value("2"),
    doc: "Each further ban of the same prefix for which no time is given lasts so many times as \
          long as the one before. `1`: all last as long.",
};

pub(in crate::config) const MAX_TIME: Key = Key {
    table: "bans",
    name: "max_time",
    kind: "duration from `\"1s\"` to `\"3650d\"`",
    default: Default::Value(r#""7d""#),
    doc: "The longest that a ban becomes by `bans.escalation`.",
};

pub(in crate::config) const FORGET: Key = Key {
    table: "bans",
    name: "forget",
    kind: "duration from `\"1s\"` to `\"3650d\"`",
    default: Default::Value(r#""30d""#),
    doc: "After so long without a ban the count for `bans.escalation` begins anew.",
};

pub(in crate::config) const BAN_ENTRIES: Key = Key {
    table: "bans",
    name: "max_entries",
    kind: "integer from 1 to 1000000",
    default: Default::Value("65536"),
    doc: "Size of the kernel's ban tables: so many entries for IPv4 and as many for IPv6, those \
          of `bans.never_ban` included. When one is full, a further ban is refused; none is \
          forgotten for it. A change takes effect at the next start of the daemon.",
};

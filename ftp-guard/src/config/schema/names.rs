//! The keys of `[names]`.

use super::{Default, Key};

pub(in crate::config) const SERVERS: Key = Key {
    table: "names",
    name: "servers",
    kind: "list of `\"ADDRESS\"` and `\"ADDRESS:PORT\"`",
    default: Default::Value("[]"),
    doc: "The DNS servers that are asked. IPv6 addresses with a port stand in brackets. \
          `[]`: those of /etc/resolv.conf, which is read again when it changes. /etc/hosts \
          and search lists are not used.",
};

pub(in crate::config) const TIMEOUT: Key = Key {
    table: "names",
    name: "timeout",
    kind: "duration from `\"1s\"` to `\"20s\"`",
    default: Default::Value(r#""5s""#),
    doc: "How long a server has for its answer. It is asked a second time.",
};

pub(in crate::config) const MIN_TTL: Key = Key {
    table: "names",
    name: "min_ttl",
    kind: "duration from `\"1s\"` to `\"1d\"`",
    default: Default::Value(r#""30s""#),
    doc: "An answer holds at least so long, whatever its TTL is: a name is not asked for \
          more often.",
};

pub(in crate::config) const MAX_TTL: Key = Key {
    table: "names",
    name: "max_ttl",
    kind: "duration from `\"1s\"` to `\"7d\"`",
    default: Default::Value(r#""1h""#),
    doc: "An answer holds at most so long, so that a change of a name with a long TTL is \
          seen sooner. It cannot be shorter than `names.min_ttl`.",
};

pub(in crate::config) const LINGER: Key = Key {
    table: "names",
    name: "linger",
    kind: "duration from `\"1s\"` to `\"30d\"`",
    default: Default::Value(r#""1h""#),
    doc: "How long an address stays in force that answers leave out, because servers that \
          take turns answer with a part of their addresses at a time. It holds for a name \
          that DNS says is gone, too. A shorter time locks out a host sooner that lost its \
          name, a longer one spares partners whose DNS is in disorder.",
};

pub(in crate::config) const KEEP: Key = Key {
    table: "names",
    name: "keep",
    kind: "duration from `\"1m\"` to `\"3650d\"`",
    default: Default::Value(r#""7d""#),
    doc: "How long the last good answer stays in force while DNS gives none. `ftp-guard \
          status` warns from the first failure on.",
};

pub(in crate::config) const MAX_NAMES: Key = Key {
    table: "names",
    name: "max_names",
    kind: "integer from 1 to 10000",
    default: Default::Value("256"),
    doc: "How many names the allowlists can have. More are refused, with the file and line \
          of the first that is too much; nothing changes then.",
};

pub(in crate::config) const MAX_ADDRESSES: Key = Key {
    table: "names",
    name: "max_addresses",
    kind: "integer from 1 to 256",
    default: Default::Value("32"),
    doc: "How many addresses of one name are taken, of IPv4 and IPv6 each. Those that are in \
          force stay, then the lowest are taken; `ftp-guard allow list` and the log tell how \
          many were left out.",
};

pub(in crate::config) const PRIVATE: Key = Key {
    table: "names",
    name: "private",
    kind: "`true` or `false`",
    default: Default::Value("true"),
    doc: "Whether private addresses are taken (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, \
          100.64.0.0/10, fc00::/7), as partners behind a VPN have them. `false` keeps \
          whoever owns a name from pointing it at hosts of your own networks. Loopback, \
          link-local, multicast, reserved and unspecified addresses are never taken.",
};

pub(in crate::config) const NAMES_FILE: Key = Key {
    table: "names",
    name: "file",
    kind: "absolute path",
    default: Default::Value(r#""/var/lib/ftp-guard/names.json""#),
    doc: "Where the last good answers are kept, so that a start without DNS enforces what \
          was known. The daemon writes it.",
};

//! The keys of `[inspect]`.

use super::{Default, Key};

pub(in crate::config) const ENABLED: Key = Key {
    table: "inspect",
    name: "enabled",
    kind: "`true` or `false`",
    default: Default::Value("true"),
    doc: "Whether the programs tell the daemon what is said on control connections. Without that \
          there are no logins, no transfers and no detections; what passes is decided all the \
          same. Packets never wait for it: what the daemon does not read in time is counted as lost.",
};

pub(in crate::config) const ODD_PORTS: Key = Key {
    table: "inspect",
    name: "odd_ports",
    kind: "`true` or `false`",
    default: Default::Value("true"),
    doc: "Whether servers on ports of no class are told of when they say what FTP servers say: \
          packets of 60 to 600 bytes that leave with PSH and begin with `220`, `331` or `530`. \
          Only with `inspect.enabled`.",
};

pub(in crate::config) const FILE_NAMES: Key = Key {
    table: "inspect",
    name: "file_names",
    kind: "`\"full\"`, `\"hash\"` or `\"omit\"`",
    default: Default::Value(r#""full""#),
    doc: "What becomes of the names of files: they are kept, or a hash of them is, the same for \
          the same name until the daemon ends, or nothing. The type, what follows the last dot, is \
          kept in any case.",
};

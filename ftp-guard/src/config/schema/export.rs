//! The keys of `[export]`.

use super::{Default, Key};

pub(in crate::config) const EXPORT_FILE: Key = Key {
    table: "export",
    name: "file",
    kind: "absolute path, or `\"off\"`",
    default: Default::Value(r#""off""#),
    doc: "Where events and sessions that have ended are written, a line each, for a log collector. \
          The file is opened anew at a reload and when it was moved away, so that `logrotate` needs \
          nothing more.",
};

pub(in crate::config) const EXPORT_JOURNAL: Key = Key {
    table: "export",
    name: "journal",
    kind: "`true` or `false`",
    default: Default::Value("false"),
    doc: "Whether the same lines go to systemd's journal, under the identifier `ftp-guard-export`.",
};

pub(in crate::config) const FORMAT: Key = Key {
    table: "export",
    name: "format",
    kind: "`\"ecs\"`, `\"zeek\"`, `\"zeek-tsv\"` or `\"native\"`",
    default: Default::Value(r#""ecs""#),
    doc: "What a line is: JSON with the field names of the Elastic Common Schema, JSON or tab-separated \
          as Zeek's `ftp.log`, or JSON as `ftp-guard events --json` prints it. See export.md.",
};

//! The keys of `[detect]`.

use super::{Default, Key};

pub(in crate::config) const ENABLED: Key = Key {
    table: "detect",
    name: "enabled",
    kind: "`true` or `false`",
    default: Default::Value("true"),
    doc: "Whether anything is detected. `false`: no rule of [detections.md](detections.md) applies, \
          and none bans.",
};

pub(in crate::config) const BAN: Key = Key {
    table: "detect",
    name: "ban",
    kind: "list of names of rules",
    default: Default::Value(r#"["login_failures"]"#),
    doc: "Rules whose source is banned, at once; an IPv6 source with its whole \
          `limits.ipv6_source_prefix`. `[]`: none is. `bans.never_ban` protects partners. Rules that \
          are about servers, or that see packets whose source can be forged, cannot ban.",
};

pub(in crate::config) const BAN_TIME: Key = Key {
    table: "detect",
    name: "ban_time",
    kind: "duration from `\"1s\"` to `\"3650d\"`, or `\"escalating\"`",
    default: Default::Value(r#""escalating""#),
    doc: "How long such a ban lasts. `escalating`: `bans.default_time`, and longer each time.",
};

pub(in crate::config) const END_SESSIONS: Key = Key {
    table: "detect",
    name: "end_sessions",
    kind: "list of names of rules",
    default: Default::Value("[]"),
    doc: "Rules that end the session in which they apply. A ban ends all sessions of its source in \
          any case.",
};

pub(in crate::config) const DISABLE: Key = Key {
    table: "detect",
    name: "disable",
    kind: "list of names of rules",
    default: Default::Value("[]"),
    doc: "Rules that are left out: neither told nor counted.",
};

pub(in crate::config) const IGNORE: Key = Key {
    table: "detect",
    name: "ignore",
    kind: "list of addresses and prefixes",
    default: Default::Value("[]"),
    doc: "Sources that are not looked at, such as a scanner of one's own. Whoever is to be told of but \
          not banned belongs into `bans.never_ban`.",
};

pub(in crate::config) const WINDOW: Key = Key {
    table: "detect",
    name: "window",
    kind: "duration from `\"1s\"` to `\"1d\"`",
    default: Default::Value(r#""10m""#),
    doc: "The time within which the next five keys count.",
};

pub(in crate::config) const MAX_FAILURES: Key = Key {
    table: "detect",
    name: "max_failures",
    kind: "integer from 0 to 1000; `0`: any number",
    default: Default::Value("5"),
    doc: "Passwords of one source that a server refuses until `login_failures` applies.",
};

pub(in crate::config) const MAX_FAILURES_ALL: Key = Key {
    table: "detect",
    name: "max_failures_all",
    kind: "integer from 0 to 1000000; `0`: any number",
    default: Default::Value("50"),
    doc: "Passwords of all sources, for one user or at one server, that are refused until \
          `login_failures_spread` applies.",
};

pub(in crate::config) const MAX_TLS_FAILURES: Key = Key {
    table: "detect",
    name: "max_tls_failures",
    kind: "integer from 0 to 1000000; `0`: any number",
    default: Default::Value("20"),
    doc: "Sessions of one source under TLS that end at once until `tls_login_failures` applies.",
};

pub(in crate::config) const MAX_DELETES: Key = Key {
    table: "detect",
    name: "max_deletes",
    kind: "integer from 0 to 1000000; `0`: any number",
    default: Default::Value("500"),
    doc: "Files and folders that one source deletes until `mass_delete` applies.",
};

pub(in crate::config) const MAX_RENAMES: Key = Key {
    table: "detect",
    name: "max_renames",
    kind: "integer from 0 to 1000000; `0`: any number",
    default: Default::Value("1000"),
    doc: "Files and folders that one source renames until `mass_rename` applies.",
};

pub(in crate::config) const MAX_COMMANDS: Key = Key {
    table: "detect",
    name: "max_commands",
    kind: "integer from 0 to 1000000; `0`: any number",
    default: Default::Value("200"),
    doc: "Commands of one source each second, over ten seconds, beyond which `command_flood` \
          applies.",
};

pub(in crate::config) const REPEAT: Key = Key {
    table: "detect",
    name: "repeat",
    kind: "duration from `\"1s\"` to `\"1d\"`",
    default: Default::Value(r#""5m""#),
    doc: "The same of the same source is told again after so long, with a count of what came \
          meanwhile. Bans do not wait.",
};

pub(in crate::config) const CVE_FILE: Key = Key {
    table: "detect",
    name: "cve_file",
    kind: "absolute path, or `\"built-in\"`",
    default: Default::Value(r#""built-in""#),
    doc: "A table of known vulnerabilities in place of the built-in one, which is \
          `ftp-guard/data/ftp-vulnerabilities.csv` of the source: the same columns, of at most 4 MiB. \
          Read at the start and with each reload; a table with mistakes is refused.",
};

//! The keys of what is guarded, where, and by which files.

use super::{Default, Key};

pub(in crate::config) const MODE: Key = Key {
    table: "",
    name: "mode",
    kind: "`\"enforce\"` or `\"monitor\"`",
    default: Default::Value(r#""enforce""#),
    doc: "`enforce` drops what the rules refuse. `monitor` passes it and counts it as \
          `would_drop`, with the same reason. `ftp-guard mode` changes this line and the running \
          daemon together.",
};

pub(in crate::config) const ROLE: Key = Key {
    table: "",
    name: "role",
    kind: "`\"host\"` or `\"router\"`",
    default: Default::Value(r#""host""#),
    doc: "`host`: the FTP server runs here, and the sockets of this host tell which connections \
          live and which ports listen. `router`: the FTP servers are behind this machine, and only \
          packets tell. A change takes effect at the next start of the daemon.",
};

pub(in crate::config) const INTERFACES: Key = Key {
    table: "",
    name: "interfaces",
    kind: "list of interface names, at least one, each of at most 15 bytes",
    default: Default::Required {
        why: "ftp-guard does not guess which interfaces face the clients: name them, such as \
              interfaces = [\"eth0\"]",
        example: r#"["eth0"]"#,
    },
    doc: "The interfaces on which FTP clients arrive. An interface that goes away and comes back \
          is guarded again.",
};

pub(in crate::config) const XDP_MODE: Key = Key {
    table: "",
    name: "xdp_mode",
    kind: "`\"auto\"`, `\"native\"` or `\"generic\"`",
    default: Default::Value(r#""auto""#),
    doc: "`native` runs the program in the network driver, `generic` in the network stack, which \
          every interface can do and which costs more. `auto` is native where the driver can, \
          else generic with a warning.",
};

pub(in crate::config) const CONTROL_PORTS: Key = Key {
    table: "ftp",
    name: "control_ports",
    kind: "list of ports, at least one",
    default: Default::Value("[21, 990]"),
    doc: "Ports of control connections: 21, and 990 for implicit TLS.",
};

pub(in crate::config) const ACTIVE_DATA_PORTS: Key = Key {
    table: "ftp",
    name: "active_data_ports",
    kind: "list of ports",
    default: Default::Value("[20, 989]"),
    doc: "Ports from which the server opens data connections in active mode: 20, and 989 for \
          implicit TLS. A SYN from outside to one of them is always dropped.",
};

pub(in crate::config) const PASSIVE_PORTS: Key = Key {
    table: "ftp",
    name: "passive_ports",
    kind: "list of port ranges (`\"50000-50100\"`) and single ports (`50200` or `\"50200\"`), or \
           `\"auto\"`",
    default: Default::Required {
        why: "every server has its own passive range, and a passive port that is not listed stays \
              open to everyone: give the range that the FTP server is configured to use, such as \
              passive_ports = [\"50000-50100\"], or \"auto\" to take it from the server's own \
              configuration, or [] for a server without passive mode",
        example: r#"["50000-50100"]"#,
    },
    doc: "Ports on which the server listens for data connections in passive mode. It must be the \
          range that the FTP server is configured to use (`pasv_min_port` and `pasv_max_port` of \
          vsftpd, `PassivePorts` of ProFTPD, `PassivePortRange` of Pure-FTPd). `\"auto\"` takes it \
          from there, see `ftp.server_configs`, and follows when those files change; \
          `ftp-guard check` shows what it finds. There is no default, since a passive port that \
          is not listed stays open to everyone. `[]` is for a server without passive mode.",
};

pub(in crate::config) const SERVER_CONFIGS: Key = Key {
    table: "ftp",
    name: "server_configs",
    kind: "list of absolute paths",
    default: Default::Value("[]"),
    doc: "What `passive_ports = \"auto\"` reads: configurations of vsftpd (a file called \
          `vsftpd*.conf`), of ProFTPD (`proftpd*.conf`; what it includes is read too) and of \
          Pure-FTPd (`pure-ftpd*.conf`, or its folder of one file for each setting). Each must \
          exist and set a range; the ranges of all are joined. `[]` stands for those of \
          `/etc/vsftpd.conf`, `/etc/proftpd/proftpd.conf` and `/etc/pure-ftpd/conf` that exist.",
};

pub(in crate::config) const FXP: Key = Key {
    table: "ftp",
    name: "fxp",
    kind: "`true` or `false`",
    default: Default::Value("false"),
    doc: "Whether PORT and EPRT may name a third host, a transfer from server to server (FXP). \
          With `true` the data connection is let out when that host is on the allowlist; with \
          `false` it is an FTP bounce, which is dropped (RFC 2577).",
};

pub(in crate::config) const GUARD_OUTSIDE_RANGE: Key = Key {
    table: "ftp",
    name: "guard_outside_range",
    kind: "`true` or `false`",
    default: Default::Value("false"),
    doc: "What becomes of a passive port that a server names outside the configured ranges (ProFTPD \
          does when its range is used up). It is counted as `outside_range` in any case. With \
          `true` the port is guarded like those of the ranges while it is in use; with `false` it \
          is not touched, like every port of no class.",
};

pub(in crate::config) const SESSIONS_MAX: Key = Key {
    table: "sessions",
    name: "max",
    kind: "integer from 1 to 1000000",
    default: Default::Value("16384"),
    doc: "Size of the tables of sessions, of clients with sessions and of pinholes. Memory for all \
          of it is taken at once, about 980 bytes each. When the table is full, new sessions are \
          refused (`session_table_full`), and none that lives is ended. The size is fixed when the \
          tables are made: a change takes effect after `ftp-guard detach` and a start.",
};

pub(in crate::config) const SESSIONS_MAX_DATA: Key = Key {
    table: "sessions",
    name: "max_data",
    kind: "integer from 1 to 4000000",
    default: Default::Value("32768"),
    doc: "Size of the table of data connections, as `sessions.max`. A connection stays in it for ten \
          seconds after its end. When it is full, new ones are refused (`flow_table_full`).",
};

pub(in crate::config) const IDLE_TIMEOUT: Key = Key {
    table: "sessions",
    name: "idle_timeout",
    kind: "duration from `\"1s\"` to `\"30d\"`",
    default: Default::Value(r#""2h""#),
    doc: "A session is forgotten when so long no packet passed on its control connection nor on its \
          data connections. On a host that cuts nothing: what has ended is known from the sockets, \
          and a session that wakes up is one again with the server's next word. On a router it is \
          the only way to notice what ended unseen, and data connections go with it. It should be \
          longer than the server's own time-out. It is not what ends idle sessions: that is \
          `profile.NAME.idle_time`.",
};

pub(in crate::config) const PINHOLE_TIMEOUT: Key = Key {
    table: "sessions",
    name: "pinhole_timeout",
    kind: "duration from `\"1s\"` to `\"10m\"`",
    default: Default::Value(r#""30s""#),
    doc: "How long a negotiated port waits for its data connection.",
};

pub(in crate::config) const MAX_PINHOLES: Key = Key {
    table: "sessions",
    name: "max_pinholes",
    kind: "integer from 1 to 1000",
    default: Default::Value("16"),
    doc: "How many passive ports a session can negotiate without using them, within \
          `sessions.pinhole_timeout`. The server's reply to one more is dropped (`pinhole_limit`) \
          and the session is ended (`ports_held`), so that a client that asks without end does not \
          use up the passive range.",
};

pub(in crate::config) const FILES: Key = Key {
    table: "allow",
    name: "files",
    kind: "list of absolute paths or glob patterns",
    default: Default::Value(r#"["/etc/ftp-guard/allow.d/*.list"]"#),
    doc: "The allowlist files. `*`, `?`, `[abc]` and `**` work as in a shell; hidden files match \
          only a pattern that shows the dot. A pattern that matches nothing is no mistake.",
};

pub(in crate::config) const CLI_FILE: Key = Key {
    table: "allow",
    name: "cli_file",
    kind: "absolute path",
    default: Default::Derived("`cli.list` in the folder of the last pattern of `files`"),
    doc: "The file that `ftp-guard allow add` and `allow remove` write. It is read also when no \
          pattern of `files` matches it.",
};

pub(in crate::config) const MAX_ENTRIES: Key = Key {
    table: "allow",
    name: "max_entries",
    kind: "integer from 1 to 100000000",
    default: Default::Value("1000000"),
    doc: "Size of the kernel's allowlist tables: so many entries for IPv4 and as many for IPv6. \
          Memory is taken for entries that exist only. An allowlist that does not fit is refused \
          whole. A change takes effect at the next start of the daemon.",
};

pub(in crate::config) const LISTEN: Key = Key {
    table: "metrics",
    name: "listen",
    kind: "`\"ADDRESS:PORT\"`, or `\"off\"`",
    default: Default::Value(r#""127.0.0.1:9721""#),
    doc: "Where `/metrics` is served over HTTP. IPv6 addresses stand in brackets: \
          `\"[::1]:9721\"`. `\"off\"` serves none.",
};

pub(in crate::config) const SOCKET: Key = Key {
    table: "control",
    name: "socket",
    kind: "absolute path of at most 107 bytes",
    default: Default::Value(r#""/run/ftp-guard/ftp-guard.sock""#),
    doc: "The control socket.",
};

pub(in crate::config) const PIN_PATH: Key = Key {
    table: "bpf",
    name: "pin_path",
    kind: "absolute path",
    default: Default::Value(r#""/sys/fs/bpf/ftp-guard""#),
    doc: "The folder, on a BPF file system, in which maps and links are pinned. Guards that run \
          side by side need one each.",
};

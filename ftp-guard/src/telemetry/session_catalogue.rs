//! The metrics of what sessions do: names, labels and help texts.

use super::catalogue::Metric;

pub(super) const BEGUN: Metric = Metric {
    name: "ftp_guard_sessions_begun_total",
    kind: "counter",
    labels: &["tls"],
    help: "Sessions that the monitor has seen begin, by how the control connection is encrypted then; \
           those that ask for TLS later (AUTH) begin as clear.",
};
pub(super) const FINISHED: Metric = Metric {
    name: "ftp_guard_sessions_finished_total",
    kind: "counter",
    labels: &["tls"],
    help: "Sessions that the monitor has seen end, whoever ended them, by how the control connection \
           was encrypted last.",
};
pub(super) const LOGINS: Metric = Metric {
    name: "ftp_guard_logins_total",
    kind: "counter",
    labels: &["result", "tls"],
    help: "Logins that the server has answered, by result (accepted, refused) and by how the control \
           connection was encrypted. Under TLS they cannot be read and do not count, but for those \
           behind CCC.",
};
pub(super) const ANONYMOUS: Metric = Metric {
    name: "ftp_guard_anonymous_logins_total",
    kind: "counter",
    labels: &["result"],
    help: "Those of them under a name for everybody (anonymous, ftp), by result.",
};
pub(super) const TRANSFERS: Metric = Metric {
    name: "ftp_guard_transfers_total",
    kind: "counter",
    labels: &["direction", "type"],
    help: "Transfers that have ended, by direction (upload, download, listing; hidden under TLS) and by \
           what the path ends with.",
};
pub(super) const INCOMPLETE: Metric = Metric {
    name: "ftp_guard_transfers_incomplete_total",
    kind: "counter",
    labels: &["direction"],
    help: "Those of them that the server refused, gave up or did not answer. Hidden ones are not \
           counted.",
};
pub(super) const TRANSFERRED: Metric = Metric {
    name: "ftp_guard_transferred_bytes_total",
    kind: "counter",
    labels: &["direction"],
    help: "TCP payload of the data connections of transfers that have ended, by direction.",
};
pub(super) const DURATION: Metric = Metric {
    name: "ftp_guard_transfer_duration_seconds",
    kind: "histogram",
    labels: &["direction"],
    help: "How long transfers took, from the command to the final reply and the end of the data \
           connection.",
};
pub(super) const COMMANDS: Metric = Metric {
    name: "ftp_guard_commands_total",
    kind: "counter",
    labels: &["group"],
    help: "Commands that clients gave, by what they are for.",
};
pub(super) const REPLIES: Metric = Metric {
    name: "ftp_guard_replies_total",
    kind: "counter",
    labels: &["code"],
    help: "Replies of servers, by the first digit of their code (1xx to 5xx, or other).",
};
pub(super) const DETECTIONS: Metric = Metric {
    name: "ftp_guard_detections_total",
    kind: "counter",
    labels: &["rule", "severity"],
    help: "Detections, by rule and severity. The first 64 rules have a label each, further ones are \
           \"other\".",
};
pub(super) const SOFTWARE: Metric = Metric {
    name: "ftp_guard_server_software_info",
    kind: "gauge",
    labels: &["product", "version"],
    help: "1 for each product and version that a server said it is since the daemon started; the first \
           64 of them.",
};
pub(super) const SOFTWARE_OVERFLOW: Metric = Metric {
    name: "ftp_guard_server_software_overflow_total",
    kind: "counter",
    labels: &[],
    help: "Times that a server said it is something else and there was no place for it.",
};
pub(super) const FOREIGN: Metric = Metric {
    name: "ftp_guard_foreign_protocols_total",
    kind: "counter",
    labels: &["protocol", "side"],
    help: "Control connections on which one side spoke something else than FTP, by what it was (ssh, \
           http, tls: where clear text belongs, smb, smtp, binary) and by side.",
};
pub(super) const ODD_PORTS: Metric = Metric {
    name: "ftp_guard_odd_ports_total",
    kind: "counter",
    labels: &[],
    help: "Times that a server spoke FTP on a port that is not configured for it (inspect.odd_ports).",
};
pub(super) const OVERLONG: Metric = Metric {
    name: "ftp_guard_overlong_lines_total",
    kind: "counter",
    labels: &["side"],
    help: "Lines on control connections that were longer than any that FTP has, by side.",
};
pub(super) const BINARY: Metric = Metric {
    name: "ftp_guard_binary_text_total",
    kind: "counter",
    labels: &["side"],
    help: "Times that bytes came where text belongs, by side.",
};
pub(super) const WATCHED: Metric = Metric {
    name: "ftp_guard_monitored_sessions",
    kind: "gauge",
    labels: &[],
    help: "Sessions that the monitor keeps a record of now.",
};
pub(super) const WATCHED_MAX: Metric = Metric {
    name: "ftp_guard_monitored_sessions_max",
    kind: "gauge",
    labels: &[],
    help: "Sessions that it has room for: what bounds its memory.",
};
pub(super) const UNWATCHED: Metric = Metric {
    name: "ftp_guard_unmonitored_sessions_total",
    kind: "counter",
    labels: &[],
    help: "Sessions that it had no room for.",
};
pub(super) const LOST_BYTES: Metric = Metric {
    name: "ftp_guard_monitor_lost_bytes_total",
    kind: "counter",
    labels: &["side"],
    help: "Bytes of control connections that the monitor did not get to see, by who sent them; it goes \
           on with the next line.",
};
pub(super) const CONFLICTING: Metric = Metric {
    name: "ftp_guard_monitor_conflicting_bytes_total",
    kind: "counter",
    labels: &[],
    help: "Bytes of retransmissions on control connections that differed from what was sent before.",
};
pub(super) const LOST_RECORDS: Metric = Metric {
    name: "ftp_guard_monitor_lost_records_total",
    kind: "counter",
    labels: &["kind"],
    help: "Records that the programs could not hand to the monitor, as it was too slow, by what they \
           tell.",
};

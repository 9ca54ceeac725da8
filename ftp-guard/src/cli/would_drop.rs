//! What `status` says of clients that would have been dropped.

use jiff::Timestamp;

use super::{escape::plain, output::counted, sessions::aligned};
use crate::control::would_drop_view::WouldDropView;

/// The section, behind an empty line.
pub(super) fn text(view: &WouldDropView) -> String {
    let time = |time: Timestamp| time.strftime("%FT%TZ").to_string();
    let since = time(view.since);
    if view.clients.is_empty() {
        return format!("\nwould have been dropped since {since}: nobody\n");
    }
    let header = [
        "CLIENT",
        "REASON",
        "PACKETS",
        "SESSIONS",
        "LOGINS",
        "LAST SEEN",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(view.clients.iter().map(|client| {
        [
            client.client.to_string(),
            plain(&client.reason),
            client.packets.to_string(),
            client.sessions.to_string(),
            client.logins.to_string(),
            time(client.last_seen),
        ]
    }));
    let mut text = format!(
        "\nwould have been dropped since {since} (packets: those that were reported, at least so many)\n{}",
        aligned(&rows)
    );
    let more = counted(view.more, "client", "clients");
    match (view.more, view.forgotten) {
        (0, 0) => {}
        (_, 0) => text.push_str(&format!("and {more} with fewer\n")),
        (_, forgotten) => text.push_str(&format!(
            "and {more} with fewer; {forgotten} before them are forgotten\n"
        )),
    }
    text.push_str("`ftp-guard allow suggest` proposes entries for those that have logged in\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::would_drop_view::WouldDropClient;

    #[test]
    fn clients_are_lines_and_the_rest_is_counted() {
        let client = WouldDropClient {
            client: "203.0.113.9".parse().unwrap(),
            reason: "not_listed".to_owned(),
            packets: 1234,
            sessions: 2,
            logins: 1,
            last_seen: "2026-11-23T04:05:06.7Z".parse().unwrap(),
        };
        let mut view = WouldDropView {
            since: "2026-11-22T08:00:00Z".parse().unwrap(),
            clients: vec![client],
            more: 0,
            forgotten: 0,
        };
        assert_eq!(
            text(&view),
            "
would have been dropped since 2026-11-22T08:00:00Z (packets: those that were reported, at least so many)
CLIENT       REASON      PACKETS  SESSIONS  LOGINS  LAST SEEN
203.0.113.9  not_listed  1234     2         1       2026-11-23T04:05:06Z
`ftp-guard allow suggest` proposes entries for those that have logged in
"
        );
        view.more = 1;
        assert!(text(&view).contains("\nand 1 client with fewer\n"));
        view.forgotten = 7;
        assert!(text(&view).contains("\nand 1 client with fewer; 7 before them are forgotten\n"));
        view.clients.clear();
        assert_eq!(
            text(&view),
            "\nwould have been dropped since 2026-11-22T08:00:00Z: nobody\n"
        );
    }
}

use super::*;

fn end(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn totals(bytes: u64) -> Totals {
    Totals {
        lived_ns: 2_000_000_000,
        bytes_in: bytes,
        bytes_out: 1,
        ..Totals::default()
    }
}

/// Runs a script: `RETR`, `150`, a final code, `+PORT` and `-PORT` for data connections, `wait`, `PASV`; each
/// step takes a second. Returns `CODE PORT BYTES` of each transfer that ended, at the step that ended it.
fn run(script: &str) -> String {
    let mut transfers = Transfers::default();
    let (mut done, mut found) = (Vec::new(), Vec::new());
    let mut last = 0;
    for (second, step) in (0..).zip(script.split(' ')) {
        let now = at(second);
        match (step.split_at(1), step) {
            (("+", port), _) => {
                transfers.connect(end(port.parse().unwrap()), end(20), FlowKind::Passive, now);
            }
            (("-", port), _) => {
                let port = port.parse().unwrap();
                transfers.disconnect(
                    end(port),
                    end(20),
                    totals(u64::from(port)),
                    now,
                    false,
                    &mut done,
                );
            }
            (_, "PASV") => transfers.negotiate(&mut done),
            (_, "lost") => transfers.orphan(last, now, &mut done),
            (_, "wait") => transfers.expire(Some(at(second + 60)), &mut done),
            (_, "end") => transfers.expire(None, &mut done),
            (_, "150") => transfers.answer_preliminary(last, None),
            (_, code) => match code.parse() {
                Ok(code) => transfers.answer(last, code, now, &mut done),
                Err(_) => {
                    let direction = direction(Verb::of(code.as_bytes())).unwrap();
                    last = transfers.begin(TransferRecord::new(now, direction), &mut done);
                }
            },
        }
        for transfer in done.drain(..) {
            let code = transfer
                .code
                .map_or("-".to_owned(), |code| code.to_string());
            let port = transfer
                .data_client
                .map_or("-".to_owned(), |end| end.port().to_string());
            let bytes = transfer
                .bytes
                .map_or("-".to_owned(), |bytes| bytes.to_string());
            let kind = if transfer.direction == Direction::Hidden {
                "?"
            } else {
                ""
            };
            found.push(format!("{kind}{code} {port} {bytes}@{step}"));
        }
    }
    found.join(", ")
}

#[test]
fn what_belongs_to_a_transfer_may_come_in_any_order() {
    for (script, wanted) in [
        ("RETR +7 150 -7 226", "226 7 8@226"),
        ("RETR +7 150 226 -7", "226 7 8@-7"),
        ("+7 RETR 150 -7 226", "226 7 8@226"),
        ("+7 RETR 150 226 -7", "226 7 8@-7"),
        ("RETR 150 226 +7 -7", "226 7 8@-7"),
        ("+7 -7 RETR 150 226", "226 7 8@226"),
        // Nothing of a data connection was seen.
        ("RETR 150 226 wait", "226 - -@wait"),
        ("RETR 150 226 PASV", "226 - -@PASV"),
        ("RETR 150 226 end", "226 - -@end"),
        ("RETR 150 end", "- - -@end"),
        // Refused: the data connection is there for the next one.
        ("+7 RETR 550 RETR 150 -7 226", "550 - -@550, 226 7 8@226"),
        ("+7 RETR 550 -7 end", "550 - -@550, ?- 7 8@end"),
        ("RETR 550", "550 - -@550"),
        ("RETR +7 150 426 -7", "426 7 8@-7"),
        // Two after each other, the first of which ends late.
        (
            "RETR +7 150 226 PASV RETR +8 150 -7 226 -8",
            "226 7 8@-7, 226 8 9@-8",
        ),
        // The reply was lost.
        ("RETR +7 150 lost -7", "- 7 8@-7"),
        ("RETR +7 150 lost wait -7", "- 7 8@-7"),
        ("RETR 150 lost wait", "- - -@wait"),
        // Its command was not seen.
        ("+7 -7 wait", "?- 7 8@wait"),
        ("+7 end", ""),
        ("-7 end", ""),
    ] {
        assert_eq!(run(script), wanted, "{script}");
    }
}

#[test]
fn a_transfer_takes_until_the_last_of_it() {
    let mut transfers = Transfers::default();
    let mut done = Vec::new();
    let number = transfers.begin(TransferRecord::new(at(10), Direction::Upload), &mut done);
    transfers.connect(end(7), end(20), FlowKind::Active, at(11));
    assert_eq!(
        transfers.current().and_then(|one| one.mode.as_deref()),
        Some("active")
    );
    transfers.answer(number, 226, at(13), &mut done);
    assert_eq!(transfers.current(), None);
    transfers.disconnect(end(7), end(20), totals(5), at(14), false, &mut done);
    assert!(transfers.are_over());
    assert_eq!(
        (done[0].seconds, done[0].bytes, done[0].complete),
        (4.0, Some(6), true)
    );
}

#[test]
fn the_missing_reply_may_come_after_all() {
    let mut transfers = Transfers::default();
    let mut done = Vec::new();
    let number = transfers.begin(TransferRecord::new(at(0), Direction::Upload), &mut done);
    transfers.connect(end(7), end(20), FlowKind::Active, at(1));
    transfers.orphan(number, at(2), &mut done);
    transfers.adopt(200);
    transfers.adopt(226);
    transfers.disconnect(end(7), end(20), totals(5), at(3), false, &mut done);
    assert_eq!((done[0].code, done[0].complete), (Some(226), true));
}

#[test]
fn of_encrypted_sessions_data_connections_are_all_there_is() {
    let mut transfers = Transfers::default();
    let mut done = Vec::new();
    transfers.connect(end(7), end(20), FlowKind::Passive, at(1));
    assert_eq!(
        transfers.current_hidden().map(|one| one.direction),
        Some(Direction::Hidden)
    );
    transfers.disconnect(end(7), end(20), totals(5), at(3), true, &mut done);
    assert!(transfers.are_over());
    assert_eq!(
        (done[0].direction, done[0].bytes, done[0].seconds),
        (Direction::Hidden, Some(6), 2.0)
    );
    assert_eq!(
        (done[0].encrypted, done[0].complete, &done[0].command),
        (None, false, &None)
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let mut transfers = Transfers::default();
    let mut done = Vec::new();
    for number in 0..1000 {
        transfers.begin(TransferRecord::new(at(0), Direction::Upload), &mut done);
        transfers.connect(end(number), end(20), FlowKind::Active, at(1));
        transfers.connect(end(number), end(21), FlowKind::Active, at(1));
    }
    assert_eq!(transfers.under_way.len(), MOST_UNDER_WAY);
    assert!(transfers.connections.len() <= MOST_CONNECTIONS);
    assert_eq!(done.len(), 1000 - MOST_UNDER_WAY);
}

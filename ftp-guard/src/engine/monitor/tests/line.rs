use super::*;

/// The lines that come of bytes, with what is kept of each and its length; `!` where one is too long.
fn lines(mut reader: LineReader, pieces: &[&[u8]]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (read, event) = reader.read(rest);
            rest = &rest[read..];
            match event {
                LineEvent::Nothing => {}
                LineEvent::Overlong => found.push(("!".to_owned(), 0)),
                LineEvent::Line => {
                    let line = reader.line();
                    let text = String::from_utf8_lossy(super::super::text::trim(line.bytes));
                    found.push((text.into_owned(), line.length));
                    reader.finish();
                }
            }
        }
    }
    found
}

fn commands(bytes: &[u8]) -> Vec<(String, usize)> {
    let whole = lines(LineReader::commands(), &[bytes]);
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(
        lines(LineReader::commands(), &single),
        whole,
        "in one piece and in many"
    );
    whole
}

fn kept(bytes: &[u8]) -> Vec<String> {
    commands(bytes).into_iter().map(|(text, _)| text).collect()
}

#[test]
fn lines_end_at_lf_with_cr_or_without() {
    assert_eq!(
        commands(b"NOOP\r\nPWD\n\r\nCWD a\rb\r\nrest"),
        [
            ("NOOP".into(), 4),
            ("PWD".into(), 3),
            (String::new(), 0),
            ("CWD a\rb".into(), 7)
        ]
    );
}

#[test]
fn telnet_sequences_are_taken_out() {
    assert_eq!(kept(b"\xff\xf4\xff\xf2ABOR\r\n"), ["ABOR"]);
    assert_eq!(kept(b"US\xff\xfb\x01ER bob\r\n"), ["USER bob"]);
    assert_eq!(kept(b"DELE a\xff\xff\r\n"), ["DELE a\u{fffd}"]);
    assert_eq!(
        kept(b"DELE \xffile\r\n"),
        ["DELE \u{fffd}ile"],
        "one that is not doubled"
    );
    assert_eq!(
        kept(b"NOOP\xff\xfb\nDELE a\n"),
        ["NOOP", "DELE a"],
        "LF always ends a line"
    );
    assert_eq!(kept(b"NOOP\xff\nDELE a\n"), ["NOOP", "DELE a"]);
}

#[test]
fn a_line_that_is_too_long_is_told_once() {
    let long = [b"RETR ".as_slice(), &[b'a'; 9000], b"\r\nNOOP\r\n"].concat();
    let found = commands(&long);
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].0, "!");
    assert_eq!(found[1].0.len(), MOST_KEPT);
    assert_eq!(found[1].1, 9005);
    assert_eq!(found[2].0, "NOOP");
    let just = [b"RETR ".as_slice(), &[b'a'; 4091], b"\n"].concat();
    assert_eq!(commands(&just).len(), 1);
    let replies = lines(LineReader::replies(), &[&[b'2'; 8193], b"\n"]);
    assert_eq!(replies.len(), 2);
}

#[test]
fn behind_a_gap_reading_goes_on_with_the_next_line() {
    let mut reader = LineReader::commands();
    reader.read(b"PASS MA");
    reader.skip();
    assert_eq!(
        lines(reader, &[b"RK\r", b"\nNOOP\r\n"]),
        [("NOOP".into(), 4)]
    );
}

#[test]
fn what_may_be_a_secret_is_never_kept() {
    for line in [
        "PASS MARK\r\n",
        "pass MARK\r\n",
        " PASS MARK\r\n",
        "PASS\tMARK\r\n",
        "ACCT MARK\r\n",
        "ADAT MARK\r\n",
        "ENC MARK\r\n",
        "MIC MARK\r\n",
        "CONF MARK\r\n",
        "SITE PSWD old MARK\r\n",
        "SITE  passwd MARK\r\n",
        "SITE ADDUSER bob MARK\r\n",
        "XYZZY MARK\r\n",
        "averylongpasswordMARKfollows\r\n",
        "P\u{0}ASS MARK\r\n",
    ] {
        for cut in 0..line.len() {
            let mut reader = LineReader::commands();
            for piece in [&line.as_bytes()[..cut], &line.as_bytes()[cut..]] {
                for byte in piece {
                    let (_, event) = reader.read(&[*byte]);
                    let all = format!("{reader:?}");
                    assert!(!all.contains("MARK"), "{line:?}: {all}");
                    if event == LineEvent::Line {
                        reader.finish();
                    }
                }
            }
        }
    }
}

#[test]
fn a_password_on_a_line_of_its_own_is_gone_with_the_line() {
    let mut reader = LineReader::commands();
    reader.read(b"MARK\r\n");
    reader.finish();
    assert!(!format!("{reader:?}").contains("MARK"));
    reader.read(b"MARK");
    reader.skip();
    assert!(!format!("{reader:?}").contains("MARK"));
}

#[test]
fn the_first_words_of_others_are_kept() {
    assert_eq!(kept(b"  site chmod 644 a\r\n"), ["site chmod 644 a"]);
    assert_eq!(kept(b"AUTH TLS\r\n"), ["AUTH TLS"]);
    assert_eq!(kept(b"XYZZY a\r\n"), ["XYZZY"]);
}

#[test]
fn controls_are_noticed() {
    for (line, wanted) in [
        (&b"a\x01\n"[..], true),
        (b"a\tb\r\n", false),
        ("ä\n".as_bytes(), false),
        (b"\x00\n", true),
    ] {
        let mut reader = LineReader::commands();
        reader.read(line);
        assert_eq!(reader.line().has_controls, wanted);
    }
}

use super::*;

/// What is decided of bytes that come one after the other; always the same as at once.
fn decided(side: Side, bytes: &[u8]) -> Spoken {
    let whole = spoken(side, &bytes[..bytes.len().min(ENOUGH)]);
    for end in 1..=bytes.len().min(ENOUGH) {
        let found = spoken(side, &bytes[..end]);
        if found != Spoken::Undecided {
            assert_eq!(
                found,
                whole,
                "{:?} by {end} bytes",
                String::from_utf8_lossy(bytes)
            );
            break;
        }
    }
    whole
}

#[test]
fn other_protocols_are_known_by_their_first_bytes() {
    use Protocol::{Binary, Http, Smb, Smtp, Ssh, Tls};
    for (side, bytes, wanted) in [
        (Side::Client, &b"SSH-2.0-OpenSSH_9.2\r\n"[..], Ssh),
        (Side::Server, b"SSH-2.0-OpenSSH_9.2\r\n", Ssh),
        (Side::Client, b"GET / HTTP/1.1\r\n", Http),
        (Side::Client, b"OPTIONS * HTTP/1.1\r\n", Http),
        (Side::Client, b"PRI * HTTP/2.0\r\n", Http),
        (Side::Server, b"HTTP/1.1 400 Bad Request\r\n", Http),
        (Side::Client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", Tls),
        (Side::Server, b"\x15\x03\x01\x00\x02\x02\x46\x00", Tls),
        (Side::Client, b"\0\0\0\x2f\xffSMBr\0\0", Smb),
        (Side::Client, b"\0\0\0\x2f\xfeSMB@\0\0", Smb),
        (Side::Client, b"EHLO a.example\r\n", Smtp),
        (Side::Client, b"mail from:<a@b>\r\n", Smtp),
        (Side::Server, b"220 mx.example ESMTP Postfix\r\n", Smtp),
        (Side::Server, b"220-mx.example SMTP\r\n220 x\r\n", Smtp),
        (Side::Client, b"\x03\0\0\x13\x0e\xe0\0\0\0", Binary),
        (Side::Server, b"\0\0\0\x01\0\0\0\0", Binary),
    ] {
        assert_eq!(decided(side, bytes), Spoken::Foreign(wanted), "{bytes:?}");
    }
}

#[test]
fn ftp_is_text() {
    for (side, bytes) in [
        (Side::Client, &b"USER bob\r\n"[..]),
        (Side::Client, b"HELP\r\n"),
        (Side::Client, b"PASS xxxxxx"),
        (Side::Client, b"DELE /a/b/c/d"),
        (Side::Client, b"\xff\xfb\x01\xff\xfb\x03USER a\r\n"),
        (Side::Client, b"OPTS UTF8 ON\r\n"),
        (Side::Server, b"220 (vsFTPd 3.0.3)\r\n"),
        (Side::Server, b"220 SMTP and FTP server\r\n"),
        (Side::Server, b"220-\xc3\xa4 welcome\r\n"),
        (Side::Server, b"421 Too many connections\r\n"),
        (Side::Server, b"+OK POP3\r\n"),
    ] {
        assert_eq!(decided(side, bytes), Spoken::Text, "{bytes:?}");
    }
    assert_eq!(
        decided(Side::Server, &[b"220 ".as_slice(), &[b'x'; 600]].concat()),
        Spoken::Text
    );
}

#[test]
fn ftp_elsewhere_is_known_by_what_only_it_says() {
    for (text, wanted) in [
        ("220 ProFTPD 1.3.5 Server ready\r\n", true),
        ("220-Welcome\r\n220 FTP server ready\r\n", true),
        ("331 Password required for bob.\r\n", true),
        ("227 Entering Passive Mode (1,2,3,4,5,6)\r\n", true),
        ("229 Entering Extended Passive Mode (|||1|)\r\n", true),
        ("230 Login successful.\r\n", true),
        ("215 UNIX Type: L8\r\n", true),
        ("220 mx.example ESMTP Postfix\r\n", false),
        ("220 welcome\r\n", false),
        ("250 ok\r\n", false),
        ("200 news.example ready\r\n", false),
        ("331", false),
        ("331x\r\n", false),
        ("", false),
    ] {
        assert_eq!(is_ftp(text.as_bytes()), wanted, "{text}");
    }
}

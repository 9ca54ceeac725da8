use super::*;

/// A record of a handshake with this message in it, in pieces of at most `most` bytes each.
fn records(message: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in message.chunks(most) {
        bytes.extend([22, 3, 1]);
        bytes.extend((part.len() as u16).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    message
}

/// A ClientHello or ServerHello with these extensions: types and values.
fn hello_message(kind: u8, legacy: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = legacy.to_be_bytes().to_vec();
    body.extend([9; 32]);
    body.push(0);
    if kind == CLIENT_HELLO {
        body.extend([0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    } else {
        body.extend([0x13, 1, 0]);
    }
    let mut list = Vec::new();
    for (kind, value) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend((value.len() as u16).to_be_bytes());
        list.extend(*value);
    }
    if !list.is_empty() {
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
    }
    message(kind, &body)
}

fn read(bytes: &[u8]) -> Option<Hello> {
    let whole = HelloReader::default().push(bytes);
    for step in [1, 2, 7, 64] {
        let mut reader = HelloReader::default();
        let found: Vec<_> = bytes
            .chunks(step)
            .filter_map(|part| reader.push(part))
            .collect();
        assert_eq!(
            found,
            whole.clone().into_iter().collect::<Vec<_>>(),
            "pieces of {step}"
        );
    }
    whole
}

const NAME: &[u8] = b"\0\x0e\0\0\x0bftp.example";

fn found(name: Option<&str>, version: &'static str) -> Option<Hello> {
    Some(Hello {
        server_name: name.map(str::to_owned),
        version: Some(version),
    })
}

#[test]
fn a_client_names_the_server_and_offers_versions() {
    let new = hello_message(
        CLIENT_HELLO,
        0x0303,
        // The first version is none: RFC 8701.
        &[
            (SERVER_NAME, NAME),
            (43, b"\x06\x7a\x7a\x03\x04\x03\x03"),
            (10, b"\0\x02\0\x1d"),
        ],
    );
    assert_eq!(
        read(&records(&new, 9999)),
        found(Some("ftp.example"), "1.3")
    );
    assert_eq!(
        read(&records(&new, 10)),
        found(Some("ftp.example"), "1.3"),
        "over many records"
    );
    let old = hello_message(CLIENT_HELLO, 0x0301, &[]);
    assert_eq!(read(&records(&old, 9999)), found(None, "1.0"));
    let ssl = hello_message(CLIENT_HELLO, 0x0300, &[]);
    assert_eq!(read(&records(&ssl, 9999)), found(None, "ssl3"));
}

#[test]
fn a_server_chooses() {
    let new = hello_message(SERVER_HELLO, 0x0303, &[(43, b"\x03\x04")]);
    assert_eq!(read(&records(&new, 9999)), found(None, "1.3"));
    let old = hello_message(SERVER_HELLO, 0x0303, &[(SERVER_NAME, b"")]);
    assert_eq!(read(&records(&old, 9999)), found(None, "1.2"));
}

#[test]
fn what_is_no_hello_says_nothing() {
    for bytes in [
        &b"USER bob\r\n"[..],
        b"\x15\x03\x03\0\x02\x02\x28",
        b"\x16\x02\x03\0\x05hello",
        b"\x16\x03\x01\0\0\x16\x03\x01",
        b"\x16\x03\x01\0\x04\x0b\0\0\0",
        b"\x16\x03\x01\0\x05\x01\0\0\x01\0",
    ] {
        assert_eq!(read(bytes), None, "{bytes:?}");
        let mut reader = HelloReader::default();
        reader.push(bytes);
        assert!(reader.is_done(), "{bytes:?}");
    }
}

#[test]
fn a_hello_that_has_no_end_is_given_up() {
    let mut reader = HelloReader::default();
    let head = [22, 3, 1, 0xff, 0xff, CLIENT_HELLO, 0, 0xff, 0xff];
    assert_eq!(reader.push(&head), None);
    assert!(!reader.is_done() && reader.has_begun());
    assert_eq!(reader.push(&[0; 5000]), None);
    assert!(reader.is_done() && reader.bytes.is_empty());
}

#[test]
fn lengths_that_lie_are_not_believed() {
    for (extension, value) in [
        (SERVER_NAME, &b"\0\x0e\0\xff\xffftp.example"[..]),
        (SERVER_NAME, b"\0"),
        (43, b""),
        (43, b"\xff"),
        (43, b"\x01\x03"),
    ] {
        let bytes = records(
            &hello_message(CLIENT_HELLO, 0x0303, &[(extension, value)]),
            9999,
        );
        assert_eq!(read(&bytes), found(None, "1.2"));
    }
    let mut cut = hello_message(CLIENT_HELLO, 0x0303, &[(SERVER_NAME, NAME)]);
    let place = cut.len() - NAME.len() - 1;
    cut[place] = 0xff;
    assert_eq!(
        read(&records(&cut, 9999)).and_then(|hello| hello.server_name),
        None
    );
}

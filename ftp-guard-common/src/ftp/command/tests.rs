extern crate std;
use std::vec::Vec;

use super::{CommandEvent, CommandParser, Line};
use crate::{address::v4, class::Family};

fn read(text: &[u8]) -> Vec<CommandEvent> {
    let mut parser = CommandParser::default();
    text.iter().filter_map(|byte| parser.feed(*byte)).collect()
}

#[test]
fn tells_commands_apart() {
    assert_eq!(
        read(
            b"USER lab\r\n\r\nauth tls\r\nAUTH TLS-C\nAUTH GSSAPI\r\nEPSV\r\nEPSV ALL\r\nP@SW\r\n"
        ),
        [
            CommandEvent::Other,
            CommandEvent::Auth,
            CommandEvent::Auth,
            CommandEvent::Other,
            CommandEvent::Passive,
            CommandEvent::Other,
            CommandEvent::Passive,
        ]
    );
}

#[test]
fn reads_destinations() {
    let host = v4([10, 231, 0, 2]);
    let v6 = [0xfd, 0, 2, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    let active = |address, family: Family| CommandEvent::Active {
        destination: Some((address, family as u8)),
        port: 50005,
    };
    assert_eq!(
        read(
            b"PORT 10,231,0,2,195,85\r\nport\t10, 231 ,000,02,195,085 \r\n\
            EPRT |1|10.231.0.2|50005|\r\nEPRT !2!fd00:231::2!50005\n\
            EPRT |2|::ffff:10.231.0.2|050005|\r\nLPRT 4,4,10,231,0,2,2,195,85\r\n"
        ),
        [
            active(host, Family::Ipv4),
            active(host, Family::Ipv4),
            active(host, Family::Ipv4),
            active(v6, Family::Ipv6),
            active(host, Family::Ipv4),
            active(host, Family::Ipv4),
        ]
    );
}

#[test]
fn refuses_what_names_no_destination() {
    let none = CommandEvent::Active {
        destination: None,
        port: 0,
    };
    assert_eq!(
        read(
            b"PORT\r\nPORT 1,2,3,4,5\r\nPORT 1,2,3,4,256,6\r\nPORT 1,2,3,4,0,0\r\n\
            EPRT |1|10.231.0.2|65536|\r\nEPRT |1|fd00::1|50005|\r\nEPRT |2|fd00:1|50005|\r\n"
        ),
        [none; 7]
    );
}

#[test]
fn takes_telnet_sequences_out() {
    assert_eq!(
        read(b"\xff\xf4\xff\xf2PA\xff\xfb\x01SV\xff\n\xff\xff\r\n"),
        [CommandEvent::Passive, CommandEvent::Other]
    );
}

/// What a plain reader says of a line: verb, word of SITE, anonymous.
fn plain(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>, bool)> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
    let upper = line.to_ascii_uppercase();
    let mut words = upper.split(blank).filter(|word| !word.is_empty());
    let verb = words.next()?;
    let word = words.next().unwrap_or_default();
    let is_anonymous = verb == b"USER" && (word == b"FTP" || word == b"ANONYMOUS");
    let cut = |word: &[u8]| match word.len() {
        0..=8 => word.to_vec(),
        _ => Vec::new(),
    };
    let last = verb.split_at(verb.len().saturating_sub(4)).1;
    let verb = match last {
        b"ABOR" | b"STAT" | b"QUIT" => last.to_vec(),
        _ => cut(verb),
    };
    let word = match verb.as_slice() {
        b"SITE" => cut(word),
        _ => Vec::new(),
    };
    Some((verb, word, is_anonymous))
}

fn flush(name: &[u8; 8]) -> Vec<u8> {
    let text: Vec<u8> = name.iter().copied().filter(|byte| *byte != 0).collect();
    assert_eq!(text, name[..text.len()], "flush left");
    text
}

#[test]
fn lines_are_what_a_plain_reader_says() {
    // Every sequence of up to three of these words, with several blanks and ends.
    let words: [&[u8]; 16] = [
        b"user",
        b"USER",
        b"ftp",
        b"Anonymous",
        b"xftp",
        b"anonymousx",
        b"nonymous",
        b"SITE",
        b"exec",
        b"CHMOD",
        b"DELE",
        b"12345678",
        b"123456789",
        b"xstat",
        b"STAT",
        b"PASS",
    ];
    let mut parser = CommandParser::default();
    for one in words {
        for two in words {
            for three in words {
                for (blank, end) in [
                    (&b" "[..], &b"\r\n"[..]),
                    (b"\t  ", b"\n"),
                    (b" ", b" \r\n"),
                ] {
                    let text = [one, two, three].join(blank);
                    let mut line = Line::default();
                    let mut ended = 0;
                    for byte in text.iter().chain(end) {
                        ended += usize::from(parser.read(*byte, &mut line).is_some());
                    }
                    assert_eq!(ended, 1);
                    let found = (flush(&line.verb), flush(&line.word), line.is_anonymous);
                    assert_eq!(Some(found), plain(&text), "{}", text.escape_ascii());
                    assert!(!line.is_odd && !line.sets_time);
                }
            }
        }
    }
}

#[test]
fn only_crlf_begins_the_count_of_a_line_anew() {
    let mut parser = CommandParser::default();
    let mut feed = |text: &[u8]| {
        for byte in text {
            parser.feed(*byte);
        }
        (parser.length, parser.is_too_long())
    };
    assert_eq!(feed(b"NOOP\r\n"), (0, false));
    assert_eq!(feed(b"NOOP\n"), (5, false));
    assert_eq!(feed(b"\r\n"), (0, false));
    assert_eq!(feed(&[b'x'; 2048]), (2048, false));
    assert_eq!(feed(b"x"), (2049, true));
    assert_eq!(feed(&[b'x'; 1 << 16]), (u16::MAX, true));
    assert_eq!(feed(b"\r\n"), (0, false));
}

extern crate std;
use std::vec::Vec;

use super::{CommandEvent, CommandParser};
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

//! What the client of a refused command is answered, as another parser reads it.

use etherparse::{PacketHeaders, PayloadSlice, TransportHeader};
use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{limits::POLICY_READ_ONLY, reason::Reason};
use ftp_guard_tests::{
    conversation::{Conversation, DATA, FIN_ACK, RST_ACK, frame},
    program::{TC_ACT_REDIRECT, TC_ACT_SHOT},
};

use crate::{
    policy::refused,
    scene::{ANYWHERE, Scene, Story},
    sources::tagged,
};

const LINE: &[u8] = b"421 Refused by policy: files can only be read by you.\r\n";

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("the answer to a refused command", ANYWHERE, answers),
        ("checksums that are left to hardware", ANYWHERE, partial),
    ])
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    sequence: u32,
    acknowledgement: u32,
    is_last: bool,
    timestamp: Option<(u32, u32)>,
    text: Vec<u8>,
}

/// Reads an answer to a frame, and checks that it goes back with a right checksum.
fn read(asked: &[u8], answer: &[u8]) -> Answer {
    assert_eq!((&answer[..6], &answer[6..12]), (&asked[6..12], &asked[..6]));
    let (asked, answer) = [asked, answer]
        .map(|bytes| PacketHeaders::from_ethernet_slice(bytes).unwrap())
        .into();
    assert_eq!(answer.link_exts, asked.link_exts, "tags");
    let Some(TransportHeader::Tcp(tcp)) = answer.transport else {
        panic!("{:?}", answer.transport);
    };
    let Some(TransportHeader::Tcp(of_client)) = asked.transport else {
        panic!("{:?}", asked.transport);
    };
    let ports = (tcp.source_port, tcp.destination_port);
    assert_eq!(ports, (of_client.destination_port, of_client.source_port));
    let PayloadSlice::Tcp(text) = answer.payload else {
        panic!("{:?}", answer.payload);
    };
    let (ip, ip_asked) = (answer.net.unwrap(), asked.net.unwrap());
    if let (Some((ip, _)), Some((of_client, _))) = (ip.ipv4_ref(), ip_asked.ipv4_ref()) {
        assert_eq!(
            (ip.source, ip.destination),
            (of_client.destination, of_client.source)
        );
        assert_eq!(ip.header_checksum, ip.calc_header_checksum());
        assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(ip, text).unwrap());
    } else {
        let ((ip, _), (of_client, _)) = (ip.ipv6_ref().unwrap(), ip_asked.ipv6_ref().unwrap());
        assert_eq!(
            (ip.source, ip.destination),
            (of_client.destination, of_client.source)
        );
        assert_eq!(tcp.checksum, tcp.calc_checksum_ipv6(ip, text).unwrap());
    }
    assert!(tcp.ack && !tcp.rst && !tcp.syn && tcp.psh == tcp.fin);
    let timestamp = tcp.options.elements_iter().find_map(|option| match option {
        Ok(etherparse::TcpOptionElement::Timestamp(value, echo)) => Some((value, echo)),
        _ => None,
    });
    Answer {
        sequence: tcp.sequence_number,
        acknowledgement: tcp.acknowledgment_number,
        is_last: tcp.fin,
        timestamp,
        text: text.to_vec(),
    }
}

fn answer(scene: &Scene<'_>, frame: &[u8]) -> Answer {
    let ran = scene.guard.transform_control(frame).unwrap();
    assert_eq!(ran.action, TC_ACT_REDIRECT);
    read(frame, &ran.frame)
}

/// As rows do, which look at verdicts alone.
fn refused_login(scene: &mut Scene<'_>) -> Conversation {
    scene.refuse_by(POLICY_READ_ONLY);
    let mut control = scene.login();
    scene.says(&mut control, b"NOOP\r\nDE", crate::policy::SESSION);
    control
}

fn answers(scene: &mut Scene<'_>) {
    let control = refused_login(scene);
    let at = control.client_next;
    let rest = control.client_at(at, DATA, b"LE x\r\n");
    if !scene.enforces() {
        let ran = scene.guard.transform_control(&rest).unwrap();
        assert_eq!(ran.frame, rest, "it passes as it is");
        scene.recount();
        return;
    }
    let last = Answer {
        sequence: control.server_next,
        acknowledgement: at.wrapping_add(6),
        is_last: true,
        timestamp: None,
        text: LINE.to_vec(),
    };
    // As often as it comes, and whatever tags it has.
    assert_eq!(answer(scene, &rest), last);
    assert_eq!(answer(scene, &rest), last);
    assert_eq!(answer(scene, &tagged(&tagged(&rest))), last);
    let with_fin = control.client_at(at, TcpFlags(DATA.0 | TcpFlags::FIN.0), b"LE x\r\n");
    let acknowledgement = at.wrapping_add(7);
    assert_eq!(
        answer(scene, &with_fin),
        Answer {
            acknowledgement,
            ..last
        }
    );
    // Long ones shrink, with the options of most stacks.
    let long = frame(
        control.client,
        control.server,
        DATA,
        &[b'x'; 1200],
        |segment| {
            segment.sequence = at;
            segment.acknowledgement = control.server_next;
            segment.options = [
                &[1, 1, 8, 10][..],
                &7_u32.to_be_bytes(),
                &9_u32.to_be_bytes(),
            ]
            .concat();
        },
    );
    assert_eq!(
        answer(scene, &long),
        Answer {
            sequence: control.server_next,
            acknowledgement: at.wrapping_add(1200),
            is_last: true,
            timestamp: Some((9, 7)),
            text: LINE.to_vec(),
        }
    );
    // What comes behind is acknowledged.
    let mut behind = control.clone();
    behind.client_next = at.wrapping_add(6);
    behind.server_next = control.server_next.wrapping_add(LINE.len() as u32 + 1);
    for (flags, text, length) in [(DATA, &b"QUIT\r\n"[..], 6), (FIN_ACK, b"", 1)] {
        assert_eq!(
            answer(scene, &behind.client_at(behind.client_next, flags, text)),
            Answer {
                sequence: behind.server_next,
                acknowledgement: behind.client_next.wrapping_add(length),
                is_last: false,
                timestamp: None,
                text: Vec::new(),
            }
        );
    }
    for flags in [TcpFlags::ACK, RST_ACK] {
        let frame = behind.client_at(behind.client_next, flags, b"");
        let ran = scene.guard.transform_control(&frame).unwrap();
        assert_eq!((ran.action, ran.frame), (TC_ACT_SHOT, frame));
    }
    // To a group nobody answers.
    let mut group = rest.clone();
    group[6] |= 1;
    assert_eq!(
        scene.guard.transform_control(&group).unwrap().action,
        TC_ACT_SHOT
    );
    scene.recount();
    let reason = refused(Reason::ReadOnly);
    scene.control("the refused segment", &rest, reason);
}

/// Buffers of this machine have the sum of the pseudo-header alone, and so must the answer in the same buffer.
fn partial(scene: &mut Scene<'_>) {
    let control = refused_login(scene);
    if !scene.enforces() {
        return;
    }
    let pseudo = |bytes: &[u8]| {
        let headers = PacketHeaders::from_ethernet_slice(bytes).unwrap();
        let Some(TransportHeader::Tcp(tcp)) = headers.transport else {
            panic!("{:?}", headers.transport);
        };
        let length = tcp.header_len() + headers.payload.slice().len();
        let net = headers.net.unwrap();
        let addresses: Vec<u8> = match net.ipv4_ref() {
            Some((ip, _)) => [ip.source, ip.destination].concat(),
            None => {
                let (ip, _) = net.ipv6_ref().unwrap();
                [ip.source, ip.destination].concat()
            }
        };
        let mut sum = 6 + length as u32;
        for pair in addresses.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (sum as u16, tcp.checksum)
    };
    let mut rest = control.client_at(control.client_next, DATA, b"LE x\r\n");
    let (sum, whole) = pseudo(&rest);
    let at = rest.len() - 6 - 4;
    assert_eq!(rest[at..at + 2], whole.to_be_bytes());
    rest[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let ran = scene.guard.transform_control(&rest).unwrap();
    assert_eq!(ran.action, TC_ACT_REDIRECT);
    let (sum, found) = pseudo(&ran.frame);
    assert_eq!(found, sum);
    scene.recount();
}

//! The clean end of a client whose command is refused: the refused packet goes back as the server's last word, with
//! a line that says why, and FIN. The server knows nothing of it; its socket is ended by the daemon.

use aya_ebpf::{
    bindings::{TC_ACT_REDIRECT, TC_ACT_SHOT},
    helpers::generated::bpf_redirect,
    programs::TcContext,
};
use ftp_guard_common::{class::Family, reason::Reason, session::Session};

use crate::{
    access::{Access as _, Buffer},
    cookies::{add, fold, words},
    maps::{self, scratch::Packet, stats::Hook},
    wire::TcpFlags,
};

/// Headers without options. What has more gets no answer.
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
/// A TCP header with timestamps, or room for them.
const TCP_LEN: usize = 32;
const TCP_BARE_LEN: usize = 20;
/// Offset of the checksum in it.
const CHECKSUM: usize = 16;

const TCP_PROTOCOL: u8 = 6;
const HOP_LIMIT: u8 = 64;
/// Nothing more is expected, but a window of 0 would have the client wait.
const WINDOW: u32 = 1024;
/// No operation four times (RFC 9293 section 3.1).
const NOP: u32 = u32::from_ne_bytes([1; 4]);
/// Two of them, and the head of timestamps (RFC 7323 section 3.2).
const TIMESTAMPS: [u8; 4] = [1, 1, 8, 10];

/// The server's last line (RFC 959 section 4.2: 421, closing the control connection), in the order of the reasons.
const LINE_LEN: usize = 55;
static LINES: [[u8; LINE_LEN]; 4] = [
    *b"421 Refused by policy: TLS is required for the login.\r\n",
    *b"421 Refused by policy: anonymous login not permitted.\r\n",
    *b"421 Refused by policy: files can only be read by you.\r\n",
    *b"421 Refused by policy: that command is not permitted.\r\n",
];
static SUMS: [u32; 4] = [
    sum(&LINES[0]),
    sum(&LINES[1]),
    sum(&LINES[2]),
    sum(&LINES[3]),
];

/// The sum of a text for an Internet checksum (RFC 1071), in the byte order of the packet.
const fn sum(text: &[u8; LINE_LEN]) -> u32 {
    let mut sum = 0;
    let mut i = 0;
    while i < LINE_LEN {
        let second = if i + 1 < LINE_LEN { text[i + 1] } else { 0 };
        sum += u16::from_ne_bytes([text[i], second]) as u32;
        i += 2;
    }
    sum
}

/// What is said to the client.
struct Answer {
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
    /// Which of the lines, if any.
    line: Option<usize>,
}

/// Answers a refused packet, or drops it. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn answer(ctx: &TcContext) -> i32 {
    let frame = Buffer::new(ctx);
    let Some(packet) = maps::scratch::packet(Hook::Control) else {
        return TC_ACT_SHOT;
    };
    let Some(session) = maps::sessions::get(&packet.key) else {
        return TC_ACT_SHOT;
    };
    let Some(answer) = answer_to(packet, session) else {
        return TC_ACT_SHOT;
    };
    if !turn(&frame, packet, &answer) {
        return TC_ACT_SHOT;
    }
    // SAFETY: the context is the one that the kernel handed to this program; the helper takes numbers.
    let action = unsafe { bpf_redirect((*ctx.skb.skb).ifindex, 0) } as i32;
    if action == TC_ACT_REDIRECT {
        TC_ACT_REDIRECT
    } else {
        TC_ACT_SHOT
    }
}

/// The line and FIN to the segment that was refused, as often as it comes: then the answer was lost. What follows
/// it, and the client's own FIN, are acknowledged, so that the client is done with the connection.
#[inline(always)]
fn answer_to(packet: &Packet, session: &Session) -> Option<Answer> {
    let segment = &packet.segment;
    let flags = segment.flags;
    let len = segment.payload_len as u32;
    let fin = flags.has(TcpFlags::FIN);
    if flags.0 & (TcpFlags::RST | TcpFlags::SYN) != 0
        || !flags.has(TcpFlags::ACK)
        || segment.is_fragment
        || (len == 0 && !fin)
    {
        return None;
    }
    let acknowledgement = segment
        .sequence
        .wrapping_add(len)
        .wrapping_add(u32::from(fin));
    let is_refused = session.client_next.wrapping_sub(segment.sequence) < len;
    Some(if is_refused {
        Answer {
            sequence: session.server_next,
            acknowledgement,
            flags: TcpFlags::PSH | TcpFlags::ACK | TcpFlags::FIN,
            line: Some(usize::from(
                session.refused_by.wrapping_sub(Reason::TlsRequired as u8),
            )),
        }
    } else {
        Answer {
            sequence: segment.acknowledgement,
            acknowledgement,
            flags: TcpFlags::ACK,
            line: None,
        }
    })
}

/// Makes the packet its own answer; whether that succeeded.
#[inline(always)]
fn turn(frame: &Buffer<'_>, packet: &Packet, answer: &Answer) -> bool {
    const GROUP: u8 = 1;
    let (network, transport) = (packet.network, packet.transport);
    let is_ipv4 = packet.key.family == Family::Ipv4 as u8;
    let ip_len = if is_ipv4 { IPV4_LEN } else { IPV6_LEN };
    if transport != network + ip_len {
        return false;
    }
    let Some([to, from]) = frame.load::<[[u8; 6]; 2]>(0) else {
        return false;
    };
    if (to[0] | from[0]) & GROUP != 0 {
        return false;
    }
    let (client, server) = (words(&packet.key.client), words(&packet.key.server));
    // The upper words of IPv4 are 0.
    let addresses = add(&client) + add(&server);
    let Some(is_partial) = is_partial(frame, packet, addresses) else {
        return false;
    };
    let Some(mut tcp) = tcp(frame, packet, answer) else {
        return false;
    };
    let text_len = if answer.line.is_some() { LINE_LEN } else { 0 };
    let tcp_len = (TCP_LEN + text_len) as u32;
    let pseudo = addresses + u64::from((u32::from(TCP_PROTOCOL) + tcp_len).to_be());
    let line = answer.line.unwrap_or(0) & 3;
    let text = if text_len > 0 { SUMS[line] } else { 0 };
    // Where the rest is left to whoever sends it, only the pseudo-header is summed.
    let check = if is_partial {
        !fold(pseudo)
    } else {
        fold(pseudo + add(&tcp) + u64::from(text))
    };
    let [a, b] = check.to_ne_bytes();
    tcp[4] = u32::from_ne_bytes([a, b, 0, 0]);

    if !frame.resize(transport + TCP_LEN + text_len)
        || !frame.store(0, &[from, to])
        || !frame.store(transport, &tcp)
    {
        return false;
    }
    if text_len > 0 && !frame.store(transport + TCP_LEN, &LINES[line]) {
        return false;
    }
    if is_ipv4 {
        let mut ip = [0; 5];
        ip[0] = (0x4500_0000 | (IPV4_LEN as u32 + tcp_len)).to_be();
        // Identification 0, "do not fragment".
        ip[1] = 0x0000_4000_u32.to_be();
        ip[2] = u32::from_ne_bytes([HOP_LIMIT, TCP_PROTOCOL, 0, 0]);
        (ip[3], ip[4]) = (server[3], client[3]);
        let [a, b] = fold(add(&ip)).to_ne_bytes();
        ip[2] = u32::from_ne_bytes([HOP_LIMIT, TCP_PROTOCOL, a, b]);
        frame.store(network, &ip)
    } else {
        let head = [
            (6_u32 << 28).to_be(),
            (tcp_len << 16 | u32::from(TCP_PROTOCOL) << 8 | u32::from(HOP_LIMIT)).to_be(),
        ];
        frame.store(network, &head)
            && frame.store(network + 8, &server)
            && frame.store(network + 24, &client)
    }
}

/// Whether the packet was made on this machine, in another namespace or by a guest, and has only the sum of its
/// pseudo-header for a checksum (CHECKSUM_PARTIAL). The answer keeps that property of the buffer.
#[inline(always)]
fn is_partial(frame: &Buffer<'_>, packet: &Packet, addresses: u64) -> Option<bool> {
    let found = frame.load::<[u8; 2]>(packet.transport + CHECKSUM)?;
    let end = packet.segment.payload + packet.segment.payload_len;
    let len = end.wrapping_sub(packet.transport) as u32;
    let pseudo = addresses + u64::from((u32::from(TCP_PROTOCOL) + len).to_be());
    Some(!fold(pseudo) == u16::from_ne_bytes(found))
}

/// The TCP header but its checksum. With timestamps if the client's has them: some stacks discard what lacks them.
/// The server's is the one that the client has seen last.
#[inline(always)]
fn tcp(frame: &Buffer<'_>, packet: &Packet, answer: &Answer) -> Option<[u32; TCP_LEN / 4]> {
    let ([a, b], [c, d]) = (packet.key.server_port, packet.key.client_port);
    let mut tcp = [NOP; TCP_LEN / 4];
    tcp[0] = u32::from_ne_bytes([a, b, c, d]);
    tcp[1] = answer.sequence.to_be();
    tcp[2] = answer.acknowledgement.to_be();
    tcp[3] = ((TCP_LEN as u32 / 4) << 28 | u32::from(answer.flags) << 16 | WINDOW).to_be();
    tcp[4] = 0;
    if packet.segment.payload.wrapping_sub(packet.transport) >= TCP_LEN {
        let options = frame.load::<[[u8; 4]; 3]>(packet.transport + TCP_BARE_LEN)?;
        if options[0] == TIMESTAMPS {
            tcp[5] = u32::from_ne_bytes(TIMESTAMPS);
            tcp[6] = u32::from_ne_bytes(options[2]);
            tcp[7] = u32::from_ne_bytes(options[1]);
        }
    }
    Some(tcp)
}

//! Proof that the shared types have one layout on both sides: sizes, offsets and no padding.

use core::mem::{align_of, offset_of, size_of};

use crate::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    allow::{AllowCounts, AllowValue},
    ban::BanValue,
    config::GuardConfig,
    event::{Event, EventBudget},
    front::Slot,
    ftp::{
        HostReader, PassiveReader, command::CommandParser, hello::HelloReader, reply::ReplyParser,
    },
    limits::{Attack, CommandKey, Opening, Primed, Profile, Rate, Source, SourceKey, Sysctls},
    lookup::{Row, lines::Lines, v6::Head},
    session::{Client, Flow, Listener, Named, Pinhole, Session, Traffic},
    stats::Counter,
    text::{EndRecord, TextHeader},
};

/// Asserts that the fields, in order, fill the type without a gap.
macro_rules! assert_packed {
    ($type:ty, size $size:literal, align $align:literal, $($field:ident: $field_type:ty),+ $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            assert!(align_of::<$type>() == $align);
            let mut end = 0;
            $(
                assert!(offset_of!($type, $field) == end);
                end += size_of::<$field_type>();
            )+
            assert!(end == $size);
        };
    };
}

assert_packed!(Counter, size 16, align 8, packets: u64, bytes: u64);
assert_packed!(GuardConfig, size 216, align 8,
    mode: u32, role: u32, confirm_until_ns: u64, tai_offset_ns: i64, allow_generation: u32, flags: u32,
    pinhole_ns: u64, pinhole_interval_ns: u64, pinhole_burst_ns: u64, adopt_until_ns: u64,
    network: Rate, total: Rate, strays: Rate, strays_total: Rate, handshakes: Rate, events: Rate,
    attack_count: u64, attack_hold_ns: u64, cookies_since_ns: u64, secret: [u64; 2],
    cookies: u32, source_bits_v6: u32, bans_v4: u32, bans_v6: u32);
assert_packed!(Rate, size 16, align 8, interval_ns: u64, burst_ns: u64);
assert_packed!(Profile, size 56, align 8,
    connections: Rate, packets: Rate, sessions: u32, data: u32, policy: u32, reserved: u32,
    name_tag: u64);
assert_packed!(SourceKey, size 20, align 4, prefix: [u8; 16], family: u8, reserved: [u8; 3]);
assert_packed!(Source, size 16, align 4, sessions: u32, opening: u32, data: u32, reserved: u32);
assert_packed!(Opening, size 40, align 8,
    since_ns: u64, packets_ns: u64, hello: HelloReader, client_next: u32, said: u32, spoke: u8,
    witnessed: u8, reserved: [u8; 6]);
assert_packed!(Attack, size 72, align 8,
    window_ns: u64, count: u64, last_count: u64, over_ns: u64, since_ns: u64, attacks: u64,
    requests_due_ns: u64, proven_due_ns: u64, strays_due_ns: u64);
assert_packed!(Primed, size 32, align 8,
    primed_ns: u64, learned_ns: u64, cookie_ns: u64, mss: u16, window: u16, scale: u8, scaled: u8,
    sack: u8, reserved: u8);
assert_packed!(Sysctls, size 12, align 4, changed: u32, tcp_syncookies: u32, tcp_timestamps: u32);
assert_packed!(BanValue, size 8, align 4,
    expires_s: u32, prefix_len: u8, kind: u8, reserved: [u8; 2]);
assert_packed!(Event, size 72, align 8,
    time_ns: u64, suppressed: u64, key: FlowKey, bytes: u32, reason: u8, verdict: u8, class: u8,
    family: u8, hook: u8, flags: u8, reserved: [u8; 6]);
assert_packed!(EventBudget, size 32, align 8,
    due_ns: u64, suppressed: u64, suppressed_total: u64, tick: u64);
assert_packed!(AllowValue, size 8, align 4,
    expires_s: u32, profile: u16, prefix_len: u8, kind: u8);
assert_packed!(AllowCounts, size 8, align 4, v4: u32, v6: u32);
assert_packed!(Row, size 8, align 4, expires_s: u32, next: u16, profile: u8, kind: u8);
assert_packed!(Lines, size 12, align 4, first: u32, count: u32, scale: u32);
assert_packed!(Head, size 24, align 4, lines_48: Lines, lines_32: Lines);
assert_packed!(FlowKey, size 40, align 8,
    client: [u8; 16], server: [u8; 16], client_port: [u8; 2], server_port: [u8; 2], family: u8,
    reserved: [u8; 3]);
assert_packed!(EndpointKey, size 36, align 4,
    address: [u8; 16], server: [u8; 16], port: [u8; 2], family: u8, reserved: u8);
assert_packed!(ClientKey, size 36, align 4,
    client: [u8; 16], server: [u8; 16], family: u8, reserved: [u8; 3]);
assert_packed!(ListenKey, size 20, align 4,
    address: [u8; 16], port: [u8; 2], family: u8, reserved: u8);
assert_packed!(Traffic, size 72, align 8,
    created_ns: u64, seen_ns: u64, closed_ns: u64,
    packets_in: u64, bytes_in: u64, packets_out: u64, bytes_out: u64,
    allow_generation: u32, allow_expires_s: u32,
    server_ack: u32, fin_client: u8, fin_server: u8, killed: u8, witnessed: u8);
assert_packed!(Session, size 264, align 8,
    id: u64, traffic: Traffic, pinholes_ns: u64, packets_ns: u64, server_next: u32, client_next: u32,
    commands: u16, replies: u16, passive_asked: u16, passive_answered: u16, named_at: u16,
    tls: u8, auth_asked: u8, clear_hint: u8, adopted: u8, unsynchronised: u8, reopened: u8,
    named: EndpointKey, messages: u32, profile: u16, logged_in: u8, refused: u8, mid_line: u8,
    refused_by: u8, reserved2: [u8; 2], client_hello: HelloReader, server_hello: HelloReader,
    reply: ReplyParser, command: CommandParser);
assert_packed!(Flow, size 88, align 8,
    session: u64, traffic: Traffic, kind: u8, established: u8, reserved: [u8; 6]);
assert_packed!(Slot, size 128, align 8,
    key: FlowKey, version: u64, filled: u64, packets: u64, bytes: u64, seen_ns: u64, created_ns: u64,
    folded_packets: u64, folded_bytes: u64, allow_generation: u32, claims: u32, reserved: [u64; 2]);
assert_packed!(Pinhole, size 80, align 8,
    session: u64, created_ns: u64, expires_ns: u64, control: FlowKey, packets_in: u64, bytes_in: u64);
assert_packed!(Named, size 24, align 8,
    session: u64, expires_ns: u64, reason: u8, reserved: [u8; 7]);
assert_packed!(Client, size 24, align 8,
    sessions: u32, encrypted: u32, encrypted_reply_ns: u64, encrypted_session: u64);
assert_packed!(PassiveReader, size 8, align 4,
    number: u32, state: u8, count: u8, expected: u8, held: u8);
assert_packed!(ReplyParser, size 24, align 4,
    code: u16, line_code: u16, column: u8, is_last: u8, is_named: u8, reserved: [u8; 9],
    passive: PassiveReader);
assert_packed!(HostReader, size 28, align 4,
    words: [u32; 4], group: u16, octet: u16, digits: u8, groups: u8, gap: u8, dots: u8, last: u8,
    reserved: [u8; 3]);
assert_packed!(CommandParser, size 56, align 8,
    name: u64, word: u64, host: HostReader, count: u8, phase: u8, verb: u8, telnet: u8, first: u8,
    form: u8, place: u8, high: u8, length: u16, marks: u8, reserved: u8);
assert_packed!(CommandKey, size 20, align 4, profile: u32, verb: [u8; 8], word: [u8; 8]);
assert_packed!(HelloReader, size 8, align 2, told: u16, left: u16, place: u8, reserved: [u8; 3]);
assert_packed!(Listener, size 16, align 8, since_ns: u64, sockets: u32, reserved: u32);
assert_packed!(TextHeader, size 72, align 8,
    time_ns: u64, session: u64, key: FlowKey, sequence: u32, acknowledgement: u32, length: u32,
    captured: u16, kind: u8, detail: u8);
assert_packed!(EndRecord, size 144, align 8, header: TextHeader, traffic: Traffic);

#[cfg(feature = "user")]
mod user {
    use super::{
        AllowCounts, AllowValue, Attack, BanValue, Client, ClientKey, CommandKey, Counter,
        EndpointKey, Event, EventBudget, Flow, FlowKey, GuardConfig, Head, ListenKey, Listener,
        Named, Opening, Pinhole, Primed, Profile, Session, Source, SourceKey, Sysctls, TextHeader,
        Traffic,
    };

    macro_rules! pods {
        ($($type:ty),+ $(,)?) => {
            $(
                // SAFETY: `#[repr(C)]`, integers only, proved to have no padding above.
                unsafe impl aya::Pod for $type {}
            )+
        };
    }

    pods!(
        AllowCounts,
        AllowValue,
        Attack,
        BanValue,
        Client,
        ClientKey,
        CommandKey,
        Counter,
        EndpointKey,
        Event,
        EventBudget,
        Flow,
        FlowKey,
        GuardConfig,
        Head,
        ListenKey,
        Listener,
        Named,
        Opening,
        Pinhole,
        Primed,
        Profile,
        Session,
        Source,
        SourceKey,
        Sysctls,
        TextHeader,
        Traffic,
    );
}

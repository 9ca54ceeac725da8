//! Texts: replies and commands as they should be, as they are at times, and damaged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};

/// What a server may say.
pub fn replies() -> impl Strategy<Value = Vec<u8>> {
    let codes = select(vec![
        "227", "227", "228", "228", "229", "229", "213", "220", "150", "425", "99", "700", "2277",
        "",
    ]);
    let separators = select(vec![" ", " ", "-", "-", "\t", "", "_", "\r"]);
    let content = vec(word(), 0..4).prop_map(|words| words.concat());
    let line =
        (codes, separators, content, line_end()).prop_map(|(code, separator, content, end)| {
            [code.as_bytes(), separator.as_bytes(), &content, end].concat()
        });
    let lines = vec(line, 1..6).prop_map(|lines| lines.concat());
    // Around a third of them stands a reply of several lines.
    let around = select(vec![
        "", "", "", "", "", "", "", "", "227", "228", "229", "213",
    ]);
    damaged((around, lines, line_end()).prop_map(|(code, lines, end)| {
        if code.is_empty() {
            return lines;
        }
        let code = code.as_bytes();
        [code, b"-x", end, &lines, code, b" y", end].concat()
    }))
}

/// What a client may say.
pub fn commands() -> impl Strategy<Value = Vec<u8>> {
    let other = (
        select(vec![
            "PASV",
            "epsv",
            "EPSV ALL",
            "P@SW",
            "LPSV",
            "AUTH TLS",
            "auth tls-c",
            "AUTH SSL",
            "AUTH GSSAPI",
            "USER x",
            "RETR PORT 1,2,3,4,5,6",
            "STOR",
            "PORTS",
            "PORT",
            "",
        ]),
        select(vec!["", "", " ", " 1"]),
    )
        .prop_map(|(command, behind)| [command, behind].concat().into_bytes());
    let lists = (select(vec!["PORT ", "port\t", "LPRT ", " PORT +"]), list())
        .prop_map(|(verb, list)| [verb.as_bytes(), &list].concat());
    let line = prop_oneof![other, lists, eprt(), word()];
    let line = (line, line_end()).prop_map(|(line, end)| [&line, end].concat());
    damaged(vec(line, 1..6).prop_map(|lines| lines.concat()))
}

/// Only commands that name a destination.
pub fn destinations() -> impl Strategy<Value = Vec<u8>> {
    (address(), 1..=u16::MAX, delimiter(), any::<bool>())
        .prop_filter(
            "the delimiter is no part of an address",
            |(_, _, delimiter, _)| !delimiter.is_ascii_hexdigit() && !b".:".contains(delimiter),
        )
        .prop_map(|((protocol, text), port, delimiter, is_closed)| {
            let d = char::from(delimiter);
            let end = if is_closed {
                String::from(d)
            } else {
                String::new()
            };
            format!("EPRT {d}{protocol}{d}{text}{d}{port}{end}\r\n").into_bytes()
        })
}

fn eprt() -> impl Strategy<Value = Vec<u8>> {
    let protocol = select(vec!["", "", "", "", "1", "2", "3"]);
    let end = select(vec!["", "|", "|", "| x", " "]);
    (address(), protocol, number(), end, delimiter()).prop_map(
        |((own, text), other, port, end, delimiter)| {
            let protocol = if other.is_empty() { own } else { other };
            let text = format!("EPRT |{protocol}|{text}|{port}{end}");
            text.replace('|', &char::from(delimiter).to_string())
                .into_bytes()
        },
    )
}

/// An address in one of its forms, and its number in EPRT.
fn address() -> impl Strategy<Value = (&'static str, String)> {
    let v4 = any::<Ipv4Addr>().prop_map(|address| ("1", address.to_string()));
    let group = prop_oneof![Just(0u16), Just(0), any::<u16>()];
    let mapped = any::<Ipv4Addr>().prop_map(|address| address.to_ipv6_mapped());
    let v6 = prop_oneof![
        4 => vec(group, 8).prop_map(|groups| {
            let mut all = [0; 8];
            all.copy_from_slice(&groups);
            Ipv6Addr::from(all)
        }),
        1 => mapped,
    ];
    let v6 = (v6, 0..5u8).prop_map(|(address, form)| ("2", spelled(address, form)));
    prop_oneof![v4, v6]
}

/// The forms of RFC 4291, section 2.2.
fn spelled(address: Ipv6Addr, form: u8) -> String {
    let groups = address.segments();
    let hexadecimal = |groups: &[u16], width: usize| {
        let groups: Vec<_> = groups
            .iter()
            .map(|group| format!("{group:0width$X}"))
            .collect();
        groups.join(":")
    };
    match form {
        0 => hexadecimal(&groups, 1),
        1 => hexadecimal(&groups, 4),
        2 => {
            let [.., a, b, c, d] = address.octets();
            let low = IpAddr::from([a, b, c, d]);
            format!("{}:{low}", hexadecimal(&groups[..6], 1))
        }
        // The last zeros shortened, not the longest run of them.
        3 => match groups.iter().rposition(|group| *group == 0) {
            Some(place) => format!(
                "{}::{}",
                hexadecimal(&groups[..place], 1),
                hexadecimal(&groups[place + 1..], 1)
            ),
            None => address.to_string(),
        },
        _ => address.to_string(),
    }
}

/// A piece of a text.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let plain = select(vec![
        "Entering Passive Mode (",
        ")",
        ").",
        " ",
        "=",
        "[",
        "ok",
        ",",
        "227 ",
        "fd00:231::1,",
    ]);
    let delimited = (
        delimiter(),
        1..5usize,
        select(vec!["", "", " ", "\t"]),
        number(),
        0..3usize,
    )
        .prop_map(|(delimiter, before, blank, number, behind)| {
            let delimiter = char::from(delimiter).to_string();
            [
                &delimiter.repeat(before),
                blank,
                &number,
                &delimiter.repeat(behind),
            ]
            .concat()
        });
    prop_oneof![
        4 => plain.prop_map(|text| text.as_bytes().to_vec()),
        4 => list(),
        4 => delimited.prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
        1 => (any::<u8>(), 1..300usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

/// Numbers between commas.
fn list() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![6 => Just(6usize), 1 => Just(5), 1 => Just(7), 1 => 0..24usize];
    let short = length.prop_flat_map(|length| vec(octet(), length));
    let long = (
        select(vec![(4, 4), (4, 4), (6, 16), (6, 16), (6, 4), (4, 16)]),
        select(vec![2, 2, 2, 3]),
    )
        .prop_flat_map(|((family, length), port_length)| {
            (vec(octet(), length), octet(), octet()).prop_map(move |(host, high, low)| {
                let head = [family.to_string(), length.to_string()];
                let tail = [port_length.to_string(), high, low];
                head.into_iter().chain(host).chain(tail).collect::<Vec<_>>()
            })
        });
    let comma = select(vec![",", ",", ",", ",", ", ", " ,", "\t, "]);
    (prop_oneof![short, long], comma).prop_map(|(numbers, comma)| numbers.join(comma).into_bytes())
}

fn octet() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => (0..=255u16).prop_map(|number| number.to_string()),
        2 => (0..=255u16).prop_map(|number| format!("{number:05}")),
        1 => (256..1000u16).prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => any::<u16>().prop_map(|number| number.to_string()),
        1 => any::<u16>().prop_map(|number| format!("{number:08}")),
        1 => (65_530..65_540u32).prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => Just(String::new()),
    ]
}

fn delimiter() -> impl Strategy<Value = u8> {
    prop_oneof![2 => Just(b'|'), 1 => 33..=126u8]
}

fn line_end() -> impl Strategy<Value = &'static [u8]> {
    select(vec![&b"\r\n"[..], b"\r\n", b"\r\n", b"\n", b"\r", b" \r\n"])
}

/// The text as it is or with some bytes changed, put in, taken out or said twice.
fn damaged(text: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => select(&b" \t\r\n-,|+.:0123456789\xff\xfb\xf4"[..]).prop_map(|byte| vec![byte]),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => select(vec![&b"\xff\xfb\x01"[..], b"\xff\xff", b"\xff\xf4\xff\xf2"])
            .prop_map(<[u8]>::to_vec),
    ];
    let damage = (
        any::<Index>(),
        0..3usize,
        prop_oneof![Just(Vec::new()), piece],
    );
    let damages = prop_oneof![1 => Just(Vec::new()), 1 => vec(damage, 1..4)];
    (text, damages).prop_map(|(mut text, damages)| {
        for (place, removed, piece) in damages {
            let start = place.index(text.len() + 1);
            let end = (start + removed).min(text.len());
            text.splice(start..end, piece);
        }
        text
    })
}

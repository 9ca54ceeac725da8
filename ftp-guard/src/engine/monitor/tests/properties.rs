//! How a conversation is cut into segments, and how often and in which order they come, changes nothing.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::{
    super::{
        observation::{Observation, Seen},
        record::SessionRecord,
        told::{Segment, Side, Told, Totals, What},
        *,
    },
    scenes::hellos,
    stage::{client, data, server},
};

/// Numbers that look like any.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    fn is_one_in(&mut self, count: usize) -> bool {
        self.roll(count) == 0
    }
}

/// What one side says before the other one speaks, or a data connection.
#[derive(Clone, Debug)]
enum Turn {
    Says(Side, Vec<u8>),
    Connects(u16),
    Disconnects(u16),
}

/// What may follow in a conversation: commands, and the replies to them.
const EXCHANGES: [(&str, &str); 24] = [
    ("USER bob\r\n", "331 go on\r\n"),
    ("PASS secret\r\n", "230-Welcome\r\n 331 x\r\n230 in\r\n"),
    ("PASS wrong\r\n", "530 no\r\n"),
    ("USER anonymous\r\n", "230 guest\n"),
    (
        "SYST\r\n",
        "215 UNIX Type: L8 Version: NetBSD-ftpd 20100320\r\n",
    ),
    ("FEAT\r\n", "211-Features:\r\n MDTM\r\n UTF8\r\n211 End\r\n"),
    ("CLNT some client 1.0\r\n", "200 ok\r\n"),
    ("CWD ä/b\r\n", "250 ok\r\n"),
    (
        "TYPE I\r\nMODE S\r\nPWD\r\n",
        "200 a\r\n200 b\r\n257 \"/\"\r\n",
    ),
    ("XYZZY secret\r\n", "500 ?\r\n"),
    ("secret\r\n", "500 ?\r\n"),
    ("", "421 bye\r\n"),
    ("REIN\r\n", "220 again\r\n"),
    ("\u{0}\u{1}\r\n", "500 ?\r\n"),
    ("RNFR a\r\nRNTO b\r\n", "350 a\r\n250 b\r\n"),
    ("DELE c.txt\r\n", "550-no\r\n550-550 no\r\n550 no\r\n"),
    ("AUTH SSL\r\n", "504 no\r\n"),
    ("NOOP\r\n", "SYST not supported\r\n200 x\r\n"),
    ("RETR missing\r\n", "550 no\r\n"),
    ("SITE CHMOD 644 a\r\n", "200 x\r\n"),
    (
        "HELP\r\n",
        "214-x\r\n SITE PWD\r\n214 Direct comments to ProFTPD 1.3.5\r\n",
    ),
    ("\u{e9}\u{ff}\r\n", "500 x\r\n"),
    ("\n\n", ""),
    ("QUIT\r\n", "221-a\r\n221 b\r\n"),
];

fn conversation(dice: &mut Dice, has_data: bool) -> Vec<Turn> {
    let mut turns = vec![Turn::Says(
        Side::Server,
        b"220-ProFTPD 1.3.8 Server\r\n220 ready\r\n".to_vec(),
    )];
    let mut says = |side, text: &[u8]| {
        if !text.is_empty() {
            turns.push(Turn::Says(side, text.to_vec()));
        }
    };
    let count = 3 + dice.roll(20);
    let mut later = Vec::new();
    for number in 0..count {
        let (client, server) = EXCHANGES[dice.roll(EXCHANGES.len())];
        // Whoever speaks all at once cannot know that this answers nothing, and has given the next name before
        // the server forgets the last one.
        if !has_data && (client.is_empty() || client.starts_with("REIN")) {
            continue;
        }
        // Telnet sequences and long lines stand anywhere.
        match dice.roll(12) {
            0 => says(
                Side::Client,
                &[b"\xff\xf4\xff\xf2".as_slice(), client.as_bytes()].concat(),
            ),
            1 => {
                let long = [b"CWD ".as_slice(), &[b'l'; 4200], b"\r\n"].concat();
                says(Side::Client, &[&long, client.as_bytes()].concat());
                says(Side::Server, b"500 too long\r\n");
            }
            _ => says(Side::Client, client.as_bytes()),
        }
        says(Side::Server, server.as_bytes());
        if has_data && dice.is_one_in(3) {
            let port = 5000 + number as u16;
            says(Side::Client, b"PASV\r\n");
            says(Side::Server, b"227 ok (192,0,2,1,195,80)\r\n");
            says(Side::Client, format!("RETR d/{number}.Gz\r\n").as_bytes());
            later.push((port, dice.roll(3)));
            says(Side::Server, format!("150 {port}\r\n").as_bytes());
            says(Side::Server, b"226 done\r\n");
        }
    }
    // Data connections where they belong, or a little off.
    for (port, place) in later {
        let marker = format!("150 {port}\r\n").into_bytes();
        if let Some(at) = turns
            .iter()
            .position(|turn| matches!(turn, Turn::Says(_, text) if *text == marker))
        {
            turns.insert(at + usize::from(place > 0), Turn::Connects(port));
            turns.insert(at + 1 + place, Turn::Disconnects(port));
        }
    }
    if has_data && dice.is_one_in(4) {
        let (client, server) = hellos();
        turns.push(Turn::Says(Side::Client, b"AUTH TLS\r\n".to_vec()));
        turns.push(Turn::Says(Side::Server, b"234 go\r\n".to_vec()));
        turns.push(Turn::Says(Side::Client, client));
        turns.push(Turn::Says(Side::Server, server));
        turns.push(Turn::Connects(9000));
        turns.push(Turn::Disconnects(9000));
    }
    turns
}

/// How segments are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// One for each turn.
    Whole,
    /// One for each byte.
    Bytes,
    /// Of any length.
    Pieces,
    /// The same, in another order.
    Shuffled,
    /// The same, some of them twice, or with bytes that came before.
    Repeated,
    /// The same; one of ten is lost and comes again later.
    Lossy,
}

/// The segments of a turn: where each begins, and how long it is.
fn segments(length: usize, manner: Manner, is_first: bool, dice: &mut Dice) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < length {
        let most = match manner {
            Manner::Whole => length,
            Manner::Bytes => 1,
            _ => 1 + dice.roll(if length > 500 { 400 } else { 9 }),
        };
        let end = (start + most).min(length);
        found.push((start, end - start));
        start = end;
    }
    // Before the first byte of a server nobody knows where its numbers begin.
    let fixed = usize::from(is_first);
    match manner {
        Manner::Whole | Manner::Bytes | Manner::Pieces => {}
        Manner::Shuffled => {
            for window in found[fixed..].chunks_mut(20) {
                for place in (1..window.len()).rev() {
                    window.swap(place, dice.roll(place + 1));
                }
            }
        }
        Manner::Repeated => {
            for place in 0..found.len() {
                let (start, length) = found[place];
                if dice.is_one_in(3) {
                    let back = dice.roll(start + 1).min(20);
                    found[place] = (start - back, length + back);
                }
                if dice.is_one_in(3) {
                    found.push((start, length));
                }
            }
        }
        Manner::Lossy => {
            let mut place = fixed;
            while place < found.len() {
                if dice.is_one_in(10) {
                    let lost = found.remove(place);
                    let later = (place + 1 + dice.roll(15)).min(found.len());
                    found.insert(later, lost);
                }
                place += 1;
            }
        }
    }
    found
}

/// Feeds a conversation, and returns what was seen and the record.
fn feed(turns: &[Turn], manner: Manner, dice: &mut Dice) -> (Vec<Observation>, Losses) {
    let mut monitor = Monitor::default();
    let mut seen = Vec::new();
    let start = [u32::MAX - 60, u32::MAX - 200];
    let mut sent: [Vec<u8>; 2] = Default::default();
    let mut second = 1_000;
    let mut tell =
        |second: i64, ends: (SocketAddr, SocketAddr), what: What<'_>, seen: &mut Vec<_>| {
            let told = Told {
                time: Timestamp::from_second(second).unwrap(),
                session: 1,
                client: ends.0,
                server: ends.1,
                what,
            };
            monitor.take(&told, seen);
        };
    let control = (client(), server());
    tell(second, control, What::Began(Tls::Clear, None), &mut seen);
    for (number, turn) in turns.iter().enumerate() {
        second += 1;
        match turn {
            Turn::Connects(port) => tell(
                second,
                data(*port),
                What::DataBegan(FlowKind::Passive),
                &mut seen,
            ),
            Turn::Disconnects(port) => {
                let totals = Totals {
                    bytes_out: 99,
                    ..Totals::default()
                };
                tell(
                    second,
                    data(*port),
                    What::DataEnded(FlowKind::Passive, totals),
                    &mut seen,
                );
            }
            Turn::Says(side, text) => {
                let own = usize::from(*side == Side::Server);
                let before = sent[own].len();
                sent[own].extend(text);
                let acknowledgement = start[1 - own].wrapping_add(sent[1 - own].len() as u32);
                for (from, length) in segments(text.len(), manner, number == 0, dice) {
                    // Of what came before this turn some may come again, too.
                    let back = if manner == Manner::Repeated {
                        dice.roll(before.min(9) + 1)
                    } else {
                        0
                    };
                    let from = before + from - if from == 0 { back } else { 0 };
                    let to = (before + text.len()).min(from + length + back);
                    let segment = Segment {
                        side: *side,
                        tls: Tls::Clear,
                        sequence: start[own].wrapping_add(from as u32),
                        acknowledgement,
                        length: (to - from) as u32,
                        bytes: &sent[own][from..to],
                    };
                    tell(second, control, What::Said(segment), &mut seen);
                }
            }
        }
    }
    second += 1;
    tell(second, control, What::Ended(Totals::default()), &mut seen);
    let now = Timestamp::from_second(second + 60).unwrap();
    monitor.sweep(now, &|_| true, &mut seen);
    (seen, monitor.losses())
}

fn record(seen: &[Observation]) -> SessionRecord {
    let last = seen.last().map(|observation| &observation.seen);
    match last {
        Some(Seen::Ended(record)) => (**record).clone(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn segments_make_no_difference(seed in 1_u64..) {
        let mut dice = Dice(seed);
        let turns = conversation(&mut dice, true);
        let (wanted, losses) = feed(&turns, Manner::Whole, &mut dice);
        prop_assert_eq!(losses, Losses::default());
        prop_assert_eq!(record(&wanted).lost_bytes, 0);
        for manner in [Manner::Bytes, Manner::Pieces, Manner::Shuffled, Manner::Repeated, Manner::Lossy] {
            let (found, losses) = feed(&turns, manner, &mut dice);
            prop_assert_eq!(losses, Losses::default(), "{:?}", manner);
            for (one, other) in found.iter().zip(&wanted) {
                prop_assert_eq!(one, other, "{:?}", manner);
            }
            prop_assert_eq!(found.len(), wanted.len());
        }
    }

    /// Each side in one segment, as who reads only one of them after the other sees it.
    #[test]
    fn sides_that_speak_all_at_once_make_the_same_record(seed in 1_u64..) {
        let mut dice = Dice(seed);
        let turns = conversation(&mut dice, false);
        let mut texts: [Vec<u8>; 2] = Default::default();
        for turn in &turns {
            if let Turn::Says(side, text) = turn {
                texts[usize::from(*side == Side::Server)].extend(text);
            }
        }
        let [client, server] = texts;
        let (wanted, _) = feed(&turns, Manner::Whole, &mut dice);
        let at_once = [Turn::Says(Side::Client, client), Turn::Says(Side::Server, server)];
        let (found, _) = feed(&at_once, Manner::Whole, &mut dice);
        let (wanted, found) = (timeless(record(&wanted)), timeless(record(&found)));
        prop_assert_eq!(found, wanted);
    }
}

/// What remains of a record that is the same whenever things happened. Whoever speaks out of turn may be
/// answered before a login, so that is left out as well.
fn timeless(mut record: SessionRecord) -> SessionRecord {
    record.ended = None;
    record.logged_in = None;
    for transfer in &mut record.transfers {
        transfer.began = record.began;
        transfer.seconds = 0.0;
    }
    record
}

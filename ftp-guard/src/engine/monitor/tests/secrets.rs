//! Passwords leave no trace in anything that is kept or told.

use proptest::prelude::*;

use super::{
    super::{
        told::{Side, What},
        *,
    },
    stage::Stage,
};

const MARK: &str = "hunter2MARK";

/// What a client says that has a secret in it, and what the server says to that.
const DIALOGUES: [&[(&str, &str)]; 4] = [
    &[
        ("", "220 hello\r\n"),
        ("USER bob\r\n", "331 x\r\n"),
        ("PASS hunter2MARK\r\n", "530 x\r\n"),
        (" pass  hunter2MARK\r\n", "332 x\r\n"),
        ("ACCT hunter2MARK\r\n", "230 x\r\n"),
    ],
    &[
        ("", "220 hello\r\n"),
        ("USER bob\r\n", "331 x\r\n"),
        // On a line of its own, in the wrong order, with telnet sequences, with too many letters.
        (
            "hunter2MARK\r\n",
            "500 'hunter2MARK': command not understood\r\n",
        ),
        ("hunter2MARK x y\r\n", "500 x\r\n"),
        ("PA\u{0}SS hunter2MARK\r\n", "500 x\r\n"),
        ("PASShunter2MARK\r\n", "500 x\r\n"),
        ("PASS\thunter2MARK\n", "230 x\r\n"),
    ],
    &[
        ("", "220 hello\r\n"),
        ("AUTH GSSAPI\r\n", "334 ADAT=hunter2MARK\r\n"),
        ("ADAT hunter2MARK\r\n", "235 ADAT=hunter2MARK\r\n"),
        ("MIC hunter2MARK\r\n", "631 hunter2MARK\r\n"),
        ("ENC hunter2MARK\r\n", "632 hunter2MARK\r\n"),
    ],
    &[
        ("", "220 hello\r\n"),
        ("SITE PSWD old hunter2MARK\r\n", "200 x\r\n"),
        ("site adduser bob hunter2MARK\r\n", "200 x\r\n"),
        (
            "USER a\r\nPASS hunter2MARK\r\nPWD\r\n",
            "331 x\r\n230 x\r\n257 x\r\n",
        ),
    ],
];

fn has_no_mark(stage: &Stage) {
    let all = format!("{:?} {:?}", stage.monitor, stage.seen);
    assert!(!all.contains(MARK), "{all}");
    for record in stage.monitor.live() {
        let json = serde_json::to_string(record).unwrap();
        assert!(!json.contains(MARK), "{json}");
    }
}

#[test]
fn passwords_leave_no_trace_wherever_segments_are_cut() {
    for dialogue in DIALOGUES {
        for cut in 0..40 {
            let mut stage = Stage::begun();
            for (client, server) in dialogue {
                let (first, second) = client.as_bytes().split_at(cut.min(client.len()));
                for part in [first, second] {
                    if !part.is_empty() {
                        stage.say(Side::Client, part);
                    }
                }
                has_no_mark(&stage);
                stage.say(Side::Server, server.as_bytes());
                has_no_mark(&stage);
            }
            let record = stage.end();
            assert!(!format!("{record:?}").contains(MARK));
        }
    }
}

#[test]
fn passwords_leave_no_trace_in_what_comes_early_or_before_the_greeting() {
    let mut stage = Stage::begun();
    stage.say(Side::Server, b"220 x\r\n");
    let start = stage.next[0];
    stage.next[0] = start.wrapping_add(6);
    stage.say(Side::Client, b"PASS hunter2MARK\r\n");
    stage.next[0] = start;
    stage.say(Side::Client, b"NOOP\r\n");
    has_no_mark(&stage);
    let mut stage = Stage::new();
    stage.session = 0;
    stage.say(Side::Client, b"USER a\r\nPASS hunter2MARK\r\n");
    stage.session = super::stage::SESSION;
    stage.tell(What::Began(Tls::Clear, None));
    has_no_mark(&stage);
    assert_eq!(stage.record().commands, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn passwords_leave_no_trace_in_pieces_of_any_length(
        number in 0..DIALOGUES.len(),
        lengths in proptest::collection::vec(1_usize..12, 1..20),
    ) {
        let mut stage = Stage::begun();
        let mut lengths = lengths.iter().cycle();
        for (client, server) in DIALOGUES[number] {
            let mut rest = client.as_bytes();
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
                stage.say(Side::Client, part);
                rest = behind;
            }
            stage.say(Side::Server, server.as_bytes());
            has_no_mark(&stage);
        }
    }
}

//! Commands that a profile refuses.

use std::net::SocketAddr;

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    class::PortClass,
    ftp::command::MOST_LINE,
    limits::{
        CommandKey, POLICY_COMMANDS, POLICY_NO_ANONYMOUS, POLICY_READ_ONLY, POLICY_REQUIRE_TLS,
        Profile, READ_ONLY_COMMANDS,
    },
    reason::Reason,
    session::Tls,
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, SYN_ACK};

use crate::{
    refusal,
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, Scene, Story, active_command},
    sources::tagged,
};

const LISTED: Wanted = pass(Reason::Listed, PortClass::Control);
pub(crate) const SESSION: Wanted = pass(Reason::Session, PortClass::Control);
const GAP: Wanted = drop(Reason::ControlGap, PortClass::Control);
const ALL: u32 = POLICY_REQUIRE_TLS | POLICY_NO_ANONYMOUS | POLICY_READ_ONLY | POLICY_COMMANDS;

pub(crate) fn stories() -> Vec<Story> {
    let mut stories = Story::list([
        ("a login without TLS", ANYWHERE, require_tls),
        ("an anonymous login", ANYWHERE, anonymous),
        ("commands that write", ANYWHERE, read_only),
        ("single commands", ANYWHERE, denied),
        ("what looks like no command", ANYWHERE, odd),
        ("lines that do not end", ANYWHERE, long),
        ("a refused command that is split anywhere", ANYWHERE, split),
        ("what comes with a refused command", ANYWHERE, pipelined),
        ("what follows a refused command", ANYWHERE, behind),
        ("a refused command that is sent again", ANYWHERE, again),
        ("commands before the greeting", ANYWHERE, before_greeting),
        ("TLS before the greeting", ANYWHERE, tls_first),
        ("commands behind the end", ANYWHERE, behind_end),
    ]);
    stories.extend(refusal::stories());
    stories
}

pub(crate) const fn refused(reason: Reason) -> Wanted {
    drop(reason, PortClass::Control)
}

pub(crate) fn letters(text: &str) -> [u8; 8] {
    let mut letters = [0; 8];
    letters[..text.len()].copy_from_slice(text.as_bytes());
    letters
}

impl Scene<'_> {
    /// Judges commands by these `POLICY_*` bits. Read-only is DELE and SITE, and denied are RETR and SITE EXEC.
    pub(crate) fn refuse_by(&mut self, policy: u32) {
        let profile = Profile {
            policy,
            ..Profile::default()
        };
        self.policy.profiles.insert(0, profile);
        let key = |profile, verb, word| CommandKey {
            profile,
            verb: letters(verb),
            word: letters(word),
        };
        let denied = Reason::CommandDenied as u8;
        self.policy.commands = [
            (key(READ_ONLY_COMMANDS, "DELE", ""), Reason::ReadOnly as u8),
            (key(READ_ONLY_COMMANDS, "SITE", ""), Reason::ReadOnly as u8),
            (key(0, "RETR", ""), denied),
            (key(0, "SITE", "EXEC"), denied),
            // Of another profile.
            (key(1, "LIST", ""), denied),
        ]
        .into();
        self.install();
    }

    /// The client's next segment, which both hooks see.
    pub(crate) fn says(&mut self, control: &mut Conversation, bytes: &[u8], wanted: Wanted) {
        let frame = control.client(DATA, bytes);
        let what = bytes.escape_ascii().to_string();
        self.xdp(&what, &frame, SESSION);
        self.control(&what, &frame, wanted);
    }

    /// On a session of its own, each of these commands is refused for this reason.
    pub(crate) fn refuses(&mut self, reason: Reason, texts: &[&[u8]]) {
        for text in texts {
            let mut control = self.login();
            self.says(&mut control, b"NOOP\r\n", SESSION);
            self.says(&mut control, text, refused(reason));
            let session = self.session(&control).unwrap();
            let marked = if self.enforces() { reason as u8 } else { 0 };
            assert_eq!(session.refused_by, marked, "{}", text.escape_ascii());
            self.guard.state().clear(&[]).unwrap();
        }
    }

    /// On one session, none of these commands is refused.
    fn permits(&mut self, texts: &[&[u8]]) {
        let mut control = self.login();
        for text in texts {
            self.says(&mut control, text, SESSION);
        }
        self.guard.state().clear(&[]).unwrap();
    }
}

fn require_tls(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_REQUIRE_TLS);
    let reason = Reason::TlsRequired;
    scene.refuses(
        reason,
        &[
            b"USER lab\r\n",
            b"user\r\n",
            b" USER x\n",
            b"PASS secret\r\n",
            b"ACCT x\r\n",
            b"AUTH TLS\r\nUSER x\r\n",
            b"\xff\xf4\xff\xf2USER x\r\n",
        ],
    );
    scene.permits(&[b"AUTH TLS\r\n", b"FEAT\r\n", b"USERS x\r\n", b"DELE x\r\n"]);
    let mut control = scene.login_tls();
    // Nobody reads what is encrypted, whatever it looks like.
    scene.says(&mut control, b"\x17\x03\x03\x00\x0bUSER lab\r\n", SESSION);
    // After CCC the client speaks clear text again.
    scene.says(&mut control, b"USER lab\r\n", refused(reason));
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
}

fn anonymous(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_NO_ANONYMOUS);
    scene.refuses(
        Reason::AnonymousRefused,
        &[
            b"USER anonymous\r\n",
            b"user  AnonyMous \r\n",
            b"USER ftp\n",
            b"USER\tFTP\r\n",
            b"USER anonymous x\r\n",
            b"USER ftp\x00x\r\n",
            b"USER anon\xff\xf1ymous\r\n",
        ],
    );
    scene.permits(&[
        b"USER lab\r\n",
        b"PASS anonymous\r\n",
        b"USER anonymously\r\n",
        b"USER ftpuser\r\n",
        b"USER xanonymous\r\n",
        b"USER nonymous\r\n",
        b"USER DOMAIN\\ftp\r\n",
        b"USER \xc3\xa4\r\n",
        b"USER\r\n",
        b"CWD anonymous\r\n",
    ]);
}

fn read_only(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    scene.refuses(
        Reason::ReadOnly,
        &[
            b"DELE x\r\n",
            b"dele\tx\r\n",
            b"SITE CHMOD 777 x\r\n",
            b"SITE\r\n",
            b"MDTM 20201010101010 x\r\n",
            b"MDTM 20201010 x\r\n",
        ],
    );
    scene.permits(&[
        b"MDTM x\r\n",
        b"MDTM 20201010101010\r\n",
        b"MDTM a file of 20201010\r\n",
        b"RETR x\r\n",
        b"LIST\r\n",
        b"DELETE x\r\n",
        b"NOOP DELE x\r\n",
    ]);
}

fn denied(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_COMMANDS);
    scene.refuses(
        Reason::CommandDenied,
        &[
            b"RETR x\r\n",
            b"reTR\r\n",
            b"SITE EXEC ls\r\n",
            b"site  exec\r\n",
        ],
    );
    scene.permits(&[
        b"DELE x\r\n",
        b"SITE CHMOD 1 x\r\n",
        b"SITE\r\n",
        b"LIST\r\n",
    ]);
    // What is refused by more than one rule.
    scene.refuse_by(ALL);
    scene.refuses(Reason::TlsRequired, &[b"USER ftp\r\n"]);
    scene.refuses(Reason::ReadOnly, &[b"SITE EXEC ls\r\n"]);
    scene.refuses(Reason::CommandDenied, &[b"RETR x\r\nDELE x\r\n"]);
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let text = format!("{}PORT 1,2\r\nRETR x\r\n", active_command(to));
    scene.refuses(Reason::CommandDenied, &[text.as_bytes()]);
    scene.refuse_by(0);
    scene.permits(&[b"RETR x\r\n", b"USER ftp\r\n", b"DELE x\r\n"]);
}

/// What one server or another takes for a command after all.
fn odd(scene: &mut Scene<'_>) {
    let texts: [&[u8]; 9] = [
        b"\"DELE\" x\r\n",
        b"\"DE\\LE\"x\r\n",
        b"D\xc3\x89LE x\r\n",
        b"\xc5\xbfTOR x\r\n",
        b"DELE\x01x\r\n",
        b"DELE\x00\r\n",
        b"\x00DELE x\r\n",
        b"\xff\xfbDELE x\r\n",
        b"DE\xff\xffLE\r\n",
    ];
    for (bit, reason) in [
        (POLICY_REQUIRE_TLS, Reason::TlsRequired),
        (POLICY_NO_ANONYMOUS, Reason::AnonymousRefused),
        (POLICY_READ_ONLY, Reason::ReadOnly),
        (POLICY_COMMANDS, Reason::CommandDenied),
    ] {
        scene.refuse_by(bit);
        scene.refuses(reason, &texts);
        scene.permits(&[b"CLNT \"x\"\r\n", b"\xff\xf4\xff\xf2ABOR\r\n", b"P@SW\r\n"]);
    }
    scene.refuses(Reason::CommandDenied, &[b"SITE \"EXEC\" ls\r\n"]);
    scene.refuse_by(0);
    scene.permits(&texts);
    // Of what is longer than a verb some servers take the end.
    scene.refuse_by(POLICY_COMMANDS);
    let stat = CommandKey {
        profile: 0,
        verb: letters("STAT"),
        word: [0; 8],
    };
    let number = Reason::CommandDenied as u8;
    scene.policy.commands.insert(stat, number);
    scene.install();
    scene.refuses(
        Reason::CommandDenied,
        &[b"STAT\r\n", b"xxSTAT\r\n", b"xxxxxxxxxSTAT x\r\n"],
    );
}

fn long(scene: &mut Scene<'_>) {
    let most = usize::from(MOST_LINE);
    let reason = Reason::CommandDenied;
    scene.refuse_by(POLICY_COMMANDS);
    let line = |length: usize| [vec![b'x'; length - 2], b"\r\n".to_vec()].concat();
    scene.permits(&[&line(most), &line(most), b"NOOP\r\n"]);
    scene.refuses(reason, &[&line(most + 2)]);
    // In two pieces, as it must be to fool anybody.
    let mut control = scene.login();
    scene.says(&mut control, &vec![b'x'; most], SESSION);
    scene.says(&mut control, b"DELE x\r\n", refused(reason));
    scene.guard.state().clear(&[]).unwrap();
    // LF alone does not end a line everywhere.
    let mut control = scene.login();
    scene.says(&mut control, &b"NOOP\n".repeat(most / 5), SESSION);
    scene.says(&mut control, b"NOOP\r\n", refused(reason));
    scene.guard.state().clear(&[]).unwrap();
    scene.refuse_by(0);
    // A frame of a test run has no room for more than one page.
    scene.permits(&[&line(most + 2), &line(most + 1000)]);
}

fn split(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    let reason = Reason::ReadOnly;
    let text = b"dele x\r\n";
    for at in 1..text.len() {
        let mut control = scene.login();
        // The verb alone is too much: the connection may end behind it.
        let first = if at < 4 { SESSION } else { refused(reason) };
        scene.says(&mut control, &text[..at], first);
        scene.says(&mut control, &text[at..], refused(reason));
        scene.guard.state().clear(&[]).unwrap();
    }
    let mut control = scene.login();
    for (at, byte) in text.iter().enumerate() {
        let wanted = if at < 3 { SESSION } else { refused(reason) };
        scene.says(&mut control, &[*byte], wanted);
    }
    scene.guard.state().clear(&[]).unwrap();
    // What only begins like it goes on.
    scene.permits(&[b"DEL", b"ETE x\r\n", b"XDELE", b" x\r\n"]);
}

fn pipelined(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    let mut control = scene.login();
    let before = scene.session(&control).unwrap();
    scene.says(
        &mut control,
        b"TYPE I\r\nEPSV\r\nDELE x\r\nEPSV\r\n",
        refused(Reason::ReadOnly),
    );
    let session = scene.session(&control).unwrap();
    let counts = |session: &ftp_guard_common::session::Session| {
        (session.commands, session.passive_asked, session.client_next)
    };
    if scene.enforces() {
        // Nothing of it has happened.
        assert_eq!(counts(&session), counts(&before));
    } else {
        let next = before.client_next.wrapping_add(28);
        assert_eq!(counts(&session), (4, 2, next));
    }
}

fn behind(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    let reason = Reason::ReadOnly;
    let mut control = scene.login();
    scene.says(&mut control, b"DELE x\r\n", refused(reason));
    let after = match scene.enforces() {
        true => refused(reason),
        false => SESSION,
    };
    for text in [&b"NOOP\r\n"[..], b"x", b"\r\n"] {
        scene.says(&mut control, text, after);
    }
    for flags in [TcpFlags::ACK, FIN_ACK] {
        let frame = control.client_at(control.client_next, flags, b"");
        scene.xdp("no payload", &frame, SESSION);
        scene.control("no payload", &frame, after);
    }
    // The server's own last words pass, and open nothing.
    scene.reply(&mut control, "229 ok (|||50005|)\r\n");
    assert_eq!(scene.open_ports(), [0; 0]);
    // Another session of the same client is not concerned.
    let mut other = scene.connection(scene.listed(7), 40_002, 21);
    scene.handshake(&mut other);
    scene.reply(&mut other, "220 ready\r\n");
    scene.says(&mut other, b"NOOP\r\n", SESSION);
}

fn again(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    let mut control = scene.login();
    let at = control.client_next;
    let wanted = refused(Reason::ReadOnly);
    scene.says(&mut control, b"DELE x\r\n", wanted);
    let after = match scene.enforces() {
        true => wanted,
        false => SESSION,
    };
    for text in [&b"DELE x\r\n"[..], b"NOOP x\r\n", b"D"] {
        let frame = control.client_at(at, DATA, text);
        scene.control("again", &frame, after);
        scene.control("again, tagged", &tagged(&frame), after);
    }
}

/// Nobody reads what comes before the greeting. It has to come again.
fn before_greeting(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    let mut control = scene.connection(scene.listed(7), 40_000, 21);
    scene.handshake(&mut control);
    let frame = control.client_at(control.client_next, DATA, b"DELE x\r\n");
    scene.xdp("before the greeting", &frame, LISTED);
    scene.control("before the greeting", &frame, GAP);
    scene.control("before the greeting, tagged", &tagged(&frame), GAP);
    let ack = control.client_at(control.client_next, TcpFlags::ACK, b"");
    scene.control("an ACK", &ack, LISTED);
    scene.reply(&mut control, "220 ready\r\n");
    scene.xdp("after it", &frame, SESSION);
    scene.control("after it", &frame, refused(Reason::ReadOnly));
    // Without a handshake that was seen.
    let stray = scene.connection(scene.listed(7), 40_003, 21);
    let record = stray.client_at(5, DATA, b"\x16\x03\x01\x00\x05hello");
    scene.control("a record of no connection", &record, GAP);
    scene.refuse_by(0);
    let mut control = scene.connection(scene.listed(7), 40_004, 21);
    scene.handshake(&mut control);
    scene.control("without a policy", &control.client(DATA, b"x"), LISTED);
}

fn tls_first(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_REQUIRE_TLS);
    for port in [990, 21] {
        let mut control = scene.connection(scene.listed(7), 40_000, port);
        scene.handshake(&mut control);
        // A hello of two segments.
        for bytes in [&b"\x16\x03\x01\x02\x00USER x\r\n"[..], b"PASS x\r\n"] {
            let frame = control.client(DATA, bytes);
            scene.xdp("a hello", &frame, LISTED);
            scene.control("a hello", &frame, LISTED);
        }
        if port == 990 {
            scene.reply_bytes(&mut control, b"\x16\x03\x03\x00\x05hello");
            scene.says(&mut control, b"\x17\x03\x03\x00\x05hello", SESSION);
        } else {
            // The server speaks clear text, and has read what the guard has not.
            scene.reply(&mut control, "220 ready\r\n");
            let wanted = match scene.enforces() {
                true => refused(Reason::TlsRequired),
                false => SESSION,
            };
            scene.says(&mut control, b"NOOP\r\n", wanted);
        }
        scene.guard.state().clear(&[]).unwrap();
    }
}

fn behind_end(scene: &mut Scene<'_>) {
    scene.refuse_by(POLICY_READ_ONLY);
    let mut control = scene.login();
    scene.change_session(&control, |session| session.traffic.closed_ns = 1);
    scene.change_session(&control, |session| {
        session.traffic.closed_ns = session.traffic.seen_ns;
    });
    scene.says(&mut control, b"NOOP\r\n", GAP);
    // The next connection of the same ports, with numbers below those of the last one.
    let mut next = scene.connection(scene.listed(7), 40_000, 21);
    next.client_next = control.client_next.wrapping_sub(5000);
    let syn = next.client(TcpFlags::SYN, b"");
    scene.xdp("a SYN", &syn, LISTED);
    let answer = next.server(SYN_ACK, b"");
    let wanted = pass(Reason::ServerAnswer, PortClass::Control);
    scene.egress("its answer", &answer, wanted);
    let frame = next.client(DATA, b"DELE x\r\n");
    scene.control("before the greeting", &frame, GAP);
}

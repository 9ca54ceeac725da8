//! The readers in the kernel programs against the plain reader of whole texts: generated replies and
//! commands go through the classifiers as segments, cut at every byte and at random places, and after
//! each segment the tables hold what the text up to there names.
//!
//! `PROPTEST_CASES` sets the number of texts of each test, `FTP_GUARD_SEED` repeats the random cuts.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

#[path = "control_reader/generate.rs"]
mod generate;

use std::{
    cell::RefCell,
    collections::BTreeSet,
    env,
    net::{IpAddr, SocketAddr},
};

use ftp_guard::datapath::monotonic_ns;
use ftp_guard_common::{
    address::to_ip,
    class::PortClass,
    ftp::{command::CommandParser, reply::ReplyParser},
    session::Session,
};
use ftp_guard_tests::{
    conversation::{Conversation, DATA},
    policy::Policy,
    program::Guard,
    random::number_from_env,
    replies::{
        Asked, Said, client, server,
        variants::{COMMANDS, EPSV_REPLIES, PASV_REPLIES},
    },
    report,
};
use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestRunner},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Texts of each test.
const CASES: u32 = 400;
/// Longer texts are not cut at every byte: that takes time in the square of the length.
const LONG: usize = 160;
/// More than any text here answers.
const MANY: u16 = 10_000;

/// One control connection, whose session starts afresh with each text.
struct Reader {
    guard: Guard,
    control: Conversation,
    rng: StdRng,
    segments: u64,
}

impl Reader {
    fn new() -> Self {
        let seed = number_from_env("FTP_GUARD_SEED", rand::random()).unwrap();
        report!("kernel_reader: FTP_GUARD_SEED={seed}");
        let mut policy = Policy::new().allowing("198.51.100.0/24");
        // A text may name any port.
        policy.class(1..=u16::MAX, PortClass::PassiveData);
        policy.class(21..=21, PortClass::Control);
        // As many as there are.
        policy.sessions.pinhole_interval_ns = 1;
        let end = |text: &str| text.parse::<SocketAddr>().unwrap();
        Self {
            guard: Guard::with(&policy).unwrap(),
            control: Conversation::new(end("198.51.100.7:40000"), end("192.0.2.1:21")),
            rng: StdRng::seed_from_u64(seed),
            segments: 0,
        }
    }

    /// A session that has asked for this many passive ports, and has said nothing since.
    fn start(&mut self, asked: u16) {
        let mut session = Session {
            id: 7,
            server_next: self.control.server_next,
            client_next: self.control.client_next,
            commands: asked,
            passive_asked: asked,
            ..Session::default()
        };
        let now = monotonic_ns();
        session.traffic.created_ns = now;
        session.traffic.seen_ns = now;
        let mut state = self.guard.state();
        state.pinholes().unwrap().clear().unwrap();
        state.named().unwrap().clear().unwrap();
        let mut sessions = state.sessions().unwrap();
        sessions.set(self.control.key(), session).unwrap();
    }

    fn session(&mut self) -> Session {
        let key = self.control.key();
        let session = self.guard.state().sessions().unwrap().get(key).unwrap();
        session.expect("the session is there")
    }

    fn pinholes(&mut self) -> BTreeSet<u16> {
        let entries = self.guard.state().pinholes().unwrap().entries().unwrap();
        let ports = entries.iter().map(|(key, _)| u16::from_be_bytes(key.port));
        ports.collect()
    }

    fn named(&mut self) -> BTreeSet<SocketAddr> {
        let entries = self.guard.state().named().unwrap().entries().unwrap();
        let ends = entries.iter().map(|(key, _)| {
            let address: IpAddr = to_ip(key.address, key.family);
            SocketAddr::new(address, u16::from_be_bytes(key.port))
        });
        ends.collect()
    }

    /// The server says a text in these pieces.
    fn reply(&mut self, text: &[u8], cuts: &[usize]) -> Result<usize, TestCaseError> {
        let expected = server::said(text);
        self.start(MANY);
        for piece in pieces(text.len(), cuts) {
            let end = piece.end;
            let frame = self.control.server(DATA, &text[piece]);
            let passed = self.guard.run_egress(&frame).unwrap();
            self.segments += 1;
            check(passed, "a segment is dropped", text, cuts)?;
            let ports: BTreeSet<u16> = expected
                .iter()
                .filter(|(place, _)| *place < end)
                .filter_map(|(_, said)| match said {
                    // A control port is none for data.
                    Said::Passive(21) | Said::End(_) => None,
                    Said::Passive(port) => Some(*port),
                })
                .collect();
            let found = self.pinholes();
            let what = format!("pinholes {found:?}, not {ports:?}, after {end} bytes");
            check(found == ports, &what, text, cuts)?;
        }
        let mut parser = ReplyParser::default();
        for byte in text {
            parser.feed(*byte);
        }
        let session = self.session();
        check(session.reply == parser, "another state", text, cuts)?;
        Ok(self.pinholes().len())
    }

    /// The client says a text in these pieces.
    fn command(&mut self, text: &[u8], cuts: &[usize]) -> Result<usize, TestCaseError> {
        let expected = client::asked(text);
        self.start(0);
        for piece in pieces(text.len(), cuts) {
            let end = piece.end;
            // A destination that cannot be read is refused, and all that comes behind it.
            let is_readable = expected
                .iter()
                .all(|(place, asked)| !piece.contains(place) || *asked != Asked::Active(None));
            let frame = self.control.client(DATA, &text[piece]);
            let passed = self.guard.run_control(&frame).unwrap();
            self.segments += 1;
            check(passed == is_readable, "another verdict", text, cuts)?;
            if !is_readable {
                return Ok(self.named().len());
            }
            let ends: BTreeSet<SocketAddr> = expected
                .iter()
                .filter(|(place, _)| *place < end)
                .filter_map(|(_, asked)| match asked {
                    Asked::Active(destination) => *destination,
                    _ => None,
                })
                .collect();
            let found = self.named();
            let what = format!("destinations {found:?}, not {ends:?}, after {end} bytes");
            check(found == ends, &what, text, cuts)?;
        }
        let mut parser = CommandParser::default();
        for byte in text {
            parser.feed(*byte);
        }
        let count = |kind: Asked| expected.iter().filter(|(_, asked)| *asked == kind).count();
        let session = self.session();
        check(session.command == parser, "another state", text, cuts)?;
        let counts = (
            usize::from(session.commands),
            usize::from(session.passive_asked),
            session.auth_asked != 0,
        );
        let wanted = (
            expected.len(),
            count(Asked::Passive),
            count(Asked::Auth) > 0,
        );
        let what = format!("(commands, passive, AUTH) {counts:?}, not {wanted:?}");
        check(counts == wanted, &what, text, cuts)?;
        Ok(self.named().len())
    }

    /// Every way in which a text is cut.
    fn cuts(&mut self, length: usize) -> Vec<Vec<usize>> {
        let mut all = vec![Vec::new()];
        if length <= LONG {
            all.extend((1..length).map(|cut| vec![cut]));
            all.push((1..length).collect());
        }
        for _ in 0..3 {
            let count = self.rng.random_range(1..=8);
            let mut cuts: Vec<usize> = (0..count)
                .map(|_| self.rng.random_range(0..=length))
                .filter(|cut| (1..length).contains(cut))
                .collect();
            cuts.sort_unstable();
            cuts.dedup();
            all.push(cuts);
        }
        all
    }
}

fn pieces(length: usize, cuts: &[usize]) -> Vec<std::ops::Range<usize>> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(length));
    let pieces = starts.zip(ends).map(|(start, end)| start..end);
    pieces.filter(|piece| !piece.is_empty()).collect()
}

fn check(holds: bool, what: &str, text: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    if holds {
        return Ok(());
    }
    let text = text.escape_ascii();
    Err(TestCaseError::fail(format!(
        "{what}; cut at {cuts:?}: {text}"
    )))
}

type Say = fn(&mut Reader, &[u8], &[usize]) -> Result<usize, TestCaseError>;

fn run(name: &str, texts: impl Strategy<Value = Vec<u8>>, say: Say) {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let reader = RefCell::new(Reader::new());
    let found = RefCell::new(0);
    let result = TestRunner::new(config.clone()).run(&texts, |text| {
        let mut reader = reader.borrow_mut();
        for cuts in reader.cuts(text.len()) {
            let entries = say(&mut reader, &text, &cuts)?;
            *found.borrow_mut() += u64::from(entries > 0);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{name}: {error}");
    }
    let found = found.into_inner();
    report!(
        "kernel_reader: {} texts of {name} in {} segments; {found} times they named something",
        config.cases,
        reader.into_inner().segments
    );
    assert!(found >= 1_000, "the texts hardly ever name anything");
}

#[test]
fn the_kernel_reads_replies_as_the_plain_reader_does() {
    run("replies", generate::replies(), Reader::reply);
}

#[test]
fn the_kernel_reads_commands_as_the_plain_reader_does() {
    run("commands", generate::commands(), Reader::command);
}

#[test]
fn the_kernel_reads_every_address() {
    run("addresses", generate::destinations(), Reader::command);
}

#[test]
fn the_kernel_reads_every_known_form() {
    let mut reader = Reader::new();
    let mut forms = 0;
    let replies = PASV_REPLIES.iter().chain(EPSV_REPLIES);
    let all = replies
        .map(|form| (form, Reader::reply as Say))
        .chain(COMMANDS.iter().map(|form| (form, Reader::command as Say)));
    for (form, say) in all {
        let text = form.bytes();
        for cuts in reader.cuts(text.len()) {
            say(&mut reader, &text, &cuts).unwrap_or_else(|error| panic!("{}: {error}", form.id));
        }
        forms += 1;
    }
    report!(
        "kernel_reader: {forms} known forms in {} segments",
        reader.segments
    );
}

//! Captures of real FTP through all three programs, in the order of the capture, as on a router in front
//! of the server: the pinholes and named destinations that appear in the tables are those that a plain
//! reader of the control connections names, in order, and those that other programs have found.
//!
//! `FTP_GUARD_TRACES` names a folder of `.pcap` files, and may have a manifest that names reference
//! results beside them; without it the suite takes its own captures, which have none.

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_common::{
    address::{EndpointKey, to_ip},
    allow::EntryKind,
    class::PortClass,
    reason::Reason,
};
use ftp_guard_tests::{
    policy::Policy,
    program::Guard,
    replies::{Asked, Said, client, server},
    trace::{Capture, Contents, Conversation, Data, Negotiation, Reference, Roles, Side, split},
};

/// Later than any pinhole or named destination holds: the mark of those that have been seen.
const SEEN_NS: u64 = u64::MAX / 2;
/// Payload of a frame that is run in one piece, in bytes: a test run of a classifier takes no more than a
/// page.
const MOST_PAYLOAD: usize = 3_000;
/// The first byte of a TLS record.
const TLS_RECORD: std::ops::RangeInclusive<u8> = 0x14..=0x17;

#[derive(Default)]
struct Totals {
    files: usize,
    frames: usize,
    negotiations: usize,
    logs: usize,
    logged: usize,
    ports: usize,
    dropped: BTreeMap<Reason, usize>,
}

#[test]
fn tables_hold_what_captured_sessions_negotiate() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let given = env::var_os("FTP_GUARD_TRACES").map(PathBuf::from);
    let folder = given.clone().unwrap_or(own);
    let mut guard = Guard::load().unwrap();
    let mut totals = Totals::default();
    for capture in Capture::read_folder(&folder).unwrap() {
        let Contents::Frames { frames, .. } = &capture.contents else {
            continue;
        };
        let reference = Reference::beside(&folder.join(&capture.name)).unwrap();
        replay(&mut guard, frames, reference.as_ref(), &mut totals)
            .with_context(|| capture.name.clone())
            .unwrap();
    }
    ftp_guard_tests::report!(
        "traces_programs: {} files, {} frames, {} ports and destinations in the tables as read; compared \
         with {} logs ({} entries) and {} single ports",
        totals.files,
        totals.frames,
        totals.negotiations,
        totals.logs,
        totals.logged,
        totals.ports
    );
    for (reason, count) in &totals.dropped {
        ftp_guard_tests::report!(
            "traces_programs: {count} frames dropped as {}",
            reason.as_str()
        );
    }
    assert!(
        totals.negotiations > 0,
        "nothing was negotiated: nothing was tested"
    );
    if given.is_none() {
        assert_eq!(
            totals.dropped,
            BTreeMap::new(),
            "our own captures are whole"
        );
    }
}

/// What a plain reader finds on all control connections, in order on each.
fn read(frames: &[Vec<u8>]) -> Vec<Negotiation> {
    let conversations = Conversation::find(frames);
    conversations.iter().flat_map(read_one).collect()
}

fn read_one(conversation: &Conversation) -> Vec<Negotiation> {
    let (mut said, mut asked) = (Vec::new(), Vec::new());
    let (mut questions, mut answers) = (0, 0);
    let (mut has_auth, mut is_greeted) = (false, false);
    let mut found = Vec::new();
    let mut push = |data| {
        found.push(Negotiation {
            client: conversation.client,
            server: conversation.server,
            data,
        });
    };
    for (side, text) in &conversation.pieces {
        match side {
            Side::Server => {
                if !is_greeted && TLS_RECORD.contains(&text[0]) {
                    break;
                }
                is_greeted = true;
                let old = said.len();
                said.extend_from_slice(text);
                let new = server::said(&said);
                let mut is_encrypted = false;
                for (_, event) in new.into_iter().filter(|(place, _)| *place >= old) {
                    match event {
                        Said::Passive(port) if answers < questions => {
                            answers += 1;
                            push(Data::Passive(port));
                        }
                        Said::End(234) => is_encrypted |= has_auth,
                        _ => {}
                    }
                }
                if is_encrypted {
                    break;
                }
            }
            // What is said before the greeting belongs to no session.
            Side::Client if !is_greeted => {}
            Side::Client => {
                let old = asked.len();
                asked.extend_from_slice(text);
                let new = client::asked(&asked);
                for (_, event) in new.into_iter().filter(|(place, _)| *place >= old) {
                    match event {
                        Asked::Passive => questions += 1,
                        Asked::Auth => has_auth = true,
                        Asked::Active(Some(to)) => push(Data::Active(to)),
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// The ports of a capture's servers, and its clients listed.
fn policy(frames: &[Vec<u8>], roles: &Roles, negotiations: &[Negotiation]) -> Policy {
    let mut policy = roles.policy().on_a_router();
    for negotiation in negotiations {
        if let Data::Passive(port) = negotiation.data
            && policy.ports[usize::from(port)] == PortClass::Other as u8
        {
            policy.class(port..=port, PortClass::PassiveData);
        }
    }
    for client in &roles.clients {
        policy.entry((*client).into(), EntryKind::Allow, 0);
    }
    // A capture runs faster than it was taken.
    policy.sessions.pinhole_interval_ns = 1;
    assert!(!frames.is_empty());
    policy
}

fn replay(
    guard: &mut Guard,
    frames: &[Vec<u8>],
    reference: Option<&Reference>,
    totals: &mut Totals,
) -> Result<()> {
    if frames.is_empty() {
        return Ok(());
    }
    let roles = Roles::find(frames);
    let wanted = read(frames);
    let policy = policy(frames, &roles, &wanted);
    guard.state().clear(&[])?;
    for port in 0..=u16::MAX {
        if policy.ports[usize::from(port)] != PortClass::Other as u8 {
            guard.state().set_negotiated(port, 0)?;
        }
    }
    guard.install(&policy)?;
    let mut run = Run {
        guard,
        roles: &roles,
        wanted: &wanted,
        found: Vec::new(),
        early: Vec::new(),
        dropped: BTreeMap::new(),
    };
    for (number, frame) in frames.iter().enumerate() {
        for part in split(frame, MOST_PAYLOAD) {
            run.frame(&part)
                .with_context(|| format!("frame {}", number + 1))?;
        }
    }
    let Run { found, dropped, .. } = run;
    ensure!(
        by_session(&found) == by_session(&wanted),
        "in the tables was {found:#?}, read was {wanted:#?}"
    );
    if let Some(reference) = reference {
        for log in &reference.logs {
            ensure!(
                sorted(log) == sorted(&found),
                "the log has {log:#?}, in the tables was {found:#?}"
            );
            totals.logs += 1;
            totals.logged += log.len();
        }
        for port in &reference.ports {
            let is_there = found.iter().any(|negotiation| match negotiation.data {
                Data::Passive(found) => found == *port,
                Data::Active(found) => found.port() == *port,
            });
            ensure!(is_there, "port {port} was in no table");
            totals.ports += 1;
        }
    }
    totals.files += 1;
    totals.frames += frames.len();
    totals.negotiations += found.len();
    for (reason, count) in dropped {
        *totals.dropped.entry(reason).or_default() += count;
    }
    Ok(())
}

fn by_session(negotiations: &[Negotiation]) -> BTreeMap<(SocketAddr, SocketAddr), Vec<Data>> {
    let mut sessions: BTreeMap<_, Vec<Data>> = BTreeMap::new();
    for negotiation in negotiations {
        let ends = (negotiation.client, negotiation.server);
        sessions.entry(ends).or_default().push(negotiation.data);
    }
    sessions
}

/// Zeek writes an entry when the reply has come, so that pipelined ones may change places.
fn sorted(negotiations: &[Negotiation]) -> Vec<Negotiation> {
    let mut sorted = negotiations.to_vec();
    sorted.sort();
    sorted
}

/// The programs on one capture.
struct Run<'a> {
    guard: &'a mut Guard,
    roles: &'a Roles,
    /// What the plain reader found; here it only gives an order to what appears at once.
    wanted: &'a [Negotiation],
    found: Vec<Negotiation>,
    /// Segments beyond a hole: their sender would send them again.
    early: Vec<Vec<u8>>,
    dropped: BTreeMap<Reason, usize>,
}

impl Run<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<()> {
        self.once(frame)?;
        // Each of them may fill the hole before another.
        for _ in 0..self.early.len() {
            let early = std::mem::take(&mut self.early);
            let before = early.len();
            for frame in early {
                self.once(&frame)?;
            }
            if self.early.len() == before {
                break;
            }
        }
        Ok(())
    }

    fn once(&mut self, frame: &[u8]) -> Result<()> {
        let reason = if self.roles.is_from_server(frame) {
            reason(&self.guard.observe_egress(frame)?)?
        } else {
            match reason(&self.guard.observe(frame)?)? {
                None => reason(&self.guard.observe_control(frame)?)?,
                dropped => dropped,
            }
        };
        match reason {
            Some(Reason::ControlGap) => self.early.push(frame.to_vec()),
            Some(reason) => *self.dropped.entry(reason).or_default() += 1,
            None => {}
        }
        self.look()
    }

    /// Notes what is new in the tables.
    fn look(&mut self) -> Result<()> {
        let mut new = Vec::new();
        let mut state = self.guard.state();
        let mut pinholes = state.pinholes()?;
        for (key, mut pinhole) in pinholes.entries()? {
            if pinhole.created_ns == SEEN_NS {
                continue;
            }
            new.push(Negotiation {
                client: pinhole.control.client(),
                server: pinhole.control.server(),
                data: Data::Passive(end(key).port()),
            });
            pinhole.created_ns = SEEN_NS;
            pinholes.set(key, pinhole)?;
        }
        let sessions: BTreeMap<u64, _> = state
            .sessions()?
            .entries()?
            .into_iter()
            .map(|(key, session)| (session.id, key))
            .collect();
        let mut table = state.named()?;
        for (key, mut named) in table.entries()? {
            if named.expires_ns == SEEN_NS {
                continue;
            }
            let control = sessions
                .get(&named.session)
                .context("a named destination of no session")?;
            new.push(Negotiation {
                client: control.client(),
                server: control.server(),
                data: Data::Active(end(key)),
            });
            named.expires_ns = SEEN_NS;
            table.set(key, named)?;
        }
        new.sort_by_key(|one| self.wanted.iter().position(|other| other == one));
        self.found.extend(new);
        Ok(())
    }
}

fn end(key: EndpointKey) -> SocketAddr {
    let address = to_ip(key.address, key.family);
    SocketAddr::new(address, u16::from_be_bytes(key.port))
}

/// Why a frame is dropped, if it is.
fn reason(outcome: &ftp_guard_tests::program::Outcome) -> Result<Option<Reason>> {
    let (key, _) = outcome.only_cell()?;
    Ok((!outcome.passed).then_some(key.reason))
}

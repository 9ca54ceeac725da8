//! Captures of real FTP through the kernel program: every frame gets the verdict of the model; with
//! the clients listed nothing of theirs to the control ports is dropped, unlisted nothing passes at all.
//! The suite `traces_programs` has their data connections.
//!
//! `FTP_GUARD_TRACES` names a folder of `.pcap` files; without it the suite takes its own ones.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_common::{allow::EntryKind, class::PortClass};
use ftp_guard_tests::{
    agree::Agreement,
    packet::{C_TAG, S_TAG, hex},
    policy::Policy,
    program::Guard,
    trace::{Capture, Contents, Roles},
};

#[test]
fn captured_clients_pass_when_listed_and_only_then() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let folder = env::var_os("FTP_GUARD_TRACES").map_or(own, PathBuf::from);
    let mut guard = Guard::load().unwrap();
    let (mut files, mut frames, mut to_server, mut left_out) = (0, 0, 0, 0);
    let mut other_links = Vec::new();
    for capture in Capture::read_folder(&folder).unwrap() {
        match &capture.contents {
            Contents::OtherLink(link) => other_links.push(format!("{} ({link})", capture.name)),
            Contents::Frames {
                frames: captured,
                left_out: cut,
            } => {
                to_server += replay(&mut guard, captured)
                    .with_context(|| capture.name.clone())
                    .unwrap();
                files += 1;
                frames += captured.len();
                left_out += cut;
            }
        }
    }
    ftp_guard_tests::report!(
        "traces: {files} files, {frames} frames, {to_server} of them from FTP clients to FTP \
         servers; {left_out} frames cut by the capture left out"
    );
    if !other_links.is_empty() {
        ftp_guard_tests::report!(
            "traces: {} files of another link type left out: {}",
            other_links.len(),
            other_links.join(", ")
        );
    }
    assert!(
        to_server > 0,
        "no frame goes to an FTP server: nothing was tested"
    );
}

/// Runs the frames as they are and behind two tags; returns how many go to FTP servers.
fn replay(guard: &mut Guard, frames: &[Vec<u8>]) -> Result<usize> {
    let roles = Roles::find(frames);
    let nobody = roles.policy();
    let mut everybody = nobody.clone();
    for client in &roles.clients {
        everybody.entry((*client).into(), EntryKind::Allow, 0);
    }
    let tagged: Vec<_> = frames.iter().map(|frame| with_tags(frame)).collect();

    let mut to_server = 0;
    for (policy, passes) in [(&nobody, false), (&everybody, true)] {
        guard.install(policy)?;
        to_server = run(guard, policy, &roles, frames, passes)?;
        let behind_tags = run(guard, policy, &roles, &tagged, passes)?;
        ensure!(
            behind_tags == to_server,
            "{to_server} frames go to servers, but {behind_tags} behind tags"
        );
    }
    let monitor = nobody.monitoring();
    guard.install(&monitor)?;
    run(guard, &monitor, &roles, frames, true)?;
    Ok(to_server)
}

fn run(
    guard: &Guard,
    policy: &Policy,
    roles: &Roles,
    frames: &[Vec<u8>],
    passes: bool,
) -> Result<usize> {
    let mut agreement = Agreement::new(guard, policy)?;
    let mut to_server = 0;
    for (number, frame) in frames.iter().enumerate() {
        let judgement = agreement
            .check(frame)
            .with_context(|| format!("frame {}", number + 1))?;
        if roles.is_ftp_to_server(frame, policy) {
            to_server += 1;
            // Data connections need a session, and this program alone makes none.
            let is_data = passes && judgement.key.class != PortClass::Control;
            if judgement.passes() != passes && !is_data {
                bail!(
                    "frame {} should {}, but is counted as {:?}: {}",
                    number + 1,
                    if passes { "pass" } else { "be dropped" },
                    judgement.key,
                    hex(frame)
                );
            }
        }
    }
    agreement.finish()?;
    Ok(to_server)
}

fn with_tags(frame: &[u8]) -> Vec<u8> {
    let [outer, inner] = [S_TAG, C_TAG].map(u16::to_be_bytes);
    let tags = [outer, [0, 100], inner, [0, 200]].concat();
    [&frame[..12], &tags, &frame[12..]].concat()
}

//! Logins and downloads under each kind of flood.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Arena, Family, Spoofed,
    clients::{download::Download, session::Session},
    flood::Kind,
    tables::{Proven, Tables},
    wait_until,
};

use crate::{LIMIT, Scene, alone, ensure_flooded, slowest};

/// What is downloaded under a flood.
const FILE: &str = "file.bin";
const FILE_BYTES: usize = 16 << 20;
/// By how much the daemon's memory may move by itself. A megabyte is what seven events of each flooded second would take in a minute.
const MEMORY_SLACK_KIB: u64 = 2048;

/// A flood, and what the guard makes of it.
struct Flood {
    kind: Kind,
    sources: Spoofed,
    family: Family,
    /// The reason that most of its frames count under.
    reason: &'static str,
    /// Whether it is one that cookies are sent in.
    attack: bool,
}

#[test]
fn random_sources() {
    partners_notice_nothing(&Flood {
        kind: Kind::SynWithOptions,
        sources: Spoofed::Anywhere,
        family: Family::V4,
        reason: "not_listed",
        attack: false,
    });
}

#[test]
fn spoofed_partners() {
    partners_notice_nothing(&Flood {
        kind: Kind::SynWithOptions,
        sources: Spoofed::Listed,
        family: Family::V4,
        reason: "syn_cookie",
        attack: true,
    });
}

#[test]
fn spoofed_partners_of_ipv6() {
    partners_notice_nothing(&Flood {
        kind: Kind::Syn,
        sources: Spoofed::Listed,
        family: Family::V6,
        reason: "syn_cookie",
        attack: true,
    });
}

#[test]
fn acknowledgements() {
    partners_notice_nothing(&Flood {
        kind: Kind::Ack,
        sources: Spoofed::Listed,
        family: Family::V4,
        reason: "stray_ack",
        attack: true,
    });
}

#[test]
fn resets() {
    partners_notice_nothing(&Flood {
        kind: Kind::Rst,
        sources: Spoofed::Listed,
        family: Family::V4,
        reason: "stray_rst",
        attack: true,
    });
}

fn partners_notice_nothing(flood: &Flood) {
    let _alone = alone();
    Arena::test(|arena| {
        let mut scene = Scene::new(arena, &[])?;
        scene.ftp.put(FILE, &vec![7; FILE_BYTES])?;
        let mut held = Session::log_in(&arena.partner, flood.family, scene.ftp.port())?;
        ensure!(!scene.is_attacked()?, "an attack before the flood");
        // The first logins make pages and caches that later ones find.
        scene.log_in(flood.family, 5, Duration::from_millis(50))?;
        at_rest(&scene)?;
        let memory = scene.guard.memory_kib()?;
        let counted = scene.counted(flood.reason)?;

        let generator = scene.flood(flood.kind, flood.sources, flood.family)?;
        if flood.attack {
            wait_until("the attack is noticed", LIMIT, || {
                Ok(scene.is_attacked()?.then_some(()))
            })?;
        }
        if flood.attack && matches!(flood.kind, Kind::Syn | Kind::SynWithOptions) {
            scene.wait_for_cookies()?;
        }
        let times = scene.log_in(flood.family, 20, Duration::from_millis(50))?;
        println!("the slowest login took {:?}", slowest(&times));
        let download = Download::start(&arena.partner, flood.family, scene.ftp.port(), FILE)?;
        let bytes = download.finish()?;
        ensure!(bytes == FILE_BYTES as u64, "{bytes} bytes of the file came");
        let answer = held
            .command("NOOP")
            .context("the session that was open before")?;
        ensure!(answer.starts_with("200"), "{answer}");

        ensure!(generator.is_running(), "the flood ended too soon");
        let during = Proven::read(&scene.guard)?;
        let tables = Tables::read(&scene.guard)?;
        // Those of the partner, who ended some sessions a moment ago.
        ensure!(
            during.places == 1 && during.opening <= 20 && tables.sessions <= 30,
            "the flood takes places: {during:?}, {tables}"
        );
        ensure!(
            scene.is_attacked()? == flood.attack,
            "an attack: {}",
            !flood.attack
        );
        let grown = scene.guard.memory_kib()?.saturating_sub(memory);
        ensure!(
            grown <= MEMORY_SLACK_KIB,
            "the daemon takes {grown} KiB more"
        );
        let frames = ensure_flooded(generator)?;
        let counted = scene.counted(flood.reason)? - counted;
        // What a loaded machine loses is lost in the cable.
        ensure!(
            counted > frames / 10,
            "{counted} of {frames}: {:?}",
            scene.guard.dropped()?
        );

        if flood.attack {
            let accepted = scene.counted("cookie_accepted")?;
            println!("{accepted} cookies accepted");
            if flood.reason == "syn_cookie" {
                ensure!(accepted >= 20, "{accepted} cookies were accepted");
            }
            wait_for_peace(&scene)?;
        }
        at_rest(&scene)?;
        scene.log_in(flood.family, 3, Duration::from_millis(50))?;
        Ok(())
    });
}

/// The guard takes the attack for over, and does not answer requests itself any more.
fn wait_for_peace(scene: &Scene<'_>) -> Result<()> {
    wait_until("the attack is over", LIMIT, || {
        // The programs see that with the next packet of the kind.
        scene.log_in(Family::V4, 1, Duration::ZERO)?;
        Ok((!scene.is_attacked()?).then_some(()))
    })?;
    let answered = scene.counted("syn_cookie")?;
    scene.log_in(Family::V4, 3, Duration::ZERO)?;
    ensure!(
        scene.counted("syn_cookie")? == answered,
        "requests are answered with cookies in peace"
    );
    Ok(())
}

/// Waits until the tables hold nothing but the session that is held open.
fn at_rest(scene: &Scene<'_>) -> Result<()> {
    let look = || -> Result<_> { Ok((Tables::read(&scene.guard)?, Proven::read(&scene.guard)?)) };
    wait_until("logins have ended", LIMIT, || {
        let (tables, proven) = look()?;
        let held = tables.live == 1 && tables.flows == 0 && tables.pinholes == 0;
        Ok((held && proven.opening == 0 && proven.sources == 1).then_some(()))
    })
    .with_context(|| format!("{:?}", look()))
}

//! No login is lost while cookies come and go.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{Arena, Family, Spoofed, flood::Kind, wait_until};

use crate::{LIMIT, Scene, alone, slowest};

/// How many logins there are; more by the variable [`LOGINS_VARIABLE`].
const LOGINS: usize = 500;
const LOGINS_VARIABLE: &str = "FTP_GUARD_LOGINS";
/// Time between two of them.
const EVERY: Duration = Duration::from_millis(25);

#[test]
fn no_login_is_lost_while_cookies_come_and_go() {
    let _alone = alone();
    let logins = match env::var(LOGINS_VARIABLE) {
        Ok(number) => number.parse().expect(LOGINS_VARIABLE),
        Err(_) => LOGINS,
    };
    Arena::test(|arena| {
        // The partner comes more often than a profile permits by itself.
        let scene = Scene::new(arena, &[])?;
        let done = AtomicBool::new(false);
        let (times, floods) = thread::scope(|scope| {
            let floods = scope.spawn(|| come_and_go(&scene, &done));
            let times = scene.log_in(Family::V4, logins, EVERY);
            done.store(true, Ordering::Relaxed);
            let floods = floods
                .join()
                .unwrap_or_else(|payload| std::panic::resume_unwind(payload));
            (times, floods)
        });
        let (times, floods) = (times?, floods?);
        let mut sorted = times.clone();
        sorted.sort();
        println!(
            "{logins} logins during {floods} floods; median {:?}, slowest {:?}; {} cookies accepted",
            sorted[sorted.len() / 2],
            slowest(&times),
            scene.counted("cookie_accepted")?
        );
        ensure!(floods >= 2, "cookies came {floods} times");
        ensure!(
            scene.counted("cookie_accepted")? > 0,
            "no cookie was accepted"
        );
        Ok(())
    });
}

/// Floods until cookies are sent, and waits in peace until they are not, again and again. How often.
fn come_and_go(scene: &Scene<'_>, done: &AtomicBool) -> Result<u32> {
    let mut floods = 0;
    while !done.load(Ordering::Relaxed) {
        let flood = scene.flood(Kind::SynWithOptions, Spoofed::Listed, Family::V4)?;
        scene.wait_for_cookies()?;
        thread::sleep(Duration::from_millis(500));
        flood.stop().context("the flood")?;
        floods += 1;
        wait_until("the attack is over", LIMIT, || {
            Ok((done.load(Ordering::Relaxed) || !scene.is_attacked()?).then_some(()))
        })?;
        thread::sleep(Duration::from_millis(500));
    }
    Ok(floods)
}

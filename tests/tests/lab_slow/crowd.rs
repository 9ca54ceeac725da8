//! Very many of them at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Site,
    guard::Guard,
    in_parallel,
    servers::{self, FtpServer, Make},
    wait_until,
};

use crate::{clients::Control, counted, settings};

const CROWD: usize = 1000;

/// Time for the crowd to come, and to go.
const LIMIT: Duration = Duration::from_secs(120);

/// Logs in again and again until told to stop; how often, and how long it took at most.
fn partners(stop: &AtomicBool) -> Result<(u32, Duration)> {
    let (mut logins, mut longest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        Control::logged_in().with_context(|| format!("login {logins}"))?;
        longest = longest.max(start.elapsed());
        logins += 1;
        thread::sleep(Duration::from_millis(100));
    }
    Ok((logins, longest))
}

#[test]
fn a_thousand_slow_sessions_end_while_partners_log_in() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, settings("login_time = \"20s\""))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let partner = site.stranger.thread(move || partners(&stopped));
        let numbers: Vec<usize> = (0..CROWD).collect();
        let start = Instant::now();
        let crowd = in_parallel(4, &numbers, |_| site.client.enter(Control::greeted));
        let mut crowd = crowd.into_iter().collect::<Result<Vec<_>>>()?;
        println!("{CROWD} sessions within {:?}", start.elapsed());
        wait_until("all are ended", LIMIT, || {
            let ended = counted(&site.server, "ended")?;
            Ok((ended.get("login_timeout") == Some(&(CROWD as u64))).then_some(()))
        })?;
        println!("ended after {:?}", start.elapsed());
        for control in &mut crowd {
            control.wait_for_the_end()?;
        }
        stop.store(true, Ordering::Relaxed);
        let (logins, longest) = match partner.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("the partner panicked"),
        };
        println!("{logins} logins of partners meanwhile, the longest took {longest:?}");
        ensure!(logins > 20, "{logins}");
        let ended = counted(&site.server, "ended")?;
        ensure!(
            ended == BTreeMap::from([("login_timeout", CROWD as u64)]),
            "{ended:?}"
        );
        let dropped = guard.dropped()?;
        ensure!(!dropped.contains_key("session_limit"), "{dropped:?}");
        Ok(())
    });
}

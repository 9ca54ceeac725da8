//! The history of a real guard: kept over a kill, and no burden when its disk is full.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use ftp_guard_tests::lab::{
    Site,
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    wait_until,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

/// Events of the history, oldest first.
fn past(guard: &Guard, arguments: &[&str]) -> Result<Vec<Value>> {
    let arguments = [&["events", "--past", "--json"], arguments].concat();
    let output = guard.cli(&arguments)?;
    output.expect(0)?;
    let lines = output.text().lines();
    lines
        .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")))
        .collect()
}

/// Bans a source, and waits until the history has it.
fn ban(guard: &Guard, source: &str) -> Result<()> {
    guard.ask(&["ban", "add", source, "--for", "1h"])?;
    wait_until("the ban is in the history", LIMIT, || {
        let found = past(guard, &["--kind", "ban_added", "--source", source])?;
        Ok((!found.is_empty()).then_some(()))
    })
}

#[test]
fn what_was_is_known_after_a_kill() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        ban(&guard, "203.0.113.1")?;
        guard.kill9()?;
        guard.launch()?;
        ban(&guard, "203.0.113.2")?;
        let bans = past(&guard, &["--since", "1h", "--kind", "ban_added"])?;
        let prefixes: Vec<_> = bans.iter().map(|ban| ban["prefix"].clone()).collect();
        ensure!(
            prefixes == ["203.0.113.1/32", "203.0.113.2/32"],
            "{prefixes:?}"
        );
        ensure!(
            past(&guard, &["--until", "1h"])?.is_empty(),
            "an hour ago was nothing"
        );
        let last = past(&guard, &["--limit", "1", "--kind", "ban_added"])?;
        ensure!(last.len() == 1 && last[0] == bans[1], "{last:?}");
        // The file itself tells the same, without a daemon.
        let file = site.server.folder().inside("guard/lib/history.db");
        let file = file.display().to_string();
        let read = past(&guard, &["--file", &file, "--kind", "ban_added"])?;
        ensure!(read == bans, "{read:?}");
        let report = guard.cli(&["report", "--format", "json"])?.json()?;
        ensure!(report["bans"]["added"] == 2, "{}", report["bans"]);
        let posture = &report["posture"];
        ensure!(posture["allowlist"]["ipv4_addresses"] == 1, "{posture}");
        ensure!(report["coverage"]["starts"] == 2, "{}", report["coverage"]);
        Ok(())
    });
}

/// Runs a shell's line on the guard's host.
fn shell(site: &Site, line: &str) -> Result<bool> {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    Ok(site.server.run(command, LIMIT)?.code() == 0)
}

#[test]
fn a_full_disk_stops_only_the_history() {
    Site::test(|site| {
        let small = site.server.folder().inside("small").display().to_string();
        let mounted = shell(
            site,
            &format!("mkdir {small} && mount -t tmpfs -o size=512k none {small}"),
        )?;
        ensure!(mounted, "no small disk");
        let settings = Settings {
            history: Some(format!("{small}/history.db")),
            ..Settings::default()
        };
        let mut guard = Guard::start(&site.server, settings)?;
        ban(&guard, "203.0.113.1")?;
        // It ends when there is no room.
        let _ = shell(site, &format!("head -c 1M /dev/zero > {small}/ballast"))?;
        // Changes are still made, and who is not listed is kept out.
        for number in 0..200 {
            let source = format!("198.18.{number}.0/24");
            guard.ask(&["ban", "add", &source, "--for", "1h"])?;
            if guard.daemon()?.stderr().contains("are lost until") {
                break;
            }
        }
        let warnings = |guard: &mut Guard| -> Result<usize> {
            Ok(guard.daemon()?.stderr().matches("are lost until").count())
        };
        ensure!(warnings(&mut guard)? == 1, "the log says nothing");
        expect_control_port(&site.stranger, Answer::Nothing)?;
        expect_control_port(&site.client, Answer::Refused)?;
        ensure!(
            shell(site, &format!("rm {small}/ballast"))?,
            "the ballast stays"
        );
        wait_until("it is written again", LIMIT, || {
            guard.ask(&["ban", "add", "198.19.0.1", "--for", "1h"])?;
            guard.ask(&["ban", "remove", "198.19.0.1"])?;
            let found = past(&guard, &["--kind", "ban_added", "--source", "198.19.0.1"]);
            Ok(found.is_ok_and(|found| !found.is_empty()).then_some(()))
        })?;
        ensure!(warnings(&mut guard)? == 1, "it is said once");
        ensure!(guard.terminate()?.code() == 0, "it ended badly");
        Ok(())
    });
}

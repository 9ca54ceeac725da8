//! The capabilities that the documents name are enough, and none of them can be left out.

use std::{process::Command, time::Duration};

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Identity, Site,
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    wait_until,
};

const NEEDED: [&str; 3] = ["bpf", "net_admin", "perfmon"];
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn three_capabilities_are_enough() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let _daemon = site.server.spawn(run_with(&guard, &NEEDED)?)?;
        wait_until("the daemon answers", LIMIT, || {
            Ok(guard.cli(&["status"])?.success().then_some(()))
        })?;
        expect_control_port(&site.stranger, Answer::Nothing)?;
        expect_control_port(&site.client, Answer::Refused)?;
        let stranger = "198.51.100.9";
        guard.cli(&["allow", "add", stranger])?.expect(0)?;
        guard
            .cli(&["explain", stranger])?
            .expect(0)?
            .says("listed")?;
        guard.cli(&["mode", "monitor"])?.expect(0)?;
        guard.cli(&["reload"])?.expect(0)?;
        guard.cli(&["detach"])?.expect(0)?.says(Site::INTERFACE)?;
        expect_control_port(&site.stranger, Answer::Refused)
    });
}

#[test]
fn each_of_them_is_needed() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        for missing in NEEDED {
            let rest: Vec<&str> = NEEDED.into_iter().filter(|it| *it != missing).collect();
            let command = run_with(&guard, &rest)?;
            let output = site.server.run_as(Identity::Root, command, LIMIT)?;
            ensure!(
                output.code() == 77 && output.stderr.contains("CAP_PERFMON"),
                "without {missing}: exit code {}, {}",
                output.code(),
                output.stderr
            );
        }
        expect_control_port(&site.stranger, Answer::Refused)
    });
}

/// `ftp-guard run` as root with these capabilities only.
fn run_with(guard: &Guard, capabilities: &[&str]) -> Result<Command> {
    let run = guard.command(&["run"])?;
    let mut set = String::from("-all");
    for capability in capabilities {
        set.push_str(",+");
        set.push_str(capability);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--inh-caps", "-all", "--bounding-set", &set])
        .arg(run.get_program())
        .args(run.get_args());
    Ok(command)
}

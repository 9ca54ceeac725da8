//! What the guard refuses: exit code and message of each, and nothing left behind by any.

use std::{fs, os::fd::AsFd, time::Duration};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::{
    lab::{
        Identity, Output, STRANGER, Site,
        guard::{Guard, Settings},
        probe::{Answer, expect, expect_control_port},
    },
    sys,
};

/// Starts a daemon that is to fail in this way, and checks that it left nothing in the kernel.
fn refused(guard: &Guard, code: i32, words: &[&str]) -> Result<()> {
    let output = guard.run_in_vain(Identity::Root)?;
    judge(&output, code, words)?;
    let pins = guard.folder().outside(&guard.settings().pins());
    ensure!(!pins.exists(), "pins were left behind");
    Ok(())
}

fn judge(output: &Output, code: i32, words: &[&str]) -> Result<()> {
    let said = &output.stderr;
    ensure!(
        output.code() == code,
        "exit code {} instead of {code}: {said}",
        output.code()
    );
    for word in words {
        ensure!(said.contains(word), "{word:?} expected in: {said}");
    }
    Ok(())
}

#[test]
fn a_bad_configuration() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let file = guard.settings().file();
        let text = guard
            .folder()
            .read(&file)?
            .replace("\"enforce\"", "\"stern\"");
        guard.folder().write(&file, format!("colour = 1\n{text}"))?;
        let words = [
            "ftp-guard.toml:1:1: ",
            "colour",
            "ftp-guard.toml:2:8: ",
            "stern",
        ];
        refused(&guard, 78, &words)?;
        let check = guard.cli(&["check"])?;
        check.expect(78)?;
        words
            .iter()
            .try_for_each(|word| check.says(word).map(drop))?;
        guard.cli(&["frobnicate"])?.expect(2)?.says("frobnicate")?;
        Ok(())
    });
}

#[test]
fn a_missing_configuration() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let file = guard.settings().file();
        fs::remove_file(guard.folder().outside(&file))?;
        refused(&guard, 78, &["ftp-guard.toml"])
    });
}

#[test]
fn a_bad_allowlist() {
    Site::test(|site| {
        let list = [
            "192.0.2.1",
            "# fine",
            "  192.0.2.300  # not",
            "192.0.2.2 colour=red",
        ];
        let list = list.map(str::to_owned).into();
        let guard = Guard::prepare(
            &site.server,
            Settings {
                list,
                ..Settings::default()
            },
        )?;
        let words = [
            "site.list:3:3: ",
            "192.0.2.300",
            "site.list:4:11: ",
            "colour",
        ];
        refused(&guard, 78, &words)?;
        let check = guard.cli(&["check"])?;
        check.expect(78)?;
        words.iter().try_for_each(|word| check.says(word).map(drop))
    });
}

#[test]
fn an_unreadable_allowlist() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let list = guard.folder().outside(&guard.settings().list_file());
        fs::remove_file(&list)?;
        fs::create_dir(&list)?;
        refused(&guard, 78, &["site.list: ", "not a regular file"])?;
        fs::remove_dir(&list)?;
        fs::write(&list, b"192.0.2.1\n192.0.2.2 label=\"caf\xe9\"\n")?;
        refused(&guard, 78, &["site.list:2:21: ", "UTF-8"])
    });
}

#[test]
fn a_missing_interface() {
    Site::test(|site| {
        let interfaces = vec![Site::INTERFACE.to_owned(), "wan7".to_owned()];
        let guard = Guard::prepare(
            &site.server,
            Settings {
                interfaces,
                ..Settings::default()
            },
        )?;
        refused(&guard, 1, &["no interface `wan7`", Site::INTERFACE])?;
        unguarded(site)
    });
}

#[test]
fn no_privilege() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let output = guard.run_in_vain(Identity::Powerless)?;
        judge(&output, 77, &["not permitted", "CAP_BPF"])?;
        unguarded(site)
    });
}

#[test]
fn a_full_table() {
    Site::test(|site| {
        let list = (1..=11).map(|n| format!("192.0.2.{n}")).collect();
        let settings = Settings {
            list,
            max_entries: 10,
            ..Settings::default()
        };
        let mut guard = Guard::prepare(&site.server, settings)?;
        refused(
            &guard,
            1,
            &["11 IPv4 entries", "room for 10", "allow.max_entries"],
        )?;
        unguarded(site)?;

        // One less fits; one more by command is refused and not on disk.
        let list = guard
            .folder()
            .read(&guard.settings().list_file())?
            .replace("192.0.2.11\n", "");
        guard.folder().write(&guard.settings().list_file(), list)?;
        guard.launch()?;
        let answer = guard.cli(&["allow", "add", "192.0.2.11"])?;
        answer.expect(1)?.says("allow.max_entries")?;
        let written = guard
            .folder()
            .read(&guard.settings().cli_file())
            .unwrap_or_default();
        ensure!(
            !written.contains("192.0.2.11"),
            "the refused entry is on disk: {written}"
        );
        guard.cli(&["allow", "add", "2001:db8::1"])?.expect(0)?;

        // A smaller table that the list does not fit into costs the running guard nothing.
        guard.kill9()?;
        let file = guard.settings().file();
        let smaller = guard
            .folder()
            .read(&file)?
            .replace("max_entries = 10", "max_entries = 9");
        guard.folder().write(&file, smaller)?;
        let output = guard.run_in_vain(Identity::Root)?;
        judge(&output, 1, &["10 IPv4 entries", "room for 9"])?;
        let status = guard.status()?;
        ensure!(status["allowlist"]["ipv4"] == 10, "{status}");
        Ok(())
    });
}

#[test]
fn a_foreign_xdp_program() {
    Site::test(|site| {
        let program = sys::load_pass_program()?;
        let foreign = site.server.enter(|| {
            let index = nix::net::if_::if_nametoindex(Site::INTERFACE)?;
            sys::attach_xdp(program.as_fd(), index).context("cannot attach")
        })?;
        let mut guard = Guard::prepare(&site.server, Settings::default())?;
        refused(
            &guard,
            1,
            &["`eth0` already has an XDP program that is not ours"],
        )?;
        unguarded(site)?;
        // The link was the foreign program's hold on the interface.
        drop(foreign);
        guard.launch()?;
        shut(site)
    });
}

#[test]
fn an_interface_without_native_xdp() {
    Site::test(|site| {
        let interfaces = vec!["lo".to_owned()];
        let settings = Settings {
            interfaces,
            xdp_mode: "native",
            ..Settings::default()
        };
        let guard = Guard::prepare(&site.server, settings.clone())?;
        refused(
            &guard,
            1,
            &["interface `lo` does not take a native XDP program", "auto"],
        )?;

        let mut guard = Guard::start(
            &site.server,
            Settings {
                xdp_mode: "auto",
                ..settings
            },
        )?;
        let status = guard.status()?;
        ensure!(status["interfaces"][0]["mode"] == "generic", "{status}");
        let warnings = status["warnings"].to_string();
        ensure!(warnings.contains("lo runs in generic mode"), "{warnings}");
        let log = guard.daemon()?.stderr();
        ensure!(
            log.contains("WARN") && log.contains("generic mode"),
            "{log}"
        );

        // It drops all the same: 127.0.0.1 is on no list.
        expect(
            &site.server,
            &[([127, 0, 0, 1], 21).into()],
            Answer::Nothing,
        )?;
        expect(
            &site.server,
            &[([127, 0, 0, 1], 22).into()],
            Answer::Refused,
        )
    });
}

#[test]
fn an_interface_without_ethernet() {
    Site::test(|site| {
        site.server
            .ip(&["tuntap add dev tun7 mode tun".to_owned()])?;
        let settings = Settings {
            interfaces: vec![Site::INTERFACE.to_owned(), "tun7".to_owned()],
            ..Settings::default()
        };
        let guard = Guard::prepare(&site.server, settings)?;
        refused(
            &guard,
            1,
            &["interface `tun7` carries no Ethernet frames", "nftables"],
        )?;
        unguarded(site)
    });
}

#[test]
fn a_mode_that_the_driver_lacks_does_not_cost_the_guard() {
    Site::test(|site| {
        let settings = Settings {
            interfaces: vec!["lo".to_owned()],
            xdp_mode: "generic",
            ..Settings::default()
        };
        let mut guard = Guard::start(&site.server, settings)?;
        let file = guard.settings().file();
        let text = guard.folder().read(&file)?;
        let native = text.replace("\"generic\"", "\"native\"");
        guard.folder().write(&file, native)?;
        let refusal = "does not take a native XDP program";
        guard.cli(&["reload"])?.expect(1)?.says(refusal)?;
        ensure!(guard.attached()? == ["lo"], "the reload took the guard off");

        guard.kill9()?;
        let output = guard.run_in_vain(Identity::Root)?;
        judge(&output, 1, &[refusal])?;
        ensure!(guard.attached()? == ["lo"], "the start took the guard off");
        let local = [([127, 0, 0, 1], 21).into()];
        expect(&site.server, &local, Answer::Nothing)?;

        guard.folder().write(&file, text)?;
        guard.launch()?;
        ensure!(guard.status()?["interfaces"][0]["mode"] == "generic");
        Ok(())
    });
}

#[test]
fn generic_mode_drops_on_a_segment_too() {
    Site::test(|site| {
        let settings = Settings {
            xdp_mode: "generic",
            ..Settings::default()
        };
        let guard = Guard::start(&site.server, settings)?;
        ensure!(
            guard.status()?["interfaces"][0]["mode"] == "generic",
            "not generic"
        );
        shut(site)?;
        expect_control_port(&site.client, Answer::Refused)
    });
}

#[test]
fn a_command_of_a_stranger_on_the_host() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        let add = guard.command(&["allow", "add", &STRANGER.v4.to_string()])?;
        let output = site
            .server
            .run_as(Identity::Nobody, add, Duration::from_secs(10))?;
        judge(&output, 77, &["not permitted"])?;
        shut(site)
    });
}

#[test]
fn a_command_without_a_daemon() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        for command in [
            &["reload"][..],
            &["mode"],
            &["allow", "list"],
            &["explain", "192.0.2.1"],
        ] {
            guard.cli(command)?.expect(1)?.says("ftp-guard.sock")?;
        }
        Ok(())
    });
}

/// Nobody listens on port 21, so that an unguarded stack refuses.
fn unguarded(site: &Site) -> Result<()> {
    expect_control_port(&site.stranger, Answer::Refused)
}

fn shut(site: &Site) -> Result<()> {
    expect_control_port(&site.stranger, Answer::Nothing)
}

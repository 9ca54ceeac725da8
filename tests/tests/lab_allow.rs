//! The allowlist at run time: commands that can be repeated and are on disk when they answer.

use std::fs;

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, STRANGER, Site,
    guard::{Guard, Settings},
    probe::{self, Answer},
};

#[test]
fn commands_can_be_repeated_and_are_on_disk_when_they_answer() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        let cli_file = guard.settings().cli_file();
        let stranger = STRANGER.v4.to_string();
        expect(site, Family::V4, Answer::Nothing)?;

        let add = ["allow", "add", &stranger, "--label", "a guest"];
        guard.cli(&add)?.expect(0)?.says("added")?;
        let written = guard.folder().read(&cli_file)?;
        ensure!(
            written.contains(&stranger) && written.contains("a guest"),
            "{written}"
        );
        expect(site, Family::V4, Answer::Refused)?;
        guard.cli(&add)?.expect(0)?.says("listed already")?;
        ensure!(
            guard.folder().read(&cli_file)? == written,
            "the second time wrote again"
        );

        let test = guard.ask(&["allow", "test", &stranger])?;
        ensure!(
            test["allowed"] == true && test["reason"] == "listed",
            "{test}"
        );
        ensure!(test["entry"]["label"] == "a guest", "{test}");
        ensure!(
            test["entry"]["file"].to_string().contains("cli.list"),
            "{test}"
        );
        for (port, verdict, reason) in [("21", "pass", "listed"), ("50000", "drop", "no_session")] {
            let explained = guard.ask(&["explain", &stranger, "--port", port])?;
            ensure!(
                explained["verdict"] == verdict
                    && explained["reason"] == reason
                    && explained["covered"] == true,
                "{explained}"
            );
        }

        // Durable: the next daemon has it.
        guard.kill9()?;
        guard.launch()?;
        expect(site, Family::V4, Answer::Refused)?;

        guard
            .cli(&["allow", "remove", &stranger])?
            .expect(0)?
            .says("removed")?;
        ensure!(
            !guard.folder().read(&cli_file)?.contains(&stranger),
            "still on disk"
        );
        expect(site, Family::V4, Answer::Nothing)?;
        guard
            .cli(&["allow", "remove", &stranger])?
            .expect(0)?
            .says("was not listed")?;
        let test = guard.ask(&["allow", "test", &stranger])?;
        ensure!(
            test["allowed"] == false && test["reason"] == "not_listed",
            "{test}"
        );
        let explained = guard.ask(&["explain", &stranger, "--port", "21", "--vlan", "7"])?;
        ensure!(explained["verdict"] == "drop", "{explained}");
        ensure!(explained["reason"] == "not_listed" && explained["class"] == "control");

        for nonsense in ["10.0.0.300", "10.0.0.1/8", "example.org", ""] {
            guard.cli(&["allow", "add", nonsense])?.expect(2)?;
        }
        guard.cli(&["allow", "add"])?.expect(2)?;
        Ok(())
    });
}

#[test]
fn an_exclusion_cuts_out_of_a_wider_entry() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        guard.ask(&["allow", "add", "10.231.0.0/24", "fd00:231::/64"])?;
        expect(site, Family::V6, Answer::Refused)?;
        let v6 = STRANGER.v6.to_string();
        guard.ask(&["allow", "add", "--exclude", &v6])?;
        expect(site, Family::V6, Answer::Nothing)?;
        expect(site, Family::V4, Answer::Refused)?;
        let test = guard.ask(&["allow", "test", &v6])?;
        ensure!(
            test["allowed"] == false && test["reason"] == "excluded",
            "{test}"
        );
        ensure!(guard.counted(&[("reason", "excluded"), ("family", "ipv6")])? > 0);
        guard.ask(&["allow", "remove", &v6])?;
        expect(site, Family::V6, Answer::Refused)
    });
}

#[test]
fn what_is_exported_can_be_imported() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        let text =
            "192.0.2.0/24 label=\"one\"\n!192.0.2.7\n2001:db8::/32 expires=2099-01-01T00:00:00Z\n";
        guard.folder().write("partners.list", text)?;
        let file = guard.folder().inside("partners.list").display().to_string();
        let import = ["allow", "import", file.as_str()];
        let report = guard.ask(&import)?;
        ensure!(report["added"] == 3 && report["present"] == 0, "{report}");
        let report = guard.ask(&import)?;
        ensure!(report["added"] == 0 && report["present"] == 3, "{report}");
        let exported = guard
            .cli(&["allow", "export"])?
            .expect(0)?
            .text()
            .to_owned();
        ensure!(exported.lines().count() == 5, "{exported}");

        // All or nothing.
        guard
            .folder()
            .write("partners.list", "198.51.100.1\n198.51.100.2 colour=red\n")?;
        guard
            .cli(&import)?
            .expect(78)?
            .says("partners.list:2:14: ")?;
        ensure!(
            guard.cli(&["allow", "export"])?.text() == exported,
            "half of it was taken"
        );

        // From the export alone the same list arises again.
        guard.terminate()?;
        for list in [guard.settings().list_file(), guard.settings().cli_file()] {
            fs::remove_file(guard.folder().outside(&list))?;
        }
        guard.folder().write("export.list", &exported)?;
        guard.launch()?;
        let empty = guard.status()?["allowlist"]["ipv4"].clone();
        ensure!(empty == 0, "{empty} entries without files");
        let file = guard.folder().inside("export.list").display().to_string();
        guard.ask(&["allow", "import", &file])?;
        let mut again: Vec<_> = guard
            .cli(&["allow", "export"])?
            .text()
            .lines()
            .map(str::to_owned)
            .collect();
        let mut before: Vec<_> = exported.lines().map(str::to_owned).collect();
        again.sort();
        before.sort();
        ensure!(again == before, "{again:?} instead of {before:?}");
        Ok(())
    });
}

/// What the stranger gets from port 21, where nobody listens.
fn expect(site: &Site, family: Family, wanted: Answer) -> Result<()> {
    probe::expect(&site.stranger, &[SERVER.at(family, 21)], wanted)
}

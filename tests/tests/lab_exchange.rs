//! What `allow export` prints is taken by nft and ipset, and what they print by `allow import`.

use std::{process::Command, time::Duration};

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Host, Site,
    guard::{Guard, Settings},
};

const LIMIT: Duration = Duration::from_secs(20);

const LIST: &str = "192.0.2.0/24 label=\"one, \\\"two\\\"\"\n!192.0.2.7\n198.51.100.0/24 label=\"x\"\n\
                    203.0.113.9\n2001:db8::/32\n!2001:db8::/33\n";

#[test]
fn sets_of_nft_and_ipset_go_there_and_back() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        guard.folder().write("partners.list", LIST)?;
        let file = guard.folder().inside("partners.list").display().to_string();
        guard.ask(&["allow", "import", &file])?;

        // Twice: the second time fills them anew.
        for _ in 0..2 {
            export(&guard, "nft", "nft.txt")?;
            let script = guard.folder().inside("nft.txt");
            run(&site.server, Command::new("nft").arg("-f").arg(script))?;
            export(&guard, "ipset", "ipset.txt")?;
            let script = guard.folder().inside("ipset.txt");
            run(
                &site.server,
                Command::new("ipset")
                    .arg("-file")
                    .arg(script)
                    .arg("restore"),
            )?;
        }

        let saved = run(&site.server, Command::new("ipset").arg("save"))?;
        let mut ours = vec![
            "!192.0.2.7",
            "!2001:db8::/33",
            "192.0.2.0/24",
            "2001:db8::/32",
        ];
        ours.extend(["198.51.100.0/24", "203.0.113.9"]);
        ensure!(
            prefixes(&guard, "ipset", &saved)? >= ours.len() as u64,
            "{saved}"
        );
        for part in [
            "add t_v4 192.0.2.7 timeout 0 nomatch",
            "comment \"one, 'two'\"",
        ] {
            ensure!(saved.contains(part), "{part}: {saved}");
        }

        for json in [false, true] {
            let mut command = Command::new("nft");
            command.args(if json { &["-j"][..] } else { &[] });
            let listed = run(
                &site.server,
                command.args(["list", "table", "inet", "ftp_guard"]),
            )?;
            let format = if json { "nft-json" } else { "nft" };
            // 192.0.2.0-6 and 8-255, and the rest as it is.
            prefixes(&guard, format, &listed)?;
            ensure!(
                listed.contains("192.0.2.6") && listed.contains("2001:db8:8000::"),
                "{listed}"
            );
        }
        Ok(())
    });
}

fn export(guard: &Guard, format: &str, file: &str) -> Result<()> {
    let arguments = ["allow", "export", "--format", format, "--name", "t"];
    let answer = guard.cli(&arguments)?;
    answer.expect(0)?;
    guard.folder().write(file, answer.text())?;
    Ok(())
}

/// How many prefixes the import makes of a text, which has to be told by its content.
fn prefixes(guard: &Guard, format: &str, text: &str) -> Result<u64> {
    guard.folder().write("back.txt", text)?;
    let file = guard.folder().inside("back.txt").display().to_string();
    let report = guard.ask(&["allow", "import", &file, "--dry-run"])?;
    ensure!(
        report["format"] == format && report["unknown"] == 0,
        "{report}"
    );
    ensure!(report["compared"] == true, "{report}");
    Ok(report["prefixes"].as_u64().unwrap_or(0))
}

fn run(host: &Host, command: &mut Command) -> Result<String> {
    let mut owned = Command::new(command.get_program());
    owned.args(command.get_args());
    let output = host.run(owned, LIMIT)?;
    ensure!(
        output.success(),
        "{command:?}: {}{}",
        output.stdout,
        output.stderr
    );
    Ok(output.stdout)
}

#[test]
fn an_import_asks_where_it_changes_something() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        guard.ask(&["allow", "add", "10.9.0.0/16", "--exclude"])?;
        guard
            .folder()
            .write("zone", "10.9.1.0/25 ; XX\n10.9.1.128/25\n")?;
        let file = guard.folder().inside("zone").display().to_string();
        let import = [
            "allow",
            "import",
            file.as_str(),
            "--aggregate",
            "--label",
            "zone",
        ];
        guard.cli(&import)?.expect(2)?.says("--yes")?;
        ensure!(!guard.cli(&["allow", "export"])?.text().contains("10.9.1"));
        let report = guard.ask(&[&import[..], &["--yes"]].concat())?;
        ensure!(
            report["added"] == 1 && report["applied"] == true,
            "{report}"
        );
        let exported = guard.cli(&["allow", "export"])?.text().to_owned();
        ensure!(
            exported.contains("10.9.1.0/24 label=\"zone\""),
            "{exported}"
        );
        // Again, and nothing changes.
        let report = guard.ask(&[&import[..], &["--yes"]].concat())?;
        ensure!(report["added"] == 0 && report["present"] == 1, "{report}");
        ensure!(guard.cli(&["allow", "export"])?.text() == exported);
        Ok(())
    });
}

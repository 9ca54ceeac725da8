//! Every mistake is named with its place.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{MINIMAL, parse, with_ftp};

pub(super) fn mistakes(text: &str) -> Vec<String> {
    let diagnostics = parse(text).expect_err(text);
    diagnostics.0.iter().map(ToString::to_string).collect()
}

/// Asserts that `text` has one mistake, at `place` (`line:column`), whose message contains `part`.
#[track_caller]
pub(super) fn one_mistake(text: &str, place: &str, part: &str) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    let message = found[0]
        .strip_prefix(&format!("guard.toml:{place}: "))
        .unwrap_or_else(|| panic!("not at {place}: {}", found[0]));
    assert!(message.contains(part), "{message}");
}

#[test]
fn all_mistakes_are_named_at_once_in_the_order_of_the_file() {
    let text = "\
mode = \"enfroce\"
interfaces = [\"eth0\", 7, \"a-name-that-is-too-long\"]
colour = 1

[ftp]
control_ports = [0, 21, \"x\"]
passive_ports = [\"9-8\"]

[metric]
listen = \"off\"

[control]
socket = \"run/x.sock\"
";
    let found = mistakes(text);
    let places: Vec<_> = found
        .iter()
        .map(|message| message.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "guard.toml:1:8:",
            "guard.toml:2:23:",
            "guard.toml:3:1:",
            "guard.toml:6:18:",
            "guard.toml:6:25:",
            "guard.toml:7:18:",
            "guard.toml:9:2:",
            "guard.toml:13:10:",
        ],
        "{found:#?}"
    );
}

#[test]
fn a_syntax_error_is_named_alone() {
    one_mistake(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"\n[ftp]\n",
        "3:1",
        "missing comma",
    );
    one_mistake("mode = enforce\n", "1:8", "");
    one_mistake(
        "mode = \"enforce\"\nmode = \"monitor\"\n",
        "2:1",
        "duplicate key",
    );
}

#[test]
fn a_byte_order_mark_and_crlf_are_tolerated() {
    let text = format!("\u{feff}{}", MINIMAL.replace('\n', "\r\n"));
    assert_eq!(parse(&text).unwrap().interfaces, ["eth0"]);
    let text = format!("\u{feff}colour = 1\r\n{}", MINIMAL.replace('\n', "\r\n"));
    one_mistake(&text, "1:1", "colour");
}

#[test]
fn unknown_keys_and_tables_come_with_a_suggestion() {
    let top = |line: &str| format!("{line}\n{MINIMAL}");
    one_mistake(&top("mdoe = 1"), "1:1", "did you mean \"mode\"?");
    one_mistake(&top("Mode = \"enforce\""), "1:1", "did you mean \"mode\"?");
    one_mistake(&top("listen = \"off\""), "1:1", "it belongs in [metrics]");
    one_mistake(
        &top("colour = 1"),
        "1:1",
        "known are mode, role, interfaces",
    );
    let end = |lines: &str| format!("{MINIMAL}{lines}");
    one_mistake(
        &end("control_port = [21]"),
        "4:1",
        "did you mean \"control_ports\"?",
    );
    one_mistake(&end("mode = \"enforce\""), "4:1", "above the first [table]");
    one_mistake(&end("[metric]"), "4:2", "did you mean [metrics]?");
    one_mistake(
        &end("[colours]\nx = 1"),
        "4:2",
        "known are [ftp], [sessions], [allow], [names], [limits]",
    );
    one_mistake(
        &end("[[metrics]]"),
        "4:3",
        "metrics must be a table, not a list of tables",
    );
    one_mistake(
        &end("[profile]\nfast = 1"),
        "5:1",
        "must be a table, not an integer",
    );
    one_mistake(
        &end("[profile.fast]\ncolour = 1"),
        "5:1",
        "unknown key \"colour\" in [profile.fast]; known are connections_per_second",
    );
    one_mistake(
        &end("[profile.fast]\nmax_session = 1"),
        "5:1",
        "did you mean \"max_sessions\"?",
    );
    one_mistake(
        &end("[limits]\nidle_time = \"1h\""),
        "5:1",
        "it belongs in [profile.NAME]",
    );
    one_mistake(
        &end("[profile.\"a b\"]"),
        "4:10",
        "bad profile name \"a b\"",
    );
    one_mistake(
        &top("allow = 3"),
        "1:1",
        "allow must be a table, not an integer",
    );
}

#[test]
fn keys_without_a_default_must_be_given() {
    one_mistake(
        "[ftp]\npassive_ports = []\n",
        "1:1",
        "interfaces is missing: ",
    );
    one_mistake(
        "interfaces = [\"a\"]\n[ftp]\n",
        "2:1",
        "ftp.passive_ports is missing: every server has its own",
    );
    one_mistake("interfaces = [\"a\"]\n", "1:1", "stays open to everyone");
    assert_eq!(mistakes("").len(), 2);
}

#[test]
fn interface_names_are_those_the_kernel_takes() {
    let text = |value: &str| format!("interfaces = {value}\n[ftp]\npassive_ports = []\n");
    one_mistake(&text("[]"), "1:14", "at least one");
    one_mistake(
        &text("\"eth0\""),
        "1:14",
        "must be a list of interface names, in brackets, not a string",
    );
    one_mistake(&text("[\"\"]"), "1:15", "empty");
    one_mistake(
        &text("[\"eth0\", \"eth0\"]"),
        "1:23",
        "\"eth0\" is in interfaces already",
    );
    one_mistake(
        &text("[\"0123456789abcdef\"]"),
        "1:15",
        "longer than 15 bytes",
    );
    one_mistake(&text("[\"a/b\"]"), "1:15", "slash");
    one_mistake(&text("[\"a b\"]"), "1:15", "blank");
    one_mistake(&text("[\"..\"]"), "1:15", "folder");
    assert!(parse(&text("[\"0123456789abcde\"]")).is_ok());
}

#[test]
fn ports_are_checked() {
    let control = |value: &str| with_ftp(&format!("passive_ports = []\ncontrol_ports = {value}"));
    one_mistake(&control("[]"), "4:17", "nothing to guard");
    one_mistake(&control("21"), "4:17", "a list of ports");
    one_mistake(&control("[0]"), "4:18", "port 0 is not from 1 to 65535");
    one_mistake(&control("[65536]"), "4:18", "port 65536 is not");
    one_mistake(&control("[-1]"), "4:18", "port -1 is not");
    one_mistake(
        &control("[\"21\"]"),
        "4:18",
        "write the port 21 without quotes",
    );
    one_mistake(&control("[2.1]"), "4:18", "not a float");
    one_mistake(
        &control("[21, 21]"),
        "4:22",
        "port 21 is in ftp.control_ports already (line 4)",
    );
    one_mistake(
        &control("[20]"),
        "4:18",
        "port 20 is in ftp.active_data_ports already (its default)",
    );
    one_mistake(&control("[22]"), "4:18", "SSH");

    let passive = |value: &str| with_ftp(&format!("passive_ports = {value}"));
    one_mistake(
        &passive("\"Auto\""),
        "3:17",
        "must be \"auto\" or a list of port ranges, not \"Auto\"",
    );
    one_mistake(&passive("[\"auto\"]"), "3:18", "\"auto\" stands alone");
    one_mistake(
        &passive("[\"50000-50100\", \"auto\"]"),
        "3:33",
        "stands alone",
    );
    one_mistake(
        &passive("\"auto\"\ncontrol_ports = [20]"),
        "4:18",
        "port 20 is in ftp.active_data_ports already (its default)",
    );
    one_mistake(
        &passive("\"50000-50100\""),
        "3:17",
        "must be a list of port ranges",
    );
    one_mistake(
        &passive("[\"50100-50000\"]"),
        "3:18",
        "write \"50000-50100\"",
    );
    one_mistake(&passive("[\"0-5\"]"), "3:18", "port 0 is not");
    one_mistake(&passive("[\"60000-65536\"]"), "3:18", "port 65536 is not");
    one_mistake(
        &passive("[\"60000-99999999999999999999\"]"),
        "3:18",
        "is not from 1 to 65535",
    );
    for bad in [
        "",
        "-",
        "5-",
        "-5",
        "+5",
        "1-2-3",
        "a-b",
        "50000:50100",
        "50000..50100",
    ] {
        one_mistake(&passive(&format!("[{bad:?}]")), "3:18", "bad port range");
    }
    one_mistake(&passive("[true]"), "3:18", "not a boolean");
    one_mistake(
        &passive("[\"23-30000\"]"),
        "3:18",
        "port 989 is in ftp.active_data_ports already (its default)",
    );
    one_mistake(
        &passive("[\"5000-5009\", 5009]"),
        "3:31",
        "port 5009 is in ftp.passive_ports already (line 3)",
    );
    assert_eq!(
        mistakes(&passive("[\"1-65535\"]")).len(),
        2,
        "SSH and the control port"
    );
    assert!(parse(&passive("[1, \"65535\", \"1024-65534\"]")).is_ok());
}

#[test]
fn what_belongs_to_ports_is_checked() {
    let ftp = |line: &str| with_ftp(&format!("passive_ports = \"auto\"\n{line}"));
    one_mistake(&ftp("fxp = \"yes\""), "4:7", "true or false, not a string");
    one_mistake(
        &ftp("guard_outside_range = 1"),
        "4:23",
        "ftp.guard_outside_range must be true or false, not an integer",
    );
    one_mistake(
        &ftp("server_configs = \"/x\""),
        "4:18",
        "a list of absolute",
    );
    one_mistake(&ftp("server_configs = [\"x.conf\"]"), "4:19", "absolute");
    one_mistake(&ftp("server_configs = [\"/x\", \"/x\"]"), "4:25", "already");
    one_mistake(
        &format!("role = \"bridge\"\n{MINIMAL}"),
        "1:8",
        "role must be \"host\" or \"router\", not \"bridge\"",
    );
}

#[test]
fn sessions_are_checked() {
    let sessions = |line: &str| format!("{MINIMAL}[sessions]\n{line}\n");
    one_mistake(&sessions("max = 0"), "5:7", "from 1 to 1000000, not 0");
    one_mistake(&sessions("max = 1000001"), "5:7", "from 1 to 1000000");
    one_mistake(&sessions("max_data = 4000001"), "5:12", "from 1 to 4000000");
    one_mistake(&sessions("max_pinholes = 1001"), "5:16", "from 1 to 1000");
    one_mistake(&sessions("max_pinholes = \"1\""), "5:16", "not a string");
    one_mistake(
        &sessions("idle_timeout = 7200"),
        "5:16",
        "a duration from \"1s\" to \"30d\", such as \"90s\" or \"1h 30m\", not an integer",
    );
    for bad in [
        "",
        "2",
        "2 parsecs",
        "0s",
        "999ms",
        "-2h",
        "2h ago",
        "31d",
        "1y",
        "9999999999999h",
    ] {
        let text = sessions(&format!("idle_timeout = {bad:?}"));
        one_mistake(&text, "5:16", "sessions.idle_timeout must be a duration");
    }
    one_mistake(&sessions("pinhole_timeout = \"11m\""), "5:19", "to \"10m\"");
    one_mistake(
        &sessions("idle_timout = \"2h\""),
        "5:1",
        "did you mean \"idle_timeout\"?",
    );
    for good in ["1s", "30d", "1h 30m", "90 minutes", "PT2H", "1.5h"] {
        parse(&sessions(&format!("idle_timeout = {good:?}"))).expect(good);
    }
}

#[test]
fn a_written_port_is_blamed_for_a_clash_with_a_default_one() {
    let text = with_ftp("passive_ports = [\"50000-50100\"]\nactive_data_ports = [990]");
    one_mistake(
        &text,
        "4:22",
        "port 990 is in ftp.control_ports already (its default)",
    );
}

#[test]
fn allow_is_checked() {
    let allow = |lines: &str| format!("{MINIMAL}[allow]\n{lines}\n");
    one_mistake(&allow("files = \"/x\""), "5:9", "a list of");
    one_mistake(&allow("files = [\"x/*.list\"]"), "5:10", "absolute");
    one_mistake(&allow("files = [\"/x/\"]"), "5:10", "of files");
    one_mistake(
        &allow("files = [\"/x/***\"]"),
        "5:10",
        "bad pattern \"/x/***\" at character 6",
    );
    one_mistake(&allow("files = [\"/x/[\"]"), "5:10", "bad pattern");
    one_mistake(&allow("files = [\"/x\", \"/x\"]"), "5:16", "already");
    one_mistake(&allow("files = []"), "5:9", "allow.cli_file is missing");
    one_mistake(
        &allow("files = [\"/*/x.list\"]"),
        "5:10",
        "allow.cli_file is missing",
    );
    one_mistake(&allow("cli_file = \"cli.list\""), "5:12", "absolute path");
    one_mistake(&allow("cli_file = \"/\""), "5:12", "absolute path");
    one_mistake(&allow("cli_file = \"/a/..\""), "5:12", "absolute path");
    one_mistake(&allow("cli_file = [\"/x\"]"), "5:12", "not a list");
    one_mistake(
        &allow("max_entries = 0"),
        "5:15",
        "from 1 to 100000000, not 0",
    );
    one_mistake(&allow("max_entries = 100000001"), "5:15", "not 100000001");
    one_mistake(&allow("max_entries = \"many\""), "5:15", "not a string");
    let config = parse(&allow("files = []\ncli_file = \"/x/y\"")).unwrap();
    assert_eq!(config.allow.cli_file, Path::new("/x/y"));
    let config = parse(&allow("files = [\"/top.list\"]")).unwrap();
    assert_eq!(config.allow.cli_file, Path::new("/cli.list"));
}

#[test]
fn the_remaining_tables_are_checked() {
    let end = |lines: &str| format!("{MINIMAL}{lines}\n");
    one_mistake(
        &end("[metrics]\nlisten = \"localhost:9721\""),
        "5:10",
        "127.0.0.1:9721",
    );
    one_mistake(
        &end("[metrics]\nlisten = \"127.0.0.1\""),
        "5:10",
        "\"127.0.0.1\"",
    );
    one_mistake(
        &end("[metrics]\nlisten = \"127.0.0.1:99999\""),
        "5:10",
        "99999",
    );
    one_mistake(&end("[metrics]\nlisten = 9721"), "5:10", "not an integer");
    one_mistake(&end("[metrics]\nlisten = false"), "5:10", "\"off\"");
    one_mistake(&end("[bpf]\npin_path = \"sys\""), "5:12", "absolute path");
    let longest = format!("/{}", "x".repeat(106));
    assert!(parse(&end(&format!("[control]\nsocket = {longest:?}"))).is_ok());
    let longer = format!("{longest}x");
    one_mistake(
        &end(&format!("[control]\nsocket = {longer:?}")),
        "5:10",
        "has 108 bytes; the path of a socket can have 107",
    );
    let config = parse(&end("[metrics]\nlisten = \"[::1]:80\"")).unwrap();
    assert_eq!(config.metrics.listen, Some("[::1]:80".parse().unwrap()));
}

proptest! {
    #[test]
    fn a_damaged_file_is_read_or_refused_with_a_place(
        at in any::<Index>(),
        length in 0..30usize,
        instead in r#"[\[\]{}",.=#a-z0-9 \n-]{0,4}"#,
    ) {
        let example = include_str!("../../../../dist/ftp-guard.toml");
        let start = at.index(example.len());
        let end = (start + length).min(example.len());
        let text = [&example[..start], &instead, &example[end..]].concat();
        if let Err(found) = parse(&text) {
            prop_assert!(!found.0.is_empty());
            for mistake in &found.0 {
                prop_assert!(mistake.line >= 1 && mistake.column >= 1, "{}", mistake);
                prop_assert!(!mistake.message.is_empty(), "{}", mistake);
                prop_assert!(!mistake.message.contains('\n'), "{}", mistake);
            }
        }
    }
}

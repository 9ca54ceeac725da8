//! Bans over a kernel in memory.

use ftp_guard_common::session::Session;
use jiff::{SignedDuration, Timestamp};

use super::fake::{Fake, Files, prefix};
use crate::{
    control::{
        ban_view::{BanAddReport, BanTerms, BanView},
        protocol::{Failure, ModeName},
        server::Members,
    },
    daemon::{guard::Guard, reload::Cause},
    engine::bans::{BanRequest, Outcome},
};

fn files() -> Files {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.0/24\n2001:db8::/32\n");
    files
}

fn guard(files: &Files) -> Guard<Fake> {
    files.guard(Fake::with_interfaces(&["eth0"]))
}

fn never_ban(files: &Files, entries: &str) {
    configure(files, &format!("never_ban = {entries}\n"));
}

fn configure(files: &Files, bans: &str) {
    files.configure(r#"["eth0"]"#, "enforce");
    let text = files.read("guard.toml");
    let text = text.replace("[bans]\n", &format!("[bans]\n{bans}"));
    std::fs::write(files.path("guard.toml"), text).unwrap();
}

fn hours(hours: u64) -> BanTerms {
    BanTerms {
        seconds: Some(hours * 3_600),
        ..BanTerms::default()
    }
}

fn add(guard: &mut Guard<Fake>, prefixes: &[&str]) -> Result<BanAddReport, Failure> {
    let prefixes: Vec<_> = prefixes.iter().map(|text| prefix(text)).collect();
    guard.ban_add(&prefixes, &hours(1))
}

fn banned(guard: &Guard<Fake>) -> Vec<String> {
    let table = guard.kernel.bans.iter();
    table
        .map(|(prefix, value)| match value.kind {
            0 => prefix.to_string(),
            _ => format!("never {prefix}"),
        })
        .collect()
}

fn list(guard: &Guard<Fake>, history: bool) -> Vec<BanView> {
    match guard.ban_list(history).unwrap().members {
        Some(Members::Bans(bans)) => bans,
        other => panic!("{other:?}"),
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

#[test]
fn a_ban_is_on_disk_and_in_the_kernel_and_can_be_repeated() {
    let files = files();
    let mut guard = guard(&files);
    assert!(!files.path("lib").exists(), "nothing to write yet");
    let report = add(&mut guard, &["192.0.2.7", "2001:db8::/48", "192.0.2.7"]).unwrap();
    assert_eq!((report.banned, report.bans.len()), (2, 2));
    assert_eq!(report.bans[0].ban.active, Some(true));
    assert_eq!(banned(&guard), ["192.0.2.7/32", "2001:db8::/48"]);
    let text = files.read("lib/bans.json");
    assert!(
        text.contains("\"192.0.2.7\"") && text.contains("\"2001:db8::/48\""),
        "{text}"
    );
    guard.kernel.log.clear();
    let shorter = BanTerms {
        seconds: Some(60),
        ..BanTerms::default()
    };
    let again = guard.ban_add(&[prefix("192.0.2.7")], &shorter).unwrap();
    assert_eq!((again.banned, again.present), (0, 1));
    assert_eq!(again.bans[0].ban.until, report.bans[0].ban.until);
    assert!(guard.kernel.log.is_empty(), "{:?}", guard.kernel.log);
    let longer = guard.ban_add(&[prefix("192.0.2.7")], &hours(2)).unwrap();
    assert_eq!(
        (longer.prolonged, longer.bans[0].outcome.as_str()),
        (1, "prolonged")
    );
    let figures = guard.ban_figures().unwrap();
    assert_eq!((figures.counts.cli, figures.ipv4, figures.ipv6), (2, 1, 1));
    assert_eq!(figures.max_entries, 65_536);
}

#[test]
fn a_ban_that_was_removed_is_over_in_file_and_kernel() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.2.7", "192.0.2.0/28"]).unwrap();
    let both = [prefix("192.0.2.7"), prefix("192.0.2.9")];
    let report = guard.ban_remove(&both, false).unwrap();
    assert_eq!(report.removed, [prefix("192.0.2.7").0]);
    assert_eq!(report.absent[0].prefix, prefix("192.0.2.9").0);
    assert_eq!(report.absent[0].banned_by, Some(prefix("192.0.2.0/28").0));
    assert_eq!(banned(&guard), ["192.0.2.0/28"]);
    let past = list(&guard, true);
    assert_eq!((past.len(), past[0].end.as_deref()), (1, Some("removed")));
    guard.kernel.log.clear();
    let again = guard.ban_remove(&both, false).unwrap();
    assert_eq!((again.removed.len(), again.absent.len()), (0, 2));
    assert!(guard.kernel.log.is_empty());
    assert_eq!(guard.ban_remove(&both, true).unwrap().forgotten, 1);
    assert!(list(&guard, true).is_empty());
}

#[test]
fn what_the_disk_or_the_kernel_refuses_changes_nothing() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.2.7"]).unwrap();
    let before = files.read("lib/bans.json");
    guard.kernel.broken.insert("apply bans");
    assert!(add(&mut guard, &["192.0.2.8"]).is_err());
    assert!(guard.ban_remove(&[prefix("192.0.2.7")], false).is_err());
    assert_eq!(files.read("lib/bans.json"), before);
    assert_eq!(
        (list(&guard, false).len(), list(&guard, true).len()),
        (1, 0)
    );
    guard.kernel.broken.clear();
    std::fs::remove_file(files.path("lib/bans.json")).unwrap();
    std::fs::create_dir(files.path("lib/bans.json")).unwrap();
    let failure = add(&mut guard, &["192.0.2.8"]).unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(failure.message.contains("bans.json"), "{failure}");
    assert_eq!(banned(&guard), ["192.0.2.7/32"]);
}

#[test]
fn one_refusal_refuses_a_command_and_not_a_rule() {
    let files = files();
    never_ban(&files, r#"["192.0.2.0/28"]"#);
    let mut guard = guard(&files);
    let failure = add(&mut guard, &["192.0.2.77", "192.0.2.7"]).unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(
        failure.message.contains("192.0.2.7 lies in 192.0.2.0/28")
            && failure.message.ends_with("nothing was banned"),
        "{failure}"
    );
    assert!(banned(&guard).is_empty() && !files.path("lib").exists());
    let of = |text: &str| BanRequest::of_rule("brute-login", prefix(text).0, "12 failed logins");
    let outcomes = guard
        .ban(&[of("192.0.2.7"), of("192.0.2.77")], false)
        .unwrap();
    assert!(matches!(
        &outcomes[..],
        [Outcome::Refused(_), Outcome::Banned(_)]
    ));
    assert_eq!(
        banned(&guard),
        [
            "192.0.2.0/28".replace("192", "never 192"),
            "192.0.2.77/32".into()
        ]
    );
    assert_eq!(guard.ban_figures().unwrap().counts.rule, 1);
    let wide = add(&mut guard, &["192.0.2.0/24"]).unwrap();
    assert_eq!(wide.bans[0].exempt, [prefix("192.0.2.0/28").0]);
}

#[test]
fn terms_that_no_ban_can_have_are_usage_errors() {
    let mut guard = guard(&files());
    for terms in [
        BanTerms {
            forever: true,
            ..hours(1)
        },
        BanTerms {
            reason: Some("two\nlines".into()),
            ..hours(1)
        },
        BanTerms {
            by: Some(String::new()),
            ..hours(1)
        },
    ] {
        let failure = guard.ban_add(&[prefix("192.0.2.7")], &terms).unwrap_err();
        assert_eq!(failure.exit_code, 2, "{failure}");
    }
    assert!(banned(&guard).is_empty());
}

#[test]
fn a_successor_brings_the_kernel_to_what_the_file_says() {
    let files = files();
    let mut first = guard(&files);
    add(&mut first, &["192.0.2.7", "192.0.2.8"]).unwrap();
    let mut kernel = first.kernel;
    // As after a kill: one is missing, one is too many.
    let stale = kernel.bans.remove(&prefix("192.0.2.7").0).unwrap();
    kernel.bans.insert(prefix("198.51.100.9").0, stale);
    let second = files.try_guard(kernel, true).unwrap();
    assert_eq!(banned(&second), ["192.0.2.7/32", "192.0.2.8/32"]);
    let mut views = list(&second, false);
    views.retain(|view| view.active == Some(true));
    assert_eq!(views.len(), 2);
}

#[test]
fn bans_are_in_the_kernel_before_the_first_interface_is_attached() {
    let files = files();
    add(&mut guard(&files), &["192.0.2.7"]).unwrap();
    let second = guard(&files);
    let place = |step: &str| {
        second
            .kernel
            .log
            .iter()
            .position(|entry| entry.starts_with(step))
    };
    assert!(place("apply bans").unwrap() < place("apply 2").unwrap());
    assert!(place("apply bans").unwrap() < place("attach").unwrap());
}

#[test]
fn a_damaged_file_refuses_the_start_and_stays() {
    let files = files();
    std::fs::create_dir(files.path("lib")).unwrap();
    std::fs::write(files.path("lib/bans.json"), "{\n  \"version\": 1,\n").unwrap();
    let failure = files
        .try_guard(Fake::with_interfaces(&["eth0"]), false)
        .unwrap_err();
    assert_eq!(failure.exit_code, 78);
    let place = format!("{}:3:1:", files.path("lib/bans.json").display());
    assert!(
        failure.diagnostics[0].to_string().starts_with(&place),
        "{failure:?}"
    );
    assert_eq!(files.read("lib/bans.json"), "{\n  \"version\": 1,\n");
}

#[test]
fn bans_that_do_not_fit_refuse_the_start() {
    let files = files();
    add(&mut guard(&files), &["192.0.2.7", "192.0.2.8"]).unwrap();
    configure(&files, "max_entries = 1\n");
    let failure = files
        .try_guard(Fake::with_interfaces(&["eth0"]), false)
        .unwrap_err();
    assert!(failure.message.contains("bans.max_entries"), "{failure}");
}

#[test]
fn a_ban_that_is_over_leaves_the_kernel_and_becomes_history() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.2.7"]).unwrap();
    guard.tick(later(3_590));
    assert_eq!(banned(&guard).len(), 1);
    guard.kernel.broken.insert("apply bans");
    guard.tick(later(3_610));
    assert_eq!(banned(&guard).len(), 1, "tried again");
    guard.kernel.broken.clear();
    guard.tick(later(3_611));
    assert!(banned(&guard).is_empty());
    guard.kernel.log.clear();
    guard.tick(later(3_612));
    let past = list(&guard, true);
    assert_eq!(past[0].end.as_deref(), Some("expired"));
    assert!(files.read("lib/bans.json").contains("expired"));
    let figures = guard.ban_figures().unwrap();
    assert_eq!(
        (figures.ipv4, figures.counts.cli, figures.counts.history),
        (0, 0, 1)
    );
}

#[test]
fn a_file_that_could_not_be_written_is_written_a_second_later() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.2.7"]).unwrap();
    std::fs::remove_file(files.path("lib/bans.json")).unwrap();
    std::fs::create_dir(files.path("lib/bans.json")).unwrap();
    guard.tick(later(3_610));
    assert!(
        banned(&guard).is_empty(),
        "the disk does not keep anybody out"
    );
    std::fs::remove_dir(files.path("lib/bans.json")).unwrap();
    guard.tick(later(3_611));
    assert!(files.read("lib/bans.json").contains("expired"));
}

#[test]
fn a_reload_reads_never_ban_and_what_it_covers_waits() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.2.7", "192.0.0.0/16"]).unwrap();
    never_ban(&files, r#"["192.0.2.0/24"]"#);
    guard.reload(Cause::Command).unwrap();
    assert_eq!(banned(&guard), ["192.0.0.0/16", "never 192.0.2.0/24"]);
    let waits = &list(&guard, false)[1];
    assert_eq!(
        (waits.active, waits.exempt_by),
        (Some(false), Some(prefix("192.0.2.0/24").0))
    );
    let raised = guard.kernel.allow_generation;
    never_ban(&files, "[]");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(banned(&guard), ["192.0.0.0/16", "192.0.2.7/32"]);
    assert!(
        guard.kernel.allow_generation > raised,
        "they are banned again"
    );
    configure(&files, "max_entries = 7\n");
    let report = guard.reload(Cause::Command).unwrap();
    assert_eq!(report.restart_needed, ["bans.max_entries"]);
}

#[test]
fn a_reload_that_fails_leaves_the_bans_as_they_were() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.0.0/16"]).unwrap();
    never_ban(&files, r#"["192.0.2.0/24"]"#);
    files.list("a.list", "198.51.100.0/24\n");
    guard.kernel.broken.insert("apply");
    assert!(guard.reload(Cause::Command).is_err());
    assert_eq!(banned(&guard), ["192.0.0.0/16"]);
    guard.kernel.broken.clear();
    guard.kernel.broken.insert("apply bans");
    assert!(guard.reload(Cause::Command).is_err());
    assert_eq!(guard.kernel.table.len(), 2, "the allowlist neither");
}

#[test]
fn a_ban_ends_the_sessions_of_its_sources_and_no_others() {
    let files = files();
    let mut guard = guard(&files);
    let session = |client: &str, id: u64| {
        let client: std::net::SocketAddr = client.parse().unwrap();
        let server = "192.0.2.200:21".parse().unwrap();
        let session = Session {
            id,
            ..Session::default()
        };
        (
            ftp_guard_common::address::FlowKey::new(client, server),
            session,
        )
    };
    for (number, client) in ["192.0.2.7:4000", "192.0.2.8:4000", "192.0.2.7:4001"]
        .iter()
        .enumerate()
    {
        let (key, session) = session(client, number as u64 + 1);
        guard.kernel.sessions.insert(key, session);
    }
    let raised = guard.kernel.allow_generation;
    add(&mut guard, &["192.0.2.7"]).unwrap();
    assert_eq!(guard.kernel.allow_generation, raised + 1);
    let left: Vec<_> = guard
        .kernel
        .sessions
        .values()
        .map(|session| session.id)
        .collect();
    assert_eq!(left, [2]);
    guard.mode(Some(ModeName::Monitor)).unwrap();
    add(&mut guard, &["192.0.2.8"]).unwrap();
    assert_eq!(guard.kernel.sessions.len(), 1, "counted only");
    guard.mode(Some(ModeName::Enforce)).unwrap();
    assert!(guard.kernel.sessions.is_empty());
}

#[test]
fn a_test_of_a_banned_address_says_so() {
    let files = files();
    let mut guard = guard(&files);
    add(&mut guard, &["192.0.2.0/28"]).unwrap();
    let test = guard.allow_test("192.0.2.7".parse().unwrap()).unwrap();
    assert_eq!((test.allowed, test.reason.as_str()), (false, "banned"));
    assert_eq!(test.ban.unwrap().prefix, prefix("192.0.2.0/28").0);
    assert!(test.entry.is_some(), "the entry that would let it in");
    let test = guard.allow_test("192.0.2.77".parse().unwrap()).unwrap();
    assert!(test.allowed && test.ban.is_none());
}

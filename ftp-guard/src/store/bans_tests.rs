//! The file of bans, there and back.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::engine::bans::{BanRequest, Term, Terms};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn request(prefix: &str, term: Term, reason: Option<&str>) -> BanRequest {
    BanRequest {
        prefix: parse_prefix(prefix).unwrap(),
        term,
        reason: reason.map(str::to_owned),
        origin: Origin::Cli,
        by: "cli".to_owned(),
        force: false,
    }
}

fn full_book() -> BanBook {
    let mut book = BanBook::default();
    book.set_terms(Terms::default());
    book.add(
        now(),
        &request("192.0.2.7", Term::Escalating, Some("brute \"force\"")),
    );
    book.add(now(), &request("198.51.100.0/24", Term::Forever, None));
    book.add(
        now(),
        &BanRequest::of_rule("slow", parse_prefix("2001:db8::/48").unwrap(), "idle"),
    );
    book.add(
        now(),
        &request("192.0.2.9", Term::For(Duration::from_secs(9)), None),
    );
    book.sweep(now() + SignedDuration::from_secs(10));
    book.remove(now(), &parse_prefix("192.0.2.7").unwrap(), false);
    book
}

fn restored(stored: StoredBans) -> BanBook {
    BanBook::restore(Terms::default(), stored.bans, stored.history)
}

#[track_caller]
fn mistake(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bans.json");
    fs::write(&path, text).unwrap();
    let mistake = read_bans(&path).unwrap_err().to_string();
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "left as it is");
    mistake.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_file_is_read_as_it_was_written_and_can_be_read_by_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bans.json");
    assert_eq!(
        read_bans(&path).unwrap(),
        StoredBans::default(),
        "no file, no bans"
    );
    let book = full_book();
    write_bans(&path, &book).unwrap();
    let back = restored(read_bans(&path).unwrap());
    assert!(back.bans().eq(book.bans()) && back.history().eq(book.history()));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        r#"{
  "version": 1,
  "bans": [
    {"prefix":"198.51.100.0/24","since":"2026-03-01T12:00:00Z","origin":"cli","by":"cli","count":1},
    {"prefix":"2001:db8::/48","since":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00Z","reason":"idle","origin":"rule","by":"slow","count":1}
  ],
  "history": [
    {"prefix":"192.0.2.7","since":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00Z","reason":"brute \"force\"","origin":"cli","by":"cli","count":1,"ended":"2026-03-01T12:00:00Z","end":"removed"},
    {"prefix":"192.0.2.9","since":"2026-03-01T12:00:00Z","until":"2026-03-01T12:00:09Z","origin":"cli","by":"cli","count":1,"ended":"2026-03-01T12:00:09Z","end":"expired"}
  ]
}
"#
    );
    write_bans(&path, &BanBook::default()).unwrap();
    assert_eq!(read_bans(&path).unwrap(), StoredBans::default());
}

#[test]
fn missing_folders_are_made_for_owner_and_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib/ftp-guard/bans.json");
    write_bans(&path, &BanBook::default()).unwrap();
    for made in ["lib", "lib/ftp-guard"] {
        let mode = fs::metadata(folder.path().join(made))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o027, 0, "{made}: {mode:o}");
        assert_eq!(mode & 0o700, 0o700, "{made}: {mode:o}");
    }
    fs::write(folder.path().join("file"), "").unwrap();
    let error = write_bans(&folder.path().join("file/bans.json"), &BanBook::default()).unwrap_err();
    assert!(error.to_string().contains("/file"), "{error}");
}

#[test]
fn damage_is_named_with_its_place_and_the_file_left_alone() {
    let text = text_of(&full_book()).unwrap();
    let half = mistake(&text[..text.len() / 2]);
    assert!(
        half.starts_with("bans.json:8:40: ") && half.contains("damaged"),
        "{half}"
    );
    for (from, to, begins, part) in [
        (
            "\"version\"",
            "version",
            "bans.json:2:3: damaged",
            "key must be a string",
        ),
        (
            "\"version\": 1",
            "\"version\": 2",
            "bans.json: layout 2",
            "reads 1",
        ),
        (
            "198.51.100.0/24",
            "198.51.100.1/24",
            "bans.json:4:15: ",
            "198.51.100.0/24",
        ),
        ("198.51.100.0/24", "192.0.2.9", "bans.json:9:15: ", "twice"),
        (
            "\"origin\":\"rule\"",
            "\"origin\":\"fate\"",
            "bans.json:5:15: ",
            "fate",
        ),
        (
            "\"end\":\"expired\"",
            "\"end\":\"late\"",
            "bans.json:9:15: ",
            "expired or removed",
        ),
        (
            "\"by\":\"slow\"",
            "\"who\":\"slow\"",
            "bans.json:5:",
            "unknown field `who`",
        ),
        (
            "2026-03-01T13:00:00Z",
            "tomorrow",
            "bans.json:5:",
            "damaged",
        ),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        let message = mistake(&damaged);
        assert!(
            message.starts_with(begins) && message.contains(part),
            "{from}: {message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    assert!(mistake("").starts_with("bans.json:1:1: damaged"));
    assert!(mistake("[]").starts_with("bans.json:1:"));
}

#[test]
fn what_is_no_file_is_an_error_and_not_an_empty_list() {
    let folder = tempfile::tempdir().unwrap();
    let message = read_bans(folder.path()).unwrap_err().to_string();
    assert!(message.ends_with("not a regular file"), "{message}");
    let path = folder.path().join("bans.json");
    fs::write(&path, b"{\"version\": \xff}").unwrap();
    let message = read_bans(&path).unwrap_err().to_string();
    assert!(
        message.ends_with("bans.json:1:13: not UTF-8 text"),
        "{message}"
    );
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    let message = read_bans(&link).unwrap_err().to_string();
    assert!(message.contains("cannot read"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_reason_survives(reason in any::<String>(), by in any::<String>(), seconds in 1..u32::MAX / 2) {
        let mut book = BanBook::default();
        book.set_terms(Terms::default());
        let request = BanRequest {
            by,
            ..request("192.0.2.7", Term::For(Duration::from_secs(seconds.into())), Some(&reason))
        };
        prop_assert!(book.add(now(), &request).changed());
        let text = text_of(&book).unwrap();
        let back = restored(parse(Path::new("bans.json"), &text).unwrap());
        prop_assert!(back.bans().eq(book.bans()));
    }

    #[test]
    fn damage_never_reads_as_something_else(at in any::<prop::sample::Index>()) {
        let text = text_of(&full_book()).unwrap();
        let cut = at.index(text.trim_end().len());
        prop_assert!(parse(Path::new("bans.json"), &text[..cut]).is_err(), "cut at {cut}");
    }
}

//! What came over the network is shown, and is nothing but shown.

use jiff::Timestamp;

use super::{html, page, text};
use crate::engine::{
    events::{Event, EventKind, TransferEvent},
    monitor::record::{Direction, TransferRecord},
    report::{AllowEntry, AllowWidth, Coverage, Gatherer, Posture, ProfileLimits, Report},
};

const EVIL: &str = "<script>alert('1')</script>\"&\x1b[2J";

fn report() -> Report {
    let now: Timestamp = "2026-11-22T08:40:00Z".parse().unwrap();
    let mut gatherer = Gatherer::default();
    gatherer.event(&Event {
        time: now,
        kind: EventKind::Transfer(TransferEvent {
            session: 1,
            client: "192.0.2.7:40000".parse().unwrap(),
            server: "198.51.100.1:21".parse().unwrap(),
            user: Some(EVIL.to_owned()),
            transfer: TransferRecord {
                began: now,
                direction: Direction::Upload,
                command: Some("STOR".into()),
                path: Some(EVIL.to_owned()),
                file_type: Some(EVIL.to_owned()),
                bytes: Some(3 << 20),
                seconds: 1.0,
                code: Some(226),
                mode: None,
                data_client: None,
                data_server: None,
                encrypted: None,
                complete: true,
            },
        }),
    });
    let entry = AllowEntry {
        prefix: "10.0.0.0/8".parse().unwrap(),
        allows: true,
        label: Some(EVIL.to_owned()),
        profile: "default".into(),
        expires: None,
    };
    let profile = ProfileLimits {
        name: "default".into(),
        entries: 1,
        settings: serde_json::from_str(r#"{"max_sessions":10,"require_tls":true}"#).unwrap(),
    };
    let posture = Posture {
        allowlist: AllowWidth::of([entry], now),
        profiles: vec![profile],
        warnings: vec![EVIL.to_owned()],
        ..Posture::default()
    };
    gatherer.finish((now, now), now, Coverage::default(), posture)
}

#[test]
fn a_page_of_html_has_no_tag_that_is_not_ours() {
    let html = html::render(&page::of(&report()));
    assert!(html.starts_with("<!DOCTYPE html>"));
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"));
    assert!(!html.contains('\x1b'));
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    // All that is opened is closed.
    for tag in [
        "table", "tr", "td", "th", "h2", "h3", "thead", "tbody", "body", "html",
    ] {
        let opened =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn the_text_says_the_same_and_moves_no_cursor() {
    let page = page::of(&report());
    let text = text::render(&page);
    assert!(
        !text
            .chars()
            .any(|letter| letter.is_control() && letter != '\n')
    );
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let words = words.join(" ");
    for part in [
        "FTP report, 2026-11-22T08:40:00Z",
        "LOGINS IN CLEAR TEXT",
        "uploads 1, 3.00 MiB",
        "Profile default, 1 entry",
        "require_tls true",
        "IPv4 addresses 16777216",
        "<script>alert('1')</script>\"&\\u{1b}[2J",
    ] {
        assert!(words.contains(part), "{part}\n{text}");
    }
    let html = html::render(&page);
    for section in &page.sections {
        assert!(html.contains(section.title));
        for (name, _) in &section.facts {
            assert!(html.contains(name.as_str()), "{name}");
        }
    }
}

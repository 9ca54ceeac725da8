//! Requests and replies, there and back.

use super::*;

fn every_request() -> Vec<Request> {
    let prefix: Prefix = "192.0.2.0/24".parse().unwrap();
    vec![
        Request::Status,
        Request::Counters,
        Request::Reload,
        Request::Detach,
        Request::Mode {
            set: Some(ModeName::Monitor),
        },
        Request::ModeTrial { seconds: 600 },
        Request::ModeConfirm,
        Request::AllowAdd {
            prefixes: vec![prefix, "2001:db8::1".parse().unwrap()],
            names: vec![Host(HostName::parse("a.example.net").unwrap())],
            settings: EntrySettings {
                exclude: true,
                profile: Some("bulk".into()),
                expires: Some("2030-01-01T00:00:00Z".parse().unwrap()),
                label: Some("a \"partner\"".into()),
            },
        },
        Request::AllowRemove {
            names: Vec::new(),
            prefixes: vec![prefix],
        },
        Request::AllowList,
        Request::AllowImport {
            name: "-".into(),
            text: "192.0.2.1\n".into(),
            more: true,
        },
        Request::AllowTest {
            address: "192.0.2.1".parse().unwrap(),
        },
        Request::AllowSuggest(SuggestWanted {
            since: Some("2030-01-01T00:00:00Z".parse().unwrap()),
            min_sessions: Some(2),
            min_days: Some(3),
            anonymous: true,
            past: None,
        }),
        Request::Explain {
            packet: Question {
                source: "192.0.2.1".parse().unwrap(),
                destination: None,
                port: 21,
                flags: 2,
                vlans: vec![7],
                interface: Some("eth0".into()),
            },
        },
        Request::Sessions {
            client: Some(prefix),
        },
        Request::Sources { client: None },
        Request::Events(EventsWanted {
            follow: true,
            reasons: vec!["not_listed".into()],
            kinds: vec!["drop".into()],
            source: Some(prefix),
            severity: Some(Severity::High),
            limit: Some(9),
        }),
        Request::Kill {
            targets: ["17", "192.0.2.7", "2001:db8::/48"]
                .map(|text| text.parse().unwrap())
                .into(),
        },
        Request::BanAdd {
            prefixes: vec![prefix],
            terms: BanTerms {
                seconds: Some(600),
                until: Some("2030-01-01T00:00:00Z".parse().unwrap()),
                forever: true,
                reason: Some("brute force".into()),
                by: Some("fail2ban".into()),
                force: true,
            },
        },
        Request::BanRemove {
            prefixes: vec![prefix],
            forget: true,
        },
        Request::BanList { history: true },
        Request::HistoryEvents(PastEventsWanted {
            since: Some("2030-01-01T00:00:00Z".parse().unwrap()),
            until: Some("2030-01-02T00:00:00Z".parse().unwrap()),
            kinds: vec!["login".into()],
            reasons: vec!["not_listed".into()],
            source: Some(prefix),
            severity: Some(Severity::High),
            user: Some("alice".into()),
            limit: Some(9),
        }),
        Request::SessionsPast(PastSessionsWanted {
            since: None,
            until: Some("2030-01-02T00:00:00Z".parse().unwrap()),
            client: Some(prefix),
            user: Some("alice".into()),
            limit: None,
        }),
        Request::Report(ReportWanted::default()),
    ]
}

#[test]
fn every_verb_round_trips_on_one_line() {
    let mut verbs = Vec::new();
    for request in every_request() {
        let line = encode(&request).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(decode_request(&line), Ok(request), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        verbs.push(value["verb"].as_str().unwrap().to_owned());
    }
    assert_eq!(verbs, VERBS);
}

#[test]
fn whom_to_kill_is_a_number_an_address_or_a_prefix() {
    for text in [
        "1",
        "18446744073709551615",
        "192.0.2.7",
        "192.0.2.0/24",
        "2001:db8::7",
    ] {
        let target: Target = text.parse().unwrap();
        assert_eq!(target.to_string(), text);
    }
    for (text, part) in [
        ("0", "no number of a session"),
        ("18446744073709551616", "no number of a session"),
        ("-1", "-1"),
        ("", ""),
        ("client.example", "client.example"),
        ("192.0.2.7/24", "192.0.2.0/24"),
    ] {
        let message = text.parse::<Target>().unwrap_err();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn replies_round_trip() {
    for reply in [
        Reply::Part(vec![Value::from(1), Value::from("two")]),
        Reply::Result(serde_json::json!({"a": 1})),
        Reply::Error(Failure {
            exit_code: EXIT_CONFIGURATION,
            message: "no".into(),
            diagnostics: vec![DiagnosticView {
                file: "a.list".into(),
                line: 3,
                column: 1,
                message: "what".into(),
            }],
        }),
    ] {
        let line = encode(&reply).unwrap();
        assert_eq!(decode_reply(&line), Ok(reply), "{line}");
    }
}

fn refusal(line: &str) -> String {
    let failure = decode_request(line).unwrap_err();
    assert_eq!(failure.exit_code, EXIT_USAGE, "{line}");
    failure.message
}

#[test]
fn a_bad_request_is_told_apart() {
    assert!(refusal("hello").contains("no JSON object"));
    assert!(refusal("[1]").contains("no JSON object"));
    assert!(refusal(r#"{"verb":"status"}"#).contains("names no protocol version"));
    assert!(refusal(r#"{"version":2,"verb":"status"}"#).contains("version 2 is not spoken"));
    assert!(refusal(r#"{"version":"1","verb":"status"}"#).contains("is not spoken"));
    assert!(refusal(r#"{"version":1}"#).contains("names no verb"));
    assert!(refusal(r#"{"version":1,"verb":"dance"}"#).contains("`dance` is unknown"));
    let arguments = refusal(r#"{"version":1,"verb":"allow-test","address":"nobody"}"#);
    assert!(arguments.contains("bad arguments of `allow-test`"));
    let settings = r#"{"version":1,"verb":"allow-add","prefixes":[],"settings":{"foo":1}}"#;
    assert!(refusal(settings).contains("unknown field `foo`"));
}

#[test]
fn a_prefix_with_host_bits_is_refused_with_the_likely_meaning() {
    let error = "192.0.2.7/24".parse::<Prefix>().unwrap_err();
    assert!(error.contains("write 192.0.2.0/24"), "{error}");
    assert!("partner.example".parse::<Prefix>().is_err());
    let host: Prefix = "2001:db8::1".parse().unwrap();
    assert_eq!(String::from(host), "2001:db8::1/128");
}

#[test]
fn a_reply_of_another_version_is_named() {
    let failure = decode_reply(r#"{"version":9,"result":{}}"#).unwrap_err();
    assert!(failure.message.contains("version 9"), "{}", failure.message);
    assert!(decode_reply("garbage").is_err());
}

#[test]
fn the_document_names_every_verb_and_every_limit() {
    let document = include_str!("../../../docs/control-protocol.md");
    for verb in VERBS {
        assert!(document.contains(&format!("\n### `{verb}`\n")), "{verb}");
    }
    let limits = format!(
        "a request line has at most {} KiB; {} connections at a time",
        crate::control::MAX_REQUEST_LINE >> 10,
        crate::control::MAX_CONNECTIONS
    );
    assert!(document.contains(&limits), "{limits}");
    let import = format!("At most {} MiB", crate::control::MAX_IMPORT >> 20);
    assert!(document.contains(&import), "{import}");
    assert!(document.contains(&format!("\"version\":{VERSION}")));
}

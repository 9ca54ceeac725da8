//! What a scrape looks like.

use std::time::Duration;

use ftp_guard_common::{
    class::PortClass,
    reason::{Reason, Verdict},
};

use super::*;
use crate::{
    engine::sessions::view::{PassiveWatch, TableFill},
    telemetry::catalogue::METRICS,
};

fn snapshot() -> Snapshot {
    let key = StatsKey {
        verdict: Verdict::Drop,
        reason: Reason::NotListed,
        class: PortClass::Control,
        family: Family::Ipv4,
    };
    let count = Counter {
        packets: 3,
        bytes: 180,
    };
    Snapshot {
        counters: vec![(key, count)],
        egress: vec![(
            StatsKey {
                reason: Reason::Bounce,
                class: PortClass::ActiveData,
                ..key
            },
            count,
        )],
        control: vec![(
            StatsKey {
                reason: Reason::ControlGap,
                ..key
            },
            count,
        )],
        live: Live {
            figures: SessionFigures {
                clear: 5,
                encrypted: 2,
                passive: PassiveWatch {
                    configured: 101,
                    listening: 4,
                    in_use: 3,
                    taken: 7,
                    exhausted_in: Some(Duration::from_secs(90)),
                    highest: 9,
                    outside: vec![60001],
                },
                tables: vec![TableFill {
                    name: "sessions",
                    used: 8,
                    size: 16_384,
                }],
                ..SessionFigures::default()
            },
            data: [
                (FlowKind::Passive, 3),
                (FlowKind::Active, 1),
                (FlowKind::Outgoing, 0),
            ],
            pinholes: 6,
        },
        flood: FloodFigures {
            under_attack: true,
            attacks: 3,
            packets_per_second: 40_000,
            absorbed_per_second: 39_000,
            cookies_available: true,
            cookies_engaged: true,
            bans: vec![("cli", 4), ("rule", 0)],
            tables: vec![TableFill {
                name: "bans_v4",
                used: 4,
                size: 65_536,
            }],
            published: vec![("drop", 70), ("attack_begin", 3)],
            lost: 2,
            suppressed: vec![(Reason::NotListed, 5_000)],
        },
        monitor: MonitorFigures {
            sessions: crate::telemetry::sessions::tests::everything(),
            ..MonitorFigures::default()
        },
        kept: KeptFigures {
            works: true,
            bytes: 4096,
            entries: [17, 2],
            lines: [9, 1],
        },
        entries: EntryCounts::from([((Family::Ipv4, false), 12), ((Family::Ipv6, true), 1)]),
        max_entries: 1000,
        memory: MemoryView::default(),
        names: NameFigures {
            names: 5,
            failing: 2,
            addresses: 9,
            oldest: Some(Duration::from_secs(90)),
        },
        attached: vec![("eth0".into(), "native")],
        missing: vec!["eth1".into()],
        mode: Mode::Monitor,
        mode_deadline: Some("2026-11-23T01:10:00Z".parse().unwrap()),
        mode_fallbacks: 3,
        reloads_applied: 4,
        reloads_refused: 1,
        last_reload_success: true,
        last_reload_seconds: 1_700_000_000.5,
    }
}

#[test]
fn every_sample_of_a_snapshot() {
    let text = render(&snapshot()).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for line in [
        "ftp_guard_history_working 1",
        "ftp_guard_history_bytes 4096",
        r#"ftp_guard_names{state="resolved"} 3"#,
        r#"ftp_guard_names{state="failing"} 2"#,
        "ftp_guard_name_addresses 9",
        "ftp_guard_name_oldest_answer_seconds 90",
        "ftp_guard_mode_deadline_timestamp_seconds 1795396200",
        "ftp_guard_mode_fallbacks_total 3",
        r#"ftp_guard_history_entries_total{outcome="written"} 17"#,
        r#"ftp_guard_history_entries_total{outcome="lost"} 2"#,
        r#"ftp_guard_export_lines_total{outcome="written"} 9"#,
        r#"ftp_guard_export_lines_total{outcome="lost"} 1"#,
        r#"ftp_guard_packets_total{class="control",family="ipv4",reason="not_listed",verdict="drop"} 3"#,
        r#"ftp_guard_bytes_total{class="control",family="ipv4",reason="not_listed",verdict="drop"} 180"#,
        r#"ftp_guard_egress_packets_total{class="active_data",family="ipv4",reason="bounce",verdict="drop"} 3"#,
        r#"ftp_guard_egress_bytes_total{class="active_data",family="ipv4",reason="bounce",verdict="drop"} 180"#,
        r#"ftp_guard_control_packets_total{class="control",family="ipv4",reason="control_gap",verdict="drop"} 3"#,
        r#"ftp_guard_control_bytes_total{class="control",family="ipv4",reason="control_gap",verdict="drop"} 180"#,
        r#"ftp_guard_sessions{tls="clear"} 5"#,
        r#"ftp_guard_sessions{tls="tls"} 2"#,
        r#"ftp_guard_sessions{tls="unknown"} 0"#,
        r#"ftp_guard_data_connections{kind="passive"} 3"#,
        r#"ftp_guard_data_connections{kind="active"} 1"#,
        r#"ftp_guard_data_connections{kind="outgoing"} 0"#,
        "ftp_guard_pinholes 6",
        r#"ftp_guard_table_entries{table="sessions"} 8"#,
        r#"ftp_guard_table_size{table="sessions"} 16384"#,
        r#"ftp_guard_passive_ports{state="configured"} 101"#,
        r#"ftp_guard_passive_ports{state="listening"} 4"#,
        r#"ftp_guard_passive_ports{state="in_use"} 3"#,
        r#"ftp_guard_passive_ports{state="highest"} 9"#,
        r#"ftp_guard_table_entries{table="bans_v4"} 4"#,
        r#"ftp_guard_table_size{table="bans_v4"} 65536"#,
        "ftp_guard_attack 1",
        "ftp_guard_attacks_total 3",
        "ftp_guard_attack_packets_per_second 40000",
        "ftp_guard_absorbed_packets_per_second 39000",
        "ftp_guard_syn_cookies_available 1",
        "ftp_guard_syn_cookies_engaged 1",
        r#"ftp_guard_bans{origin="cli"} 4"#,
        r#"ftp_guard_bans{origin="rule"} 0"#,
        r#"ftp_guard_events_total{event="drop"} 70"#,
        r#"ftp_guard_events_total{event="attack_begin"} 3"#,
        "ftp_guard_events_lost_total 2",
        r#"ftp_guard_events_suppressed_total{reason="not_listed"} 5000"#,
        "ftp_guard_passive_outside_range 1",
        "ftp_guard_passive_exhaustion_seconds 90",
        r#"ftp_guard_allowlist_entries{family="ipv4",kind="allow"} 12"#,
        r#"ftp_guard_allowlist_entries{family="ipv4",kind="exclude"} 0"#,
        r#"ftp_guard_allowlist_entries{family="ipv6",kind="exclude"} 1"#,
        "ftp_guard_allowlist_max_entries 1000",
        r#"ftp_guard_interface_attached{interface="eth0",mode="native"} 1"#,
        r#"ftp_guard_interface_attached{interface="eth1",mode="none"} 0"#,
        r#"ftp_guard_mode{mode="enforce"} 0"#,
        r#"ftp_guard_mode{mode="monitor"} 1"#,
        r#"ftp_guard_reloads_total{result="success"} 4"#,
        r#"ftp_guard_reloads_total{result="failure"} 1"#,
        "ftp_guard_last_reload_success 1",
        "ftp_guard_last_reload_success_timestamp_seconds 1700000000.5",
        &format!(r#"ftp_guard_build_info{{abi="{ABI_VERSION}",version="{version}"}} 1"#),
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line}\nnot in\n{text}"
        );
    }
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
}

#[test]
fn the_table_of_metrics_is_what_a_scrape_tells() {
    let text = render(&snapshot()).unwrap();
    let told: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter(|line| line.starts_with("ftp_guard_"))
        .collect();
    let mut known: Vec<String> = METRICS
        .iter()
        .map(|metric| format!("{} {}", metric.name, metric.kind))
        .collect();
    known.sort();
    assert_eq!(told, known);
}

//! `ftp-guard status`

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{
    Global, Outcome,
    mode::{since, until},
    output::{bytes, counted, duration, print, print_json},
    target::Target,
    would_drop,
};
use crate::{
    config::Config,
    control::{
        flood_view::FloodView,
        mode_view::ModeNow,
        protocol::{EXIT_FAILED, Failure, ModeName, Request},
        view::{AllowlistView, CounterView, MemoryView, Status},
    },
    daemon::status::{counter_view, interface_view, uncovered},
    datapath::{monotonic_ns, observe},
    netlink,
};

/// Tell what is enforced, as the kernel has it.
///
/// Without a daemon the pins are read (as root); the exit code is then 1.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let target = Target::of(global);
        let status: Status = match target.connect_if_running()? {
            Some(mut client) => client.ask(&Request::Status)?,
            None => observed(global, &target)?,
        };
        if self.json {
            print_json(&status)?;
        } else {
            print(&text(&status))?;
        }
        Ok(if status.running { 0 } else { EXIT_FAILED })
    }
}

fn observed(global: &Global, target: &Target) -> Result<Status, Failure> {
    let configured = Config::load(&global.config).map_or_else(|_| Vec::new(), |c| c.interfaces);
    let mut status = Status {
        pin_path: target.pin_path.clone(),
        missing_interfaces: configured.clone(),
        ..Status::default()
    };
    if let Some(problem) = &target.problem {
        status.warnings.push(format!(
            "{}: {problem}; run `ftp-guard check`",
            global.config.display()
        ));
    }
    let present = netlink::interfaces()
        .map_err(|error| Failure::failed(format!("cannot list the interfaces: {error}")))?;
    let Some(observation) = observe(&target.pin_path)? else {
        status.uncovered_interfaces = uncovered(&present, &[], &status.missing_interfaces);
        return Ok(status);
    };
    let attachments = observation.attachments;
    status.missing_interfaces = configured
        .into_iter()
        .filter(|name| attachments.iter().all(|a| a.interface != *name))
        .collect();
    status.uncovered_interfaces = uncovered(&present, &attachments, &status.missing_interfaces);
    let mode = ModeNow::of(observation.mode, monotonic_ns(), Timestamp::now());
    status.mode = Some(mode.mode.into());
    (status.deadline, status.fell_back) = (mode.deadline, mode.fell_back);
    status.interfaces = attachments.into_iter().map(interface_view).collect();
    status.allowlist.ipv4 = observation.entries_v4 as u64;
    status.allowlist.ipv6 = observation.entries_v6 as u64;
    if observation.sysctls_set {
        status.warnings.push(
            "net.ipv4.tcp_syncookies and net.ipv4.tcp_timestamps are set for SYN cookies; the next \
             daemon puts them back in time, `ftp-guard detach` at once"
                .to_owned(),
        );
    }
    status.counters = observation.counters.into_iter().map(counter_view).collect();
    Ok(status)
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, status);
    text
}

fn write(text: &mut String, status: &Status) -> std::fmt::Result {
    match &status.daemon {
        Some(daemon) => writeln!(
            text,
            "daemon:      running, version {}, pid {}, up {}",
            daemon.version,
            daemon.pid,
            duration(daemon.uptime_seconds)
        )?,
        None if status.mode.is_some() => writeln!(
            text,
            "daemon:      not running; the kernel enforces what follows all the same"
        )?,
        None => writeln!(text, "daemon:      not running, and nothing is enforced")?,
    }
    match status.mode {
        Some(ModeName::Enforce) => writeln!(text, "mode:        enforce")?,
        Some(ModeName::Monitor) => {
            writeln!(
                text,
                "mode:        monitor (counts what it would drop, drops nothing)"
            )?;
        }
        None => {}
    }
    if let Some(deadline) = &status.deadline {
        let end = until(deadline);
        writeln!(
            text,
            "             {end}; `ftp-guard mode confirm` keeps it"
        )?;
    }
    if let Some(at) = status.fell_back {
        writeln!(text, "             {}", since(at))?;
    }
    if let Some(role) = &status.role {
        writeln!(text, "role:        {role}")?;
    }
    for interface in &status.interfaces {
        writeln!(
            text,
            "interface:   {} (index {}), {} XDP, program {}, classifiers {}",
            interface.interface,
            interface.ifindex,
            interface.mode,
            interface.program_id,
            match &interface.tc {
                Some(tc) => tc,
                None => "NOT attached",
            }
        )?;
    }
    for name in &status.missing_interfaces {
        writeln!(text, "interface:   {name}: configured, NOT guarded")?;
    }
    for name in &status.uncovered_interfaces {
        writeln!(
            text,
            "interface:   {name}: holds an address, not configured, not guarded"
        )?;
    }
    if status.mode.is_some() {
        let AllowlistView { ipv4, ipv6, .. } = status.allowlist;
        writeln!(
            text,
            "allowlist:   {ipv4} IPv4 and {ipv6} IPv6 entries in the kernel"
        )?;
    }
    for file in &status.allowlist.files {
        let entries = counted(file.entries, "entry", "entries");
        writeln!(text, "             {entries} from {}", file.file.display())?;
    }
    names(text, &status.allowlist)?;
    memory(text, &status.allowlist)?;
    connections(text, status)?;
    if let Some(flood) = &status.flood {
        text_of_flood(text, flood)?;
    }
    if let Some(daemon) = &status.daemon {
        let reload = &daemon.last_reload;
        match &reload.error {
            None => writeln!(
                text,
                "last reload: {} ({}), applied",
                reload.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                reload.cause
            )?,
            Some(error) => writeln!(
                text,
                "last reload: {} ({}), REFUSED: {error}",
                reload.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                reload.cause
            )?,
        }
        if let Some(metrics) = &daemon.metrics {
            writeln!(text, "metrics:     http://{metrics}/metrics")?;
        }
    }
    for warning in &status.warnings {
        writeln!(text, "warning:     {warning}")?;
    }
    if let Some(would_drop) = &status.would_drop {
        text.push_str(&would_drop::text(would_drop));
    }
    counters(text, "from clients", &status.counters)?;
    counters(text, "from servers, on egress", &status.egress_counters)?;
    counters(
        text,
        "read from control connections",
        &status.control_counters,
    )
}

/// Attacks, cookies, limits, bans and events.
fn text_of_flood(text: &mut String, flood: &FloodView) -> std::fmt::Result {
    let rates = format!(
        "{} requests and strays a second, {} packets absorbed a second",
        flood.packets_per_second, flood.absorbed_per_second
    );
    let attacks = counted(flood.attacks, "attack", "attacks");
    match flood.since {
        Some(since) => writeln!(
            text,
            "flood:       UNDER ATTACK since {}, {rates}; {attacks} so far",
            since.strftime("%FT%TZ")
        )?,
        None => writeln!(text, "flood:       no attack, {rates}; {attacks} so far")?,
    }
    let cookies = &flood.cookies;
    let state = match (&cookies.unavailable, cookies.engaged, cookies.sysctls_set) {
        (Some(why), ..) => format!("none here: {why}"),
        (None, true, _) => "engaged".to_owned(),
        (None, false, true) => "not engaged; the sysctls are put back soon".to_owned(),
        (None, false, false) => "not engaged".to_owned(),
    };
    writeln!(
        text,
        "SYN cookies: {}, {state}; {} sent, {} accepted, {} failed",
        cookies.setting, cookies.sent, cookies.accepted, cookies.failed
    )?;
    for (title, counts) in [
        ("limits hit: ", &flood.limit_hits),
        ("unreported: ", &flood.events.suppressed),
    ] {
        let counts: Vec<String> = counts
            .iter()
            .map(|count| format!("{} {}", count.reason, count.packets))
            .collect();
        if !counts.is_empty() {
            writeln!(text, "{title} {}", counts.join(", "))?;
        }
    }
    let bans = &flood.bans;
    if bans.cli + bans.rule + bans.exempt > 0 {
        writeln!(
            text,
            "bans:        {} by command, {} by rules, {} without effect (never_ban)",
            bans.cli, bans.rule, bans.exempt
        )?;
    }
    Ok(())
}

/// Sessions, passive ports and tables.
fn connections(text: &mut String, status: &Status) -> std::fmt::Result {
    if let Some(sessions) = &status.sessions {
        let live = sessions.clear + sessions.tls + sessions.unknown;
        writeln!(
            text,
            "sessions:    {live} ({} clear, {} TLS, {} unknown) with {} and {}",
            sessions.clear,
            sessions.tls,
            sessions.unknown,
            counted(
                sessions.data_connections,
                "data connection",
                "data connections"
            ),
            counted(sessions.pinholes, "pinhole", "pinholes")
        )?;
    }
    if let Some(passive) = &status.passive_ports {
        let ranges = match passive.ranges.is_empty() {
            true => "none".to_owned(),
            false => passive.ranges.join(", "),
        };
        writeln!(
            text,
            "passive:     {ranges}: {} ports, {} listening, {} in use, {} at most",
            passive.configured, passive.listening, passive.in_use, passive.highest
        )?;
        if let Some(seconds) = passive.exhausted_in_seconds {
            writeln!(
                text,
                "             at this rate all are taken in {seconds} s"
            )?;
        }
        for found in &passive.found {
            writeln!(text, "             {found}")?;
        }
    }
    let tables: Vec<String> = status
        .tables
        .iter()
        .map(|table| format!("{} {}/{}", table.table, table.used, table.size))
        .collect();
    if !tables.is_empty() {
        writeln!(text, "tables:      {}", tables.join(", "))?;
    }
    Ok(())
}

/// The counters summed over class and family; `--json` has them one by one.
fn counters(text: &mut String, what: &str, counters: &[CounterView]) -> std::fmt::Result {
    let mut rows: Vec<(&str, &str, u64, u64)> = Vec::new();
    for counter in counters {
        match rows
            .iter_mut()
            .find(|row| (row.0, row.1) == (&*counter.verdict, &*counter.reason))
        {
            Some(row) => {
                row.2 += counter.packets;
                row.3 += counter.bytes;
            }
            None => rows.push((
                &counter.verdict,
                &counter.reason,
                counter.packets,
                counter.bytes,
            )),
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n{:<11} {:<20} {:>14} {:>18}  {what}",
        "VERDICT", "REASON", "PACKETS", "BYTES"
    )?;
    for (verdict, reason, packets, bytes) in rows {
        writeln!(text, "{verdict:<11} {reason:<20} {packets:>14} {bytes:>18}")?;
    }
    Ok(())
}

/// The names of the allowlist, counted.
fn names(text: &mut String, allowlist: &AllowlistView) -> std::fmt::Result {
    let Some(names) = &allowlist.names else {
        return Ok(());
    };
    write!(
        text,
        "names:       {} with {}",
        counted(names.names, "name", "names"),
        counted(names.addresses, "address", "addresses")
    )?;
    if names.failing > 0 {
        write!(text, ", {} FAILING", names.failing)?;
    }
    match names.oldest_answer_seconds {
        Some(age) => writeln!(text, ", oldest answer {} ago", duration(age)),
        None => writeln!(text),
    }
}

/// What the allowlist takes, and took before it last changed.
fn memory(text: &mut String, allowlist: &AllowlistView) -> std::fmt::Result {
    let Some(now) = allowlist.memory else {
        return Ok(());
    };
    let line = |view: MemoryView| {
        format!(
            "{} in the kernel, {} of it used; {} in the daemon",
            bytes(view.kernel_bytes),
            bytes(view.kernel_used_bytes),
            bytes(view.daemon_bytes)
        )
    };
    writeln!(text, "memory:      {}", line(now))?;
    match allowlist.memory_before {
        Some(before) => writeln!(text, "             {} before the last change", line(before)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{
        flood_view::{CookiesView, ReasonCount},
        mode_view::DeadlineView,
    };

    fn counter(class: &str, packets: u64) -> CounterView {
        CounterView {
            verdict: "drop".into(),
            reason: "not_listed".into(),
            class: class.into(),
            family: "ipv4".into(),
            packets,
            bytes: packets * 60,
        }
    }

    fn nothing() -> Status {
        Status {
            pin_path: "/sys/fs/bpf/x".into(),
            missing_interfaces: vec!["eth0".into()],
            ..Status::default()
        }
    }

    #[test]
    fn nothing_enforced_is_said_plainly() {
        assert_eq!(
            text(&nothing()),
            "daemon:      not running, and nothing is enforced\n\
             interface:   eth0: configured, NOT guarded\n"
        );
    }

    #[test]
    fn a_deadline_is_told_and_that_it_passed() {
        let mut status = Status {
            mode: Some(ModeName::Enforce),
            missing_interfaces: Vec::new(),
            deadline: Some(DeadlineView {
                at: "2026-11-23T01:10:00Z".parse().unwrap(),
                seconds_left: 12,
            }),
            ..nothing()
        };
        assert!(
            text(&status).contains(
                "mode:        enforce\n             until 2026-11-23T01:10:00Z (12 s left), then \
                 monitor; `ftp-guard mode confirm` keeps it\n"
            ),
            "{}",
            text(&status)
        );
        status.mode = Some(ModeName::Monitor);
        status.fell_back = status.deadline.take().map(|deadline| deadline.at);
        assert!(
            text(&status).contains(
                "drops nothing)\n             since 2026-11-23T01:10:00Z: nobody confirmed enforce \
                 mode in time\n"
            ),
            "{}",
            text(&status)
        );
    }

    #[test]
    fn floods_are_told() {
        let mut text = String::new();
        let mut flood = FloodView {
            attacks: 1,
            absorbed_per_second: 7,
            cookies: CookiesView {
                setting: "auto".to_owned(),
                sent: 3,
                ..CookiesView::default()
            },
            ..FloodView::default()
        };
        text_of_flood(&mut text, &flood).unwrap();
        assert_eq!(
            text,
            "flood:       no attack, 0 requests and strays a second, 7 packets absorbed a second; \
             1 attack so far\n\
             SYN cookies: auto, not engaged; 3 sent, 0 accepted, 0 failed\n"
        );
        text.clear();
        flood.under_attack = true;
        flood.since = Some("2026-11-22T08:40:00.5Z".parse().unwrap());
        flood.cookies.engaged = true;
        let count = |reason: &str| ReasonCount {
            reason: reason.to_owned(),
            packets: 9,
        };
        flood.limit_hits = vec![count("source_rate"), count("stray_ack")];
        flood.events.suppressed = vec![count("not_listed")];
        flood.bans.cli = 2;
        text_of_flood(&mut text, &flood).unwrap();
        assert_eq!(
            text,
            "flood:       UNDER ATTACK since 2026-11-22T08:40:00Z, 0 requests and strays a second, \
             7 packets absorbed a second; 1 attack so far\n\
             SYN cookies: auto, engaged; 3 sent, 0 accepted, 0 failed\n\
             limits hit:  source_rate 9, stray_ack 9\n\
             unreported:  not_listed 9\n\
             bans:        2 by command, 0 by rules, 0 without effect (never_ban)\n"
        );
        flood.cookies.unavailable = Some("no".to_owned());
        text.clear();
        text_of_flood(&mut text, &flood).unwrap();
        assert!(text.contains("auto, none here: no; "), "{text}");
    }

    #[test]
    fn counters_are_summed_by_verdict_and_reason() {
        let mut text = String::new();
        counters(
            &mut text,
            "from clients",
            &[counter("control", 2), counter("passive_data", 3)],
        )
        .unwrap();
        let row = text.lines().last().unwrap();
        let words: Vec<_> = row.split_whitespace().collect();
        assert_eq!(words, ["drop", "not_listed", "5", "300"]);
    }
}

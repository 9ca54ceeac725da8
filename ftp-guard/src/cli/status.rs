//! `ftp-guard status`

use std::fmt::Write as _;

use super::{
    Global, Outcome,
    output::{counted, duration, print, print_json},
    target::Target,
};
use crate::{
    config::Config,
    control::{
        protocol::{EXIT_FAILED, Failure, ModeName, Request},
        view::{AllowlistView, CounterView, Status},
    },
    daemon::status::{counter_view, interface_view, uncovered},
    datapath::observe,
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
        running: false,
        daemon: None,
        mode: None,
        pin_path: target.pin_path.clone(),
        interfaces: Vec::new(),
        missing_interfaces: configured.clone(),
        uncovered_interfaces: Vec::new(),
        allowlist: AllowlistView::default(),
        role: None,
        sessions: None,
        passive_ports: None,
        tables: Vec::new(),
        counters: Vec::new(),
        egress_counters: Vec::new(),
        control_counters: Vec::new(),
        warnings: Vec::new(),
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
    status.mode = Some(observation.mode.into());
    status.interfaces = attachments.into_iter().map(interface_view).collect();
    status.allowlist.ipv4 = observation.entries_v4 as u64;
    status.allowlist.ipv6 = observation.entries_v6 as u64;
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
    connections(text, status)?;
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
    counters(text, "from clients", &status.counters)?;
    counters(text, "from servers, on egress", &status.egress_counters)?;
    counters(
        text,
        "read from control connections",
        &status.control_counters,
    )
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn nothing_enforced_is_said_plainly() {
        let status = Status {
            running: false,
            daemon: None,
            mode: None,
            pin_path: "/sys/fs/bpf/x".into(),
            interfaces: Vec::new(),
            missing_interfaces: vec!["eth0".into()],
            uncovered_interfaces: Vec::new(),
            allowlist: AllowlistView::default(),
            role: None,
            sessions: None,
            passive_ports: None,
            tables: Vec::new(),
            counters: Vec::new(),
            egress_counters: Vec::new(),
            control_counters: Vec::new(),
            warnings: Vec::new(),
        };
        assert_eq!(
            text(&status),
            "daemon:      not running, and nothing is enforced\n\
             interface:   eth0: configured, NOT guarded\n"
        );
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

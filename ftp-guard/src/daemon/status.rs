//! `status`: what the kernel does, in the daemon's words.

use ftp_guard_common::{
    session::FlowKind,
    stats::{Counter, StatsKey},
};

use super::{
    flood::ban_tables, guard::Guard, history::HistoryHandle, kernel::Kernel, reload::restart_needed,
};
use crate::{
    config::Config,
    control::{
        protocol::Failure,
        session_view::{PassiveView, SessionCounts, TableView},
        view::{AllowlistView, CounterView, DaemonView, FileView, InterfaceView, Status},
    },
    datapath::{AttachMode, Attachment, Hook},
    engine::sessions::view::{PassiveWatch, SessionFigures, TableFill},
    netlink::Interface,
    telemetry::metrics::Live,
};

impl<K: Kernel> Guard<K> {
    /// `status`.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn status(&self) -> Result<Status, Failure> {
        let mode = self.mode_now()?;
        let attachments = self.kernel.attachments()?;
        let interfaces = self
            .kernel
            .interfaces()
            .map_err(|error| Failure::failed(format!("cannot list the interfaces: {error}")))?;
        let missing = self.missing(&attachments);
        let table = self.kernel.allow_table()?;
        let [(_, ipv4), (_, ipv6)] = table.families();
        let live = self.live()?;
        let figures = &live.figures;
        let bans = self.ban_figures()?;
        let counters = self.kernel.counters()?;
        let egress = self.kernel.hook_counters(Hook::Egress)?;
        let control = self.kernel.hook_counters(Hook::Control)?;
        let flood = self.flood_view(&bans, [&counters, &egress, &control])?;
        let files = self.set.files().filter(|(_, entries)| *entries > 0);
        Ok(Status {
            running: true,
            daemon: Some(DaemonView {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                started: self.started,
                uptime_seconds: self.started_at.elapsed().as_secs(),
                configuration: self.config.path.clone(),
                control_socket: self.socket.clone(),
                metrics: self
                    .at_start
                    .metrics
                    .listen
                    .map(|address| address.to_string()),
                last_reload: self.reloads.last.clone(),
            }),
            mode: Some(mode.mode.into()),
            deadline: mode.deadline,
            fell_back: mode.fell_back,
            pin_path: self.at_start.bpf.pin_path.clone(),
            uncovered_interfaces: uncovered(&interfaces, &attachments, &missing),
            missing_interfaces: missing,
            warnings: self.warnings(&attachments, figures),
            role: Some(self.wanted.sessions.role.as_str().to_owned()),
            sessions: Some(session_counts(&live)),
            passive_ports: Some(self.passive_view(&figures.passive)),
            tables: figures
                .tables
                .iter()
                .copied()
                .chain(ban_tables(&bans))
                .map(TableView::from)
                .collect(),
            interfaces: attachments.into_iter().map(interface_view).collect(),
            allowlist: AllowlistView {
                ipv4: ipv4.len() as u64,
                ipv6: ipv6.len() as u64,
                max_entries: Some(self.at_start.allow.max_entries),
                files: files
                    .map(|(file, entries)| FileView {
                        file: file.to_path_buf(),
                        entries: entries as u64,
                    })
                    .collect(),
                memory: Some(self.memory()),
                memory_before: self.memory_before,
                names: self.names_view(),
            },
            flood: Some(flood),
            would_drop: self.would_drop(mode.mode)?,
            counters: counter_views(counters),
            egress_counters: counter_views(egress),
            control_counters: counter_views(control),
        })
    }

    pub(super) fn passive_view(&self, watch: &PassiveWatch) -> PassiveView {
        PassiveView {
            ranges: self.passive.iter().map(ToString::to_string).collect(),
            found: self.origins.iter().map(ToString::to_string).collect(),
            configured: watch.configured,
            listening: watch.listening,
            in_use: watch.in_use,
            highest: watch.highest,
            exhausted_in_seconds: watch.exhausted_in.map(|time| time.as_secs()),
            outside: watch.outside.clone(),
        }
    }

    /// What deserves the operator's attention.
    pub(super) fn warnings(
        &self,
        attachments: &[Attachment],
        figures: &SessionFigures,
    ) -> Vec<String> {
        let mut warnings = interface_warnings(&self.config, attachments);
        for name in self.missing(attachments) {
            warnings.push(match self.kernel.index_of(&name) {
                Some(_) => format!(
                    "interface {name} is configured and NOT GUARDED: the program is not on it, and \
                     the log says why it cannot be put there"
                ),
                None => format!(
                    "interface {name} is configured and not there; it is guarded when it comes back"
                ),
            });
        }
        warnings.extend(figures.tables.iter().filter_map(table_warning));
        warnings.extend(passive_warning(&figures.passive));
        warnings.extend(outside_warning(&self.config, &figures.passive));
        warnings.extend(self.cookie_warnings());
        warnings.extend(self.name_warnings());
        warnings.extend(self.history.as_ref().and_then(HistoryHandle::warning));
        for key in restart_needed(&self.at_start, &self.config) {
            warnings.push(format!(
                "{key} has changed; it takes effect at the next start"
            ));
        }
        warnings.extend(sizes_warning(&self.config, &figures.tables));
        if let Some(error) = &self.reloads.last.error {
            warnings.push(format!("the last reload was refused: {error}"));
        }
        warnings
    }
}

/// The sessions of `status`.
pub(super) fn session_counts(live: &Live) -> SessionCounts {
    let count = |kind| {
        let found = live.data.iter().find(|(known, _)| *known == kind);
        found.map_or(0, |(_, count)| *count)
    };
    let figures = &live.figures;
    SessionCounts {
        clear: figures.clear.into(),
        tls: figures.encrypted.into(),
        unknown: figures.unknown.into(),
        data_connections: count(FlowKind::Passive) + count(FlowKind::Active),
        pinholes: live.pinholes,
    }
}

/// From how many percent on something counts as nearly used up.
const NEARLY: u64 = 80;

fn is_nearly(used: u32, size: u32) -> bool {
    size > 0 && u64::from(used) * 100 >= u64::from(size) * NEARLY
}

/// A table that is nearly full.
fn table_warning(table: &TableFill) -> Option<String> {
    let TableFill { name, used, size } = table;
    let key = match *name {
        "flows" | "listeners" => "sessions.max_data",
        _ => "sessions.max",
    };
    is_nearly(*used, *size).then(|| {
        format!(
            "the table of {name} is nearly full ({used} of {size}); what does not fit is refused: \
             raise {key}, then `ftp-guard detach` and start again"
        )
    })
}

/// Passive ports that are nearly used up.
fn passive_warning(passive: &PassiveWatch) -> Option<String> {
    let PassiveWatch {
        in_use, configured, ..
    } = passive;
    is_nearly(*in_use, *configured).then(|| {
        format!(
            "{in_use} of {configured} passive ports are in use; servers refuse transfers when they \
             run out, or use ports outside the ranges: widen the range, in the server and here"
        )
    })
}

/// Ports outside the ranges.
fn outside_warning(config: &Config, passive: &PassiveWatch) -> Option<String> {
    const SHOWN: usize = 5;
    let shown: Vec<String> = passive
        .outside
        .iter()
        .take(SHOWN)
        .map(u16::to_string)
        .collect();
    if shown.is_empty() {
        return None;
    }
    let more = match passive.outside.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let guarded = match config.ftp.guard_outside_range {
        true => "guarded while in use, since ftp.guard_outside_range is set",
        false => "open to everyone",
    };
    Some(format!(
        "passive ports outside ftp.passive_ports are in use, {guarded}: {}{more}",
        shown.join(", ")
    ))
}

/// Sizes of tables that differ from the configured ones: tables keep theirs until they are removed.
fn sizes_warning(config: &Config, tables: &[TableFill]) -> Vec<String> {
    [
        ("sessions", "sessions.max", config.sessions.max),
        ("flows", "sessions.max_data", config.sessions.max_data),
    ]
    .into_iter()
    .filter_map(|(name, key, wanted)| {
        let size = tables.iter().find(|table| table.name == name)?.size;
        (size != wanted).then(|| {
            format!(
                "{key} is {wanted}, and the table in the kernel has room for {size}; it takes \
                 effect after `ftp-guard detach` and a start"
            )
        })
    })
    .collect()
}

/// Warnings about how the program is attached.
fn interface_warnings(config: &Config, attachments: &[Attachment]) -> Vec<String> {
    attachments
        .iter()
        .filter(|attachment| attachment.mode == AttachMode::Generic)
        .filter(|_| config.xdp_mode != crate::config::XdpChoice::Generic)
        .map(|attachment| {
            format!(
                "{} runs in generic mode: packets are dropped later and at a higher cost than with \
                 a driver that has native XDP",
                attachment.interface
            )
        })
        .collect()
}

/// Interfaces that hold an address, do not carry the program, and are not meant to.
pub fn uncovered(
    interfaces: &[Interface],
    attachments: &[Attachment],
    missing: &[String],
) -> Vec<String> {
    interfaces
        .iter()
        .filter(|interface| interface.addressed && !interface.loopback)
        .filter(|interface| attachments.iter().all(|a| a.interface != interface.name))
        .filter(|interface| !missing.contains(&interface.name))
        .map(|interface| interface.name.clone())
        .collect()
}

/// An attachment as `status` tells it.
pub fn interface_view(attachment: Attachment) -> InterfaceView {
    InterfaceView {
        interface: attachment.interface,
        ifindex: attachment.ifindex,
        mode: attachment.mode.as_str().to_owned(),
        program_id: attachment.program_id,
        tc: Some(attachment.tc.as_str().to_owned()),
    }
}

fn counter_views(counters: Vec<(StatsKey, Counter)>) -> Vec<CounterView> {
    counters.into_iter().map(counter_view).collect()
}

/// A counter as `status` tells it.
pub fn counter_view((key, counter): (StatsKey, Counter)) -> CounterView {
    CounterView {
        verdict: key.verdict.as_str().to_owned(),
        reason: key.reason.as_str().to_owned(),
        class: key.class.as_str().to_owned(),
        family: key.family.as_str().to_owned(),
        packets: counter.packets,
        bytes: counter.bytes,
    }
}

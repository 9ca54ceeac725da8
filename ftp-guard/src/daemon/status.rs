//! `status` and `mode`: what the kernel does, in the daemon's words.

use std::{collections::BTreeMap, path::PathBuf};

use ftp_guard_common::{
    class::Family,
    stats::{Counter, StatsKey},
};

use super::{
    ephemeral,
    guard::{Guard, family},
    kernel::Kernel,
    reload::restart_needed,
    wanted::Wanted,
};
use crate::{
    config::{Config, with_mode},
    control::{
        protocol::{Failure, ModeName},
        view::{
            AllowlistView, CounterView, DaemonView, FileView, InterfaceView, ModeReport, Status,
        },
    },
    datapath::{AttachMode, Attachment},
    diagnostic::Diagnostics,
    netlink::Interface,
    store,
};

impl<K: Kernel> Guard<K> {
    /// `status`.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn status(&self) -> Result<Status, Failure> {
        let attachments = self.kernel.attachments()?;
        let interfaces = self
            .kernel
            .interfaces()
            .map_err(|error| Failure::failed(format!("cannot list the interfaces: {error}")))?;
        let missing = self.missing(&attachments);
        let table = self.kernel.allow_table()?;
        let ipv4 = table
            .keys()
            .filter(|net| family(net) == Family::Ipv4)
            .count() as u64;
        let mut files: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for entry in self.set.iter() {
            match files.get_mut(&*entry.file) {
                Some(count) => *count += 1,
                None => drop(files.insert(entry.file.to_path_buf(), 1)),
            }
        }
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
            mode: Some(self.kernel.mode()?.into()),
            pin_path: self.at_start.bpf.pin_path.clone(),
            uncovered_interfaces: uncovered(&interfaces, &attachments, &missing),
            missing_interfaces: missing,
            warnings: self.warnings(&attachments),
            interfaces: attachments.into_iter().map(interface_view).collect(),
            allowlist: AllowlistView {
                ipv4,
                ipv6: table.len() as u64 - ipv4,
                max_entries: Some(self.at_start.allow.max_entries),
                files: files
                    .into_iter()
                    .map(|(file, entries)| FileView { file, entries })
                    .collect(),
            },
            counters: self
                .kernel
                .counters()?
                .into_iter()
                .map(counter_view)
                .collect(),
        })
    }

    /// What deserves the operator's attention.
    pub(super) fn warnings(&self, attachments: &[Attachment]) -> Vec<String> {
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
        warnings.extend(ephemeral::overlap_warning(&self.passive));
        for key in restart_needed(&self.at_start, &self.config) {
            warnings.push(format!(
                "{key} has changed; it takes effect at the next start"
            ));
        }
        if let Some(error) = &self.reloads.last.error {
            warnings.push(format!("the last reload was refused: {error}"));
        }
        warnings
    }

    /// `mode`: tells it, or changes it, in the file first.
    ///
    /// # Errors
    ///
    /// A configuration file that cannot be read or written; a kernel that refuses. Nothing has
    /// changed then.
    pub fn mode(&mut self, set: Option<ModeName>) -> Result<ModeReport, Failure> {
        let before = self.kernel.mode()?;
        let Some(set) = set else {
            return Ok(ModeReport {
                mode: before.into(),
                changed: false,
            });
        };
        let path = self.config.path.clone();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        let edited = with_mode(&text, set.into()).map_err(|Diagnostics(mut list)| {
            for diagnostic in &mut list {
                diagnostic.file.clone_from(&path);
            }
            Failure::from(Diagnostics(list))
        })?;
        if edited != text {
            store::write_atomically(&path, &edited)
                .map_err(|error| Failure::failed(error.to_string()))?;
        }
        let next = Wanted {
            mode: set.into(),
            ..self.wanted.clone()
        };
        // The kernel's word, not the memory of it: somebody may have changed it.
        self.wanted.mode = before;
        if let Err(error) = self.change_to(next) {
            if let Err(error) = store::write_atomically(&path, &text) {
                tracing::error!("the kernel refused the mode, and it is in the file: {error}");
            }
            return Err(error.into());
        }
        self.fingerprint.note_replaced(&path, &text, &edited);
        self.config.mode = set.into();
        let changed = before != set.into() || edited != text;
        if changed {
            tracing::info!("mode is now {}, by command", self.config.mode.as_str());
        }
        Ok(ModeReport { mode: set, changed })
    }
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
    }
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

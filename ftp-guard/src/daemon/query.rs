//! Questions about the guard that change nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard_common::{config::Mode, reason::Reason};
use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    flood::ban_tables,
    guard::Guard,
    kernel::Kernel,
    status::{counter_view, interface_view, session_counts},
};
use crate::{
    control::{
        counters_view::CountersView,
        limit_view::ProfileView,
        protocol::{Failure, Question},
        session_view::TableView,
        view::{EntryView, Explanation, TestReport},
    },
    datapath::{DatapathError, Hook},
    engine::allowlist::{AllowTable, Entry},
    frame::{FrameSpec, TcpFlags, tcp_frame},
    telemetry::metrics::kind_name,
};

/// Destinations that no packet has (RFC 5737, RFC 3849): which one it is decides nothing.
const DESTINATION_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DESTINATION_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// A source port as clients have it.
const SOURCE_PORT: u16 = 40_000;

impl<K: Kernel> Guard<K> {
    /// `counters`: what changes from one second to the next. It walks no table that is as long as a list of
    /// the operator's.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn counters(&self) -> Result<CountersView, Failure> {
        let mode = self.mode_now()?;
        let attachments = self.kernel.attachments()?;
        let live = self.live()?;
        let counters = self.kernel.counters()?;
        let egress = self.kernel.hook_counters(Hook::Egress)?;
        let control = self.kernel.hook_counters(Hook::Control)?;
        let bans = self.given_ban_figures();
        let views = |counters: Vec<_>| counters.into_iter().map(counter_view).collect();
        Ok(CountersView {
            time: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            uptime_seconds: self.started_at.elapsed().as_secs(),
            mode: mode.mode.into(),
            deadline: mode.deadline,
            role: self.wanted.sessions.role.as_str().to_owned(),
            missing_interfaces: self.missing(&attachments),
            interfaces: attachments.into_iter().map(interface_view).collect(),
            sessions: session_counts(&live),
            watched_sessions: self.monitor.watched(),
            passive_ports: self.passive_view(&live.figures.passive),
            tables: live
                .figures
                .tables
                .iter()
                .copied()
                .chain(ban_tables(&bans))
                .map(TableView::from)
                .collect(),
            flood: self.flood_view(&bans, [&counters, &egress, &control])?,
            counters: views(counters),
            egress_counters: views(egress),
            control_counters: views(control),
        })
    }

    /// `allow list`: all entries of the files, and whether the kernel holds them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn allow_list(&self) -> Result<Vec<EntryView>, DatapathError> {
        let table = self.kernel.allow_table()?;
        Ok(self
            .set
            .iter()
            .map(|entry| self.view(&entry, &table))
            .collect())
    }

    /// `allow test`: the kernel's tables decide, the files tell where the entry stands. A ban goes before.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn allow_test(&self, address: IpAddr) -> Result<TestReport, DatapathError> {
        let (banned, ban) = self.ban_over(address)?;
        let found = self.kernel.lookup(address)?;
        let profile = found
            .filter(|(_, value)| !value.excludes())
            .and_then(|(_, value)| self.config.profile(value.profile))
            .map(|(name, settings)| ProfileView::of(name, settings));
        let (reason, entry) = match found {
            Some((prefix, value)) => {
                let reason = match value.excludes() {
                    true => Reason::Excluded,
                    false => Reason::Listed,
                };
                let table = AllowTable::from([(prefix, value)]);
                let entry = self.set.get(&prefix).map(|entry| self.view(&entry, &table));
                (reason, entry.or_else(|| self.host_view(prefix, &table)))
            }
            None => match self.expired(address) {
                Some(entry) => (Reason::Expired, Some(self.view(&entry, &AllowTable::new()))),
                None => (Reason::NotListed, None),
            },
        };
        let reason = match banned {
            true => Reason::Banned,
            false => reason,
        };
        Ok(TestReport {
            address,
            allowed: reason == Reason::Listed,
            reason: reason.as_str().to_owned(),
            entry,
            ban,
            profile,
        })
    }

    /// `explain`.
    ///
    /// # Errors
    ///
    /// Addresses of two families, an interface that does not exist, a kernel that refuses.
    pub fn explain(&mut self, question: &Question) -> Result<Explanation, Failure> {
        let destination = question.destination.unwrap_or(match question.source {
            IpAddr::V4(_) => IpAddr::V4(DESTINATION_V4),
            IpAddr::V6(_) => IpAddr::V6(DESTINATION_V6),
        });
        if destination.is_ipv4() != question.source.is_ipv4() {
            return Err(Failure::usage(
                "source and destination must both be IPv4 or both be IPv6",
            ));
        }
        if let Some(interface) = &question.interface
            && self.kernel.index_of(interface).is_none()
        {
            return Err(Failure::failed(format!("no interface `{interface}`")));
        }
        let frame = tcp_frame(&FrameSpec {
            source: question.source,
            destination,
            source_port: SOURCE_PORT,
            destination_port: question.port,
            flags: TcpFlags(question.flags),
            vlans: question.vlans.clone(),
            payload: Vec::new(),
        });
        let judgement = self.kernel.explain(&frame)?;
        let interfaces: Vec<String> = self
            .kernel
            .attachments()?
            .into_iter()
            .map(|attachment| attachment.interface)
            .collect();
        let mode: Mode = self.kernel.mode()?;
        let TestReport { entry, profile, .. } = self.allow_test(question.source)?;
        Ok(Explanation {
            verdict: judgement.verdict.as_str().to_owned(),
            reason: judgement.reason.as_str().to_owned(),
            explanation: judgement.reason.explanation().trim().to_owned(),
            class: judgement.class.as_str().to_owned(),
            family: judgement.family.as_str().to_owned(),
            mode: mode.into(),
            entry,
            profile,
            covered: match &question.interface {
                Some(interface) => interfaces.contains(interface),
                None => !interfaces.is_empty(),
            },
            interface: question.interface.clone(),
            interfaces,
        })
    }

    /// The most specific entry of the files around `address`, which the kernel no longer holds.
    pub(super) fn expired(&self, address: IpAddr) -> Option<Entry> {
        // At the beginning of Unix time nothing has expired.
        self.set.lookup(address, Timestamp::UNIX_EPOCH)
    }

    /// The entry of the name that an address is of.
    fn host_view(&self, prefix: IpNet, table: &AllowTable) -> Option<EntryView> {
        let address = prefix.addr();
        if prefix != IpNet::from(address) {
            return None;
        }
        let book = &self.names.book;
        let host = self.set.host_entry_of(address, book, Timestamp::now())?;
        Some(EntryView {
            text: host.to_string(),
            host: Some(host.name.as_str().to_owned()),
            ..self.view(&host.entry(address), table)
        })
    }

    fn view(&self, entry: &Entry, table: &AllowTable) -> EntryView {
        let value = self
            .config
            .profile_number(&entry.profile)
            .map(|profile| entry.value(profile));
        EntryView {
            prefix: entry.prefix,
            kind: kind_name(entry.kind).to_owned(),
            profile: entry.profile.clone(),
            expires: entry.expires,
            label: entry.label.clone(),
            file: entry.file.to_path_buf(),
            line: entry.line,
            active: value.is_some() && table.get(&entry.prefix).copied() == value,
            text: entry.to_string(),
            host: None,
        }
    }
}

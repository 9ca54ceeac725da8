//! What is in force, for the report.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use ftp_guard_common::allow::EntryKind;

use super::{guard::Guard, kernel::Kernel};
use crate::{
    control::{
        limit_view::{LimitsView, ProfileView},
        protocol::Failure,
        view::{CounterView, Status},
    },
    engine::allowlist::Entry,
    engine::report::{AllowEntry, AllowWidth, Drops, Posture, ProfileLimits},
};

impl<K: Kernel> Guard<K> {
    /// What is in force.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn posture(&self) -> Result<Posture, Failure> {
        let status = self.status()?;
        let counts = self.ban_figures()?.counts;
        let now = Timestamp::now();
        let all: Vec<Entry> = self.set.iter().collect();
        let entries = all.iter().map(|entry| AllowEntry {
            prefix: entry.prefix,
            allows: entry.kind == EntryKind::Allow,
            label: entry.label.clone(),
            profile: entry.profile.clone(),
            expires: entry.expires,
        });
        let profiles = ProfileView::all(&self.config).into_iter().map(|view| {
            let of_it =
                |entry: &&Entry| entry.kind == EntryKind::Allow && entry.profile == view.name;
            let mut settings = fields(&view);
            settings.shift_remove("name");
            ProfileLimits {
                entries: all.iter().filter(of_it).count() as u64,
                name: view.name,
                settings,
            }
        });
        Ok(Posture {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: self.kernel.mode()?.as_str().to_owned(),
            role: status.role.clone().unwrap_or_default(),
            interfaces: status
                .interfaces
                .iter()
                .map(|interface| interface.interface.clone())
                .collect(),
            uncovered_interfaces: status.uncovered_interfaces.clone(),
            control_ports: self.config.ftp.control_ports.clone(),
            passive_ports: self.passive.iter().map(ToString::to_string).collect(),
            allowlist: AllowWidth::of(entries, now),
            profiles: profiles.collect(),
            limits: fields(&LimitsView::of(&self.config.limits)),
            bans: u64::from(counts.cli) + u64::from(counts.rule),
            drops: drops(&status),
            warnings: status.warnings,
        })
    }
}

/// A view's fields as JSON has them, whatever they are.
fn fields(view: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(view) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn drops(status: &Status) -> Vec<Drops> {
    let mut sums: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    let counters = [
        &status.counters,
        &status.egress_counters,
        &status.control_counters,
    ];
    let dropped = |counter: &&CounterView| matches!(&*counter.verdict, "drop" | "would_drop");
    for counter in counters.into_iter().flatten().filter(dropped) {
        let sum = sums.entry((&counter.reason, &counter.verdict)).or_default();
        sum.0 = sum.0.saturating_add(counter.packets);
        sum.1 = sum.1.saturating_add(counter.bytes);
    }
    let mut drops: Vec<Drops> = sums
        .into_iter()
        .map(|((reason, verdict), (packets, bytes))| Drops {
            reason: reason.to_owned(),
            verdict: verdict.to_owned(),
            packets,
            bytes,
        })
        .collect();
    drops.sort_by_key(|drop| std::cmp::Reverse(drop.packets));
    drops
}

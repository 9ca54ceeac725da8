//! Ends connections, and tells that it does.

use ftp_guard_common::config::Role;
use jiff::Timestamp;

use super::{
    Sessions, apply, listed, profiles,
    scene::{Depth, Scene},
};
use crate::{
    config::Config,
    control::{feed::EventSink, protocol::Failure},
    daemon::kernel::Kernel,
    engine::{
        events::{Event, EventKind, SessionEnded},
        sessions::{Chosen, EndCounts, Ending, Keeper, Overdue, Part, Rules, Selection},
    },
};

/// How many endings of one second get a line of the log each.
const LINES: usize = 20;

/// What is remembered of endings.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Endings {
    overdue: Overdue,
    /// What was ended.
    pub(super) ended: EndCounts,
    /// What would have been ended in enforce mode.
    pub(super) would_end: EndCounts,
}

/// Where endings are told, and in what words.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    pub(super) config: &'a Config,
    pub(super) events: &'a EventSink,
}

impl Sessions {
    /// Ends what takes longer than its profile permits; `enforce` is false in monitor mode, where that is
    /// told only.
    pub(super) fn end_overdue<K: Kernel>(
        &mut self,
        kernel: &mut K,
        rules: &Rules<'_>,
        scene: &Scene,
        enforce: bool,
        teller: Teller<'_>,
    ) -> Result<(), Failure> {
        let endings = &mut self.endings;
        let due = listed(kernel, |listed| {
            endings.overdue.look(rules, &scene.look(), listed)
        });
        self.tell(&due, enforce, teller);
        if !enforce || due.is_empty() {
            return Ok(());
        }
        let chosen = Chosen::of(&due);
        end(
            &mut self.keeper,
            kernel,
            rules,
            &Selection::Chosen(&chosen),
            scene,
        )
        .map(drop)
    }

    /// Counts and tells of connections that are ended, or in monitor mode would be, once each.
    pub(super) fn tell(&mut self, endings: &[Ending], enforce: bool, teller: Teller<'_>) {
        let fresh = self.endings.overdue.tell(endings, enforce);
        let counts = match enforce {
            true => &mut self.endings.ended,
            false => &mut self.endings.would_end,
        };
        for ending in &fresh {
            counts.add(ending.reason, 1);
        }
        log(&fresh, enforce, teller);
        if enforce && !fresh.is_empty() {
            let time = Timestamp::now();
            let event = |ending: &Ending| Event {
                time,
                kind: EventKind::SessionEnded(SessionEnded {
                    id: ending.part.session(),
                    part: ending.part.as_str().to_owned(),
                    client: ending.key.client(),
                    server: ending.key.server(),
                    profile: profiles::name(teller.config, ending.profile).to_owned(),
                    reason: ending.reason.as_str().to_owned(),
                }),
            };
            teller.events.publish_all(fresh.iter().map(event));
        }
    }
}

/// Ends what `selection` takes of `scene`; returns how many sockets were destroyed. Each peer gets its
/// socket's reset, which the programs let pass while the entries still say nothing against it.
pub(super) fn end<K: Kernel>(
    keeper: &mut Keeper,
    kernel: &mut K,
    rules: &Rules<'_>,
    selection: &Selection<'_>,
    scene: &Scene,
) -> Result<u32, Failure> {
    let sockets = match rules.role {
        Role::Host => selection.sockets(&scene.tables, scene.connections()),
        Role::Router => Vec::new(),
    };
    let destroyed = apply::apply(kernel, rules, sockets);
    let left = Scene::read(kernel, rules, Depth::Tables)?;
    let entries = keeper.end(rules, &left.look(), selection);
    apply::apply(kernel, rules, entries)?;
    destroyed
}

fn log(endings: &[Ending], enforce: bool, teller: Teller<'_>) {
    let verb = match enforce {
        true => "ended",
        false => "would be ended in enforce mode",
    };
    for ending in endings.iter().take(LINES) {
        let what = match ending.part {
            Part::Opening => "connection before its greeting".to_owned(),
            Part::Session(id) => format!("session {id}"),
            Part::Data(0) => "data connection".to_owned(),
            Part::Data(id) => format!("data connection of session {id}"),
        };
        tracing::info!(
            "{what} of {} with {} {verb}: {}, profile {}",
            ending.key.client(),
            ending.key.server(),
            ending.reason.as_str(),
            profiles::name(teller.config, ending.profile)
        );
    }
    if let Some(more @ 1..) = endings.len().checked_sub(LINES) {
        tracing::info!("{more} more {verb} in this second");
    }
}

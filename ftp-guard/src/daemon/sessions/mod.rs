//! Sessions in the daemon: reads the tables and the host's sockets, asks
//! [`engine::sessions`](crate::engine::sessions) what to do, and does it.

mod apply;
mod endings;
mod profiles;
mod query;
mod scene;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ftp_guard_common::{address::FlowKey, config::Role, session::Session};
use jiff::Timestamp;

use self::{
    endings::{Endings, Teller},
    scene::{Depth, Scene},
};
use super::{guard::Guard, kernel::Kernel, monitor::Live, wanted::Wanted};
use crate::{
    config::{Config, SessionsConfig},
    control::protocol::Failure,
    engine::{
        allowlist::{AllowTable, Change},
        bans::keeps_out,
        sessions::{EndReason, Keeper, Listed, Outlook, Permit, Rules, Selection, watch},
    },
};

/// How long data connections that the guard has not seen begin are taken over, from the first
/// attachment on. On a host the sockets tell of them, and the rest is for what began meanwhile; on a
/// router each must show itself by a packet.
const ADOPTION_HOST_NS: u64 = 5_000_000_000;
const ADOPTION_ROUTER_NS: u64 = 60_000_000_000;

/// With nothing in the tables, connections that they lack are looked for in two passes of so many: to
/// look costs as much as the kernel's table of all connections is large, and two looks in a row make
/// sure.
const QUIET_PASSES: u32 = 10;

/// What is remembered of sessions from one second to the next.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    keeper: Keeper,
    endings: Endings,
    /// The highest number of passive ports that were in use.
    highest: u32,
    /// How the number of passive ports that are taken develops.
    outlook: Outlook,
    /// The number of the next pass.
    passes: u32,
    /// Connections of clients that are no longer listed are still to be ended.
    unlisted_due: bool,
}

/// The rules in force.
pub(super) fn rules<'a>(config: &Config, wanted: &'a Wanted) -> Rules<'a> {
    Rules {
        role: wanted.sessions.role,
        ports: &wanted.ports,
        idle_timeout_ns: nanoseconds(&config.sessions),
        source_bits_v6: u32::from(config.limits.ipv6_source_prefix),
        patience: profiles::patience(config),
    }
}

fn nanoseconds(config: &SessionsConfig) -> u64 {
    u64::try_from(config.idle_timeout.as_nanos()).unwrap_or(u64::MAX)
}

/// Until when data connections from before the first attachment are taken over.
pub(super) fn adoption_end(role: Role, now_ns: u64) -> u64 {
    now_ns
        + match role {
            Role::Host => ADOPTION_HOST_NS,
            Role::Router => ADOPTION_ROUTER_NS,
        }
}

/// Whether the steps from one allowlist to another may end a connection, or give its client another
/// profile. Entries that are only added cannot, but inside a wider one of another profile.
pub(super) fn may_end_connections(from: &AllowTable, changes: &[Change]) -> bool {
    // Removals are the last ones.
    let removes = changes
        .last()
        .is_some_and(|change| matches!(change, Change::Remove(_)));
    removes
        || changes.iter().any(|change| match change {
            Change::Insert(prefix, value) => {
                let wider = || from.around(prefix);
                value.excludes()
                    || from.contains_key(prefix)
                    || wider().is_some_and(|(_, wider)| wider.profile != value.profile)
            }
            Change::Remove(_) => true,
        })
}

impl Sessions {
    /// Takes over the connections of this host; on a router there is nothing to look at. A guard that
    /// cannot do so is better than none: what the server says next tells it of sessions as well.
    pub(super) fn adopt<K: Kernel>(&mut self, kernel: &mut K, rules: &Rules<'_>) {
        if rules.role == Role::Router {
            return;
        }
        let result = Scene::read(kernel, rules, Depth::All).and_then(|scene| {
            let commands = listed(kernel, |listed| {
                self.keeper.adopt(rules, &scene.look(), listed)
            });
            apply::apply(kernel, rules, commands)
        });
        if let Err(failure) = result {
            tracing::error!("not all connections of this host were taken over: {failure}");
        }
    }

    /// Returns the numbers of the sessions that there are.
    fn pass<K: Kernel>(
        &mut self,
        kernel: &mut K,
        rules: &Rules<'_>,
        enforce: bool,
        teller: Teller<'_>,
    ) -> Result<Live, Failure> {
        let depth = match self.passes % QUIET_PASSES < 2 {
            true => Depth::All,
            false => Depth::WhereNeeded,
        };
        self.passes = self.passes.wrapping_add(1);
        let at = Timestamp::now();
        let scene = Scene::read(kernel, rules, depth)?;
        let passive = watch(rules, &scene.tables, scene.now_ns);
        self.highest = self.highest.max(passive.in_use);
        self.outlook.note(scene.now_ns, passive.taken);
        let commands = listed(kernel, |listed| {
            self.keeper.pass(rules, &scene.look(), listed)
        });
        let kept = apply::apply(kernel, rules, commands).map(drop);
        let ended = self.end_overdue(kernel, rules, &scene, enforce, teller);
        let of = |(_, session): &(FlowKey, Session)| session.id;
        let live = Live {
            at,
            sessions: Arc::new(scene.tables.sessions.iter().map(of).collect()),
        };
        kept.and(ended).map(|()| live)
    }
}

/// Whether the kernel's own tables let a source in, and if not, why. Should the kernel not answer, it
/// is not listed.
fn permit<K: Kernel>(kernel: &K, address: IpAddr) -> Result<Permit, EndReason> {
    if let Ok(Some((_, ban))) = kernel.ban_lookup(address)
        && keeps_out(&ban)
    {
        return Err(EndReason::Banned);
    }
    match kernel.lookup(address) {
        Ok(Some((_, value))) if !value.excludes() => Ok(Permit {
            expires_s: value.expires_s,
            profile: value.profile,
        }),
        _ => Err(EndReason::Revoked),
    }
}

/// Calls `with` with [`permit`], each address looked up once.
fn listed<K: Kernel, T>(kernel: &K, with: impl FnOnce(Listed<'_>) -> T) -> T {
    let known = std::cell::RefCell::new(BTreeMap::new());
    with(&|address: IpAddr| {
        *known
            .borrow_mut()
            .entry(address)
            .or_insert_with(|| permit(kernel, address))
    })
}

impl<K: Kernel> Guard<K> {
    /// What is due for sessions once a second.
    pub(super) fn follow_sessions(&mut self) {
        let rules = rules(&self.config, &self.wanted);
        let enforce = self.enforces();
        let teller = Teller {
            config: &self.config,
            events: &self.events,
        };
        let result = self
            .sessions
            .pass(&mut self.kernel, &rules, enforce, teller);
        let (live, result) = match result {
            Ok(live) => (Some(live), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        self.live.send_replace(live);
        self.note("sessions", result);
        if self.sessions.unlisted_due {
            self.end_unlisted();
        }
    }

    /// Puts sessions in order after the kernel has been brought from one state to another.
    pub(super) fn sessions_changed(&mut self, before: &Wanted, changes: &[Change]) {
        if before.ports != self.wanted.ports && self.wanted.sessions.role == Role::Host {
            let result = self.adopt_listeners();
            self.note("listeners", result);
        }
        let enforced = !self.is_enforced(before.mode) && self.enforces();
        if enforced || may_end_connections(&before.table, changes) {
            self.end_unlisted();
        }
    }

    fn adopt_listeners(&mut self) -> Result<(), Failure> {
        let rules = rules(&self.config, &self.wanted);
        let scene = Scene::read(&self.kernel, &rules, Depth::Listeners)?;
        let commands = Keeper::adopt_listeners(&rules, &scene.look());
        apply::apply(&mut self.kernel, &rules, commands).map(drop)
    }

    /// Ends the connections of clients that are no longer listed, or are banned; in monitor mode they are counted
    /// only. What fails is tried again a second later.
    pub(super) fn end_unlisted(&mut self) {
        let result = self.try_end_unlisted();
        self.sessions.unlisted_due = result.is_err();
        self.note("connections of unlisted clients", result);
    }

    fn try_end_unlisted(&mut self) -> Result<(), Failure> {
        let enforce = self.enforces();
        // The programs still take the clients for listed, so that their resets pass.
        let sockets = match enforce {
            true => self.destroy_unlisted(),
            false => Ok(()),
        };
        self.kernel.raise_allow_generation()?;
        sockets?;
        if enforce {
            let rules = rules(&self.config, &self.wanted);
            let scene = Scene::read(&self.kernel, &rules, Depth::Tables)?;
            let commands = listed(&self.kernel, |listed| {
                Selection::Unlisted(listed).entries(&scene.tables)
            });
            apply::apply(&mut self.kernel, &rules, commands)?;
        }
        Ok(())
    }

    fn destroy_unlisted(&mut self) -> Result<(), Failure> {
        let rules = rules(&self.config, &self.wanted);
        let scene = Scene::read(&self.kernel, &rules, Depth::WhereNeeded)?;
        let (sockets, endings) = listed(&self.kernel, |listed| {
            let selection = Selection::Unlisted(listed);
            let sockets = selection.sockets(&scene.tables, scene.connections());
            (sockets, selection.endings(&scene.tables))
        });
        let teller = Teller {
            config: &self.config,
            events: &self.events,
        };
        self.sessions.tell(&endings, true, teller);
        apply::apply(&mut self.kernel, &rules, sockets).map(drop)
    }
}

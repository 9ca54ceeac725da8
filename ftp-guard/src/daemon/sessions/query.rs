//! Questions about sessions, and an end to some by command.

use ftp_guard_common::{config::Role, session::Tls};

use super::{
    endings::{self, Teller},
    listed, profiles, rules,
    scene::{Depth, Scene},
};
use crate::{
    control::{protocol::Failure, record_view::join, session_view::SessionView},
    daemon::{guard::Guard, kernel::Kernel},
    engine::sessions::{
        Selection, Tables, show, show_sources,
        view::{
            KillReport, KillTarget, PassiveWatch, SessionFigures, SessionsInfo, SourceInfo,
            TableFill,
        },
        watch,
    },
};

impl<K: Kernel> Guard<K> {
    /// `sessions`.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sessions(&self) -> Result<SessionsInfo, Failure> {
        let scene = self.scene(Depth::Tables)?;
        let mut shown = show(&scene.tables, scene.now_ns);
        // What an entry of the kernel says of its profile is as old as the last look at the list.
        listed(&self.kernel, |listed| {
            for session in &mut shown.sessions {
                if let Ok(permit) = listed(session.client.ip()) {
                    session.profile = permit.profile;
                }
            }
        });
        Ok(shown)
    }

    /// `sessions --sources`: what the connections of each source amount to, with its profile.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sources(&self) -> Result<Vec<(SourceInfo, Option<u16>)>, Failure> {
        let scene = self.scene(Depth::Tables)?;
        let rules = rules(&self.config, &self.wanted);
        let shown = show_sources(&rules, &scene.tables);
        Ok(listed(&self.kernel, |listed| {
            let profile = |info: &SourceInfo| listed(info.client).ok().map(|permit| permit.profile);
            shown
                .into_iter()
                .map(|info| (info, profile(&info)))
                .collect()
        }))
    }

    /// Adds to sessions what the monitor knows of them.
    pub(in crate::daemon) fn join_records(&self, sessions: &mut [SessionView]) {
        sessions.sort_unstable_by_key(|session| session.id);
        self.monitor.each(|record| join(sessions, record));
    }

    /// The name of a profile.
    pub(in crate::daemon) fn profile_name(&self, number: u16) -> &str {
        profiles::name(&self.config, number)
    }

    /// The figures of sessions for `status` and the metrics.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn session_figures(&self) -> Result<SessionFigures, Failure> {
        let scene = self.scene(Depth::Tables)?;
        let rules = rules(&self.config, &self.wanted);
        let passive = watch(&rules, &scene.tables, scene.now_ns);
        let highest = passive.highest.max(self.sessions.highest);
        let shown = show(&scene.tables, scene.now_ns);
        let mut figures = SessionFigures {
            passive: PassiveWatch {
                highest,
                exhausted_in: self.sessions.outlook.exhausted_in(passive.configured),
                ..passive
            },
            tables: self.fill(&scene.tables),
            data: count(shown.orphans.len()),
            ended: self.sessions.endings.ended,
            would_end: self.sessions.endings.would_end,
            ..SessionFigures::default()
        };
        for session in shown.sessions.iter().filter(|session| !session.killed) {
            *match session.tls {
                Tls::Clear => &mut figures.clear,
                Tls::Encrypted => &mut figures.encrypted,
                Tls::Unknown => &mut figures.unknown,
            } += 1;
            figures.data += count(session.data.len());
        }
        Ok(figures)
    }

    /// `kill`: ends the sessions of a target and their data connections, at once.
    ///
    /// # Errors
    ///
    /// The kernel refuses; what could be ended has ended.
    pub fn kill(&mut self, target: KillTarget) -> Result<KillReport, Failure> {
        let rules = rules(&self.config, &self.wanted);
        let selection = Selection::Kill(target);
        let scene = self.scene(Depth::WhereNeeded)?;
        let mut report = selection.count(&scene.tables);
        let teller = Teller {
            config: &self.config,
            events: &self.events,
        };
        let killed = selection.endings(&scene.tables);
        self.sessions.tell(&killed, true, teller);
        let keeper = &mut self.sessions.keeper;
        report.sockets = endings::end(keeper, &mut self.kernel, &rules, &selection, &scene)?;
        if report.sessions + report.flows > 0 {
            let sockets = match rules.role {
                Role::Host => format!(", {} sockets", report.sockets),
                Role::Router => String::new(),
            };
            tracing::info!(
                "killed by command: {} sessions, {} data connections{sockets}",
                report.sessions,
                report.flows
            );
        }
        Ok(report)
    }

    fn scene(&self, depth: Depth) -> Result<Scene, Failure> {
        Scene::read(&self.kernel, &rules(&self.config, &self.wanted), depth)
    }

    fn fill(&self, tables: &Tables) -> Vec<TableFill> {
        let capacities = self.kernel.capacities();
        [
            ("sessions", tables.sessions.len(), capacities.sessions),
            ("flows", tables.flows.len(), capacities.flows),
            ("pinholes", tables.pinholes.len(), capacities.sessions),
            ("named", tables.named.len(), capacities.sessions),
            ("clients", tables.clients.len(), capacities.sessions),
            ("listeners", tables.listeners.len(), capacities.flows),
            ("sources", tables.sources.len(), capacities.sessions),
            ("opening", tables.opening.len(), capacities.sessions),
        ]
        .into_iter()
        .map(|(name, used, size)| TableFill {
            name,
            used: count(used),
            size,
        })
        .collect()
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

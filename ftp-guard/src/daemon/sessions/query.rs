//! Questions about sessions, and an end to some by command.

use ftp_guard_common::{config::Role, session::Tls};

use super::{
    apply, rules,
    scene::{Depth, Scene},
};
use crate::{
    control::protocol::Failure,
    daemon::{guard::Guard, kernel::Kernel},
    engine::sessions::{
        Selection, Tables, show,
        view::{KillReport, KillTarget, PassiveWatch, SessionFigures, SessionsInfo, TableFill},
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
        Ok(show(&scene.tables, scene.now_ns))
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
        let sockets = selection.sockets(&scene.tables, scene.connections());
        let destroyed = apply::apply(&mut self.kernel, &rules, sockets);
        let left = self.scene(Depth::Tables)?;
        apply::apply(&mut self.kernel, &rules, selection.entries(&left.tables))?;
        report.sockets = destroyed?;
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

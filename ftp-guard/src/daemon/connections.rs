//! `sessions` and `kill` as requests: what is sent back, and which ones are meant.

use ftp_guard_common::session::FlowKind;
use ipnet::IpNet;

use super::{guard::Guard, kernel::Kernel};
use crate::{
    control::{
        protocol::{Failure, Prefix, Target},
        server::{Answer, Members},
        session_view::{
            DataView, KillView, SessionMember, SessionView, SessionsReport, SourceView,
            SourcesReport,
        },
    },
    engine::sessions::view::{FlowInfo, KillTarget, SessionInfo, SessionsInfo, SourceInfo},
    telemetry::metrics::Live,
};

impl<K: Kernel> Guard<K> {
    /// Sessions and what belongs to them, counted.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(super) fn live(&self) -> Result<Live, Failure> {
        Ok(Live::of(self.session_figures()?, &self.sessions()?))
    }

    /// `sessions`: all, or those of some clients.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn session_list(&self, client: Option<Prefix>) -> Result<Answer, Failure> {
        let mut info = self.sessions()?;
        if let Some(Prefix(prefix)) = client {
            keep(&mut info, &[KillTarget::Clients(prefix)]);
        }
        let data = info.sessions.iter().map(|session| session.data.len());
        let report = SessionsReport {
            sessions: info.sessions.len() as u64,
            data_connections: (data.sum::<usize>() + info.orphans.len()) as u64,
        };
        Ok(Answer {
            members: Some(Members::Sessions(self.members(info))),
            ..Answer::of(&report)?
        })
    }

    /// `sources`: all, or those that share addresses with a prefix.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn source_list(&self, client: Option<Prefix>) -> Result<Answer, Failure> {
        let mut sources = self.sources()?;
        if let Some(Prefix(prefix)) = client {
            let own = |source: &IpNet| prefix.contains(source) || source.contains(&prefix);
            sources.retain(|(info, _)| own(&info.prefix));
        }
        let view = |(info, profile): (SourceInfo, Option<u16>)| {
            SourceView::of(info, profile.and_then(|number| self.config.profile(number)))
        };
        let report = SourcesReport {
            sources: sources.len() as u64,
        };
        Ok(Answer {
            members: Some(Members::Sources(sources.into_iter().map(view).collect())),
            ..Answer::of(&report)?
        })
    }

    /// `kill`: ends what the targets mean, tells what that was.
    ///
    /// # Errors
    ///
    /// The kernel refuses; what could be ended has ended.
    pub fn kill_all(&mut self, targets: &[Target]) -> Result<Answer, Failure> {
        let mut info = self.sessions()?;
        info.sessions.retain(|session| !session.killed);
        let mut report = KillView::default();
        for target in targets {
            if is_absent(&info, target.0) {
                report.absent.push(target.to_string());
            }
            // Even so: one may have begun since.
            let killed = self.kill(target.0)?;
            report.sessions += u64::from(killed.sessions);
            report.data_connections += u64::from(killed.flows);
            report.sockets += u64::from(killed.sockets);
        }
        let targets: Vec<KillTarget> = targets.iter().map(|target| target.0).collect();
        keep(&mut info, &targets);
        Ok(Answer {
            members: Some(Members::Sessions(self.members(info))),
            ..Answer::of(&report)?
        })
    }

    fn members(&self, info: SessionsInfo) -> Vec<SessionMember> {
        let sessions = info.sessions.into_iter().map(|session| {
            let profile = self.profile_name(session.profile);
            SessionView::of(session, profile)
        });
        let mut sessions: Vec<SessionView> = sessions.collect();
        self.join_records(&mut sessions);
        let orphans = info.orphans.into_iter().map(DataView::from);
        sessions
            .into_iter()
            .map(SessionMember::Session)
            .chain(orphans.map(SessionMember::Data))
            .collect()
    }
}

fn session_is(session: &SessionInfo, target: KillTarget) -> bool {
    match target {
        KillTarget::Session(id) => session.id == id,
        KillTarget::Clients(prefix) => prefix.contains(&session.client.ip()),
    }
}

fn flow_is(flow: &FlowInfo, target: KillTarget) -> bool {
    match target {
        KillTarget::Session(_) => false,
        // The host's own connections are none of a client.
        KillTarget::Clients(prefix) => {
            flow.kind != FlowKind::Outgoing && prefix.contains(&flow.client.ip())
        }
    }
}

fn is_absent(info: &SessionsInfo, target: KillTarget) -> bool {
    !info
        .sessions
        .iter()
        .any(|session| session_is(session, target))
        && !info.orphans.iter().any(|flow| flow_is(flow, target))
}

/// Leaves what one of the targets means.
fn keep(info: &mut SessionsInfo, targets: &[KillTarget]) {
    info.sessions
        .retain(|session| targets.iter().any(|target| session_is(session, *target)));
    info.orphans
        .retain(|flow| targets.iter().any(|target| flow_is(flow, *target)));
}

//! One sequence, through the model and the programs.

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard::datapath::monotonic_ns;
use ftp_guard_common::{
    address::FlowKey,
    ban::BanKind,
    class::Family,
    limits::{Source, SourceKey},
    names::{STATS_CONTROL_MAP, STATS_EGRESS_MAP, STATS_MAP},
    reason::{Reason, Verdict},
    session::{Flow, FlowKind, Tls},
    stats::StatsKey,
};
use ftp_guard_tests::{
    policy::Policy,
    program::Guard,
    sequence::{Ends, Event, Judged, Step, Tables},
};

use crate::Cells;

pub(crate) struct Run<'a> {
    pub(crate) guard: &'a mut Guard,
    pub(crate) policy: &'a mut Policy,
    pub(crate) model: Tables,
    pub(crate) expected: &'a mut Cells,
    pub(crate) told: &'a mut BTreeMap<(&'static str, Reason), u64>,
    pub(crate) log: String,
}

impl Run<'_> {
    pub(crate) fn event(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Segment(step, frame) => self.segment(step, frame),
            Event::Established(ends) => self.established(*ends),
            Event::Closed(ends) => self.closed(*ends),
            Event::Killed(ends) => self.killed(*ends),
            Event::Banned(client, begins) => self.banned(*client, *begins),
        }
    }

    fn banned(&mut self, client: IpAddr, begins: bool) -> Result<()> {
        let is = if begins { "is" } else { "is not" };
        writeln!(self.log, "  {client} {is} banned")?;
        if begins {
            self.policy.ban(client.into(), BanKind::Ban, 0);
            self.model.banned.insert(client);
        } else {
            self.policy.bans.remove(&client.into());
            self.model.banned.remove(&client);
        }
        self.guard.allow_generation += 1;
        self.model.generation = self.guard.allow_generation;
        self.guard.install_bans(self.policy)
    }

    /// Counts a connection that begins or ends, as the program on sockets does.
    fn count(&mut self, key: &FlowKey, change: impl FnOnce(&mut Source)) -> Result<()> {
        let bits = self.policy.limits.source_bits_v6;
        let key = SourceKey::of(key.client, key.family, bits);
        let mut state = self.guard.state();
        let mut sources = state.sources()?;
        let mut source = sources.get(key)?.unwrap_or_default();
        change(&mut source);
        sources.set(key, source)
    }

    fn segment(&mut self, step: &Step, frame: &[u8]) -> Result<()> {
        let (client, server) = step.ends;
        let arrow = if step.from_client { "->" } else { "<-" };
        writeln!(
            self.log,
            "  {client} {arrow} {server} {} seq {} ack {} \"{}\"",
            step.flags,
            step.sequence,
            step.acknowledgement,
            step.payload.escape_ascii()
        )?;
        if !step.from_client {
            let wanted = self.model.egress(step);
            return self.program(STATS_EGRESS_MAP, frame, client.is_ipv6(), wanted);
        }
        let wanted = self.model.xdp(step);
        self.program(STATS_MAP, frame, client.is_ipv6(), wanted)?;
        if wanted.0.verdict() == Verdict::Drop {
            return Ok(());
        }
        let wanted = self.model.control(step);
        self.program(STATS_CONTROL_MAP, frame, client.is_ipv6(), wanted)
    }

    fn program(
        &mut self,
        name: &'static str,
        frame: &[u8],
        is_v6: bool,
        (reason, class): Judged,
    ) -> Result<()> {
        let key = StatsKey {
            verdict: reason.verdict(),
            reason,
            class,
            family: if is_v6 { Family::Ipv6 } else { Family::Ipv4 },
        };
        let passed = match name {
            STATS_MAP => self.guard.run(frame)?,
            STATS_EGRESS_MAP => self.guard.run_egress(frame)?,
            _ => self.guard.run_control(frame)?,
        };
        let cell = self.expected.entry((name, key.index())).or_default();
        cell.packets += 1;
        cell.bytes += frame.len() as u64;
        if self.guard.cell_of(name, key)? != *cell {
            bail!(
                "{name}: wanted {} ({class:?}); the frame {} as {}",
                reason.as_str(),
                if passed { "passed" } else { "was dropped" },
                self.moved(name)?
            );
        }
        ensure!(
            passed == (reason.verdict() == Verdict::Pass),
            "{name}: counted as {}, and yet passed: {passed}",
            reason.as_str()
        );
        *self.told.entry((name, reason)).or_default() += 1;
        writeln!(self.log, "    {name}: {}", reason.as_str())?;
        Ok(())
    }

    /// What the programs counted otherwise than wanted.
    fn moved(&self, name: &'static str) -> Result<String> {
        let table = self.guard.table_of(name)?;
        let moved = StatsKey::all().filter(|key| {
            let wanted = self.expected.get(&(name, key.index()));
            table[key.index() as usize].packets > wanted.map_or(0, |cell| cell.packets)
        });
        let moved = moved.map(|key| format!("{} ({:?})", key.reason.as_str(), key.class));
        Ok(moved.collect::<Vec<_>>().join(", "))
    }

    /// As the program on sockets does, which has no test run.
    fn established(&mut self, ends: Ends) -> Result<()> {
        let key = FlowKey::new(ends.0, ends.1);
        let mut state = self.guard.state();
        let mut pinholes = state.pinholes()?;
        let pinhole = key.pinhole_key([0; 16]);
        let held = pinholes.get(pinhole)?;
        let has_pinhole = held.is_some();
        let (_, encrypted) = self.model.client(ends.0.ip(), ends.1.ip());
        let may = has_pinhole || encrypted != 0 && self.model.listening.contains(&ends.1);
        let client = ends.0.ip();
        if !may || self.model.admit(client).is_err() || !self.model.has_room_for_data(client) {
            // Its handshake has not passed.
            return Ok(());
        }
        writeln!(self.log, "  {} {} is established", ends.0, ends.1)?;
        if has_pinhole {
            pinholes.remove(pinhole)?;
            state.set_negotiated(ends.1.port(), 0)?;
        }
        let mut flow = Flow {
            kind: FlowKind::Passive as u8,
            established: 1,
            ..Flow::default()
        };
        flow.traffic.created_ns = monotonic_ns();
        flow.traffic.seen_ns = flow.traffic.created_ns;
        flow.traffic.allow_generation = self.model.generation;
        if let Some(held) = held {
            flow.traffic.packets_in = held.packets_in;
            flow.traffic.bytes_in = held.bytes_in;
        }
        state.flows()?.set(key, flow)?;
        self.model.establish(ends);
        self.count(&key, |source| source.data += 1)
    }

    fn closed(&mut self, ends: Ends) -> Result<()> {
        writeln!(self.log, "  {} {} is closed", ends.0, ends.1)?;
        let key = FlowKey::new(ends.0, ends.1);
        let mut state = self.guard.state();
        let mut ended: Option<fn(&mut Source)> = None;
        if let Some(mut flow) = state.flows()?.get(key)? {
            if flow.kind != FlowKind::Outgoing as u8 && flow.traffic.closed_ns == 0 {
                ended = Some(|source| source.data -= 1);
            }
            flow.traffic.closed_ns = monotonic_ns();
            state.flows()?.set(key, flow)?;
        }
        if state.opening()?.get(key)?.is_some() {
            state.opening()?.remove(key)?;
            ended = Some(|source| source.opening -= 1);
        }
        if let Some(mut session) = state.sessions()?.get(key)? {
            ended = Some(|source| source.sessions -= 1);
            session.traffic.closed_ns = monotonic_ns();
            state.sessions()?.set(key, session)?;
            let mut clients = state.clients()?;
            let of = key.client_key([0; 16]);
            let mut client = clients.get(of)?.context("a session without its client")?;
            client.sessions -= 1;
            client.encrypted -= u32::from(session.tls != Tls::Clear as u8);
            clients.set(of, client)?;
        }
        if let Some(flow) = self.model.flows.get_mut(&ends) {
            flow.life.is_closed = true;
        }
        if let Some(session) = self.model.sessions.get_mut(&ends) {
            session.life.is_closed = true;
        }
        self.model.openings.remove(&ends);
        match ended {
            Some(ended) => self.count(&key, ended),
            None => Ok(()),
        }
    }

    fn killed(&mut self, ends: Ends) -> Result<()> {
        writeln!(self.log, "  {} {} is killed", ends.0, ends.1)?;
        let key = FlowKey::new(ends.0, ends.1);
        let mut state = self.guard.state();
        if let Some(mut flow) = state.flows()?.get(key)? {
            flow.traffic.killed = 1;
            state.flows()?.set(key, flow)?;
        }
        if let Some(mut session) = state.sessions()?.get(key)? {
            session.traffic.killed = 1;
            state.sessions()?.set(key, session)?;
        }
        if let Some(flow) = self.model.flows.get_mut(&ends) {
            flow.life.is_killed = true;
        }
        if let Some(session) = self.model.sessions.get_mut(&ends) {
            session.life.is_killed = true;
        }
        Ok(())
    }
}

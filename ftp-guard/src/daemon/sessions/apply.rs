//! Carries commands out.

use std::collections::BTreeMap;

use ftp_guard_common::{
    address::{ClientKey, FlowKey},
    limits::SourceKey,
    session::{Flow, Session, Traffic},
};

use crate::{
    control::protocol::Failure,
    daemon::kernel::Kernel,
    engine::sessions::{Command, Delta, Rules, SourceDelta},
};

/// Carries all of them out, also those behind one that fails; returns how many sockets were
/// destroyed.
///
/// # Errors
///
/// The first failure.
pub fn apply<K: Kernel>(
    kernel: &mut K,
    rules: &Rules<'_>,
    commands: Vec<Command>,
) -> Result<u32, Failure> {
    let mut work = Work {
        kernel,
        rules,
        deltas: BTreeMap::new(),
        sources: BTreeMap::new(),
        destroyed: 0,
    };
    let mut first = Ok(());
    for command in commands {
        first = first.and(work.one(command));
    }
    let figures = work.figures();
    first.and(figures).map(|()| work.destroyed)
}

struct Work<'a, K> {
    kernel: &'a mut K,
    rules: &'a Rules<'a>,
    /// What clients have more or less of sessions.
    deltas: BTreeMap<ClientKey, Delta>,
    /// What sources have more or less of connections.
    sources: BTreeMap<SourceKey, SourceDelta>,
    destroyed: u32,
}

impl<K: Kernel> Work<'_, K> {
    fn one(&mut self, command: Command) -> Result<(), Failure> {
        let kernel = &mut *self.kernel;
        match command {
            Command::InsertSession(key, session) => {
                if kernel.insert_session(&key, &session)? {
                    self.client(&key).add(&session);
                    self.source(&key).session(&session, 1);
                }
            }
            Command::KillSession(key, session) => {
                let killed = Session {
                    traffic: killed(session.traffic),
                    ..*session
                };
                if kernel.update_session(&key, &killed)? {
                    self.client(&key).subtract(&session);
                    self.source(&key).session(&session, -1);
                }
            }
            Command::RemoveSession(key, session) => {
                if kernel.remove_session(&key)? {
                    self.client(&key).subtract(&session);
                    self.source(&key).session(&session, -1);
                }
            }
            Command::InsertFlow(key, flow) => {
                if kernel.insert_flow(&key, &flow)? {
                    self.source(&key).flow(&flow, 1);
                }
            }
            Command::KillFlow(key, flow) => {
                let killed = Flow {
                    traffic: killed(flow.traffic),
                    ..flow
                };
                if kernel.update_flow(&key, &killed)? {
                    self.source(&key).flow(&flow, -1);
                }
            }
            Command::CloseFlow(key, flow, now_ns) => {
                let began = flow.traffic.created_ns;
                if kernel.close_flow(&key, began, now_ns)? {
                    self.source(&key).flow(&flow, -1);
                }
            }
            Command::RemoveFlow(key, flow) => {
                if kernel.remove_flow(&key)? {
                    self.source(&key).flow(&flow, -1);
                }
            }
            Command::RemoveOpening(key, opening) => {
                if kernel.remove_opening(&key)? {
                    self.source(&key).opening(&opening, -1);
                }
            }
            Command::RemovePinhole(key) => drop(kernel.remove_pinhole(&key)?),
            Command::RemoveNamed(key) => drop(kernel.remove_named(&key)?),
            Command::CountClient(key, delta) => self.count_client(&key, delta)?,
            Command::SetSource(key, seen, source) => drop(kernel.set_source(&key, seen, &source)?),
            Command::RemoveSource(key) => drop(kernel.remove_source(&key)?),
            Command::SetListener(key, listener) => kernel.set_listener(&key, &listener)?,
            Command::RemoveListener(key, since) => drop(kernel.remove_listener(&key, since)?),
            Command::ClearPortBits(ports) => kernel.clear_port_bits(&ports)?,
            Command::Destroy(socket) => {
                let (client, server) = (socket.remote, socket.local);
                let destroyed = kernel.destroy(&socket).map_err(|error| {
                    Failure::failed(format!(
                        "cannot end the connection of {client} with {server}: {error}"
                    ))
                })?;
                self.destroyed += u32::from(destroyed);
            }
        }
        Ok(())
    }

    fn client(&mut self, key: &FlowKey) -> &mut Delta {
        self.deltas.entry(self.rules.client(key)).or_default()
    }

    fn source(&mut self, key: &FlowKey) -> &mut SourceDelta {
        self.sources.entry(self.rules.source(key)).or_default()
    }

    /// Brings the figures of the clients and sources concerned up to date, as they are now.
    fn figures(&mut self) -> Result<(), Failure> {
        let clients = self.client_figures();
        clients.and(self.source_figures())
    }

    fn client_figures(&mut self) -> Result<(), Failure> {
        let mut first = Ok(());
        for (key, delta) in std::mem::take(&mut self.deltas) {
            if !delta.is_none() {
                first = first.and(self.count_client(&key, delta));
            }
        }
        first
    }

    /// Read just before it is written: a program may count, or note what the server says, at any moment.
    fn count_client(&mut self, key: &ClientKey, delta: Delta) -> Result<(), Failure> {
        let now_ns = self.kernel.now_ns();
        match delta.applied(self.kernel.client(key)?, now_ns) {
            Some(client) => self.kernel.set_client(key, &client)?,
            None => drop(self.kernel.remove_client(key)?),
        }
        Ok(())
    }

    /// Each is read just before it is written, as a client's figures are.
    fn source_figures(&mut self) -> Result<(), Failure> {
        let deltas = std::mem::take(&mut self.sources);
        let mut first = Ok(());
        for (key, delta) in deltas {
            first = first.and(self.source_figure(key, delta));
        }
        first
    }

    fn source_figure(&mut self, key: SourceKey, delta: SourceDelta) -> Result<(), Failure> {
        if delta.is_none() {
            return Ok(());
        }
        match delta.applied(key, self.kernel.source(&key)?) {
            Some(command) => self.one(command),
            None => Ok(()),
        }
    }
}

fn killed(traffic: Traffic) -> Traffic {
    Traffic {
        killed: 1,
        ..traffic
    }
}

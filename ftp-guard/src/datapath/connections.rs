//! The tables of connections and of what sessions have negotiated, for the daemon to read and correct.

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    limits::{Opening, Source, SourceKey},
    session::{Client, Flow, Listener, Named, Pinhole, Session},
};

use super::{Capacities, Datapath, DatapathError};

impl Datapath {
    /// The sessions, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sessions(&self) -> Result<Vec<(FlowKey, Session)>, DatapathError> {
        self.state.sessions.entries()
    }

    /// The data connections, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn flows(&self) -> Result<Vec<(FlowKey, Flow)>, DatapathError> {
        self.state.flows.entries()
    }

    /// The pinholes, expired ones included, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn pinholes(&self) -> Result<Vec<(EndpointKey, Pinhole)>, DatapathError> {
        self.state.pinholes.entries()
    }

    /// The named destinations, expired ones included, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn named(&self) -> Result<Vec<(EndpointKey, Named)>, DatapathError> {
        self.state.named.entries()
    }

    /// What the sessions of each client amount to, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn clients(&self) -> Result<Vec<(ClientKey, Client)>, DatapathError> {
        self.state.clients.entries()
    }

    /// What the proven connections of each source amount to, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sources(&self) -> Result<Vec<(SourceKey, Source)>, DatapathError> {
        self.state.sources.entries()
    }

    /// The control connections that the server has not greeted yet, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn opening(&self) -> Result<Vec<(FlowKey, Opening)>, DatapathError> {
        self.state.opening.entries()
    }

    /// The sockets that listen on passive ports, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn listeners(&self) -> Result<Vec<(ListenKey, Listener)>, DatapathError> {
        self.state.listeners.entries()
    }

    /// Adds a session; false: there is one of that key, which stays. What its client's sessions amount to stays as it is.
    ///
    /// # Errors
    ///
    /// [`DatapathError::StateFull`]; the kernel refuses.
    pub fn insert_session(
        &mut self,
        key: &FlowKey,
        value: &Session,
    ) -> Result<bool, DatapathError> {
        self.state.sessions.insert(key, value)
    }

    /// Replaces a session; false: there is none of that key.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn update_session(
        &mut self,
        key: &FlowKey,
        value: &Session,
    ) -> Result<bool, DatapathError> {
        self.state.sessions.update(key, value)
    }

    /// Removes a session; false: there was none.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_session(&mut self, key: &FlowKey) -> Result<bool, DatapathError> {
        self.state.sessions.remove(key)
    }

    /// Adds a data connection; false: there is one of that key, which stays.
    ///
    /// # Errors
    ///
    /// [`DatapathError::StateFull`]; the kernel refuses.
    pub fn insert_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool, DatapathError> {
        self.state.flows.insert(key, value)
    }

    /// Replaces a data connection; false: there is none of that key.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn update_flow(&mut self, key: &FlowKey, value: &Flow) -> Result<bool, DatapathError> {
        self.state.flows.update(key, value)
    }

    /// Notes that a data connection that began then has ended now (both CLOCK_MONOTONIC, nanoseconds); false: it
    /// is not there any more, or its end has been noted. Between this look and the writing lie microseconds, in
    /// which a program may still count.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn close_flow(
        &mut self,
        key: &FlowKey,
        began_ns: u64,
        now_ns: u64,
    ) -> Result<bool, DatapathError> {
        let Some(mut flow) = self.state.flows.get(key)? else {
            return Ok(false);
        };
        if flow.traffic.created_ns != began_ns || flow.traffic.closed_ns != 0 {
            return Ok(false);
        }
        flow.traffic.closed_ns = now_ns;
        self.state.flows.update(key, &flow)
    }

    /// Removes a data connection; false: there was none.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_flow(&mut self, key: &FlowKey) -> Result<bool, DatapathError> {
        self.state.flows.remove(key)
    }

    /// Removes a pinhole; false: there was none.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_pinhole(&mut self, key: &EndpointKey) -> Result<bool, DatapathError> {
        self.state.pinholes.remove(key)
    }

    /// Removes a named destination; false: there was none.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_named(&mut self, key: &EndpointKey) -> Result<bool, DatapathError> {
        self.state.named.remove(key)
    }

    /// What the sessions of one client amount to.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn client(&self, key: &ClientKey) -> Result<Option<Client>, DatapathError> {
        self.state.clients.get(key)
    }

    /// Says what a client's sessions amount to.
    ///
    /// # Errors
    ///
    /// [`DatapathError::StateFull`]; the kernel refuses.
    pub fn set_client(&mut self, key: &ClientKey, value: &Client) -> Result<(), DatapathError> {
        self.state.clients.set(key, value)
    }

    /// Forgets a client; false: it was not known.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_client(&mut self, key: &ClientKey) -> Result<bool, DatapathError> {
        self.state.clients.remove(key)
    }

    /// What the connections of one source amount to.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn source(&self, key: &SourceKey) -> Result<Option<Source>, DatapathError> {
        self.state.sources.get(key)
    }

    /// Says what the connections of a source amount to; false: they no longer amount to what was `seen`,
    /// and nothing was written. Between this look and the writing lie microseconds, in which a program may
    /// still count.
    ///
    /// # Errors
    ///
    /// [`DatapathError::StateFull`]; the kernel refuses.
    pub fn set_source(
        &mut self,
        key: &SourceKey,
        seen: Option<Source>,
        value: &Source,
    ) -> Result<bool, DatapathError> {
        if self.state.sources.get(key)? != seen {
            return Ok(false);
        }
        self.state.sources.set(key, value).map(|()| true)
    }

    /// Forgets a source; false: it was not known, or has connections.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_source(&mut self, key: &SourceKey) -> Result<bool, DatapathError> {
        match self.state.sources.get(key)? {
            Some(source) if source == Source::default() => self.state.sources.remove(key),
            _ => Ok(false),
        }
    }

    /// Removes a control connection from those that wait for their greeting; false: it was not among
    /// them. What its source's connections amount to stays as it is.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_opening(&mut self, key: &FlowKey) -> Result<bool, DatapathError> {
        self.state.opening.remove(key)
    }

    /// Adds or replaces a listening socket.
    ///
    /// # Errors
    ///
    /// [`DatapathError::StateFull`]; the kernel refuses.
    pub fn set_listener(&mut self, key: &ListenKey, value: &Listener) -> Result<(), DatapathError> {
        self.state.listeners.set(key, value)
    }

    /// Removes a socket that has been listening since then (CLOCK_MONOTONIC, nanoseconds); false: there is
    /// none, or another one has taken its place.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove_listener(
        &mut self,
        key: &ListenKey,
        since_ns: u64,
    ) -> Result<bool, DatapathError> {
        match self.state.listeners.get(key)? {
            Some(listener) if listener.since_ns == since_ns => self.state.listeners.remove(key),
            _ => Ok(false),
        }
    }

    /// How many entries the state tables take: what they were made with, by this daemon or an earlier.
    #[must_use]
    pub fn capacities(&self) -> Capacities {
        self.state.capacities()
    }
}

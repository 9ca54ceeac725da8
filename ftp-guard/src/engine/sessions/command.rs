//! What is to be done to the tables and to sockets.

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    limits::{Opening, Source, SourceKey},
    session::{Flow, Listener, Session},
};

use super::{Delta, Socket};

/// One step. Steps are independent of each other: when one fails, the others are still right.
///
/// Connections come with their value, since with them the figures of their client and their source
/// change ([`Delta`], [`SourceDelta`](super::SourceDelta)), and only if the step changed
/// something.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// To add a session, unless there is one of that key.
    InsertSession(FlowKey, Box<Session>),
    /// To mark a session as killed.
    KillSession(FlowKey, Box<Session>),
    /// To remove a session; the value is the one that was seen.
    RemoveSession(FlowKey, Box<Session>),
    /// To add a data connection, unless there is one of that key.
    InsertFlow(FlowKey, Flow),
    /// To mark a data connection as killed.
    KillFlow(FlowKey, Flow),
    /// To note that a data connection has ended now (CLOCK_MONOTONIC, nanoseconds), unless something else has
    /// noted it meanwhile; the value is the one that was seen.
    CloseFlow(FlowKey, Flow, u64),
    /// To remove a data connection; the value is the one that was seen.
    RemoveFlow(FlowKey, Flow),
    /// To remove a control connection from those that wait for their greeting; the value is the one that was seen.
    RemoveOpening(FlowKey, Opening),
    /// To remove a pinhole.
    RemovePinhole(EndpointKey),
    /// To remove a named destination.
    RemoveNamed(EndpointKey),
    /// To change a client's figures, whatever they are by then: programs write them all the time.
    CountClient(ClientKey, Delta),
    /// To write a source's figures, if they still are what was seen (`None`: there were none). A figure
    /// that is too low by one would go below 0 with the next end.
    SetSource(SourceKey, Option<Source>, Source),
    /// To remove a source's figures, if they still are all zero.
    RemoveSource(SourceKey),
    /// To add a listener.
    SetListener(ListenKey, Listener),
    /// To remove a listener that has been there since then (CLOCK_MONOTONIC, nanoseconds), and no other.
    RemoveListener(ListenKey, u64),
    /// To take the programs' bits off ports.
    ClearPortBits(Vec<u16>),
    /// To destroy a socket.
    Destroy(Socket),
}

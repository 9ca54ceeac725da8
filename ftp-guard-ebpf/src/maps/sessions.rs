//! The state tables: sessions, data connections, what was negotiated, who is a client, what listens.
//!
//! All are of fixed size, allocated when they are made, and never evict: a full table refuses.

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::btf_map,
};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    session::{Client, Flow, Listener, Named, Pinhole, Session},
};

/// The loader sets the real sizes.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_SESSIONS: HashMap<FlowKey, Session, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_FLOWS: HashMap<FlowKey, Flow, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_PINHOLES: HashMap<EndpointKey, Pinhole, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_NAMED: HashMap<EndpointKey, Named, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_CLIENTS: HashMap<ClientKey, Client, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_LISTEN: HashMap<ListenKey, Listener, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_NEGOTIATED: Array<u64, 65536> = Array::new();

#[btf_map]
static FTPG_SEQUENCE: PerCpuArray<u64, 1> = PerCpuArray::new();

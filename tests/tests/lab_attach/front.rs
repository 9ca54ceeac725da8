//! What stands in front of the data connections, as the daemon reads and changes it.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aya::{
    maps::MapData,
    programs::{ProgramFd, loaded_programs},
};
use ftp_guard::{
    datapath::{Front, monotonic_ns, observe},
    frame::{FrameSpec, TcpFlags, tcp_frame},
};
use ftp_guard_common::{
    address::FlowKey,
    names::{FLOWS_MAP, FRONT_MAP, XDP_PROGRAM},
    ports::PORTS,
    reason::Reason,
    session::Flow,
};
use ftp_guard_tests::{
    lab::{Family, SERVER, STRANGER, Site},
    sys,
};

use super::{LIMIT, flow, open, pins};

/// The XDP program that uses the pinned slots in front of the data connections.
fn pinned_xdp(site: &Site) -> Result<ProgramFd> {
    let front = MapData::from_pin(pins(site).join(FRONT_MAP))?.info()?.id();
    for info in loaded_programs() {
        let info = info?;
        let uses = info.map_ids()?.is_some_and(|maps| maps.contains(&front));
        if uses && info.name_as_str() == Some(XDP_PROGRAM) {
            return Ok(info.fd()?);
        }
    }
    bail!("no program uses the slots")
}

#[test]
fn what_is_counted_in_front_of_the_entries_is_read_and_kept() {
    Site::test(|site| {
        site.server.enter(|| {
            let (key, value) = flow(40_000);
            let frame = tcp_frame(&FrameSpec {
                source: STRANGER.at(Family::V4, 40_000).ip(),
                destination: SERVER.at(Family::V4, 50_000).ip(),
                source_port: 40_000,
                destination_port: 50_000,
                flags: TcpFlags::ACK,
                vlans: Vec::new(),
                payload: b"data".to_vec(),
            });
            let send = |count: u32| -> Result<()> {
                let program = pinned_xdp(site)?;
                Ok(sys::run_many(program.as_fd(), &frame, count)?)
            };
            let counts = |flows: &[(FlowKey, Flow)]| -> Result<(u64, u64)> {
                let [(_, flow)] = flows else {
                    bail!("{flows:?}")
                };
                Ok((flow.traffic.packets_in, flow.traffic.bytes_in))
            };
            // As the table has it.
            let entry = || -> Result<u64> {
                let map = MapData::from_pin(pins(site).join(FLOWS_MAP))?;
                let map: aya::maps::HashMap<_, FlowKey, Flow> =
                    aya::maps::Map::HashMap(map).try_into()?;
                Ok(map.get(&key, 0)?.traffic.packets_in)
            };
            let mut classes = [0; PORTS];
            classes[50_000] = 3;

            let mut datapath = open(site)?;
            datapath.set_ports(&classes)?;
            datapath.insert_flow(&key, &value)?;
            send(10)?;
            ensure!(entry()? == 1, "{} are in the entry", entry()?);
            ensure!(counts(&datapath.flows()?)? == (10, 40));
            let flow = datapath.flows()?[0].1;
            ensure!(flow.traffic.seen_ns >= value.traffic.seen_ns);
            drop(datapath);

            let mut datapath = open(site)?;
            ensure!(datapath.adopted() && counts(&datapath.flows()?)? == (10, 40));
            send(5)?;
            ensure!(entry()? == 2, "{} are in the entry", entry()?);
            ensure!(counts(&datapath.flows()?)? == (15, 60));
            let seen = observe(&pins(site))?.context("nothing is seen")?;
            ensure!(counts(&seen.flows)? == (15, 60));

            // What is written is all that there was.
            let (_, flow) = datapath.flows()?[0];
            datapath.update_flow(&key, &Flow { session: 9, ..flow })?;
            ensure!(counts(&datapath.flows()?)? == (15, 60) && entry()? == 15);
            send(5)?;
            ensure!(counts(&datapath.flows()?)? == (20, 80) && entry()? == 16);
            ensure!(datapath.close_flow(&key, flow.traffic.created_ns, monotonic_ns())?);
            ensure!(counts(&datapath.flows()?)? == (20, 80) && entry()? == 20);
            send(5)?;
            ensure!(counts(&datapath.flows()?)? == (25, 100) && entry()? == 25);
            datapath.remove_flow(&key)?;
            datapath.insert_flow(&key, &value)?;
            ensure!(counts(&datapath.flows()?)? == (0, 0));
            send(3)?;
            ensure!(counts(&datapath.flows()?)? == (3, 12) && entry()? == 1);

            // A table that is another one than the slots were filled from.
            let map = MapData::from_pin(pins(site).join(FLOWS_MAP))?;
            let mut map: aya::maps::HashMap<_, FlowKey, Flow> =
                aya::maps::Map::HashMap(map).try_into()?;
            map.remove(&key)?;
            drop(datapath);
            let datapath = open(site)?;
            send(1)?;
            let counters = datapath.counters()?;
            let dropped = counters
                .iter()
                .any(|(key, _)| key.reason == Reason::NotListed);
            ensure!(dropped, "{counters:?}");
            datapath.detach_all()?;
            Ok(())
        })
    });
}

/// The socket of a connection is closed: the program on sockets sees that without the daemon.
#[test]
fn an_end_of_a_socket_is_known_in_front_of_the_entries() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let server = listener.local_addr()?;
            let mut classes = [0; PORTS];
            classes[usize::from(server.port())] = 3;
            datapath.set_ports(&classes)?;
            datapath.attach_sockets()?;
            let client = TcpStream::connect(server)?;
            let key = FlowKey::new(client.local_addr()?, server);
            let (_, mut value) = flow(0);
            value.traffic.created_ns = monotonic_ns();
            ensure!(datapath.insert_flow(&key, &value)?);
            let front = Front::of(&MapData::from_pin(pins(site).join(FRONT_MAP))?)?;
            let before = front.look(&key).version;
            let (accepted, _) = listener.accept()?;
            ensure!(front.look(&key).version == before);
            drop(client);
            drop(accepted);
            let closed = || -> Result<bool> {
                let flows = datapath.flows()?;
                Ok(flows
                    .iter()
                    .any(|(at, flow)| *at == key && flow.traffic.closed_ns != 0))
            };
            let start = Instant::now();
            while !closed()? {
                ensure!(start.elapsed() < LIMIT, "{:?}", datapath.flows()?);
                std::thread::sleep(Duration::from_millis(10));
            }
            ensure!(front.look(&key).version > before);
            datapath.detach_all()?;
            Ok(())
        })
    });
}

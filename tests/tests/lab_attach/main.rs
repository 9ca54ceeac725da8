//! The datapath without its daemon: both ways to attach the classifiers, the socket program, the state
//! tables.

mod front;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use aya::maps::MapData;
use ftp_guard::{
    config::XdpChoice,
    datapath::{
        Capacities, Datapath, DatapathError, Hook, SessionSettings, Settings, TcKind, allow::sizes,
        monotonic_ns, observe,
    },
    engine::allowlist::{AllowTable, Change},
    frame::{FrameSpec, TcpFlags, tcp_frame},
};
use ftp_guard_common::{
    address::{FlowKey, ListenKey},
    allow::{AllowValue, EntryKind},
    config::Role,
    ports::{ACTIVE_BIT, PORTS},
    reason::Reason,
    session::{Flow, FlowKind, Listener, Session},
};
use ftp_guard_tests::{
    lab::{Family, SERVER, STRANGER, Site, guard},
    sys,
};

const LIMIT: Duration = Duration::from_secs(10);
const SIZES: Capacities = Capacities {
    sessions: 64,
    flows: 512,
};

fn pins(site: &Site) -> PathBuf {
    site.server
        .folder()
        .outside(&guard::Settings::default().pins())
}

/// Opens the datapath as a daemon on the server would.
fn open(site: &Site) -> Result<Datapath> {
    Ok(Datapath::open(&Settings {
        pin_path: pins(site),
        max_entries: 100,
        allow_sizes: sizes(&AllowTable::default()),
        max_bans: 100,
        trace: false,
        role: Role::Host,
        sessions: SIZES.sessions,
        flows: SIZES.flows,
    })?)
}

fn tc(site: &Site, arguments: &str) -> Result<String> {
    let mut command = Command::new("tc");
    command.args(arguments.split(' '));
    let output = site.server.run(command, LIMIT)?;
    ensure!(output.success(), "tc {arguments}: {}", output.stderr);
    Ok(output.stdout)
}

fn filters(site: &Site) -> Result<String> {
    let interface = Site::INTERFACE;
    let egress = tc(site, &format!("filter show dev {interface} egress"))?;
    Ok(egress + &tc(site, &format!("filter show dev {interface} ingress"))?)
}

fn qdiscs(site: &Site) -> Result<String> {
    tc(site, &format!("qdisc show dev {}", Site::INTERFACE))
}

#[test]
fn classifiers_on_a_clsact_qdisc_come_are_replaced_and_go() {
    Site::test(|site| {
        site.server.enter(|| {
            let programs = |site| -> Result<Vec<String>> {
                let filters = filters(site)?;
                let ids = filters.split(" id ").skip(1);
                Ok(ids
                    .map(|rest| rest.split(' ').next().unwrap_or_default().to_owned())
                    .collect())
            };
            let mut first = open(site)?;
            let attached = first.attach_as(Site::INTERFACE, XdpChoice::Auto, TcKind::Clsact)?;
            ensure!(attached.tc == TcKind::Clsact, "{attached:?}");
            ensure!(first.attachments()? == [attached]);
            let before = programs(site)?;
            ensure!(before.len() == 2, "{}", filters(site)?);
            drop(first);

            let mut second = open(site)?;
            ensure!(second.adopted());
            second.attach_as(Site::INTERFACE, XdpChoice::Auto, TcKind::Clsact)?;
            let after = programs(site)?;
            ensure!(after.len() == 2, "{}", filters(site)?);
            ensure!(before.iter().all(|id| !after.contains(id)), "{after:?}");

            tc(site, &format!("filter del dev {} egress", Site::INTERFACE))?;
            ensure!(second.attachments()?.is_empty(), "nobody misses the filter");
            second.attach_as(Site::INTERFACE, XdpChoice::Auto, TcKind::Clsact)?;
            ensure!(second.attachments()?.len() == 1);

            ensure!(second.detach_all()? == [Site::INTERFACE]);
            ensure!(!qdiscs(site)?.contains("clsact"), "{}", qdiscs(site)?);
            ensure!(!pins(site).exists(), "pins are left");
            Ok(())
        })
    });
}

#[test]
fn filters_and_qdiscs_of_others_stay() {
    Site::test(|site| {
        site.server.enter(|| {
            tc(site, &format!("qdisc add dev {} clsact", Site::INTERFACE))?;
            let mut datapath = open(site)?;
            datapath.attach_as(Site::INTERFACE, XdpChoice::Auto, TcKind::Clsact)?;
            datapath.detach_interface(Site::INTERFACE)?;
            ensure!(qdiscs(site)?.contains("clsact"), "it was not ours");
            tc(site, &format!("qdisc del dev {} clsact", Site::INTERFACE))?;

            datapath.attach_as(Site::INTERFACE, XdpChoice::Auto, TcKind::Clsact)?;
            tc(
                site,
                &format!(
                    "filter add dev {} egress prio 7 protocol ip u32 match ip dst 192.0.2.9 classid 1:1",
                    Site::INTERFACE
                ),
            )?;
            datapath.detach_all()?;
            ensure!(filters(site)?.contains("pref 7"), "{}", filters(site)?);
            ensure!(!filters(site)?.contains("ftpg"), "{}", filters(site)?);
            Ok(())
        })
    });
}

#[test]
fn a_kernel_that_learned_tcx_takes_the_filters_off() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            datapath.attach_as(Site::INTERFACE, XdpChoice::Auto, TcKind::Clsact)?;
            let attached = datapath.attach(Site::INTERFACE, XdpChoice::Auto)?;
            ensure!(attached.tc == TcKind::Tcx, "{attached:?}");
            ensure!(filters(site)?.is_empty(), "{}", filters(site)?);
            datapath.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn a_link_that_was_taken_off_by_force_is_missed_and_put_back() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            datapath.attach(Site::INTERFACE, XdpChoice::Auto)?;
            for link in ["egress", "control", "link"] {
                let pin = pins(site).join(format!("{link}-{}", Site::INTERFACE));
                sys::detach_link(&pin)?;
                ensure!(pin.exists(), "force removes no pin");
                ensure!(datapath.attachments()?.is_empty(), "nobody misses {link}");
                datapath.attach(Site::INTERFACE, XdpChoice::Auto)?;
                ensure!(datapath.attachments()?.len() == 1, "{link} is not back");
            }
            datapath.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn classifiers_do_not_stay_where_the_xdp_program_is_refused() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            let mut rival = ftp_guard_tests::program::Guard::load()?;
            let rival = rival.program()?;
            let index = ftp_guard::netlink::index_of(Site::INTERFACE).context("no interface")?;
            rival.attach_to_if_index(index, aya::programs::XdpMode::default())?;
            for tc in [TcKind::Tcx, TcKind::Clsact] {
                let refused = datapath.attach_as(Site::INTERFACE, XdpChoice::Auto, tc);
                ensure!(
                    matches!(refused, Err(DatapathError::ForeignProgram { .. })),
                    "{refused:?}"
                );
                ensure!(datapath.pinned_interfaces()?.is_empty());
                ensure!(!qdiscs(site)?.contains("clsact"), "{}", qdiscs(site)?);
            }
            datapath.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn the_socket_program_is_put_on_replaced_and_taken_off() {
    Site::test(|site| {
        site.server.enter(|| {
            let pin = pins(site).join("sockets");
            let program = || -> Result<u32> {
                let link = aya::programs::links::PinnedLink::from_pin(&pin)?;
                let link = aya::programs::links::FdLink::from(link);
                Ok(link.info()?.program_id())
            };
            let mut first = open(site)?;
            first.attach_sockets()?;
            let before = program()?;
            drop(first);
            let mut second = open(site)?;
            ensure!(program()? == before, "a daemon's end takes the program off");
            second.attach_sockets()?;
            ensure!(program()? != before);
            ensure!(second.detach_sockets()? && !second.detach_sockets()?);
            ensure!(!pin.exists());
            second.attach_sockets()?;
            second.detach_all()?;
            ensure!(!pins(site).exists(), "pins are left");
            Ok(())
        })
    });
}

fn flow(number: u16) -> (FlowKey, Flow) {
    let key = FlowKey::new(
        STRANGER.at(Family::V4, number),
        SERVER.at(Family::V4, 50_000),
    );
    let mut flow = Flow {
        session: u64::from(number),
        kind: FlowKind::Passive as u8,
        established: 1,
        ..Flow::default()
    };
    flow.traffic.seen_ns = monotonic_ns();
    (key, flow)
}

#[test]
fn state_is_written_read_and_refused_when_full() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            ensure!(datapath.capacities() == SIZES);
            let (key, value) = flow(1);
            ensure!(datapath.flows()?.is_empty());
            ensure!(!datapath.update_flow(&key, &value)? && !datapath.remove_flow(&key)?);
            ensure!(datapath.insert_flow(&key, &value)? && !datapath.insert_flow(&key, &value)?);
            ensure!(datapath.update_flow(
                &key,
                &Flow {
                    session: 9,
                    ..value
                }
            )?);
            ensure!(
                datapath.flows()?
                    == [(
                        key,
                        Flow {
                            session: 9,
                            ..value
                        }
                    )]
            );
            ensure!(datapath.remove_flow(&key)? && datapath.flows()?.is_empty());

            let mut full = None;
            for port in 1..=1000 {
                let key = ListenKey {
                    port: u16::to_be_bytes(port),
                    ..ListenKey::default()
                };
                if let Err(error) = datapath.set_listener(&key, &Listener::default()) {
                    full = Some((port, error));
                    break;
                }
            }
            match full {
                Some((513, DatapathError::StateFull { room: 512, .. })) => {}
                other => bail!("{other:?}"),
            }
            ensure!(datapath.listeners()?.len() == 512);
            drop(datapath);

            // Another size is told, and nothing lost.
            let kept = Datapath::open(&Settings {
                pin_path: pins(site),
                max_entries: 100,
                allow_sizes: sizes(&AllowTable::default()),
                max_bans: 100,
                trace: false,
                role: Role::Host,
                sessions: 7,
                flows: 7,
            })?;
            ensure!(kept.capacities() == SIZES && kept.listeners()?.len() == 512);
            kept.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn a_table_is_read_while_it_changes() {
    const KEPT: u16 = 100;
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            for number in 0..KEPT {
                let (key, value) = flow(number);
                datapath.insert_flow(&key, &value)?;
            }
            let map = MapData::from_pin(pins(site).join("FTPG_FLOWS"))?;
            let mut map: aya::maps::HashMap<_, FlowKey, Flow> =
                aya::maps::Map::HashMap(map).try_into()?;
            let (done, rounds) = (AtomicBool::new(false), std::sync::atomic::AtomicU32::new(0));
            std::thread::scope(|scope| {
                let churn = scope.spawn(|| -> Result<()> {
                    while !done.load(Relaxed) {
                        for number in 1000..1300 {
                            let (key, value) = flow(number);
                            map.insert(key, value, 0)?;
                        }
                        for number in 1000..1300 {
                            map.remove(&flow(number).0)?;
                        }
                        rounds.fetch_add(1, Relaxed);
                    }
                    Ok(())
                });
                let read = (0..300).try_for_each(|_| {
                    let entries = datapath.flows()?;
                    let keys: BTreeSet<FlowKey> = entries.iter().map(|(key, _)| *key).collect();
                    ensure!(keys.len() == entries.len(), "a key was told twice");
                    let kept = (0..KEPT).all(|number| keys.contains(&flow(number).0));
                    ensure!(kept, "a key that stayed was left out");
                    Ok(())
                });
                done.store(true, Relaxed);
                churn.join().expect("the other thread panicked")?;
                read
            })?;
            ensure!(rounds.load(Relaxed) > 2, "the table did not change");
            datapath.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn the_configuration_is_written_in_parts_and_ports_keep_their_bits() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            let mut classes = [0; PORTS];
            classes[21] = 1;
            datapath.set_ports(&classes)?;
            let map = MapData::from_pin(pins(site).join("FTPG_PORTS"))?;
            let mut map: aya::maps::Array<_, [u8; PORTS]> =
                aya::maps::Map::Array(map).try_into()?;
            let mut table = map.get(&0, 0)?;
            ensure!(table == classes);
            table[4000] |= ACTIVE_BIT;
            table[4001] |= ACTIVE_BIT;
            map.set(0, table, 0)?;

            classes[21] = 0;
            classes[2121] = 1;
            classes[4000] = 3;
            datapath.set_ports(&classes)?;
            ensure!(datapath.port_bits()? == [(4000, ACTIVE_BIT), (4001, ACTIVE_BIT)]);
            datapath.clear_port_bits(&[4001])?;
            let table = map.get(&0, 0)?;
            ensure!((table[21], table[2121], table[4000], table[4001]) == (0, 1, 0x83, 0));

            datapath.set_session_config(&SessionSettings {
                role: Role::Router,
                ..SessionSettings::default()
            })?;
            datapath.raise_allow_generation()?;
            datapath.adopt_until(77)?;
            datapath.raise_allow_generation()?;
            let map = MapData::from_pin(pins(site).join("FTPG_CONFIG"))?;
            let map: aya::maps::Array<_, ftp_guard_common::config::GuardConfig> =
                aya::maps::Map::Array(map).try_into()?;
            let config = map.get(&0, 0)?;
            ensure!(
                (config.role, config.allow_generation, config.adopt_until_ns) == (1, 2, 77),
                "{config:?}"
            );
            for hook in Hook::ALL {
                ensure!(datapath.hook_counters(hook)?.is_empty());
            }
            datapath.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn a_question_touches_no_connection() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            let mut classes = [0; PORTS];
            classes[50_000] = 3;
            datapath.set_ports(&classes)?;
            let allow = AllowValue {
                expires_s: 0,
                profile: 0,
                prefix_len: 0,
                kind: EntryKind::Allow as u8,
            };
            let all: ipnet::IpNet = "0.0.0.0/0".parse()?;
            let wanted = [(all, allow)].into();
            let change = Change::Insert(all, allow);
            datapath.apply(&[change], &wanted)?;
            let (key, value) = flow(40_000);
            let ask = |datapath: &mut Datapath, source: SocketAddr| {
                let destination = SERVER.at(Family::V4, 50_000);
                datapath.explain(&tcp_frame(&FrameSpec {
                    source: source.ip(),
                    destination: destination.ip(),
                    source_port: source.port(),
                    destination_port: destination.port(),
                    flags: TcpFlags::ACK,
                    vlans: Vec::new(),
                    payload: b"data".to_vec(),
                }))
            };
            let source = STRANGER.at(Family::V4, 40_000);
            let unknown = ask(&mut datapath, source)?;
            ensure!(unknown.reason == Reason::NoFlow, "{unknown:?}");
            datapath.insert_flow(&key, &value)?;
            let known = ask(&mut datapath, source)?;
            ensure!(known.reason == Reason::DataFlow, "{known:?}");
            ensure!(datapath.flows()? == [(key, value)], "it counted");
            for _ in 0..3 {
                ensure!(ask(&mut datapath, source)? == known);
            }
            ensure!(datapath.flows()? == [(key, value)], "it counted");
            let mut killed = value;
            killed.traffic.killed = 1;
            datapath.update_flow(&key, &killed)?;
            let over = ask(&mut datapath, source)?;
            ensure!(over.reason == Reason::Killed, "{over:?}");
            datapath.update_flow(&key, &value)?;
            ensure!(ask(&mut datapath, source)? == known);
            ensure!(ask(&mut datapath, source)? == known);
            ensure!(datapath.counters()?.is_empty());
            let other = ask(&mut datapath, STRANGER.at(Family::V4, 40_001))?;
            ensure!(other.reason == Reason::NoFlow, "{other:?}");
            datapath.remove_flow(&key)?;
            let gone = ask(&mut datapath, source)?;
            ensure!(gone.reason == Reason::NoFlow, "{gone:?}");
            datapath.detach_all()?;
            Ok(())
        })
    });
}

#[test]
fn pins_tell_of_sessions_without_a_daemon() {
    Site::test(|site| {
        site.server.enter(|| {
            let mut datapath = open(site)?;
            let (key, value) = flow(5);
            datapath.insert_flow(&key, &value)?;
            let session = Session {
                id: 5,
                ..Session::default()
            };
            datapath.insert_session(&key, &session)?;
            datapath.attach(Site::INTERFACE, XdpChoice::Auto)?;
            drop(datapath);
            let seen = observe(&pins(site))?.context("nothing is seen")?;
            ensure!(seen.sessions == [(key, session)] && seen.flows == [(key, value)]);
            ensure!(seen.attachments.len() == 1 && seen.attachments[0].tc == TcKind::Tcx);
            open(site)?.detach_all()?;
            Ok(())
        })
    });
}

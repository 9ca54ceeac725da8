//! The generator of floods: its frames are what they are said to be, its rate is kept, and it stops.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ftp_guard_tests::{
    lab::{
        Arena, Family, Spoofed, attach, driver_counters,
        flood::{Generator, Kind, Rate, Recipe},
        tap::Tap,
        wait_until,
    },
    packet::{C_TAG, S_TAG},
    sys,
};

/// Frames a second: few enough for a socket to take them all.
const SLOWLY: Rate = Rate::PerSecond(20_000);
/// What a receiver looks at.
const SAMPLE: usize = 1000;
const PORTS: [u16; 3] = [21, 990, 50_005];

#[test]
fn frames_are_whole_and_differ() {
    Arena::test(|arena| {
        let tap = Tap::open(&arena.server, Arena::ATTACKER_SIDE)?;
        for family in Family::BOTH {
            for kind in Kind::ALL {
                for tags in [vec![], vec![C_TAG], vec![S_TAG, C_TAG]] {
                    for sources in [Spoofed::Anywhere, Spoofed::Listed] {
                        let recipe = Recipe {
                            tags: tags.clone(),
                            ..arena.recipe(kind, sources, family, &PORTS)?
                        };
                        check(arena, &tap, &recipe)
                            .with_context(|| format!("{recipe:?}, {sources:?}"))?;
                    }
                }
            }
        }
        Ok(())
    });
}

/// Sends frames of a recipe and looks at what arrives.
fn check(arena: &Arena, tap: &Tap, recipe: &Recipe) -> Result<()> {
    tap.drain()?;
    let flood = start(arena, recipe, SLOWLY, Duration::from_secs(10))?;
    let mut frames = Vec::new();
    wait_until("frames arrive", Duration::from_secs(10), || {
        // The server's own answers are seen too.
        let arrived = tap.drain()?;
        let of_flood = |frame: &Vec<u8>| frame[..6] == recipe.macs.destination;
        frames.extend(arrived.into_iter().filter(of_flood));
        Ok((frames.len() >= SAMPLE).then_some(()))
    })?;
    flood.stop()?;

    let mut seen = [const { BTreeSet::new() }; 4];
    for frame in &frames {
        let (source, numbers) = dissect(frame, recipe)?;
        let known = recipe.sources.iter().any(|net| net.contains(&source));
        ensure!(known, "from {source}");
        let address = match source {
            IpAddr::V4(address) => {
                ensure!(
                    !address.is_multicast() && !address.is_loopback(),
                    "{source}"
                );
                u128::from(u32::from(address))
            }
            IpAddr::V6(address) => u128::from(address),
        };
        seen[0].insert(address);
        for (set, number) in seen[1..].iter_mut().zip(numbers) {
            set.insert(u128::from(number));
        }
    }
    let counts = seen.each_ref().map(BTreeSet::len);
    let most = frames.len() * 9 / 10;
    let few_sources = recipe.sources.len() > 1 && recipe.target.is_ipv4();
    ensure!(
        counts[0] > if few_sources { 100 } else { most },
        "sources: {counts:?}"
    );
    ensure!(counts[1] == PORTS.len(), "destination ports: {counts:?}");
    ensure!(counts[2] > 800, "source ports: {counts:?}");
    ensure!(counts[3] > most, "sequence numbers: {counts:?}");
    Ok(())
}

/// The source of a frame; its destination port, source port and sequence number. Checksums must be right.
fn dissect(frame: &[u8], recipe: &Recipe) -> Result<(IpAddr, [u32; 3])> {
    let packet = SlicedPacket::from_ethernet(frame)?;
    let Some(TransportSlice::Tcp(segment)) = &packet.transport else {
        anyhow::bail!("no TCP");
    };
    let header = segment.to_header();
    let payload = segment.payload();
    // The kernel takes the outer tag out of the frame that a packet socket gets.
    ensure!(packet.link_exts.len() + 1 >= recipe.tags.len(), "tags");
    let (source, right) = match packet.net.as_ref().context("no IP")? {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header().to_header();
            ensure!(
                ip.header_checksum == ip.calc_header_checksum(),
                "IP checksum"
            );
            (
                IpAddr::V4(ip.source.into()),
                header.calc_checksum_ipv4(&ip, payload)?,
            )
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header().to_header();
            (
                IpAddr::V6(ip.source.into()),
                header.calc_checksum_ipv6(&ip, payload)?,
            )
        }
        NetSlice::Arp(_) => anyhow::bail!("ARP"),
    };
    ensure!(
        header.checksum == right,
        "TCP checksum {:#x}, not {right:#x}",
        header.checksum
    );
    let (syn, data) = match recipe.kind {
        Kind::Syn | Kind::SynWithOptions => (true, false),
        Kind::Data => (false, true),
        Kind::Ack | Kind::Rst | Kind::Fin => (false, false),
    };
    ensure!(
        header.syn == syn && header.ack == (header.acknowledgment_number != 0),
        "flags"
    );
    ensure!(header.rst == (recipe.kind == Kind::Rst), "RST");
    ensure!(header.fin == (recipe.kind == Kind::Fin), "FIN");
    ensure!(
        payload.is_empty() != data,
        "payload of {} bytes",
        payload.len()
    );
    let options = header.options.len();
    ensure!(
        (options > 0) == (recipe.kind == Kind::SynWithOptions),
        "{options} bytes of options"
    );
    let numbers = [
        header.destination_port.into(),
        header.source_port.into(),
        header.sequence_number,
    ];
    Ok((source, numbers))
}

#[test]
fn a_flood_keeps_its_rate_and_stops_by_itself() {
    Arena::test(|arena| {
        // Whatever arrives is thrown away where it is counted.
        let drop = sys::load_drop_program()?;
        let _drop = attach(&arena.server, Arena::ATTACKER_SIDE, &drop)?;
        let recipe = arena.recipe(Kind::Syn, Spoofed::Anywhere, Family::V4, &PORTS)?;
        for rate in [Rate::PerSecond(100_000), Rate::Full] {
            let before = received(arena)?;
            let start = Instant::now();
            let flood = start_for(arena, &recipe, rate, 1)?;
            wait_until("the flood ends", Duration::from_secs(20), || {
                Ok((!flood.is_running()).then_some(()))
            })?;
            let took = start.elapsed();
            let offered = flood.stop()?;
            let received = received(arena)? - before;
            println!(
                "{rate:?}: {} frames in {took:?}, {:.0} a second, {received} received",
                offered.frames,
                offered.rate()
            );
            ensure!(took >= Duration::from_secs(1), "it ended after {took:?}");
            // Neighbour discovery has some frames of its own.
            ensure!(received < offered.frames + 100, "more came than were sent");
            ensure!(received > offered.frames / 2, "half of the frames got lost");
            if let Rate::PerSecond(rate) = rate {
                // A loaded machine may keep it from its rate, nothing lets it exceed it.
                ensure!(offered.frames <= u64::from(rate) * 11 / 10, "too fast");
                ensure!(offered.frames >= u64::from(rate) / 10, "too slow");
            }
        }
        Ok(())
    });
}

#[test]
fn a_flood_that_is_dropped_ends() {
    Arena::test(|arena| {
        let recipe = arena.recipe(Kind::Ack, Spoofed::Listed, Family::V6, &PORTS)?;
        let flood = start(arena, &recipe, SLOWLY, Duration::from_secs(60))?;
        wait_until("frames are sent", Duration::from_secs(10), || {
            Ok((flood.sent() > 100).then_some(()))
        })?;
        drop(flood);
        let before = received(arena)?;
        std::thread::sleep(Duration::from_millis(200));
        // The server has a word of its own now and then, and is told of none.
        ensure!(received(arena)? < before + 100, "frames still come");
        Ok(())
    });
}

/// Frames that came in on the attacker's cable.
fn received(arena: &Arena) -> Result<u64> {
    let counters = driver_counters(&arena.server, Arena::ATTACKER_SIDE)?;
    let queues = counters
        .iter()
        .filter(|(name, _)| name.starts_with("rx_queue_") && name.ends_with("_xdp_packets"));
    Ok(queues.map(|(_, packets)| packets).sum())
}

fn start_for(arena: &Arena, recipe: &Recipe, rate: Rate, seconds: u64) -> Result<Generator> {
    start(arena, recipe, rate, Duration::from_secs(seconds))
}

fn start(arena: &Arena, recipe: &Recipe, rate: Rate, time: Duration) -> Result<Generator> {
    Generator::start(
        &arena.attacker,
        Arena::ATTACKER_SIDE,
        recipe,
        rate,
        time,
        None,
    )
}

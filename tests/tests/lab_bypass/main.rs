//! The known ways around such a filter, each sent by a raw sender from an unlisted source at a real
//! FTP server: first without the guard, so that it shows which of them do reach the server, then with
//! the guard attached.

mod attacker;
mod headers;
mod sequences;
mod shapes;
mod variant;

use anyhow::{Result, ensure};
use attacker::{Attacker, Cable, OTHER_PORT, Site};
use aya::programs::xdp::XdpMode;
use ftp_guard_tests::lab::{
    Family,
    probe::{Answer, expect_control_port},
};
use sequences::Style;
use variant::Variant;

#[test]
fn no_shape_of_a_packet_passes_a_native_guard() {
    shapes_fail(XdpMode::Driver, Cable::Direct);
}

#[test]
fn no_shape_of_a_packet_passes_a_generic_guard() {
    shapes_fail(XdpMode::Skb, Cable::Direct);
}

/// The bridge takes the outer tag into the packet's metadata, as cards do that strip tags.
#[test]
fn no_shape_of_a_packet_passes_behind_a_switch() {
    shapes_fail(XdpMode::Driver, Cable::Switched);
    shapes_fail(XdpMode::Skb, Cable::Switched);
}

#[test]
fn no_sequence_of_fragments_passes_a_native_guard() {
    sequences_fail(XdpMode::Driver, Cable::Direct, 4);
}

#[test]
fn no_sequence_of_fragments_passes_a_generic_guard() {
    sequences_fail(XdpMode::Skb, Cable::Switched, 3);
}

fn shapes_fail(mode: XdpMode, cable: Cable) {
    attacker::test(|site| {
        let mut attacker = Attacker::new(site, cable)?;
        let shapes = shapes::all();
        let unreadable = shapes::unreadable();

        let reached = attacker.send(&shapes)?;
        let missing: Vec<_> = names(
            shapes
                .iter()
                .filter(|variant| variant.reaches && !reached.contains(&variant.name)),
        );
        ensure!(
            missing.is_empty(),
            "without the guard these do not reach the server: {missing:#?}"
        );

        site.attach(mode)?;
        attacker.expect_guard();
        let before = site.segments_received()?;
        let reached = attacker.send(&shapes)?;
        ensure!(reached.is_empty(), "the server answered: {reached:#?}");
        let segments = site.segments_received()? - before;
        ensure!(
            segments == attacker.knocks(),
            "the server's TCP has seen {segments} segments, of which {} were to port {OTHER_PORT}",
            attacker.knocks()
        );
        let reached = attacker.send(&unreadable)?;
        ensure!(reached.is_empty(), "the server answered: {reached:#?}");
        listed_client_works(site)?;
        ftp_guard_tests::report!(
            "lab_bypass: {} shapes ({} of them reach an unguarded server), {mode:?}, {cable:?}: \
             none reaches a guarded one",
            shapes.len() + unreadable.len(),
            shapes.iter().filter(|variant| variant.reaches).count()
        );
        Ok(())
    });
}

fn sequences_fail(mode: XdpMode, cable: Cable, longest: usize) {
    attacker::test(|site| {
        let mut attacker = Attacker::new(site, cable)?;
        let mut sets = Vec::new();
        for family in Family::BOTH {
            for style in Style::of(family) {
                let sequences = sequences::all(family, *style, longest);
                let reached = attacker.send(&sequences)?;
                let missing: Vec<_> = names(
                    sequences
                        .iter()
                        .filter(|variant| variant.reaches && !reached.contains(&variant.name)),
                );
                ensure!(
                    missing.is_empty(),
                    "without the guard the stack does not put these together: {missing:#?}"
                );
                sets.push((sequences, reached));
            }
        }

        site.attach(mode)?;
        attacker.expect_guard();
        for (sequences, unguarded) in &sets {
            let reached = attacker.send(sequences)?;
            let at_ftp: Vec<_> = reached.iter().filter(|name| !is_other(name)).collect();
            ensure!(at_ftp.is_empty(), "the server answered: {at_ftp:#?}");
            // Another service's fragments are put together as before.
            for variant in sequences.iter().filter(|variant| variant.of_other_port) {
                let name = format!("{}{}", variant.name, attacker::AT_OTHER_PORT);
                ensure!(
                    reached.contains(&name) == unguarded.contains(&name),
                    "with the guard, {name} fares differently"
                );
            }
        }
        listed_client_works(site)?;
        let count: usize = sets.iter().map(|(sequences, _)| sequences.len()).sum();
        let through: usize = sets
            .iter()
            .map(|(_, reached)| reached.iter().filter(|name| !is_other(name)).count())
            .sum();
        ftp_guard_tests::report!(
            "lab_bypass: {count} sequences of fragments ({through} of them reach an unguarded \
             server), {mode:?}, {cable:?}: none reaches a guarded one"
        );
        Ok(())
    });
}

fn is_other(name: &str) -> bool {
    name.ends_with(attacker::AT_OTHER_PORT)
}

fn names<'a>(variants: impl Iterator<Item = &'a Variant>) -> Vec<&'a str> {
    variants.map(|variant| variant.name.as_str()).collect()
}

/// The listed client gets through, over both IP versions. The XDP program is alone here: without the
/// classifiers there are no sessions, and no data connections.
fn listed_client_works(site: &Site) -> Result<()> {
    expect_control_port(&site.site.client, Answer::Connected)
}

//! Jumbo frames: a native program that took no frames of several buffers would be refused at this MTU.

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    guard::{self, Guard},
    probe::{Answer, expect_control_port},
    servers::{self, FtpServer, Make},
};

const JUMBO: u32 = 9000;

/// Frames beyond a page come in several buffers.
const PAGE: u64 = 4096;

#[test]
fn jumbo_frames_are_guarded_in_native_mode() {
    Site::test(|site| {
        site.set_mtu(JUMBO)?;
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let settings = guard::Settings {
            xdp_mode: "native",
            ..guard::Settings::default()
        };
        let guard = Guard::start(&site.server, settings)?;
        let transfer = |direction| {
            Transfer::new(Client::Curl, Family::V4, Negotiation::Pasv, direction)
                .make(&site.client, &server)?;
            Transfer::new(Client::Curl, Family::V6, Negotiation::Epsv, direction)
                .make(&site.client, &server)
        };
        transfer(Direction::Upload)?;
        let average = average_data_packet(&guard)?;
        ensure!(
            average > PAGE,
            "data packets of {average} bytes: none was jumbo"
        );
        transfer(Direction::Download)?;
        let drops = guard.counted(&[("verdict", "drop")])?;
        ensure!(
            drops == 0,
            "{drops} packets of a listed client were dropped"
        );
        expect_control_port(&site.stranger, Answer::Nothing)
    });
}

/// Bytes of the average packet that came in on passive data connections.
fn average_data_packet(guard: &Guard) -> Result<u64> {
    let status = guard.status()?;
    let counters = status["counters"].as_array();
    let (mut packets, mut bytes) = (0, 0);
    for counter in counters.context("no counters in the status")? {
        if counter["class"] == "passive_data" {
            packets += counter["packets"].as_u64().context("no packets")?;
            bytes += counter["bytes"].as_u64().context("no bytes")?;
        }
    }
    Ok(bytes / packets.max(1))
}

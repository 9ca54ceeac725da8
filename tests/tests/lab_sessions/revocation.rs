//! Sessions that are ended by the guard: by command, and with their place on the allowlist.

use std::time::Duration;

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, SERVER, STRANGER, Site, Tls,
    clients::{Client, Direction, Negotiation, Running, Transfer, session::Session},
    guard::{Guard, Settings},
    servers::{self, FtpServer, Make},
    wait_until,
};

use crate::{
    download::Download,
    tables::{Tables, expect_empty, expect_live},
};

const LIMIT: Duration = Duration::from_secs(60);

/// Time for a client to see that its connection is gone, and for the kernel to forget the sockets.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Transfers of one client, all under way.
struct Busy<'s> {
    uploads: Vec<Running<'s>>,
    downloads: Vec<Download>,
}

impl<'s> Busy<'s> {
    /// How many they are.
    const TRANSFERS: usize = 4;

    fn start(site: &Site, server: &'s FtpServer) -> Result<Self> {
        let mut downloads = Vec::new();
        for active in [false, true] {
            downloads.push(Download::start(&site.client, server, Family::V4, active)?);
        }
        let mut uploads = Vec::new();
        for (negotiation, tls) in [
            (Negotiation::Port, Tls::Clear),
            (Negotiation::Epsv, Tls::Auth),
        ] {
            let upload = Transfer {
                size: 4 << 20,
                rate: Some(64 << 10),
                tls,
                ..Transfer::new(Client::Curl, Family::V4, negotiation, Direction::Upload)
            };
            let mut one = upload.start(&site.client, server)?;
            wait_until("the transfer has begun", LIMIT, || {
                ensure!(one.goes_on()?, "{upload} ended early");
                Ok((one.arrived() > 0).then_some(()))
            })?;
            uploads.push(one);
        }
        Ok(Self { uploads, downloads })
    }

    /// Every client notices, and the server's host holds no socket of theirs.
    fn expect_ended(mut self, site: &Site) -> Result<()> {
        wait_until("the clients give up", AT_ONCE, || {
            let going = self.uploads.iter_mut().map(Running::goes_on);
            Ok((!going.collect::<Result<Vec<_>>>()?.contains(&true)).then_some(()))
        })?;
        wait_until("the sockets are gone", AT_ONCE, || {
            Ok((connections(site)? == 0).then_some(()))
        })?;
        self.downloads
            .into_iter()
            .try_for_each(Download::expect_broken)
    }
}

/// Connections of the server's host with the client, in any state but TIME_WAIT.
fn connections(site: &Site) -> Result<usize> {
    let [a, b, c, d] = CLIENT.v4.octets();
    let client = format!("{:08X}:", u32::from_le_bytes([a, b, c, d]));
    let mut found = 0;
    for file in ["tcp", "tcp6"] {
        for line in site.server.proc_net(file)?.lines().skip(1) {
            let mut fields = line.split_whitespace().skip(2);
            let (remote, state) = (fields.next(), fields.next());
            if remote.is_some_and(|remote| remote.contains(&client)) && state != Some("06") {
                found += 1;
            }
        }
    }
    Ok(found)
}

#[test]
fn a_kill_by_address_ends_sessions_and_data_connections_at_once() {
    Site::test(|site| {
        let server = FtpServer::start(Make::ProFtpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        let busy = Busy::start(site, &server)?;
        expect_live(&guard, Busy::TRANSFERS, Busy::TRANSFERS)?;
        guard.cli(&["kill", &CLIENT.v4.to_string()])?.expect(0)?;
        busy.expect_ended(site)?;
        expect_live(&guard, 0, 0)?;
        expect_empty(&guard)?;
        // A kill is no ban.
        Transfer::new(
            Client::Curl,
            Family::V4,
            Negotiation::Epsv,
            Direction::Download,
        )
        .make(&site.client, &server)
    });
}

#[test]
fn a_kill_by_number_leaves_the_others() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        let mut first = Session::log_in(&site.client, Family::V4, 21)?;
        let [(_, session)] = Tables::read(&guard)?.sessions[..] else {
            anyhow::bail!("one session expected");
        };
        let mut second = Session::log_in(&site.client, Family::V4, 21)?;
        guard.cli(&["kill", &session.id.to_string()])?.expect(0)?;
        ensure!(first.command("NOOP").is_err(), "the first goes on");
        ensure!(second.command("NOOP")?.starts_with("200"));
        expect_live(&guard, 1, 0)?;
        drop(second);
        expect_empty(&guard)
    });
}

#[test]
fn a_client_that_leaves_the_list_loses_its_running_transfers() {
    Site::test(|site| {
        let server = FtpServer::start(Make::ProFtpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(
            &site.server,
            Settings::default().listing(&[CLIENT, STRANGER]),
        )?;
        let mut other = Session::log_in(&site.stranger, Family::V4, server.port())?;
        let busy = Busy::start(site, &server)?;
        expect_live(&guard, Busy::TRANSFERS + 1, Busy::TRANSFERS)?;
        let folder = guard.folder();
        folder.write(
            &guard.settings().list_file(),
            STRANGER.ips().map(|ip| ip.to_string()).join("\n"),
        )?;
        guard.cli(&["reload"])?.expect(0)?;
        busy.expect_ended(site)?;
        ensure!(other.command("NOOP")?.starts_with("200"));
        ensure!(other.passive()?.ip() == SERVER.ip(Family::V4));
        expect_live(&guard, 1, 0)?;
        Ok(())
    });
}

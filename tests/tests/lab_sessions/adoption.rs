//! Transfers that run when the guard comes go on.

use std::time::Duration;

use anyhow::{Result, ensure};
use ftp_guard_common::{
    class::PortClass,
    config::Role,
    session::{FlowKind, Tls as SessionTls},
};
use ftp_guard_tests::lab::{
    Family, Site, Tls,
    clients::{Client, Direction, Negotiation, Running, Transfer},
    guard::{Guard, Settings},
    servers::{self, FtpServer, Make},
    wait_until,
};

use crate::{
    download::Download,
    tables::{Tables, expect_empty},
};

const LIMIT: Duration = Duration::from_secs(60);

/// An upload of half a minute.
fn upload(negotiation: Negotiation, family: Family, tls: Tls) -> Transfer {
    Transfer {
        size: 4 << 20,
        rate: Some(96 << 10),
        tls,
        ..Transfer::new(Client::Curl, family, negotiation, Direction::Upload)
    }
}

fn uploads(make: Make) -> Vec<Transfer> {
    use Negotiation::{Eprt, Epsv, Pasv, Port};
    let mut all = vec![
        upload(Pasv, Family::V4, Tls::Clear),
        upload(Port, Family::V4, Tls::Clear),
    ];
    // Pure-FTPd takes five users, three of them are downloads.
    if make == Make::PureFtpd {
        return all;
    }
    if make != Make::Pyftpdlib {
        all.push(upload(Epsv, Family::V4, Tls::Auth));
    }
    if make != Make::Vsftpd {
        all.push(upload(Eprt, Family::V6, Tls::Clear));
    }
    all
}

fn started<'s>(site: &Site, server: &'s FtpServer, all: &[Transfer]) -> Result<Vec<Running<'s>>> {
    let mut running = Vec::new();
    for transfer in all {
        let mut one = transfer.start(&site.client, server)?;
        wait_until(&format!("{transfer} has begun"), LIMIT, || {
            ensure!(one.goes_on()?, "{transfer} ended early");
            Ok((one.arrived() > 0).then_some(()))
        })?;
        running.push(one);
    }
    Ok(running)
}

fn taken_over(make: Make, role: Role) {
    Site::test(|site| {
        let server = FtpServer::start(make, &site.server, &servers::Settings::default())?;
        let downloads = [(Family::V4, false), (Family::V4, true), (Family::V6, false)];
        let mut downloads = downloads
            .into_iter()
            .map(|(family, active)| Download::start(&site.client, &server, family, active))
            .collect::<Result<Vec<_>>>()?;
        let all = uploads(make);
        let mut running = started(site, &server, &all)?;
        let guard = Guard::start(
            &site.server,
            Settings {
                role: role.as_str(),
                ..Settings::default()
            },
        )?;
        if role == Role::Host {
            check(&Tables::read(&guard)?, all.len() + downloads.len())?;
        }
        for (one, transfer) in running.iter_mut().zip(&all) {
            ensure!(one.goes_on()?, "{transfer} ended before the guard came");
        }
        for download in &mut downloads {
            download.read(8 << 20)?;
        }
        for one in running {
            one.finish(LIMIT)?;
        }
        for download in downloads {
            download.finish()?;
        }
        // The last segment of a connection may come when its entry has gone, and is of no use to anyone.
        let late = guard.counted(&[("reason", "no_flow")])?;
        ensure!(late == 0, "{make}: {late} packets no_flow");
        for reason in ["no_session", "no_pinhole", "control_gap", "bounce"] {
            let dropped = guard.counted(&[("reason", reason)])?;
            ensure!(dropped == 0, "{make}: {dropped} packets {reason}");
        }
        if role == Role::Host {
            expect_empty(&guard)?;
        }
        Ok(())
    });
}

/// Right after the start of the guard every control connection and every data connection on a port of
/// an FTP class is in the tables.
fn check(tables: &Tables, transfers: usize) -> Result<()> {
    let adopted = tables
        .sessions
        .iter()
        .filter(|(_, session)| session.adopted == 1);
    let adopted: Vec<_> = adopted.map(|(_, session)| session).collect();
    ensure!(
        adopted.len() == transfers,
        "of {transfers} sessions {tables}"
    );
    for session in &adopted {
        ensure!(
            session.traffic.bytes_out > 0,
            "nothing was said: {session:?}"
        );
        // What the server has said meanwhile may have settled it.
        ensure!(session.id & 0xffff == 0 || session.tls != SessionTls::Unknown as u8);
    }
    for (key, flow) in &tables.flows {
        ensure!(flow.established == 1, "{key:?}: {flow:?}");
        ensure!(
            adopted.iter().any(|session| session.id == flow.session),
            "{key:?} belongs to no session: {flow:?}"
        );
        let passive = u16::from_be_bytes(key.server_port) >= 50_000;
        let kind = if passive {
            FlowKind::Passive
        } else {
            FlowKind::Active
        };
        ensure!(flow.kind == kind as u8, "{key:?}: {flow:?}");
    }
    let passive = tables
        .flows
        .iter()
        .filter(|(_, flow)| flow.kind == FlowKind::Passive as u8);
    ensure!(
        passive.count() >= 3,
        "{} data: {tables}",
        PortClass::PassiveData.as_str()
    );
    Ok(())
}

#[test]
fn transfers_with_vsftpd_are_taken_over() {
    taken_over(Make::Vsftpd, Role::Host);
}

#[test]
fn transfers_with_proftpd_are_taken_over() {
    taken_over(Make::ProFtpd, Role::Host);
}

#[test]
fn transfers_with_pure_ftpd_are_taken_over() {
    taken_over(Make::PureFtpd, Role::Host);
}

#[test]
fn transfers_with_pyftpdlib_are_taken_over() {
    taken_over(Make::Pyftpdlib, Role::Host);
}

/// Without a look at the sockets, by the packets alone.
#[test]
fn transfers_are_taken_over_as_on_a_router() {
    taken_over(Make::ProFtpd, Role::Router);
}

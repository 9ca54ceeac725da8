//! The guard on a router in front of the FTP server: the same transfers, the same stranger, and what
//! a wrong role leads to.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Router, SERVER, Site, Tls,
    clients::{Client, Direction, Negotiation, Transfer},
    guard::{self, Guard},
    in_parallel,
    probe::{Answer, expect},
    servers::{Make, Pair},
    thief::Thief,
};

/// Transfers at a time.
const WORKERS: usize = 4;
/// Time for a transfer on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn vsftpd_behind_a_router() {
    Router::test(|router| serves_its_client_alone(router, Make::Vsftpd));
}

#[test]
fn proftpd_behind_a_router() {
    Router::test(|router| serves_its_client_alone(router, Make::ProFtpd));
}

#[test]
fn pure_ftpd_behind_a_router() {
    Router::test(|router| serves_its_client_alone(router, Make::PureFtpd));
}

#[test]
fn pyftpdlib_behind_a_router() {
    Router::test(|router| serves_its_client_alone(router, Make::Pyftpdlib));
}

/// The guard of the router's outer interface.
fn settings() -> guard::Settings {
    guard::Settings {
        interfaces: vec![Router::OUTER.to_owned()],
        passive: Pair::passive_range(),
        role: "router",
        ..guard::Settings::default()
    }
}

/// Each way to negotiate and to encrypt once, by a client that can do it. lftp can do all but EPRT over
/// IPv4.
fn transfers(make: Make) -> Vec<Transfer> {
    let mut transfers = Vec::new();
    for tls in Tls::ALL.into_iter().filter(|tls| make.offers(*tls)) {
        for (family, negotiation) in [
            (Family::V4, Negotiation::Pasv),
            (Family::V4, Negotiation::Epsv),
            (Family::V6, Negotiation::Epsv),
            (Family::V4, Negotiation::Port),
            (Family::V4, Negotiation::Eprt),
            (Family::V6, Negotiation::Eprt),
        ] {
            let client = if Client::Lftp.speaks(family, negotiation) {
                Client::Lftp
            } else {
                Client::Ftplib
            };
            transfers.extend(Direction::BOTH.map(|direction| Transfer {
                tls,
                // The thief holds its data connection, for a moment.
                patience_s: 20,
                ..Transfer::new(client, family, negotiation, direction)
            }));
        }
    }
    transfers
}

fn make_all(router: &Router, servers: &Pair, transfers: &[Transfer]) -> Result<()> {
    let outcomes = in_parallel(WORKERS, transfers, |transfer| {
        let server = servers.of(transfer.tls);
        transfer.start(&router.client, server)?.finish(LIMIT)
    });
    outcomes.into_iter().collect()
}

fn serves_its_client_alone(router: &Router, make: Make) -> Result<()> {
    let servers = Pair::start(make, &router.server)?;
    let transfers = transfers(make);
    make_all(router, &servers, &transfers).context("without the guard")?;

    let settings = settings().listing(&[Router::CLIENT, Router::STRANGER]);
    let guard = Guard::start(&router.router, settings)?;
    let thief = Thief::new(
        &router.client,
        &router.stranger,
        &router.server,
        SERVER,
        Pair::PASSIVE,
    )?;
    let (made, knocked) = thief.watch(|| make_all(router, &servers, &transfers))?;
    made?;
    let passive = transfers
        .iter()
        .filter(|transfer| !transfer.negotiation.is_active());
    let passive = passive.count();
    ensure!(
        knocked >= passive,
        "{passive} passive data connections, and the stranger knocked at {knocked}"
    );
    let count = |reason| guard.counted(&[("verdict", "drop"), ("reason", reason)]);
    let refused = count("pasv_theft")? + count("no_session")?;
    ensure!(
        refused >= 2 * passive as u64,
        "{passive} passive ports, and {refused} SYNs of the stranger were counted"
    );
    let drops = guard.counted(&[("verdict", "drop")])?;
    ensure!(
        drops == refused,
        "{drops} packets were dropped, only {refused} of them the stranger's"
    );

    // Off the list, not even the greeting.
    let folder = guard.folder();
    let client: Vec<_> = Router::CLIENT.ips().map(|ip| ip.to_string()).into();
    folder.write(&guard.settings().list_file(), client.join("\n") + "\n")?;
    guard.cli(&["reload"])?.expect(0)?;
    let control = Family::BOTH.map(|family| SERVER.at(family, 21));
    expect(&router.stranger, &control, Answer::Nothing)?;
    expect(&router.client, &control, Answer::Connected)
}

/// A download in clear text and one under TLS, both passive.
fn two_downloads() -> [Transfer; 2] {
    [Tls::Clear, Tls::Auth].map(|tls| Transfer {
        tls,
        ..Transfer::new(
            Client::Lftp,
            Family::V4,
            Negotiation::Pasv,
            Direction::Download,
        )
    })
}

/// A host's guard asks the host's own sockets, and a router has none of the server's: what cannot be
/// proven is refused, and the reasons say so.
#[test]
fn the_role_of_a_host_on_a_router_refuses_and_tells_why() {
    Router::test(|router| {
        let servers = Pair::start(Make::Vsftpd, &router.server)?;
        let settings = guard::Settings {
            role: "host",
            ..settings()
        };
        let guard = Guard::start(&router.router, settings.listing(&[Router::CLIENT]))?;
        let [_, encrypted] = two_downloads();
        let output = encrypted.attempt(&router.client, servers.of(Tls::Auth))?;
        ensure!(!output.success(), "{encrypted}: it came through");
        let counted = guard.counted(&[("verdict", "drop"), ("reason", "not_listening")])?;
        ensure!(counted > 0, "no SYN was refused as not_listening");
        Ok(())
    });
}

/// A router's guard looks at packets alone; on a host that is all that is needed.
#[test]
fn the_role_of_a_router_on_a_host_serves() {
    Site::test(|site| {
        let servers = Pair::start(Make::Vsftpd, &site.server)?;
        let settings = guard::Settings {
            passive: Pair::passive_range(),
            role: "router",
            ..guard::Settings::default()
        };
        let guard = Guard::start(&site.server, settings)?;
        for transfer in two_downloads() {
            transfer.make(&site.client, servers.of(transfer.tls))?;
        }
        let drops = guard.counted(&[("verdict", "drop")])?;
        ensure!(drops == 0, "{drops} packets of the client were dropped");
        Ok(())
    });
}

//! Sockets that listen on passive ports, by every order of `bind(2)`, `listen(2)` and `close(2)`.

use std::{
    io::ErrorKind,
    net::{Ipv6Addr, SocketAddr},
};

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, Site,
    guard::{Guard, Settings},
};
use socket2::{Domain, Socket, Type};

use crate::tables::Tables;

/// A passive port of [`Settings::default`].
const PORT: u16 = 50005;

/// A socket that is bound and does not listen yet.
fn bound(site: &Site, to: SocketAddr, sharing: bool) -> Result<Socket> {
    site.server.enter(|| {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(sharing)?;
        socket.bind(&to.into())?;
        Ok(socket)
    })
}

/// Makes sure that the table has so many listeners, and since when the first of them listens.
fn expect(guard: &Guard, count: usize) -> Result<u64> {
    let listeners = Tables::read(guard)?.listeners;
    ensure!(
        listeners.len() == count,
        "{count} listeners wanted: {listeners:?}"
    );
    Ok(listeners
        .iter()
        .map(|(_, listener)| listener.since_ns)
        .min()
        .unwrap_or_default())
}

/// `listen` says that it does before it looks for the port (`inet_csk_listen_start`): two processes of a server that
/// draw the same port may both have bound it.
#[test]
fn a_listener_stays_when_another_socket_fails_to_listen_on_its_port() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        let wildcard = SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT));
        let addresses = Family::BOTH.map(|family| (SERVER.at(family, PORT), 1));
        for (address, entries) in addresses.into_iter().chain([(wildcard, 2)]) {
            let [first, second] = [bound(site, address, false)?, bound(site, address, false)?];
            first.listen(5)?;
            let since = expect(&guard, entries)?;
            ensure!(since > 0, "the daemon was asked, not the program");
            let refused = second.listen(5).err().map(|error| error.kind());
            ensure!(refused == Some(ErrorKind::AddrInUse), "{refused:?}");
            ensure!(expect(&guard, entries)? == since, "another time");
            drop(second);
            ensure!(expect(&guard, entries)? == since, "another time");
            drop(first);
            expect(&guard, 0)?;
        }
        Ok(())
    });
}

#[test]
fn a_port_is_listened_on_until_the_last_of_its_sockets_is_closed() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        for family in Family::BOTH {
            let address = SERVER.at(family, PORT);
            let sockets = [bound(site, address, true)?, bound(site, address, true)?];
            for socket in &sockets {
                socket.listen(5)?;
            }
            let [first, second] = sockets;
            let since = expect(&guard, 1)?;
            drop(first);
            ensure!(expect(&guard, 1)? == since, "another time");
            drop(second);
            expect(&guard, 0)?;
            // Who listens now does so since now.
            let again = bound(site, address, false)?;
            again.listen(5)?;
            ensure!(expect(&guard, 1)? > since, "an old time");
            drop(again);
            expect(&guard, 0)?;
        }
        Ok(())
    });
}

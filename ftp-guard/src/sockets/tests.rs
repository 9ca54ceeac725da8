//! Sockets of the test's own process, over the loopback interface.

use std::{
    io::{Read, Write},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
};

use super::*;

const LIVE: [TcpState; 4] = [
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::CloseWait,
];

fn at(port: u16, states: &[TcpState]) -> Vec<Socket> {
    dump(&Query {
        states: states.to_vec(),
        ports: vec![port..=port],
        bytes: true,
    })
    .unwrap()
}

fn pair(listener: &TcpListener, to: SocketAddr) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(to).unwrap();
    (client, listener.accept().unwrap().0)
}

/// A listener on the IPv6 wildcard, for IPv6 only or for both families.
fn wildcard_v6(v6_only: bool) -> (TcpListener, u16) {
    use nix::sys::socket::*;
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    setsockopt(&socket, sockopt::Ipv6V6Only, &v6_only).unwrap();
    let any = SockaddrIn6::from(std::net::SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
    bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &any).unwrap();
    listen(&socket, Backlog::new(8).unwrap()).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn both_ends_of_a_connection_are_found_with_what_they_carried() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let to = listener.local_addr().unwrap();
        let (mut client, mut server) = pair(&listener, to);
        server.write_all(b"220 ready\r\n").unwrap();
        client.read_exact(&mut [0; 11]).unwrap();
        client.write_all(b"QUIT\r\n").unwrap();
        server.read_exact(&mut [0; 6]).unwrap();

        let found = at(to.port(), &LIVE);
        assert_eq!(
            found.len(),
            1,
            "the client's end has another port: {found:?}"
        );
        let socket = &found[0];
        assert_eq!(socket.local, to);
        assert_eq!(socket.remote, client.local_addr().unwrap());
        assert_eq!(socket.state, TcpState::Established);
        assert_ne!(socket.cookie, 0);
        let bytes = socket.bytes.expect("asked for");
        assert_eq!((bytes.received, bytes.acked), (6, 11));

        let listening = at(to.port(), &[TcpState::Listen]);
        assert_eq!(listening.len(), 1);
        assert_eq!(
            (listening[0].local, listening[0].state),
            (to, TcpState::Listen)
        );
    }
}

#[test]
fn a_fresh_connection_has_carried_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let (_client, _server) = pair(&listener, to);
    assert_eq!(at(to.port(), &LIVE)[0].bytes, Some(TcpBytes::default()));
}

#[test]
fn a_half_closed_connection_shows_its_state() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let (client, mut server) = pair(&listener, to);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(at(to.port(), &LIVE)[0].state, TcpState::CloseWait);
    assert!(at(to.port(), &[TcpState::Established]).is_empty());
    drop(server);
    drop(client);
    assert!(
        at(to.port(), &LIVE).is_empty(),
        "TIME_WAIT is no connection"
    );
}

#[test]
fn ipv4_over_an_ipv6_socket_is_ipv4() {
    let (listener, port) = wildcard_v6(false);
    let (client, _server) = pair(&listener, SocketAddr::from(([127, 0, 0, 1], port)));
    let found = at(port, &LIVE);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].local, SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(found[0].remote, client.local_addr().unwrap());
    let listening = at(port, &[TcpState::Listen]);
    assert_eq!(listening[0].local.ip(), Ipv6Addr::UNSPECIFIED);
    assert!(!listening[0].v6_only);
    let (_listener, port) = wildcard_v6(true);
    assert!(at(port, &[TcpState::Listen])[0].v6_only);
}

#[test]
fn a_dump_of_many_sockets_is_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    // Far more than one datagram holds.
    let pairs: Vec<_> = (0..300).map(|_| pair(&listener, to)).collect();
    let mut expected: Vec<_> = pairs
        .iter()
        .map(|(client, _)| client.local_addr().unwrap())
        .collect();
    let mut found: Vec<_> = at(to.port(), &LIVE).into_iter().map(|s| s.remote).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_listens_is_found_with_its_number_and_its_backlog() {
    let (listener, port) = wildcard_v6(true);
    let found = listening().unwrap();
    let mine: Vec<_> = found
        .iter()
        .filter(|listening| listening.socket.local.port() == port)
        .collect();
    assert_eq!(mine.len(), 1, "{found:?}");
    assert!(mine[0].socket.v6_only);
    assert_eq!(mine[0].backlog, 8);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
    let name = format!("socket:[{}]", mine[0].inode);
    assert_eq!(link.to_str(), Some(&*name));
}

#[test]
fn no_ports_or_no_states_are_no_sockets() {
    let query = Query {
        states: LIVE.to_vec(),
        ..Query::default()
    };
    assert!(dump(&query).unwrap().is_empty());
    assert!(at(21, &[]).is_empty());
}

#[test]
fn destroying_needs_a_privilege_ends_the_connection_and_nothing_else() {
    let (dual, dual_port) = wildcard_v6(false);
    let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let mapped = SocketAddr::from(([127, 0, 0, 1], dual_port));
    for (listener, to) in [
        (&v4, v4.local_addr().unwrap()),
        (&v6, v6.local_addr().unwrap()),
        (&dual, mapped),
    ] {
        let (mut first, _first_server) = pair(listener, to);
        let (mut second, mut second_server) = pair(listener, to);
        let socket = at(to.port(), &LIVE)
            .into_iter()
            .find(|socket| socket.remote == first.local_addr().unwrap())
            .unwrap();
        if nix::unistd::geteuid().is_root() {
            assert!(destroy(&socket).unwrap(), "{to}");
            assert!(
                first.read(&mut [0; 1]).is_err(),
                "{to}: the client sees a reset"
            );
            // The cookie keeps the request from hitting the listener.
            assert!(!destroy(&socket).unwrap(), "{to}: gone already");
        } else {
            let error = destroy(&socket).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{to}");
        }
        second_server.write_all(b"x").unwrap();
        second.read_exact(&mut [0; 1]).unwrap();
        let (_third, _) = pair(listener, to);
    }
}

proptest::proptest! {
    #[test]
    fn no_answer_of_the_kernel_is_too_odd(answer in proptest::collection::vec(0..13_u8, 0..260)) {
        use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader};
        let read = Response::deserialize(&NetlinkHeader::default(), &answer);
        proptest::prop_assert!(read.is_err() || answer.len() >= 72);
    }
}

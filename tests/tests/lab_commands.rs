//! Where real servers connect after PORT and EPRT, the guard's reader has either read that very
//! destination, or has said that it does not understand the command: never another destination, and
//! never that the command does not matter.

use std::{
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use ftp_guard_tests::{
    lab::{
        Family, Site,
        clients::session::Session,
        servers::{self, FtpServer, Make},
    },
    replies::{Asked, stream},
    report,
};

/// The client's end of the data connection.
const DESTINATION: &str = "10.231.0.2:50005";
/// Time for a server to connect once it has said that it will.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Ways to write the destination, many of them wrong.
const FORMS: &[&str] = &[
    "PORT 10,231,0,2,195,85",
    "port 10,231,0,2,195,85",
    "PORT  10,231,0,2,195,85",
    "PORT\t10,231,0,2,195,85",
    "PORT 10, 231, 0, 2, 195, 85",
    "PORT 10 ,231 ,0 ,2 ,195 ,85",
    "PORT 010,231,000,002,195,085",
    "PORT +10,231,0,2,195,+85",
    "PORT 10,231,0,2,195,85 ",
    "PORT 10,231,0,2,195,85x",
    "PORT 10,231,0,2,195,85 x",
    "PORT 10,231,0,2,195,85,7",
    "PORT 10,231,0,2,195,85,",
    "PORT (10,231,0,2,195,85)",
    "PORT 1_0,231,0,2,195,85",
    "PORT 0x0a,231,0,2,195,85",
    "PORT 10,231,0,2,194,341",
    "PORT 10.231.0.2.195.85",
    "PORT x10,231,0,2,195,85",
    "EPRT |1|10.231.0.2|50005|",
    "eprt |1|10.231.0.2|50005|",
    "EPRT  |1|10.231.0.2|50005|",
    "EPRT |1|10.231.0.2|50005",
    "EPRT |1|10.231.0.2|50005|x",
    "EPRT |1|10.231.0.2|50005| ",
    "EPRT !1!10.231.0.2!50005!",
    "EPRT x1x10.231.0.2x50005x",
    "EPRT |1|10.231.0.2|050005|",
    "EPRT |1|10.231.0.2|+50005|",
    "EPRT |1|10.231.0.2| 50005|",
    "EPRT |1|10.231.0.2|50005 |",
    "EPRT |1|10.231.0.2|50005x|",
    "EPRT |1|10.231.0.2|115541|",
    "EPRT |1|10.231.2|50005|",
    "EPRT |1|012.0347.0.2|50005|",
    "EPRT |1|0x0ae70002|50005|",
    "EPRT |1|182910978|50005|",
    "EPRT |1| 10.231.0.2|50005|",
    "EPRT |1|10.231.0.2 |50005|",
    "EPRT |01|10.231.0.2|50005|",
    "EPRT | 1|10.231.0.2|50005|",
    "EPRT |1x|10.231.0.2|50005|",
    "EPRT ||10.231.0.2|50005|",
    "EPRT |2|::ffff:10.231.0.2|50005|",
    "EPRT |2|::FFFF:ae7:2|50005|",
    "LPRT 4,4,10,231,0,2,2,195,85",
    "EPRT |1|010.231.000.002|50005|",
    "EPRT |1|10.231.0.2x|50005|",
    "EPRT |1|+10.231.0.2|50005|",
    "EPRT |1|10. 231.0.2|50005|",
    "EPRT |1|10.231.0.2.7|50005|",
    "EPRT |+1|10.231.0.2|50005|",
    "EPRT |2|::ffff:010.231.0.2|50005|",
    "EPRT |1|10.231.0.2|4295017301|",
    "EPRT |1|10.231.0.2|50005junk",
    "PORT 10,231,0,2,0,50005",
];

#[test]
fn vsftpd_connects_nowhere_unread() {
    connects_nowhere_unread(Make::Vsftpd);
}

#[test]
fn proftpd_connects_nowhere_unread() {
    connects_nowhere_unread(Make::ProFtpd);
}

#[test]
fn pure_ftpd_connects_nowhere_unread() {
    connects_nowhere_unread(Make::PureFtpd);
}

#[test]
fn pyftpdlib_connects_nowhere_unread() {
    connects_nowhere_unread(Make::Pyftpdlib);
}

fn connects_nowhere_unread(make: Make) {
    Site::test(|site| {
        let destination: SocketAddr = DESTINATION.parse()?;
        let _server = FtpServer::start(make, &site.server, &servers::Settings::default())?;
        let listener = site.client.enter(|| TcpListener::bind(destination))?;
        listener.set_nonblocking(true)?;
        let (mut read, mut not_understood) = (0, Vec::new());
        for form in FORMS {
            let mut session = Session::log_in(&site.client, Family::V4, 21)?;
            // Some say nothing to what they do not know.
            let Ok(reply) = session.command(form) else {
                continue;
            };
            // Some have connected already.
            if !reply.starts_with('2') || !connects(&listener, &mut session) {
                continue;
            }
            match stream::asked(format!("{form}\r\n").as_bytes())[..] {
                [(_, Asked::Active(Some(found)))] => {
                    ensure!(found == destination, "{form} was read as {found}");
                    read += 1;
                }
                [(_, Asked::Active(None))] => not_understood.push(*form),
                ref other => ensure!(false, "{make} connects after {form}, read as {other:?}"),
            }
        }
        report!(
            "lab_commands: {make} connects after {read} forms that are read, and after {} that \
             are not understood: {not_understood:?}",
            not_understood.len()
        );
        ensure!(read >= 10, "only {read} forms: the test is blind");
        Ok(())
    });
}

/// Whether the server connects, at once or for a transfer.
fn connects(listener: &TcpListener, session: &mut Session) -> bool {
    // The reply may be an error, or none may come.
    let _ = session.command("LIST");
    let start = Instant::now();
    while start.elapsed() < CONNECT_LIMIT {
        if listener.accept().is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

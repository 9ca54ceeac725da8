//! The TCP sockets that listen on this host, with the processes that hold them, and which of them
//! are FTP servers.

mod owners;

use std::{collections::HashMap, io, net::SocketAddr, path::Path};

pub use self::owners::Process;
use crate::{
    server_config::Software,
    sockets::{self, Listening},
};

/// FTP servers by the beginning of their names.
const SERVERS: [&str; 14] = [
    "vsftpd",
    "proftpd",
    "pure-ftpd",
    "pyftpdlib",
    "unftp",
    "ftpd",
    "in.ftpd",
    "wu-ftpd",
    "in.wuftpd",
    "tnftpd",
    "bftpd",
    "uftpd",
    "glftpd",
    "inetutils-ftpd",
];

/// FTP servers that an interpreter runs, by a word in its arguments.
const SCRIPTS: [&str; 5] = ["pyftpdlib", "aioftp", "ftp-srv", "ftp_server", "ftpserver"];

/// Interpreters, by the beginning of their names.
const INTERPRETERS: [&str; 5] = ["python", "node", "java", "perl", "ruby"];

/// The most connections that may wait where servers listen for one data connection: 1 of vsftpd and
/// Pure-FTPd, 5 of ProFTPD and pyftpdlib. For control connections it is 32 and more.
const DATA_BACKLOG: u32 = 5;

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where; the address may be the wildcard of its family.
    pub address: SocketAddr,
    /// Who holds it; empty where that cannot be seen, as without privilege.
    pub processes: Vec<Process>,
    /// Name of the FTP server that the process is taken for, if it takes control connections here.
    /// Nothing where a server waits for a data connection.
    pub ftp_server: Option<&'static str>,
}

impl Listener {
    /// The FTP server, if its configuration can be read.
    #[must_use]
    pub fn software(&self) -> Option<Software> {
        match self.ftp_server? {
            "vsftpd" => Some(Software::Vsftpd),
            "proftpd" => Some(Software::Proftpd),
            "pure-ftpd" => Some(Software::PureFtpd),
            _ => None,
        }
    }
}

/// All listening TCP sockets, by port and address.
///
/// # Errors
///
/// When the kernel does not list them.
pub fn listeners() -> io::Result<Vec<Listener>> {
    let found = sockets::listening()?;
    let proc = Path::new("/proc");
    let owners = owners::owners(proc, found.iter().map(|listening| listening.inode));
    Ok(judged(&found, &owners, &|process| process.arguments()))
}

fn judged(
    found: &[Listening],
    owners: &HashMap<u32, Vec<Process>>,
    arguments: &dyn Fn(&Process) -> Vec<String>,
) -> Vec<Listener> {
    let mut listeners: Vec<_> = found
        .iter()
        .map(|listening| {
            let processes = owners.get(&listening.inode).cloned().unwrap_or_default();
            let ftp_server = processes
                .first()
                .and_then(|process| server_name(process, arguments));
            Listener {
                address: listening.socket.local,
                processes,
                ftp_server,
            }
        })
        .collect();
    // Where the same server listens with a longer queue, that is for its control connections.
    let waits_for_data = |at: usize| {
        let longer = |other: usize| {
            listeners[other].ftp_server == listeners[at].ftp_server
                && found[other].backlog > DATA_BACKLOG
        };
        found[at].backlog <= DATA_BACKLOG && (0..found.len()).any(longer)
    };
    let data: Vec<_> = (0..found.len()).filter(|at| waits_for_data(*at)).collect();
    for at in data {
        listeners[at].ftp_server = None;
    }
    listeners.sort_by_key(|listener| (listener.address.port(), listener.address.ip()));
    listeners
}

/// What an FTP server is called, by its process.
fn server_name(
    process: &Process,
    arguments: &dyn Fn(&Process) -> Vec<String>,
) -> Option<&'static str> {
    if let Some(server) = SERVERS
        .iter()
        .find(|server| process.name.starts_with(**server))
    {
        return Some(server);
    }
    INTERPRETERS
        .iter()
        .find(|interpreter| process.name.starts_with(**interpreter))?;
    let arguments = arguments(process);
    SCRIPTS
        .into_iter()
        .find(|script| arguments.iter().skip(1).any(|word| word.contains(script)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sockets::{Socket, TcpState};

    fn listening(port: u16, backlog: u32, inode: u32) -> Listening {
        Listening {
            socket: Socket {
                local: SocketAddr::from(([0, 0, 0, 0], port)),
                remote: SocketAddr::from(([0, 0, 0, 0], 0)),
                state: TcpState::Listen,
                cookie: 1,
                interface: 0,
                v6_only: false,
                bytes: None,
            },
            backlog,
            inode,
        }
    }

    /// Ports and servers, from ports, backlogs and command lines.
    fn servers(all: &[(u16, u32, &str)]) -> Vec<(u16, Option<&'static str>)> {
        let mut found = Vec::new();
        let mut owners = HashMap::new();
        for (pid, (port, backlog, line)) in (1..).zip(all) {
            found.push(listening(*port, *backlog, pid));
            if let Some(name) = line.split(' ').next().filter(|name| !name.is_empty()) {
                let name = name.to_owned();
                owners.insert(pid, vec![Process { pid, name }]);
            }
        }
        let arguments = |process: &Process| {
            let line = all[process.pid as usize - 1].2;
            line.split(' ').map(str::to_owned).collect()
        };
        judged(&found, &owners, &arguments)
            .into_iter()
            .map(|listener| (listener.address.port(), listener.ftp_server))
            .collect()
    }

    #[test]
    fn servers_are_known_by_name_whatever_their_port() {
        assert_eq!(
            servers(&[
                (2121, 32, "vsftpd /etc/vsftpd.conf"),
                (21, 128, "proftpd"),
                (8021, 100, "python3 -m pyftpdlib -p8021"),
                (8000, 100, "python3 -m http.server"),
                (2222, 128, "sshd pyftpdlib"),
                (5000, 200, "pure-ftpd-mysql"),
                (990, 128, ""),
            ]),
            [
                (21, Some("proftpd")),
                (990, None),
                (2121, Some("vsftpd")),
                (2222, None),
                (5000, Some("pure-ftpd")),
                (8000, None),
                (8021, Some("pyftpdlib")),
            ]
        );
    }

    #[test]
    fn where_a_server_waits_for_data_is_no_control_port() {
        assert_eq!(
            servers(&[(21, 32, "vsftpd"), (50_003, 1, "vsftpd")]),
            [(21, Some("vsftpd")), (50_003, None)]
        );
        // With no other it may be a server that is told to have a short queue, and so may two.
        assert_eq!(
            servers(&[(2121, 5, "vsftpd"), (21, 5, "vsftpd")]),
            [(21, Some("vsftpd")), (2121, Some("vsftpd"))]
        );
        // Another server's queue says nothing.
        assert_eq!(
            servers(&[(21, 128, "proftpd"), (2121, 5, "vsftpd")]),
            [(21, Some("proftpd")), (2121, Some("vsftpd"))]
        );
    }

    #[test]
    fn this_process_is_found_with_its_listener() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = listeners().unwrap();
        let mine = found.iter().find(|found| found.address == address);
        let mine = mine.expect("it listens");
        let pids: Vec<_> = mine.processes.iter().map(|process| process.pid).collect();
        assert!(pids.contains(&std::process::id()), "{mine:?}");
        assert_eq!((mine.ftp_server, mine.software()), (None, None));
    }
}

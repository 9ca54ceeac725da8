//! FTP servers, and where they listen.

use ftp_guard_common::config::Role;

use super::seen;
use crate::{
    doctor::{
        Check, Facts, Finding, Severity,
        facts::{Configuration, Unseen},
    },
    host::listeners::Listener,
};

/// Judges the sockets that listen.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(listeners) = seen(Check::FtpPort, &facts.listeners, &mut findings) else {
        return findings;
    };
    let (outside, inside): (Vec<_>, Vec<_>) = listeners
        .iter()
        .filter(|listener| listener.ftp_server.is_some())
        .partition(|listener| !is_control(facts, listener));
    findings.extend(outside.iter().map(|listener| odd(facts, listener)));
    let hidden = listeners.iter().any(|it| it.processes.is_empty());
    let powerless = facts
        .privileges
        .as_ref()
        .is_ok_and(|privileges| privileges.uid != 0);
    if hidden && powerless {
        findings.push(Finding::unseen(
            Check::FtpPort,
            &Unseen {
                what: "the programs that listen".to_owned(),
                because: "processes of others show their sockets to root only".to_owned(),
                denied: true,
            },
        ));
    } else if outside.is_empty() {
        let what = "no FTP server listens on other ports than ftp.control_ports";
        findings.push(Finding::ok(Check::FtpPort, what));
    }
    findings.extend(guarded(facts, listeners, &inside));
    findings
}

fn is_control(facts: &Facts, listener: &Listener) -> bool {
    let ports = &facts.guard.wanted.control_ports;
    ports.contains(&listener.address.port())
}

fn odd(facts: &Facts, listener: &Listener) -> Finding {
    let (address, port) = (listener.address, listener.address.port());
    let server = listener.ftp_server.unwrap_or("an FTP server");
    let what = format!("{server} listens on {address}, and {port} is no ftp.control_ports");
    if address.ip().is_loopback() {
        return Finding::new(Check::FtpPort, Severity::Info, what)
            .because("only this host itself can reach it")
            .about(address.to_string());
    }
    let mut ports = facts.guard.wanted.control_ports.clone();
    ports.push(port);
    let (severity, fix) = match facts.guard.configuration {
        // Nothing is guarded yet, and `init` finds the port by itself.
        Configuration::Absent => (Severity::Warning, "ftp-guard init".to_owned()),
        _ => (
            Severity::Error,
            format!(
                "set ftp.control_ports = {ports:?} in {}, then ftp-guard reload",
                facts.file()
            ),
        ),
    };
    Finding::new(Check::FtpPort, severity, what)
        .about(address.to_string())
        .fix(fix)
}

fn guarded(facts: &Facts, listeners: &[Listener], known: &[&Listener]) -> Option<Finding> {
    const CHECK: Check = Check::FtpServer;
    if facts.guard.wanted.role == Role::Router {
        return None;
    }
    let at: Vec<String> = listeners
        .iter()
        .filter(|listener| is_control(facts, listener))
        .map(|listener| {
            let known = known.iter().find(|it| it.address == listener.address);
            let server = known.and_then(|it| it.ftp_server).unwrap_or("a program");
            format!("{server} on {}", listener.address)
        })
        .collect();
    let ports = &facts.guard.wanted.control_ports;
    Some(match at.is_empty() {
        false => Finding::ok(CHECK, at.join(", ")),
        true => Finding::new(
            CHECK,
            Severity::Info,
            format!("nothing listens on the control ports {ports:?}"),
        )
        .fix("start the FTP server, or correct ftp.control_ports"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one, severity};
    use super::*;
    use crate::doctor::facts::{Privileges, tests::listener};

    #[test]
    fn a_server_on_an_odd_port_is_open_to_everyone() {
        let mut facts = Facts::sound();
        facts.listeners = Ok(vec![
            listener("0.0.0.0:21", Some("vsftpd")),
            listener("[::]:2121", Some("proftpd")),
            listener("0.0.0.0:22", None),
        ]);
        let finding = one(&facts, Check::FtpPort);
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.subject.as_deref(), Some("[::]:2121"));
        assert!(finding.fix.unwrap().contains("[21, 990, 2121]"));
        facts.guard.configuration = Configuration::Absent;
        assert_eq!(severity(&facts, Check::FtpPort), Severity::Warning);
        facts.listeners = Ok(vec![listener("127.0.0.1:2121", Some("proftpd"))]);
        assert_eq!(severity(&facts, Check::FtpPort), Severity::Info);
    }

    #[test]
    fn without_privilege_programs_are_not_seen() {
        let mut facts = Facts::sound();
        facts.listeners = Ok(vec![listener("0.0.0.0:2121", None)]);
        facts.privileges = Ok(Privileges::nobody());
        assert!(!one(&facts, Check::FtpPort).examined);
        facts.privileges = Ok(Privileges::root());
        assert_eq!(severity(&facts, Check::FtpPort), Severity::Ok);
    }

    #[test]
    fn a_guard_without_server_is_worth_a_note() {
        let mut facts = Facts::sound();
        facts.listeners = Ok(Vec::new());
        assert_eq!(severity(&facts, Check::FtpServer), Severity::Info);
        facts.guard.wanted.role = Role::Router;
        assert!(of(&facts, Check::FtpServer).is_empty());
    }
}

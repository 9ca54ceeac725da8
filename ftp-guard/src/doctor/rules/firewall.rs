//! Rules of others that do the guard's work as well.

use crate::doctor::{Check, Facts, Finding, Severity};

/// Judges connection tracking and fail2ban.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = conntrack(facts);
    findings.push(fail2ban(facts));
    findings
}

fn conntrack(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::ConntrackFtp;
    let firewall = &facts.firewall;
    let mut findings: Vec<Finding> = firewall
        .rules
        .iter()
        .map(|rule| {
            Finding::new(
                CHECK,
                Severity::Warning,
                format!("a rule hands connections to the FTP helper: {}", rule.place),
            )
            .fix(rule.remove.clone())
        })
        .collect();
    if firewall.automatic {
        findings.push(
            Finding::new(
                CHECK,
                Severity::Warning,
                "net.netfilter.nf_conntrack_helper is 1: every connection to port 21 goes to the FTP helper",
            )
            .fix("sysctl -w net.netfilter.nf_conntrack_helper=0"),
        );
    }
    findings.extend(firewall.unseen.iter().map(|it| Finding::unseen(CHECK, it)));
    match &firewall.module {
        Err(unseen) => findings.push(Finding::unseen(CHECK, unseen)),
        Ok(true) if findings.is_empty() => findings.push(
            Finding::new(
                CHECK,
                Severity::Info,
                "nf_conntrack_ftp is loaded, and no rule uses it",
            )
            .because("it does nothing without a rule")
            .fix("modprobe -r nf_nat_ftp nf_conntrack_ftp"),
        ),
        Ok(_) => {}
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "no rule uses the FTP helper"));
    }
    findings
}

fn fail2ban(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Fail2ban;
    let firewall = &facts.firewall;
    let jails: Vec<_> = firewall
        .jails
        .iter()
        .filter(|jail| jail.contains("ftp"))
        .map(String::as_str)
        .collect();
    if !jails.is_empty() {
        return Finding::new(
            CHECK,
            Severity::Warning,
            format!("fail2ban has rules of its own for {}", jails.join(", ")),
        )
        .fix(format!(
            "set banaction = ftp-guard under [{}] in /etc/fail2ban/jail.local, then fail2ban-client reload",
            jails.join("] and [")
        ));
    }
    match firewall.fail2ban {
        true => Finding::new(
            CHECK,
            Severity::Info,
            "fail2ban runs, and has no rules of its own for FTP",
        )
        .because("its jails can ban through the guard")
        .fix("set banaction = ftp-guard in the jail of the FTP server"),
        false => Finding::ok(CHECK, "fail2ban has no rules for FTP"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one, severity};
    use super::*;
    use crate::doctor::facts::ConntrackRule;

    #[test]
    fn rules_with_the_helper_are_told_one_by_one() {
        let mut facts = Facts::sound();
        facts.firewall.module = Ok(true);
        assert_eq!(severity(&facts, Check::ConntrackFtp), Severity::Info);
        facts.firewall.rules = vec![ConntrackRule {
            place: "nftables, chain inet t c".to_owned(),
            remove: "nft delete rule inet t c handle 3".to_owned(),
        }];
        let finding = one(&facts, Check::ConntrackFtp);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.fix.unwrap().ends_with("handle 3"));
        facts.firewall.automatic = true;
        assert_eq!(of(&facts, Check::ConntrackFtp).len(), 2);
    }

    #[test]
    fn bans_of_others_are_told() {
        let mut facts = Facts::sound();
        facts.firewall.jails = ["sshd".to_owned()].into();
        assert_eq!(severity(&facts, Check::Fail2ban), Severity::Ok);
        facts.firewall.fail2ban = true;
        assert_eq!(severity(&facts, Check::Fail2ban), Severity::Info);
        facts.firewall.jails.insert("vsftpd".to_owned());
        let finding = one(&facts, Check::Fail2ban);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.fix.unwrap().contains("under [vsftpd]"));
    }
}

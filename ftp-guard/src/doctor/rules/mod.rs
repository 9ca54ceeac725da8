//! From facts to findings. Each rule is a plain function, which says something about every thing it looks at:
//! that all is well, what is wrong, or that it could not be seen.

mod drivers;
mod firewall;
mod guard;
mod interfaces;
mod kernel;
mod offloads;
mod privileges;
mod programs;
mod servers;
mod sysctls;

use super::{
    facts::{Configuration, Facts, Known, Link},
    finding::Finding,
};

/// The findings of all rules, in the order of the checks.
pub fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        kernel::judge(facts),
        privileges::judge(facts),
        guard::judge(facts),
        interfaces::judge(facts),
        offloads::judge(facts),
        programs::judge(facts),
        sysctls::judge(facts),
        servers::judge(facts),
        firewall::judge(facts),
    ]
    .concat();
    findings.sort_by_key(|finding| finding.id);
    findings
}

impl Facts {
    /// The interfaces that are to be guarded; without a configuration those that `init` would propose: with
    /// an address, and not loopback.
    fn guarded(&self) -> Vec<&Link> {
        let links = self.links.as_ref().map_or(&[][..], Vec::as_slice);
        let wanted = &self.guard.wanted.interfaces;
        let chosen = |link: &&Link| {
            let interface = &link.interface;
            match wanted.is_empty() {
                true => !interface.loopback && !interface.addresses.is_empty(),
                false => wanted.contains(&interface.name),
            }
        };
        links.iter().filter(chosen).collect()
    }

    /// Whether there is a configuration that says what to guard.
    fn is_configured(&self) -> bool {
        !matches!(self.guard.configuration, Configuration::Absent)
            && !self.guard.wanted.interfaces.is_empty()
    }

    /// The configuration file, for what is to be changed there.
    fn file(&self) -> String {
        self.guard.path.display().to_string()
    }
}

/// The fact, or that it could not be seen.
fn seen<'a, T>(
    check: super::Check,
    fact: &'a Known<T>,
    findings: &mut Vec<Finding>,
) -> Option<&'a T> {
    match fact {
        Ok(fact) => Some(fact),
        Err(unseen) => {
            findings.push(Finding::unseen(check, unseen));
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::doctor::{
        Check, Severity,
        facts::{Daemon, Link, tests::unseen},
        judge,
    };

    /// The findings of a check.
    pub(in crate::doctor) fn of(facts: &Facts, check: Check) -> Vec<Finding> {
        let mut findings = judge(facts).findings;
        findings.retain(|finding| finding.id == check);
        findings
    }

    /// The one finding of a check.
    #[track_caller]
    pub(in crate::doctor) fn one(facts: &Facts, check: Check) -> Finding {
        let mut findings = of(facts, check);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0)
    }

    /// The severity of the one finding of a check.
    #[track_caller]
    pub(in crate::doctor) fn severity(facts: &Facts, check: Check) -> Severity {
        let finding = one(facts, check);
        // What is wrong is told with its reason.
        assert_eq!(finding.why.is_some(), finding.severity > Severity::Ok);
        finding.severity
    }

    /// A sound host whose one interface is changed.
    pub(in crate::doctor) fn with(change: impl Fn(&mut Link)) -> Facts {
        let mut facts = Facts::sound();
        let mut link = Link::sound("eth0", 2);
        change(&mut link);
        facts.links = Ok(vec![link]);
        facts
    }

    #[test]
    fn a_sound_host_has_nothing_but_good_findings() {
        let report = judge(&Facts::sound());
        let others: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Ok)
            .collect();
        assert!(others.is_empty(), "{others:#?}");
        assert_eq!(report.worst, Severity::Ok);
        assert!(report.findings.iter().all(|finding| finding.examined));
    }

    #[test]
    fn what_cannot_be_seen_is_told_and_is_no_error() {
        let mut facts = Facts::sound();
        facts.kernel.release = unseen();
        facts.kernel.types = unseen();
        facts.kernel.jit = unseen();
        facts.privileges = unseen();
        facts.daemon_privileges = Some(unseen());
        facts.restrictions.unprivileged_bpf_disabled = unseen();
        facts.pin_place = unseen();
        facts.guard.configuration = Configuration::Unseen(unseen::<()>().unwrap_err());
        facts.guard.daemon = Daemon::Unseen(unseen::<()>().unwrap_err());
        facts.guard.enforced = unseen();
        facts.links = unseen();
        facts.programs = unseen();
        facts.sysctls.syncookies = unseen();
        facts.sysctls.timestamps = unseen();
        facts.sysctls.rp_filter = [("eth0".to_owned(), unseen())].into();
        facts.listeners = unseen();
        facts.firewall.module = unseen();
        facts.firewall.unseen = vec![unseen::<()>().unwrap_err()];
        let report = judge(&facts);
        assert_eq!(report.worst, Severity::Warning, "{:#?}", report.findings);
        for check in [
            Check::KernelVersion,
            Check::KernelTypes,
            Check::BpfJit,
            Check::Capabilities,
            Check::UnprivilegedBpf,
            Check::PinPath,
            Check::Configuration,
            Check::Daemon,
            Check::Mode,
            Check::InterfaceMissing,
            Check::ForeignXdp,
            Check::ForeignTc,
            Check::SysctlSyncookies,
            Check::SysctlTimestamps,
            Check::FtpPort,
            Check::ConntrackFtp,
        ] {
            let unseen = |it: &Finding| it.id == check && !it.examined && it.fix.is_some();
            assert!(report.findings.iter().any(unseen), "{check:?}");
        }
    }

    #[test]
    fn no_finding_is_worse_than_the_catalogue_says() {
        // Each of the tests of the rules looks at its own; here all facts are as bad as can be.
        let mut facts = Facts::sound();
        facts.probes = crate::doctor::facts::Probes::all(&crate::datapath::Outcome::Missing);
        facts.kernel.release = Ok("4.19.0".to_owned());
        facts.links = Ok(Vec::new());
        facts.guard.configuration = Configuration::Broken(vec!["x".to_owned()]);
        facts.listeners = Ok(vec![crate::doctor::facts::tests::listener(
            "0.0.0.0:2121",
            Some("vsftpd"),
        )]);
        for finding in judge(&facts).findings {
            assert!(finding.severity <= finding.id.worst(), "{finding:#?}");
        }
    }
}

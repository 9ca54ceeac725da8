//! Programs of others.

use std::collections::BTreeMap;

use crate::{
    datapath::{AttachMode, Attached, Hook, Place},
    doctor::{Check, Facts, Finding, Severity},
};

/// Judges the programs on the interfaces.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let programs = match &facts.programs {
        Ok(programs) => programs,
        Err(unseen) => {
            return [Check::ForeignXdp, Check::ForeignTc]
                .map(|check| Finding::unseen(check, unseen))
                .into();
        }
    };
    let mut findings: Vec<Finding> = programs
        .iter()
        .filter_map(|program| xdp(facts, program))
        .collect();
    if findings.is_empty() {
        let what = "no XDP program but the guard's is on an interface";
        findings.push(Finding::ok(Check::ForeignXdp, what));
    }
    let classifiers = classifiers(facts, programs);
    if classifiers.is_empty() {
        let what = "no classifier but the guard's is on an interface";
        findings.push(Finding::ok(Check::ForeignTc, what));
    }
    findings.extend(classifiers);
    findings
}

fn is_guarded(facts: &Facts, name: &str) -> bool {
    facts.guarded().iter().any(|it| it.interface.name == name)
}

fn xdp(facts: &Facts, program: &Attached) -> Option<Finding> {
    let Place::Xdp(mode) = program.place else {
        return None;
    };
    if program.ours {
        return None;
    }
    let name = &program.interface;
    let what = format!(
        "an XDP program of somebody else is on it: {}",
        shown(program)
    );
    let place = match mode {
        AttachMode::Native => "xdp",
        AttachMode::Generic => "xdpgeneric",
    };
    let finding = match is_guarded(facts, name) {
        true => Finding::new(Check::ForeignXdp, Severity::Error, what).fix(format!(
            "stop the program that owns it, or ip link set dev {name} {place} off"
        )),
        false => Finding::new(Check::ForeignXdp, Severity::Info, what)
            .because("nothing, as long as the interface is not to be guarded"),
    };
    Some(finding.about(name))
}

fn shown(program: &Attached) -> String {
    match (&program.name, program.id) {
        (Some(name), id) => format!("id {id}, {name:?}"),
        (None, 0) => "a filter without program".to_owned(),
        (None, id) => format!("id {id}"),
    }
}

fn hook(place: Place) -> Option<Hook> {
    match place {
        Place::Tcx(hook) | Place::Clsact(hook) => Some(hook),
        Place::Xdp(_) => None,
    }
}

/// tcx runs before the filters of clsact; both are listed in that order.
fn classifiers(facts: &Facts, programs: &[Attached]) -> Vec<Finding> {
    let mut hooks: BTreeMap<(&str, &str), Vec<&Attached>> = BTreeMap::new();
    for program in programs {
        if let Some(hook) = hook(program.place) {
            let side = match hook {
                Hook::Egress => "egress",
                Hook::Control => "ingress",
            };
            hooks
                .entry((&program.interface, side))
                .or_default()
                .push(program);
        }
    }
    let mut findings = Vec::new();
    for ((name, side), programs) in hooks {
        let ours = programs.iter().position(|program| program.ours);
        for (number, program) in programs.iter().enumerate() {
            if program.ours {
                continue;
            }
            let shown = shown(program);
            let before = ours.is_some_and(|ours| number < ours) && is_guarded(facts, name);
            let finding = match before {
                true => Finding::new(
                    Check::ForeignTc,
                    Severity::Warning,
                    format!(
                        "a classifier of somebody else runs on {side} before the guard's: {shown}"
                    ),
                )
                .fix("ftp-guard detach, then systemctl start ftp-guard: the guard's are put first"),
                false => Finding::new(
                    Check::ForeignTc,
                    Severity::Info,
                    format!("a classifier of somebody else is on {side}: {shown}"),
                )
                .because("it runs behind the guard's, which lets through all but what it drops"),
            };
            findings.push(finding.about(name));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one};
    use super::*;

    fn program(interface: &str, place: Place, ours: bool) -> Attached {
        Attached {
            interface: interface.to_owned(),
            place,
            id: 7,
            name: (!ours).then(|| "stranger".to_owned()),
            ours,
        }
    }

    #[test]
    fn a_foreign_program_keeps_the_guard_off() {
        let mut facts = Facts::sound();
        let place = Place::Xdp(AttachMode::Generic);
        facts.programs = Ok(vec![program("eth0", place, false)]);
        let finding = one(&facts, Check::ForeignXdp);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.what.contains("\"stranger\""));
        assert!(finding.fix.unwrap().contains("eth0 xdpgeneric off"));
        facts.programs = Ok(vec![program("eth9", place, false)]);
        assert_eq!(one(&facts, Check::ForeignXdp).severity, Severity::Info);
        facts.programs = Ok(vec![program("eth0", place, true)]);
        assert_eq!(one(&facts, Check::ForeignXdp).severity, Severity::Ok);
    }

    #[test]
    fn the_order_of_classifiers_matters() {
        let mut facts = Facts::sound();
        let tcx = Place::Tcx(Hook::Egress);
        let ours = program("eth0", tcx, true);
        let other = program("eth0", tcx, false);
        let elsewhere = program("eth0", Place::Tcx(Hook::Control), false);
        for (programs, wanted) in [
            (vec![ours.clone()], Severity::Ok),
            (vec![ours.clone(), other.clone()], Severity::Info),
            (vec![other.clone(), ours.clone()], Severity::Warning),
            (vec![other.clone()], Severity::Info),
            (vec![elsewhere, ours.clone()], Severity::Info),
        ] {
            facts.programs = Ok(programs.clone());
            let finding = one(&facts, Check::ForeignTc);
            assert_eq!(finding.severity, wanted, "{programs:?}");
        }
        facts.programs = Ok(vec![other.clone(), ours, other]);
        assert_eq!(of(&facts, Check::ForeignTc).len(), 2);
    }
}

//! Who forbids bpf(2).

use super::facts::{Facts, Privileges};

/// What the kernel, or somebody before it, has against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The cause, as far as it can be told.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// Whether it is a matter of this process alone: it has no privilege.
    pub own: bool,
}

/// The cause of a refusal, most certain first: what keeps the call from the kernel, then what the kernel asks
/// for, then what a security module may have against it.
pub fn explain(facts: &Facts) -> Explanation {
    let privileges = facts.privileges.as_ref().ok();
    seccomp(facts, privileges)
        .or_else(|| capabilities(facts, privileges?))
        .or_else(|| namespace(privileges?))
        .or_else(|| lockdown(facts))
        .unwrap_or_else(|| module(facts, privileges))
}

fn seccomp(facts: &Facts, privileges: Option<&Privileges>) -> Option<Explanation> {
    let said = facts.probes.stopped.as_ref()?;
    let filter = match privileges.is_some_and(|it| it.seccomp) {
        true => "a filter of system calls (seccomp) is on this process",
        false => "a filter of system calls (seccomp), or a kernel without CONFIG_BPF_SYSCALL",
    };
    Some(Explanation {
        cause: format!("bpf(2) does not get to the kernel ({said}): {filter}"),
        fix: "permit it: SystemCallFilter=bpf in the systemd unit; in a container a seccomp profile with \
              bpf, such as docker run --security-opt seccomp=PROFILE.json"
            .to_owned(),
        own: false,
    })
}

fn capabilities(facts: &Facts, privileges: &Privileges) -> Option<Explanation> {
    let missing = privileges.missing();
    if missing.is_empty() {
        return None;
    }
    let names: Vec<_> = missing.iter().map(|it| it.as_str()).collect();
    let names = names.join(", ");
    let unreachable = missing.iter().any(|it| !it.is_in(privileges.bounding));
    let own = privileges.uid != 0 && !unreachable;
    let open = match facts.restrictions.unprivileged_bpf_disabled {
        Ok(value) if value != 0 => {
            format!(" (kernel.unprivileged_bpf_disabled is {value}: bpf(2) is for CAP_BPF alone)")
        }
        _ => String::new(),
    };
    Some(Explanation {
        cause: match unreachable {
            true => format!(
                "this process can never have {names}: its bounding set lacks them, as in a container or by \
                 a service's settings{open}"
            ),
            false => format!("this process does not have {names}{open}"),
        },
        fix: match unreachable {
            true => {
                "docker run --cap-add=BPF --cap-add=NET_ADMIN --cap-add=PERFMON; in a systemd unit \
                     CapabilityBoundingSet=CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
                    .to_owned()
            }
            false => "sudo ftp-guard doctor".to_owned(),
        },
        own,
    })
}

fn namespace(privileges: &Privileges) -> Option<Explanation> {
    (!privileges.first_user_namespace).then(|| Explanation {
        cause: "this process is in a user namespace of its own, where capabilities are worth nothing to \
                bpf(2)"
            .to_owned(),
        fix: "run ftp-guard on the host, or in a container without user namespace (not rootless)".to_owned(),
        own: false,
    })
}

fn lockdown(facts: &Facts) -> Option<Explanation> {
    let mode = facts.restrictions.lockdown.as_deref()?;
    (mode == "confidentiality").then(|| Explanation {
        cause: "the kernel is locked down (confidentiality), which keeps programs from reading its memory"
            .to_owned(),
        fix: "boot with lockdown=integrity, which permits what ftp-guard does".to_owned(),
        own: false,
    })
}

fn module(facts: &Facts, privileges: Option<&Privileges>) -> Explanation {
    let modules = &facts.restrictions.modules;
    let known = ["selinux", "apparmor", "smack", "tomoyo", "bpf"];
    let active: Vec<_> = modules
        .iter()
        .filter(|name| known.contains(&name.as_str()))
        .map(String::as_str)
        .collect();
    let label = privileges.and_then(|it| it.label.as_deref());
    let cause = match (active.as_slice(), label) {
        (_, Some(label)) => format!("a security module: this process runs as {label:?}"),
        ([], None) => "a security module may have forbidden it; none shows itself here".to_owned(),
        (active, None) => format!(
            "a security module ({}) may have forbidden it",
            active.join(", ")
        ),
    };
    Explanation {
        cause,
        fix: "see what it says: journalctl -k --grep 'denied|DENIED'; with SELinux ausearch -m avc -c \
              ftp-guard"
            .to_owned(),
        own: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(facts: &Facts) -> (String, bool) {
        let told = explain(facts);
        (told.cause, told.own)
    }

    #[test]
    fn each_cause_is_told() {
        let mut facts = Facts::sound();
        let (cause, own) = told(&facts);
        assert!(cause.contains("none shows itself") && !own, "{cause}");
        facts.restrictions.modules.push("selinux".to_owned());
        assert!(told(&facts).0.contains("(selinux)"));
        let mut confined = Privileges::root();
        confined.label = Some("docker-default (enforce)".to_owned());
        facts.privileges = Ok(confined);
        assert!(told(&facts).0.contains("docker-default"));
        facts.restrictions.lockdown = Some("confidentiality".to_owned());
        assert!(told(&facts).0.contains("locked down"));
        let mut inner = Privileges::root();
        inner.first_user_namespace = false;
        facts.privileges = Ok(inner);
        assert!(told(&facts).0.contains("user namespace"));
        facts.privileges = Ok(Privileges::nobody());
        let (cause, own) = told(&facts);
        assert!(own && cause.contains("CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON (kernel.unpriv"));
        let mut bounded = Privileges::root();
        bounded.effective = 1 << 12 | 1 << 38;
        bounded.bounding = bounded.effective;
        facts.privileges = Ok(bounded);
        let (cause, own) = told(&facts);
        assert!(!own && cause.contains("can never have CAP_BPF:"), "{cause}");
        facts.probes.stopped = Some("Operation not permitted".to_owned());
        assert!(told(&facts).0.contains("seccomp"));
    }

    #[test]
    fn without_a_look_at_the_process_something_is_said() {
        let mut facts = Facts::sound();
        facts.privileges = crate::doctor::facts::tests::unseen();
        assert!(told(&facts).0.contains("security module"));
    }
}

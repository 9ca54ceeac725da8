//! docs/doctor.md

use std::fmt::Write as _;

use super::{catalogue::Check, facts::Capability, finding::Severity};
use crate::datapath::Feature;

const HEAD: &str = "<!-- Made from the code by `cargo xtask codegen`. Do not edit. -->\n\n\
# What `doctor` looks at\n\n\
`ftp-guard doctor` looks at the host and says what keeps the guard from its work: each finding with what was \
found, why it matters and the command that mends it. It changes nothing. It needs no daemon, no \
configuration and no privilege; with less of them it sees less, and says what it could not see.\n\n\
    sudo ftp-guard doctor\n\
    sudo ftp-guard doctor --json | jq '.findings[] | select(.severity == \"error\")'\n\n\
## Exit codes\n\n\
| Code | When |\n\
| --- | --- |\n\
| 0 | no finding is an error; with `--strict` none is a warning either |\n\
| 1 | a finding is an error; with `--strict`: or a warning |\n\
| 2 | the command line was not understood |\n\n\
A configuration with mistakes is a finding like others, so that one run tells all (`check` ends with 78). \
Warnings do not change the exit code, since many are a matter of choice.\n\n";

const JSON: &str = "## JSON\n\n\
`--json` prints one object: `worst`, the severity of the worst finding, and `findings`, in the order of the \
table below. Fields are only ever added; names of checks are append-only.\n\n\
| Field | Content |\n\
| --- | --- |\n\
| `id` | name of the check |\n\
| `severity` | `ok`, `info`, `warning` or `error` |\n\
| `subject` | what it is about, where a check looks at several things: an interface, a feature, an address with port; else null |\n\
| `what` | what was found |\n\
| `why` | why it matters; null for `ok` |\n\
| `fix` | the command that mends it, or the setting; null where there is none |\n\
| `examined` | false: it could not be looked at, and `what` says why |\n\n";

const FEATURES: &str = "\n## Features of the kernel\n\n\
Each is tried (a table of one entry, a program of two instructions, which are gone at once), since \
distributions take features back into older kernels. The programs load where all of them are there.\n\n\
| Feature | Since | Without it |\n\
| --- | --- | --- |\n";

/// The page.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    page.push_str("| Severity | Meaning |\n| --- | --- |\n");
    for (severity, meaning) in [
        (Severity::Ok, "as it should be"),
        (Severity::Info, "worth knowing"),
        (
            Severity::Warning,
            "the guard protects less than it could, or it could not be looked at",
        ),
        (
            Severity::Error,
            "the guard does not start here, or does not protect",
        ),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {} | {meaning} |", severity.as_str());
    }
    page.push('\n');
    page.push_str(JSON);
    page.push_str(
        "## Checks\n\n\
         | Check | At worst | What it looks at | Why it matters |\n\
         | --- | --- | --- | --- |\n",
    );
    for check in Check::ALL {
        let (id, worst) = (check.as_str(), check.worst().as_str());
        // As above.
        let _ = writeln!(
            page,
            "| `{id}` | {worst} | {} | {} |",
            check.about(),
            check.why()
        );
    }
    page.push_str(FEATURES);
    for feature in Feature::ALL {
        let instead = feature.instead().unwrap_or("the programs do not load");
        // As above.
        let _ = writeln!(
            page,
            "| {} | {} | {instead} |",
            feature.as_str(),
            feature.since()
        );
    }
    let names = Capability::ALL.map(Capability::as_str).join(", ");
    // As above.
    let _ = writeln!(
        page,
        "\n## Why bpf(2) is refused\n\n\
         `bpf_refused` names the first of these that it finds:\n\n\
         1. The call does not get to the kernel (an impossible request, which only the kernel can answer, is \
         answered otherwise): a filter of system calls (seccomp), as of a container or a systemd unit.\n\
         2. Capabilities are missing: {names} (CAP_SYS_ADMIN stands for the first and the last). Those that \
         the bounding set lacks cannot be had at all. kernel.unprivileged_bpf_disabled is named with it.\n\
         3. The process is in a user namespace of its own, where they are worth nothing to bpf(2).\n\
         4. The kernel is locked down (`confidentiality`).\n\
         5. A security module: the process's label, or the modules that are active."
    );
    page
}

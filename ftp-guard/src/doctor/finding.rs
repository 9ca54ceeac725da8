//! A finding, and all of them.

use serde::{Serialize, Serializer};

use super::{catalogue::Check, facts::Unseen};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// The guard protects less than it could, or it could not be looked at.
    Warning,
    /// The guard does not start here, or does not protect.
    Error,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What one check found out about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    #[serde(serialize_with = "id")]
    pub id: Check,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about, where a check is made of several: an interface, a feature, an address and port.
    pub subject: Option<String>,
    /// What was found.
    pub what: String,
    /// Why it matters; absent where nothing is wrong.
    pub why: Option<String>,
    /// The command that mends it, or the setting.
    pub fix: Option<String>,
    /// Whether it could be looked at; if not, `what` says why.
    pub examined: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn id<S: Serializer>(check: &Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.as_str())
}

impl Finding {
    /// A finding, with the reason that its check has.
    #[must_use]
    pub fn new(id: Check, severity: Severity, what: impl Into<String>) -> Self {
        Self {
            id,
            severity,
            subject: None,
            what: what.into(),
            why: (severity > Severity::Ok).then(|| id.why().to_owned()),
            fix: None,
            examined: true,
        }
    }

    /// All is well.
    #[must_use]
    pub fn ok(id: Check, what: impl Into<String>) -> Self {
        Self::new(id, Severity::Ok, what)
    }

    /// What could not be looked at.
    #[must_use]
    pub fn unseen(id: Check, unseen: &Unseen) -> Self {
        Self {
            fix: unseen.denied.then(|| "sudo ftp-guard doctor".to_owned()),
            examined: false,
            ..Self::new(id, Severity::Warning, unseen.to_string())
        }
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Says why it matters, in place of the check's reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// What `doctor --json` prints. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The severity of the worst finding.
    pub worst: Severity,
    /// All findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report of findings.
    #[must_use]
    pub fn of(findings: Vec<Finding>) -> Self {
        Self {
            worst: findings
                .iter()
                .map(|finding| finding.severity)
                .max()
                .unwrap_or(Severity::Ok),
            findings,
        }
    }

    /// How many findings are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        let of_it = self.findings.iter().filter(|it| it.severity == severity);
        of_it.count() as u64
    }
}

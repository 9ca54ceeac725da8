use ftp_guard_common::{
    class::{Family, PortClass},
    config::Mode,
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};
use ftp_guard_tests::{agree::hex, policy::Policy, program::Guard};

/// What enforce mode must do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) passes: bool,
    pub(crate) reason: Reason,
    pub(crate) class: PortClass,
}

/// The frame goes on to the stack, for this reason.
pub(crate) const fn pass(reason: Reason, class: PortClass) -> Wanted {
    Wanted {
        passes: true,
        reason,
        class,
    }
}

/// The frame is discarded, for this reason.
pub(crate) const fn drop(reason: Reason, class: PortClass) -> Wanted {
    Wanted {
        passes: false,
        reason,
        class,
    }
}

/// One frame and its verdict.
pub(crate) struct Row {
    /// A sentence that says what is sent.
    pub(crate) name: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) family: Family,
    pub(crate) wanted: Wanted,
}

/// Rows under one policy.
pub(crate) struct Table {
    pub(crate) policy: Policy,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// Runs each row in enforce and in monitor mode; returns the number of verdicts looked at.
    pub(crate) fn run(
        &self,
        guard: &mut Guard,
        failures: &mut Vec<String>,
    ) -> anyhow::Result<usize> {
        for mode in [Mode::Enforce, Mode::Monitor] {
            guard.install(&Policy {
                mode,
                ..self.policy.clone()
            })?;
            for row in &self.rows {
                if let Err(failure) = row.check(guard, mode) {
                    failures.push(format!(
                        "{} ({}): {failure}\n  {}",
                        row.name,
                        mode.as_str(),
                        hex(&row.frame[..row.frame.len().min(160)])
                    ));
                }
            }
        }
        Ok(2 * self.rows.len())
    }
}

impl Row {
    fn check(&self, guard: &Guard, mode: Mode) -> anyhow::Result<()> {
        let outcome = guard.observe(&self.frame)?;
        let (key, moved) = outcome.only_cell()?;
        let verdict = match (self.wanted.passes, mode) {
            (true, _) => Verdict::Pass,
            (false, Mode::Enforce) => Verdict::Drop,
            (false, Mode::Monitor) => Verdict::WouldDrop,
        };
        let wanted_key = StatsKey {
            verdict,
            reason: self.wanted.reason,
            class: self.wanted.class,
            family: self.family,
        };
        let wanted_move = Counter {
            packets: 1,
            bytes: self.frame.len() as u64,
        };
        let passes = self.wanted.passes || mode == Mode::Monitor;
        anyhow::ensure!(
            outcome.passed == passes,
            "passed {}, wanted {passes}; counted as {key:?}",
            outcome.passed
        );
        anyhow::ensure!(
            key == wanted_key,
            "counted as {key:?}, wanted {wanted_key:?}"
        );
        anyhow::ensure!(
            moved == wanted_move,
            "counted {moved:?}, wanted {wanted_move:?}"
        );
        Ok(())
    }
}

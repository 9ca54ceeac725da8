use ftp_guard_common::{
    class::{Family, PortClass},
    config::Mode,
    reason::{Reason, Verdict},
    stats::StatsKey,
};
use ftp_guard_tests::{
    ledger::{Ledger, Mismatch},
    model::Judgement,
    policy::Policy,
    program::Guard,
};

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

impl Wanted {
    /// What is counted in a mode.
    pub(crate) fn verdict(&self, mode: Mode) -> Verdict {
        let verdict = self.reason.verdict();
        assert_eq!(
            self.passes,
            verdict == Verdict::Pass,
            "{}",
            self.reason.as_str()
        );
        match (verdict, mode) {
            (Verdict::Drop, Mode::Monitor) => Verdict::WouldDrop,
            (Verdict::Answer, Mode::Monitor) => Verdict::Pass,
            (verdict, _) => verdict,
        }
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
            let mut ledger = Ledger::new(guard)?;
            for row in &self.rows {
                if let Some(mismatch) = ledger.check(&row.frame, row.judgement(mode))? {
                    failures.push(self.failure(&mismatch, mode));
                }
            }
            if let Some(mismatch) = ledger.settle()? {
                failures.push(self.failure(&mismatch, mode));
            }
        }
        Ok(2 * self.rows.len())
    }

    fn failure(&self, mismatch: &Mismatch, mode: Mode) -> String {
        let row = self.rows.iter().find(|row| row.frame == mismatch.frame);
        let name = row.map_or("a frame of no row", |row| row.name.as_str());
        format!("{name} ({} mode):\n{mismatch}", mode.as_str())
    }
}

impl Row {
    fn judgement(&self, mode: Mode) -> Judgement {
        Judgement {
            key: StatsKey {
                verdict: self.wanted.verdict(mode),
                reason: self.wanted.reason,
                class: self.wanted.class,
                family: self.family,
            },
            bytes: self.frame.len() as u64,
        }
    }
}

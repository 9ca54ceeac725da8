//! Rows of stories: what a program did with a frame, and that it counted it once.

use ftp_guard_common::{
    reason::Verdict,
    stats::{Counter, StatsKey},
};
use ftp_guard_tests::program::{Ran, XDP_PASS};

use crate::{
    row::Wanted,
    scene::{At, Scene},
};

/// What the counters must be, by program. After each frame its own cell is read, after the last one the
/// whole tables: reading them each time would cost far more than the runs.
pub(crate) type Tally = [Vec<Counter>; 3];

impl Scene<'_> {
    /// Runs a frame through a program and looks at its verdict, its reason and its counter.
    pub(crate) fn row(&mut self, at: At, what: &str, frame: &[u8], wanted: Wanted) {
        let passed = match at {
            At::Xdp => self.guard.run(frame),
            At::Egress => self.guard.run_egress(frame),
            At::Control => self.guard.run_control(frame),
        };
        self.judge(at, what, frame, wanted, passed.unwrap());
    }

    /// As [`Self::row`] for the XDP program, whose frame comes back as it left it.
    pub(crate) fn transform(&mut self, what: &str, frame: &[u8], wanted: Wanted) -> Ran {
        let ran = self.guard.transform(frame).unwrap();
        let passed = ran.action == XDP_PASS;
        self.judge(At::Xdp, what, frame, wanted, passed);
        ran
    }

    fn judge(&mut self, at: At, what: &str, frame: &[u8], wanted: Wanted, passed: bool) {
        let verdict = wanted.verdict(self.policy.mode);
        let key = StatsKey {
            verdict,
            reason: wanted.reason,
            class: wanted.class,
            family: self.family,
        };
        let cell = &mut self.counted[at as usize][key.index() as usize];
        cell.packets += 1;
        cell.bytes += frame.len() as u64;
        let cell = *cell;
        assert!(
            self.guard.cell_of(at.counters(), key).unwrap() == cell,
            "{}: {what} ({at:?}, {}, {}, {}): wanted {} ({:?}), not {}",
            self.name,
            self.role().as_str(),
            self.policy.mode.as_str(),
            self.family.as_str(),
            wanted.reason.as_str(),
            wanted.class,
            self.moved(at).join(", ")
        );
        let passes = matches!(verdict, Verdict::Pass | Verdict::WouldDrop);
        assert_eq!(passed, passes, "{}: {what}", self.name);
        self.told.reasons.insert((at, wanted.reason));
        self.told.rows += 1;
    }

    /// Takes for counted what frames beside the rows have led to.
    pub(crate) fn recount(&mut self) {
        self.counted = At::ALL.map(|at| self.guard.table_of(at.counters()).unwrap());
    }

    /// The cells of a program's counters that hold more than they must.
    fn moved(&self, at: At) -> Vec<String> {
        let table = self.guard.table_of(at.counters()).unwrap();
        let wanted = &self.counted[at as usize];
        StatsKey::all()
            .filter(|key| {
                table[key.index() as usize].packets > wanted[key.index() as usize].packets
            })
            .map(|key| format!("{key:?}"))
            .collect()
    }

    /// No cell has moved but those of the rows.
    pub(crate) fn settle(&self) {
        for at in At::ALL {
            assert!(
                self.guard.table_of(at.counters()).unwrap() == self.counted[at as usize],
                "{}: counted beside the rows at {at:?}: {}",
                self.name,
                self.moved(at).join(", ")
            );
        }
    }
}

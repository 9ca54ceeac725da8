//! Whether each frame moves exactly the counter cell that it should.

use std::fmt;

use ftp_guard_common::stats::Counter;

use crate::{
    model::Judgement,
    packet::hex,
    program::{Guard, Outcome},
};

/// Frames after which the whole counter table is compared.
const BATCH: usize = 512;

/// Runs frames and keeps account of the counters.
///
/// Reading the whole table after each frame would cost far more than the run. So after each frame
/// the one cell is read that should move: it must have moved by one packet and the frame's length.
/// After each batch the whole table is read and must equal the sum of those moves: then no frame
/// has moved any other cell. If it does not, each frame of the batch runs once more with the whole
/// table read before and after it.
pub struct Ledger<'a> {
    guard: &'a Guard,
    expected: Vec<Counter>,
    batch: Vec<(Vec<u8>, Judgement)>,
    frames: u64,
}

/// A frame with which the program does something else than wanted.
#[derive(Debug)]
pub struct Mismatch {
    /// The frame.
    pub frame: Vec<u8>,
    /// What should have happened.
    pub wanted: Judgement,
    /// What happened, when the frame ran once more by itself.
    pub outcome: Outcome,
}

impl Mismatch {
    /// Runs a frame by itself; `None` when it does what is wanted.
    ///
    /// # Errors
    ///
    /// As [`Guard::observe`].
    pub fn find(guard: &Guard, frame: &[u8], wanted: Judgement) -> anyhow::Result<Option<Self>> {
        let outcome = guard.observe(frame)?;
        let moved = Counter {
            packets: 1,
            bytes: wanted.bytes,
        };
        let as_wanted = outcome.passed == wanted.passes()
            && outcome.moved.len() == 1
            && outcome.moved.get(&wanted.key.index()) == Some(&moved);
        Ok((!as_wanted).then(|| Self {
            frame: frame.to_vec(),
            wanted,
            outcome,
        }))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  frame ({} bytes): {}",
            self.frame.len(),
            hex(&self.frame)
        )?;
        writeln!(
            f,
            "  wanted: passes {}, {:?}",
            self.wanted.passes(),
            self.wanted
        )?;
        write!(f, "  the program: passes {}, ", self.outcome.passed)?;
        match self.outcome.only_cell() {
            Ok((key, moved)) => write!(f, "{key:?}, {moved:?}"),
            Err(error) => write!(f, "{error}"),
        }
    }
}

impl<'a> Ledger<'a> {
    /// Starts from what the guard's counters are now. Nothing else may run the guard.
    ///
    /// # Errors
    ///
    /// As [`Guard::table`].
    pub fn new(guard: &'a Guard) -> anyhow::Result<Self> {
        Ok(Self {
            guard,
            expected: guard.table()?,
            batch: Vec::with_capacity(BATCH),
            frames: 0,
        })
    }

    /// Runs a frame of at least 14 bytes; returns the first mismatch, which may be one of an earlier
    /// frame of the batch.
    ///
    /// # Errors
    ///
    /// As [`Guard::run`]; or a frame behaves otherwise when it runs again.
    pub fn check(&mut self, frame: &[u8], wanted: Judgement) -> anyhow::Result<Option<Mismatch>> {
        let passed = self.guard.run(frame)?;
        self.frames += 1;
        let cell = &mut self.expected[wanted.key.index() as usize];
        cell.packets += 1;
        cell.bytes += wanted.bytes;
        self.batch.push((frame.to_vec(), wanted));
        if passed != wanted.passes() || self.guard.cell(wanted.key)? != *cell {
            return self.search().map(Some);
        }
        if self.batch.len() == BATCH {
            return self.settle();
        }
        Ok(None)
    }

    /// Compares the whole table; to be called after the last frame.
    ///
    /// # Errors
    ///
    /// As [`Ledger::check`].
    pub fn settle(&mut self) -> anyhow::Result<Option<Mismatch>> {
        if self.guard.table()? != self.expected {
            return self.search().map(Some);
        }
        self.batch.clear();
        Ok(None)
    }

    /// Frames run so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Finds the frame of the batch that is to blame, and starts a new batch.
    fn search(&mut self) -> anyhow::Result<Mismatch> {
        // The newest is the likely one: its own cell has just been read.
        for (frame, wanted) in std::mem::take(&mut self.batch).iter().rev() {
            if let Some(mismatch) = Mismatch::find(self.guard, frame, *wanted)? {
                self.expected = self.guard.table()?;
                return Ok(mismatch);
            }
        }
        anyhow::bail!(
            "the counters are not what the frames of the batch should have made of them, yet each \
             frame alone does what it should: something else runs this program, or it keeps state"
        )
    }
}

//! The model and the program side by side on many frames.

use anyhow::{Context, bail};
use ftp_guard_common::stats::Counter;

use crate::{
    model::{self, Judgement},
    policy::Policy,
    program::{Guard, now_s},
};

/// Frames after which the whole counter table is compared.
const BATCH: usize = 512;

/// Compares the program with the model, frame by frame.
///
/// Reading the whole table after each frame would cost far more than the run. So after each frame
/// the one cell that the model names is read: it must have moved by one packet and the frame's
/// length. After each batch the whole table is read and must equal the sum of those moves: then no
/// frame has moved any other cell.
pub struct Agreement<'a> {
    guard: &'a Guard,
    policy: &'a Policy,
    now_s: u64,
    expected: Vec<Counter>,
    batch: Vec<Vec<u8>>,
    frames: u64,
}

impl<'a> Agreement<'a> {
    /// Starts from what the guard's counters are now. The guard must have the policy installed, and
    /// nothing else may run it.
    ///
    /// # Errors
    ///
    /// As [`Guard::table`].
    pub fn new(guard: &'a Guard, policy: &'a Policy) -> anyhow::Result<Self> {
        Ok(Self {
            guard,
            policy,
            now_s: now_s(),
            expected: guard.table()?,
            batch: Vec::with_capacity(BATCH),
            frames: 0,
        })
    }

    /// Runs the program and the model on a frame of at least 14 bytes; returns what both said.
    ///
    /// # Errors
    ///
    /// They disagree (the message holds a minimised frame and both verdicts), or the kernel refuses.
    pub fn check(&mut self, frame: &[u8]) -> anyhow::Result<Judgement> {
        let wanted = model::judge(frame, self.policy, self.now_s);
        let passed = self.guard.run(frame)?;
        let cell = &mut self.expected[wanted.key.index() as usize];
        cell.packets += 1;
        cell.bytes += wanted.bytes;
        if passed != wanted.passes() || self.guard.cell(wanted.key)? != *cell {
            bail!(self.disagreement(frame)?);
        }
        self.frames += 1;
        self.batch.push(frame.to_vec());
        if self.batch.len() == BATCH {
            self.settle()?;
        }
        Ok(wanted)
    }

    /// Compares the whole table once more; returns the number of frames checked.
    ///
    /// # Errors
    ///
    /// As [`Agreement::check`].
    pub fn finish(mut self) -> anyhow::Result<u64> {
        self.settle()?;
        Ok(self.frames)
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        if self.guard.table()? != self.expected {
            for frame in &self.batch {
                if self.disagrees(frame)? {
                    bail!(self.disagreement(frame)?);
                }
            }
            bail!("some cell moved that no frame of the batch moves when it is run alone");
        }
        self.batch.clear();
        Ok(())
    }

    fn disagrees(&self, frame: &[u8]) -> anyhow::Result<bool> {
        let wanted = model::judge(frame, self.policy, self.now_s);
        let outcome = self.guard.observe(frame)?;
        let moved = Counter {
            packets: 1,
            bytes: wanted.bytes,
        };
        Ok(outcome.passed != wanted.passes()
            || outcome.moved.len() != 1
            || outcome.moved.get(&wanted.key.index()) != Some(&moved))
    }

    fn disagreement(&self, frame: &[u8]) -> anyhow::Result<String> {
        let small = minimise(frame, |frame| self.disagrees(frame))?;
        let outcome = self.guard.observe(&small)?;
        let program = match outcome.only_cell() {
            Ok((key, moved)) => format!("{key:?}, {moved:?}"),
            Err(error) => error.to_string(),
        };
        Ok(format!(
            "model and program disagree after {} frames\n  frame ({} bytes): {}\n  minimised \
             ({} bytes): {}\n  of the minimised one, the model says: {:?}\n  the program says: \
             passed {}, {program}",
            self.frames,
            frame.len(),
            hex(frame),
            small.len(),
            hex(&small),
            model::judge(&small, self.policy, self.now_s),
            outcome.passed,
        ))
    }
}

/// Shortens a frame and clears its bytes as long as `fails` holds. A frame for which it does not
/// hold comes back as it is.
fn minimise(
    frame: &[u8],
    fails: impl Fn(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<Vec<u8>> {
    let mut best = frame.to_vec();
    if !fails(&best)? {
        return Ok(best);
    }
    for step in [1024, 128, 16, 1] {
        while best.len() >= 14 + step && fails(&best[..best.len() - step])? {
            best.truncate(best.len() - step);
        }
    }
    for at in 0..best.len() {
        let byte = std::mem::take(&mut best[at]);
        if byte != 0 && !fails(&best)? {
            best[at] = byte;
        }
    }
    Ok(best)
}

/// The bytes in hexadecimal, without separators, as `xxd -r -p` reads them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number from the environment, or the default when the variable is not set.
///
/// # Errors
///
/// The variable holds no number.
pub fn number_from_env(name: &str, default: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{name} must be a whole number, not \"{text}\"")),
        Err(_) => Ok(default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimised_frame_keeps_only_what_fails() {
        let mut frame = vec![7; 300];
        frame[20] = 42;
        let small = minimise(&frame, |frame| Ok(frame.get(20) == Some(&42))).unwrap();
        let mut wanted = vec![0; 21];
        wanted[20] = 42;
        assert_eq!(small, wanted);
    }
}

//! The model and the program side by side on many frames.

use anyhow::bail;

use crate::{
    ledger::{Ledger, Mismatch},
    model::{self, Judgement},
    packet::hex,
    policy::Policy,
    program::{Guard, now_s},
};

/// Compares the program with the model, frame by frame; see [`Ledger`] for how the counters are.
pub struct Agreement<'a> {
    guard: &'a Guard,
    policy: &'a Policy,
    now_s: u64,
    ledger: Ledger<'a>,
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
            ledger: Ledger::new(guard)?,
        })
    }

    /// Runs the program and the model on a frame of at least 14 bytes; returns what both said.
    ///
    /// # Errors
    ///
    /// They disagree (the message holds a minimised frame and both verdicts), or the kernel refuses.
    pub fn check(&mut self, frame: &[u8]) -> anyhow::Result<Judgement> {
        let wanted = model::judge(frame, self.policy, self.now_s);
        match self.ledger.check(frame, wanted)? {
            None => Ok(wanted),
            Some(mismatch) => bail!(self.report(&mismatch)?),
        }
    }

    /// Compares the whole table once more; returns the number of frames checked.
    ///
    /// # Errors
    ///
    /// As [`Agreement::check`].
    pub fn finish(mut self) -> anyhow::Result<u64> {
        match self.ledger.settle()? {
            None => Ok(self.ledger.frames()),
            Some(mismatch) => bail!(self.report(&mismatch)?),
        }
    }

    fn find(&self, frame: &[u8]) -> anyhow::Result<Option<Mismatch>> {
        let wanted = model::judge(frame, self.policy, self.now_s);
        Mismatch::find(self.guard, frame, wanted)
    }

    fn report(&self, mismatch: &Mismatch) -> anyhow::Result<String> {
        let small = minimise(&mismatch.frame, |frame| Ok(self.find(frame)?.is_some()))?;
        let small = self.find(&small)?;
        Ok(format!(
            "model and program disagree after {} frames, on {}\nminimised:\n{}",
            self.ledger.frames(),
            hex(&mismatch.frame),
            small.as_ref().unwrap_or(mismatch)
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

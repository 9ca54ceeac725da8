use ftp_guard::{datapath::told, engine::monitor::told::Told};
use ftp_guard_common::{allow::EntryKind, config::FLAG_TEXT};
use jiff::Timestamp;

use super::replay::Source;
use crate::{
    program::Guard,
    sys,
    trace::{Roles, split},
};

/// Payload of a frame that is run in one piece, in bytes: a test run of a classifier takes no more than a
/// page.
const MOST_PAYLOAD: usize = 3_000;

/// What the programs tell of a capture that runs through them, in its order, as on a router in front of the
/// server.
pub struct Programs<'a> {
    guard: &'a mut Guard,
    roles: Roles,
    /// Segments beyond a hole: their sender would send them again.
    early: Vec<Vec<u8>>,
}

impl<'a> Programs<'a> {
    /// Makes a guard one that has seen nothing, with the clients of a capture on its list.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn new(guard: &'a mut Guard, frames: &[Vec<u8>]) -> anyhow::Result<Self> {
        // Records are made up in a CPU's room.
        sys::stay_on_this_cpu()?;
        let roles = Roles::find(frames);
        let mut policy = roles.policy().on_a_router().with_flag(FLAG_TEXT);
        for client in &roles.clients {
            policy.entry((*client).into(), EntryKind::Allow, 0);
        }
        // A capture runs faster than it was taken.
        policy.sessions.pinhole_interval_ns = 1;
        guard.state().clear(&[])?;
        guard.state().clear_texts()?;
        guard.install(&policy)?;
        Ok(Self {
            guard,
            roles,
            early: Vec::new(),
        })
    }

    /// Runs a frame, and keeps it for later if it lies beyond a hole.
    fn once(&mut self, frame: Vec<u8>, take: &mut dyn FnMut(&Told<'_>)) {
        // Frames that test runs do not take are none of TCP.
        let passes = |outcome: anyhow::Result<bool>| outcome.unwrap_or(true);
        let is_read = if self.roles.is_from_server(&frame) {
            passes(self.guard.run_egress(&frame))
        } else {
            !passes(self.guard.run(&frame)) || passes(self.guard.run_control(&frame))
        };
        if !is_read {
            self.early.push(frame);
        }
        for (header, text) in self.guard.state().texts().unwrap_or_default() {
            if let Some(told) = told(&header, &text, Timestamp::now()) {
                take(&told);
            }
        }
    }
}

impl Source for Programs<'_> {
    fn frame(&mut self, frame: &[u8], take: &mut dyn FnMut(&Told<'_>)) {
        for part in split(frame, MOST_PAYLOAD) {
            self.once(part, take);
        }
        // Each of them may fill the hole before another.
        for _ in 0..self.early.len() {
            let early = std::mem::take(&mut self.early);
            let before = early.len();
            for frame in early {
                self.once(frame, take);
            }
            if self.early.len() == before {
                break;
            }
        }
    }

    fn end(&mut self, _take: &mut dyn FnMut(&Told<'_>)) {}
}

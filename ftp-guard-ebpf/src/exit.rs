//! The one exit: every packet that a hook sees is counted here, and only here.

use ftp_guard_common::{config::Mode, reason::Verdict, stats::StatsKey};

use crate::{
    maps::{self, stats::Hook},
    policy::Judgement,
};

/// Counts the packet and returns what is done with it. Monitor mode turns a drop into `WouldDrop`.
#[inline(always)]
pub fn finish(hook: Hook, bytes: usize, judgement: &Judgement) -> Verdict {
    let verdict = match judgement.reason.verdict() {
        Verdict::Drop if maps::config::mode() == Mode::Monitor => Verdict::WouldDrop,
        verdict => verdict,
    };
    let key = StatsKey {
        verdict,
        reason: judgement.reason,
        class: judgement.class,
        family: judgement.family,
    };
    maps::stats::count(hook, key, bytes);
    verdict
}

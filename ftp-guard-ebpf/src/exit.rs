//! The one exit: every packet that a hook sees is counted here, and only here.

use ftp_guard_common::{
    class::Family,
    config::Mode,
    event::Event,
    reason::{Reason, Verdict},
    stats::StatsKey,
};

use crate::{
    access::{Access as _, Linear},
    maps::{self, stats::Hook},
    policy::Judgement,
    trace,
};

/// As [`finish`], of a packet of the ingress hook that passes, or that enforce mode drops without a word: where it has no
/// deadline, and no event is due. Nothing of any other: it is not counted.
#[inline(always)]
pub fn finish_plain(frame: &Linear<'_>, judgement: &Judgement) -> Option<Verdict> {
    let (hook, reason) = (Hook::Ingress, judgement.reason);
    let verdict = reason.verdict();
    if verdict != Verdict::Pass {
        let config = maps::config::get()?;
        let enforces =
            config.mode == Mode::Enforce as u32 && config.mode_setting().deadline_ns().is_none();
        if !enforces || !maps::events::leave_out(hook as u32, reason as u32, &config.events) {
            return None;
        }
    }
    count(hook, frame.len(), judgement, verdict);
    trace::judged(frame.context(), verdict, judgement);
    Some(verdict)
}

/// Counts the packet and returns what is done with it. Monitor mode turns a drop into `WouldDrop`, and lets
/// pass what enforce mode would answer.
#[inline(always)]
pub fn finish(hook: Hook, bytes: usize, judgement: &Judgement) -> Verdict {
    let mode = || match hook {
        Hook::Ingress => maps::config::mode(),
        // Where the deepest chains of calls begin.
        Hook::Egress | Hook::Control => maps::config::mode_apart(),
    };
    let verdict = match judgement.reason.verdict() {
        Verdict::Drop if mode() == Mode::Monitor => Verdict::WouldDrop,
        Verdict::Answer if mode() == Mode::Monitor => Verdict::Pass,
        verdict => verdict,
    };
    if matches!(verdict, Verdict::Drop | Verdict::WouldDrop) {
        report(hook as u32, bytes as u32, verdict, judgement.reason);
    }
    count(hook, bytes, judgement, verdict);
    verdict
}

#[inline(always)]
fn count(hook: Hook, bytes: usize, judgement: &Judgement, verdict: Verdict) {
    let key = StatsKey {
        verdict,
        reason: judgement.reason,
        class: judgement.class,
        family: judgement.family,
    };
    maps::stats::count(hook, key, bytes);
}

/// Reports a drop, as often as its reason may be. A subprogram: it has a stack frame of its own.
#[inline(never)]
fn report(hook: u32, bytes: u32, verdict: Verdict, reason: Reason) {
    let Some(config) = maps::config::get() else {
        return;
    };
    let Some((now, suppressed)) = maps::events::take(hook, reason as u32, &config.events) else {
        return;
    };
    let Some(packet) = maps::scratch::packet_of(hook) else {
        return;
    };
    let mut event = Event {
        time_ns: now,
        suppressed,
        bytes,
        reason: reason as u8,
        verdict: verdict as u8,
        class: packet.class as u8,
        family: packet.family as u8,
        hook: hook as u8,
        ..Event::default()
    };
    if packet.key.family != Family::Other as u8 {
        event.key = packet.key;
        event.flags = packet.segment.flags.0;
    }
    maps::events::report(hook, &event);
}

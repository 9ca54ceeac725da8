//! A diagnostic aid: the kernel side's own word on each packet that it drops or would drop.
//!
//! The loader sets aya-log's level, a read-only global. Below `debug` the verifier finds the branch
//! dead and removes it, so that it costs nothing unless `run --trace-packets` asks for it.

use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::debug;
use ftp_guard_common::reason::Verdict;

use crate::policy::Judgement;

/// Logs a packet that did not simply pass.
#[inline(always)]
pub fn judged(ctx: &XdpContext, verdict: Verdict, judgement: &Judgement) {
    if verdict == Verdict::Pass {
        return;
    }
    debug!(
        ctx,
        "verdict {} reason {} class {} family {} ifindex {}",
        verdict as u8,
        judgement.reason as u8,
        judgement.class as u8,
        judgement.family as u8,
        ctx.ingress_ifindex()
    );
}

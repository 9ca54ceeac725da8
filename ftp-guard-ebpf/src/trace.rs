//! A diagnostic aid: the kernel side's own word on each packet that it drops or would drop.

use aya_ebpf::{Global, programs::XdpContext};
use aya_log_ebpf::info;
use ftp_guard_common::{reason::Verdict, trace::TRACE_OFF};

use crate::policy::Judgement;

/// Set by the loader. While it is off the verifier finds the branch below dead and removes it.
#[unsafe(no_mangle)]
static TRACE_PACKETS: Global<u32> = Global::new(TRACE_OFF);

/// Logs a packet that did not simply pass, when `run --trace-packets` asks for it.
#[inline(always)]
pub fn judged(ctx: &XdpContext, verdict: Verdict, judgement: &Judgement) {
    if verdict != Verdict::Pass && TRACE_PACKETS.load() != TRACE_OFF {
        log(
            ctx,
            verdict as u8,
            judgement.reason as u8,
            judgement.class as u8,
        );
    }
}

/// A subprogram of its own, so that its arguments do not live on the stack of every packet.
#[inline(never)]
fn log(ctx: &XdpContext, verdict: u8, reason: u8, class: u8) {
    info!(
        ctx,
        "verdict {} reason {} class {} ifindex {}",
        verdict,
        reason,
        class,
        ctx.ingress_ifindex()
    );
}

//! The kernel programs of ftp-guard: entry points, and for each hook the one place where a verdict
//! becomes an action. `ftp_guard_common::reason` is the verdict table, `policy` the rules.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "core has no atomic addition for this target"
)]
#![expect(
    missing_docs,
    reason = "the xdp macro wraps the entry point in a function without its documentation"
)]

mod access;
mod connection;
mod cookies;
mod exit;
mod maps;
mod parse;
mod policy;
mod reader;
mod refusal;
mod sockets;
mod trace;
mod wire;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    macros::{btf_tracepoint, classifier, xdp},
    programs::{BtfTracePointContext, TcContext, XdpContext},
};
use ftp_guard_common::reason::Verdict;

use crate::{
    access::{Access, Buffer, Linear, Scattered},
    maps::stats::Hook,
};

/// The XDP hook: judges every packet that arrives on a guarded interface.
#[xdp(frags)]
pub fn ftpg_xdp(ctx: XdpContext) -> u32 {
    if let Some(verdict) = policy::plain::judge(&ctx) {
        return action(verdict);
    }
    let len = access::frame_len(&ctx);
    let linear = Linear::new(&ctx, len);
    let verdict = if linear.is_whole() {
        judge(&ctx, &linear)
    } else {
        judge(&ctx, &Scattered::new(&ctx, len))
    };
    action(verdict)
}

/// The egress hook: learns what servers do, and stops what they must not.
#[classifier]
pub fn ftpg_egress(ctx: TcContext) -> i32 {
    let frame = Buffer::new(&ctx);
    act(exit::finish(
        Hook::Egress,
        frame.len(),
        &policy::judge_egress(&frame),
    ))
}

/// The ingress classifier, behind the XDP hook: reads what clients say on control connections.
#[classifier]
pub fn ftpg_control(ctx: TcContext) -> i32 {
    let frame = Buffer::new(&ctx);
    let judgement = policy::judge_control(&frame);
    match exit::finish(Hook::Control, frame.len(), &judgement) {
        // What is dropped may still become the answer to itself.
        Verdict::Drop if judgement.reason.is_refusal() => refusal::answer(&ctx),
        verdict => act(verdict),
    }
}

/// The sockets of this host.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn ftpg_sock(ctx: BtfTracePointContext) -> i32 {
    let _ = sockets::changed(&ctx);
    0
}

/// Other classifiers go on where this one lets pass.
#[inline(always)]
fn act(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Pass | Verdict::WouldDrop => TC_ACT_UNSPEC,
        Verdict::Drop | Verdict::Answer => TC_ACT_SHOT,
    }
}

#[inline(always)]
fn action(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass | Verdict::WouldDrop => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Answer => xdp_action::XDP_TX,
    }
}

#[inline(always)]
fn judge<A: Access>(ctx: &XdpContext, frame: &A) -> Verdict {
    let mut judgement = policy::judge(frame);
    judgement.reason = policy::settle(ctx, judgement.reason);
    let verdict = exit::finish(Hook::Ingress, frame.len(), &judgement);
    trace::judged(ctx, verdict, &judgement);
    verdict
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program in which this can be reached.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

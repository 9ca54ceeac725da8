//! The rules, in the order in which they decide (docs: "How a packet is decided").

mod active;
mod allow;
mod malformed;

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};

use crate::{access::Access, maps, parse};

/// What was decided about a frame, and the labels that it is counted under.
pub struct Judgement {
    /// Why it got its verdict.
    pub reason: Reason,
    /// Class of the destination port; `Other` until the port has been read.
    pub class: PortClass,
    /// IP version; `Other` until the EtherType has been read.
    pub family: Family,
}

/// Judges a frame; the first rule that applies decides.
#[inline(always)]
pub fn judge<A: Access>(frame: &A) -> Judgement {
    let mut judgement = Judgement {
        reason: Reason::Listed,
        class: PortClass::Other,
        family: Family::Other,
    };
    if let Err(reason) = rules(frame, &mut judgement) {
        judgement.reason = reason;
    }
    judgement
}

#[inline(always)]
fn rules<A: Access>(frame: &A, judgement: &mut Judgement) -> Result<(), Reason> {
    let datagram = parse::datagram(frame, &mut judgement.family)?;
    let port = parse::ports(frame, &datagram)?;
    judgement.class = maps::ports::class(port);
    if judgement.class == PortClass::Other {
        return Err(Reason::NotFtp);
    }
    let segment = parse::segment(frame, &datagram)?;
    malformed::check(&segment)?;
    allow::check(frame, judgement.family, datagram.source)?;
    active::check(judgement.class, &segment)
}

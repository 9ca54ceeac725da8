//! Nested entries as regions side by side, for formats in which nothing stands inside another.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{List, Lost};
use crate::engine::exchange::source::Source;

/// Addresses that are allowed, all for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    v4: bool,
    first: u128,
    last: u128,
    /// Until when; `None`: for ever.
    pub(super) until: Option<Timestamp>,
    /// The settings of the entry that allows them.
    pub(super) settings: u32,
}

impl Region {
    pub(super) fn source(&self) -> Source {
        if self.v4 {
            let narrow = |n: u128| Ipv4Addr::from(u32::try_from(n).unwrap_or(u32::MAX));
            Source::V4(narrow(self.first), narrow(self.last))
        } else {
            Source::V6(Ipv6Addr::from(self.first), Ipv6Addr::from(self.last))
        }
    }
}

/// Until when, and the settings; `None`: not allowed.
type Outcome = Option<(Option<Timestamp>, u32)>;

struct Open {
    last: u128,
    outcome: Outcome,
}

/// The regions of one family that are allowed, in order. Where that ends with an exclusion it ends
/// for good; an exclusion that itself ends is taken as one that does not.
pub(super) fn flatten(list: &List<'_>, v4: bool, lost: &mut Lost) -> Vec<Region> {
    let mut sweep = Sweep {
        v4,
        regions: Vec::new(),
        open: Vec::new(),
        next: Some(0),
    };
    for (prefix, number) in list.entries {
        if matches!(prefix, IpNet::V4(_)) != v4 {
            continue;
        }
        let settings = list.settings.get(*number);
        if list.over(settings) {
            lost.over += 1;
            continue;
        }
        let (first, last) = bounds(prefix);
        sweep.close_before(first);
        let below = sweep.open.last().and_then(|open| open.outcome);
        let outcome = if settings.exclude {
            if settings.expires.is_some() && below.is_some() {
                lost.exclusions += 1;
            }
            None
        } else {
            let until = match (settings.expires, below) {
                (None, _) | (_, Some((None, _))) => None,
                (Some(end), Some((Some(later), _))) => Some(end.max(later)),
                (end, None) => end,
            };
            Some((until, *number))
        };
        sweep.begin(first);
        sweep.open.push(Open { last, outcome });
    }
    sweep.close_all();
    sweep.regions
}

struct Sweep {
    v4: bool,
    regions: Vec<Region>,
    open: Vec<Open>,
    /// The first address that is not written yet; `None`: there is none.
    next: Option<u128>,
}

impl Sweep {
    fn close_before(&mut self, first: u128) {
        while let Some(open) = self.open.pop_if(|open| open.last < first) {
            self.close(&open);
        }
    }

    fn close_all(&mut self) {
        while let Some(open) = self.open.pop() {
            self.close(&open);
        }
    }

    fn close(&mut self, open: &Open) {
        if let Some(next) = self.next.filter(|next| *next <= open.last) {
            self.emit(next, open.last, open.outcome);
            self.next = open.last.checked_add(1);
        }
    }

    fn begin(&mut self, first: u128) {
        if let (Some(open), Some(next)) = (self.open.last(), self.next)
            && next < first
        {
            let outcome = open.outcome;
            self.emit(next, first - 1, outcome);
        }
        self.next = Some(first);
    }

    fn emit(&mut self, first: u128, last: u128, outcome: Outcome) {
        let Some((until, settings)) = outcome else {
            return;
        };
        if let Some(before) = self.regions.last_mut()
            && before.last.checked_add(1) == Some(first)
            && (before.until, before.settings) == (until, settings)
        {
            before.last = last;
            return;
        }
        self.regions.push(Region {
            v4: self.v4,
            first,
            last,
            until,
            settings,
        });
    }
}

fn bounds(prefix: &IpNet) -> (u128, u128) {
    match prefix {
        IpNet::V4(net) => (
            u128::from(u32::from(net.network())),
            u128::from(u32::from(net.broadcast())),
        ),
        IpNet::V6(net) => (u128::from(net.network()), u128::from(net.broadcast())),
    }
}

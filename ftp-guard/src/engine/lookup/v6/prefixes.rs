//! What the longest prefixes say of a piece of the IPv6 addresses.

use std::ops::Range;

use ftp_guard_common::{allow::AllowValue, lookup::Outcome};
use ipnet::IpNet;

/// From which address on what is said. Sorted; neighbours differ.
pub type Records = Vec<(u128, Outcome)>;

/// One of the tables of units, or the lists of the /16s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Units48,
    Units32,
    Lists,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Units48, Self::Units32, Self::Lists];

    /// Bits of a unit.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Units48 => 48,
            Self::Units32 => 32,
            Self::Lists => 16,
        }
    }

    /// The level that knows prefixes of so many bits; those of up to 16 are in the roots.
    pub const fn of(length: u8) -> Option<Self> {
        match length {
            0..=16 => None,
            17..=27 => Some(Self::Lists),
            28..=47 => Some(Self::Units32),
            _ => Some(Self::Units48),
        }
    }

    /// The addresses of a unit.
    pub const fn span(self, unit: u64) -> Span {
        let start = (unit as u128) << (128 - self.bits());
        let (covers, longest) = match self {
            Self::Units48 => (48..48, 128),
            Self::Units32 => (28..32, 47),
            Self::Lists => (17..17, 27),
        };
        Span {
            start,
            end: start | u128::MAX >> self.bits(),
            covers,
            longest,
        }
    }

    /// The 80 bits of an address that follow the unit; what is behind them is lost.
    pub const fn offset(self, address: u128) -> u128 {
        address << self.bits() >> 48
    }
}

/// Addresses, and which prefixes count.
#[derive(Clone, Debug)]
pub struct Span {
    pub start: u128,
    /// The last one.
    pub end: u128,
    /// Lengths of those prefixes around its start that count; those inside are no shorter than the end of this.
    pub covers: Range<u8>,
    /// The longest that count.
    pub longest: u8,
}

/// Last address of the prefix of so many bits around an address.
pub const fn last_of(address: u128, bits: u8) -> u128 {
    match u128::MAX.checked_shr(bits as u32) {
        Some(mask) => address | mask,
        None => address,
    }
}

/// First address of the prefix of so many bits around an address.
pub const fn first_of(address: u128, bits: u8) -> u128 {
    match u128::MAX.checked_shr(bits as u32) {
        Some(mask) => address & !mask,
        None => address,
    }
}

/// A sorted list, to be asked about one piece after the other in ascending order.
pub struct Prefixes<'a> {
    list: &'a [(IpNet, AllowValue)],
    /// The last piece's first prefix.
    at: usize,
    /// Prefixes around where the walk is: the last address of each and what it says.
    around: Vec<(u128, Outcome)>,
}

impl<'a> Prefixes<'a> {
    /// Of a list that may begin with IPv4.
    pub fn new(list: &'a [(IpNet, AllowValue)]) -> Self {
        let first = list.partition_point(|(prefix, _)| matches!(prefix, IpNet::V4(_)));
        Self {
            list: list.get(first..).unwrap_or_default(),
            at: 0,
            around: Vec::new(),
        }
    }

    /// Starts anew, for pieces before the last one.
    pub const fn rewind(&mut self) {
        self.at = 0;
    }

    /// What is said of each address of a piece. `outcome` gives the number of an entry by what is said around it;
    /// when it has none the answer is nothing.
    pub fn flatten(
        &mut self,
        span: &Span,
        records: &mut Records,
        mut outcome: impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<()> {
        let first = span.covers.start;
        self.at = self.seek(self.at, (first_of(span.start, first), first));
        self.around.clear();
        let mut at = self.at;
        let mut says = Outcome::NONE;
        for length in span.covers.clone() {
            let key = (first_of(span.start, length), length);
            at = self.seek(at, key);
            if self.key(at) == Some(key) {
                says = outcome(&self.list[at].1, says)?;
                self.around.push((last_of(key.0, length), says));
            }
        }
        records.clear();
        records.push((span.start, says));
        at = self.seek(at, (span.start, span.covers.end));
        while let Some((address, length)) = self.key(at)
            && address <= span.end
        {
            if length > span.longest {
                // All in the same prefix of a length that counts no more.
                let end = last_of(address, span.longest + 1);
                at = self.gallop(at + 1, |(address, _)| address <= end);
                continue;
            }
            self.leave(address, records);
            let around = self.around.last().map_or(Outcome::NONE, |around| around.1);
            let says = outcome(&self.list[at].1, around)?;
            record(records, address, says);
            self.around.push((last_of(address, length), says));
            at += 1;
        }
        self.leave(span.end, records);
        Some(())
    }

    /// Ends the prefixes whose last address is before this one.
    fn leave(&mut self, address: u128, records: &mut Records) {
        while let Some((end, _)) = self.around.last().copied()
            && end < address
        {
            self.around.pop();
            let says = self.around.last().map_or(Outcome::NONE, |around| around.1);
            record(records, end + 1, says);
        }
    }

    fn key(&self, at: usize) -> Option<(u128, u8)> {
        self.list.get(at).map(|entry| key(&entry.0))
    }

    /// The first prefix from a position on that is not before this one.
    fn seek(&self, from: usize, wanted: (u128, u8)) -> usize {
        self.gallop(from, |key| key < wanted)
    }

    /// The first position that is not `before` what is sought, in steps that double: it is often near.
    fn gallop(&self, from: usize, before: impl Fn((u128, u8)) -> bool) -> usize {
        let (mut low, mut high, mut step) = (from, from, 1);
        while self.key(high).is_some_and(&before) {
            low = high + 1;
            high = low + step;
            step *= 2;
        }
        let high = high.min(self.list.len());
        let between = self.list.get(low..high).unwrap_or_default();
        low + between.partition_point(|entry| before(key(&entry.0)))
    }
}

/// Address and length; IPv4 comes first.
fn key(prefix: &IpNet) -> (u128, u8) {
    match prefix {
        IpNet::V4(_) => (0, 0),
        IpNet::V6(prefix) => (u128::from(prefix.addr()), prefix.prefix_len()),
    }
}

/// From this address on this is said.
pub fn record(records: &mut Records, address: u128, says: Outcome) {
    if records.last().is_some_and(|last| last.0 == address) {
        records.pop();
    }
    if records.last().is_none_or(|last| last.1 != says) {
        records.push((address, says));
    }
}

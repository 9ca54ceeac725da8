//! Finds one part after the other of a sorted list.

use ftp_guard_common::{allow::AllowValue, lookup::Outcome};
use ipnet::IpNet;

/// An entry of a list.
pub type Listed = (IpNet, AllowValue);

/// First address of a prefix, and its length. Prefixes of IPv6 are behind all others.
pub fn key(entry: &Listed) -> (u64, u8) {
    match entry.0 {
        IpNet::V4(prefix) => (u64::from(u32::from(prefix.network())), prefix.prefix_len()),
        IpNet::V6(_) => (u64::MAX, 0),
    }
}

/// How many of the first entries are before a key: the cost is that of the logarithm of the answer.
fn gallop(entries: &[Listed], to: (u64, u8)) -> usize {
    let mut step = 1;
    while step < entries.len() && key(&entries[step]) < to {
        step *= 2;
    }
    let (low, high) = (step / 2, entries.len().min(step + 1));
    low + entries[low..high].partition_point(|entry| key(entry) < to)
}

/// The entries inside one /16 after the other.
pub struct Inner<'a> {
    left: &'a [Listed],
}

impl<'a> Inner<'a> {
    pub const fn new(entries: &'a [Listed]) -> Self {
        Self { left: entries }
    }

    /// Those of more than 16 bits inside a /16 that is behind the ones asked for before.
    pub fn of(&mut self, root: u32) -> &'a [Listed] {
        let start = u64::from(root) << 16;
        split_before(&mut self.left, (start, 17));
        split_before(&mut self.left, (start + (1 << 16), 0))
    }
}

/// Splits off the entries before a key.
pub fn split_before<'a>(left: &mut &'a [Listed], to: (u64, u8)) -> &'a [Listed] {
    let (before, behind) = left.split_at(gallop(left, to));
    *left = behind;
    before
}

/// The outcomes by prefixes of up to 16 bits, of one /16 after the other.
pub struct Defaults<'a> {
    all: &'a [Listed],
    at: usize,
    /// Prefixes around the /16 asked for last, the widest first: the end of each, and the outcome inside.
    around: Vec<(u64, Outcome)>,
    is_placed: bool,
}

impl<'a> Defaults<'a> {
    pub const fn new(entries: &'a [Listed]) -> Self {
        Self {
            all: entries,
            at: 0,
            around: Vec::new(),
            is_placed: false,
        }
    }

    /// That of a /16 behind the ones asked for before. `of` gives an entry's outcome by that around it; nothing:
    /// it gave none.
    pub fn of(
        &mut self,
        root: u32,
        mut of: impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<Outcome> {
        let start = u64::from(root) << 16;
        if !self.is_placed {
            self.place(start, &mut of)?;
        }
        while let Some(entry) = self.all.get(self.at)
            && key(entry) < (start, 17)
        {
            let (first, bits) = key(entry);
            if bits > 16 {
                let behind = ((first >> 16) + 1) << 16;
                self.at += gallop(&self.all[self.at..], (behind, 0));
                continue;
            }
            self.enter(first, bits, &entry.1, &mut of)?;
            self.at += 1;
        }
        self.leave(start);
        Some(self.innermost())
    }

    /// Begins at the first /16, without a look at all that is before it.
    fn place(
        &mut self,
        start: u64,
        of: &mut impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<()> {
        self.is_placed = true;
        self.at = self.all.partition_point(|entry| key(entry) < (start, 0));
        let before = &self.all[..self.at];
        for bits in 0..16 {
            let first = start & !((1 << (32 - bits)) - 1);
            if let Ok(found) = before.binary_search_by_key(&(first, bits), key) {
                self.enter(first, bits, &before[found].1, of)?;
            }
        }
        Some(())
    }

    fn enter(
        &mut self,
        first: u64,
        bits: u8,
        value: &AllowValue,
        of: &mut impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<()> {
        self.leave(first);
        let inside = of(value, self.innermost())?;
        self.around.push((first + (1 << (32 - bits)), inside));
        Some(())
    }

    fn leave(&mut self, address: u64) {
        while self.around.last().is_some_and(|(end, _)| *end <= address) {
            self.around.pop();
        }
    }

    fn innermost(&self) -> Outcome {
        self.around.last().map_or(Outcome::NONE, |around| around.1)
    }
}

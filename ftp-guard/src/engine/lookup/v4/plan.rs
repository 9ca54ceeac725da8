//! The stores that make the arrays say something else, in their order. `docs/lookup.md` tells why it is this one.

use ftp_guard_common::lookup::v4::Entry;

use super::super::lines::Spot;

/// One store, or what must be between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the bits of 32 /16s.
    Known(u32, u64),
    /// To the word of a /16.
    Root(u32, u32),
    /// To the bits of a /18.
    Bits(u32, u64),
    /// To the entry of a /24.
    Entry(Put),
    /// The entry of a /24 goes.
    Remove(u32, Spot),
    /// Who sees what comes next sees what came before.
    Order,
    /// Nobody reads any more what was there before.
    Grace,
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// The /24: the first 24 bits of its addresses.
    pub net: u32,
    /// Where the entry stands or will stand.
    pub spot: Spot,
    /// Whether the /24 has none yet.
    pub is_new: bool,
    pub entry: Entry,
}

/// What was prepared. Everything that the new words refer to is written.
#[derive(Default)]
pub struct Plan4 {
    /// Which /16s have or get a default.
    pub defaults: Vec<(u32, u64)>,
    /// Main outcomes of /16s in which no /24 has one.
    pub mains: Vec<(u32, u32)>,
    /// Entries: those wanted, and those in whose place the default or the main outcome is wanted, but not
    /// before everybody knows it.
    pub entries: Vec<Put>,
    /// Bits that go with these.
    pub bits: Vec<(u32, u64)>,
    /// Defaults and main outcomes.
    pub roots: Vec<(u32, u32)>,
    /// Whether a /24 has an entry only for the time being.
    pub is_bridged: bool,
    /// The bits as they are wanted.
    pub last_bits: Vec<(u32, u64)>,
    /// Entries that are not wanted.
    pub gone: Vec<(u32, Spot)>,
    /// Which /16s have anything or a default in the end. What has nothing says the same without its bits.
    pub known: Vec<(u32, u64)>,
    /// Blocks that were taken: place and length.
    pub taken: Vec<(u32, u32)>,
    /// Blocks that nothing refers to afterwards.
    pub back: Vec<(u32, u32)>,
}

impl Plan4 {
    /// All steps. Entries go only when all that come have come: [`LineTable::promise`] wants that.
    ///
    /// [`LineTable::promise`]: super::super::lines::LineTable::promise
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let known = |(at, to): &(u32, u64)| Step::Known(*at, *to);
        let root = |(at, to): &(u32, u32)| Step::Root(*at, *to);
        let bits = |(at, to): &(u32, u64)| Step::Bits(*at, *to);
        let after_bits = !self.last_bits.is_empty();
        self.defaults
            .iter()
            .map(known)
            .chain([Step::Order])
            .chain(self.mains.iter().map(root))
            .chain([Step::Order])
            .chain(self.entries.iter().map(|put| Step::Entry(*put)))
            .chain([Step::Order])
            .chain(self.bits.iter().map(bits))
            .chain([Step::Order])
            .chain(self.roots.iter().map(root))
            .chain(self.is_bridged.then_some(Step::Grace))
            .chain(self.last_bits.iter().map(bits))
            .chain(after_bits.then_some(Step::Grace))
            .chain(
                self.gone
                    .iter()
                    .map(|(net, spot)| Step::Remove(*net, *spot)),
            )
            .chain([Step::Order])
            .chain(self.known.iter().map(known))
    }
}

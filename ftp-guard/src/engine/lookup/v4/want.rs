//! What a list wants of one /16 after the other.

use ftp_guard_common::{allow::AllowValue, lookup::Outcome};

use super::{
    dirty::DEFAULT,
    flat::{Flat, ones},
    walk::{Defaults, Inner, Listed, key, split_before},
};

/// The /18s of a /16.
pub const QUARTERS: usize = 4;

/// Reads a list by /16s, the lowest first, and holds what it says of the last one.
pub struct Want<'a> {
    inner: Inner<'a>,
    defaults: Defaults<'a>,
    /// What the longest prefix of up to 16 bits says.
    pub default: Outcome,
    /// Whether there is nothing longer in it.
    pub is_plain: bool,
    /// The /18s that were asked for.
    pub quarters: [Flat; QUARTERS],
}

impl<'a> Want<'a> {
    pub fn new(entries: &'a [Listed]) -> Self {
        Self {
            inner: Inner::new(entries),
            defaults: Defaults::new(entries),
            default: Outcome::NONE,
            is_plain: true,
            quarters: std::array::from_fn(|_| Flat::new()),
        }
    }

    /// Reads the /18s of a /16 that are in the mask. `default` counts unless the mask has [`DEFAULT`]. Nothing:
    /// `of` gave none.
    pub fn read(
        &mut self,
        root: u32,
        mask: u8,
        default: Outcome,
        mut of: impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<()> {
        self.default = if mask & DEFAULT == 0 {
            default
        } else {
            self.defaults.of(root, &mut of)?
        };
        let inner = self.inner.of(root);
        self.is_plain = inner.is_empty();
        let (mut left, mut base) = (inner, self.default);
        for (number, flat) in self.quarters.iter_mut().enumerate() {
            if mask >> number & 1 == 0 {
                continue;
            }
            let start = u64::from(root) << 16 | (number as u64) << 14;
            let half = (start & !0x7fff, 17);
            // In the second quarter of a half it may have been read already.
            if number % 2 == 0 || mask >> (number - 1) & 1 == 0 {
                split_before(&mut left, half);
                base = match left.first() {
                    Some(entry) if key(entry) == half => of(&entry.1, self.default)?,
                    _ => self.default,
                };
            }
            split_before(&mut left, (start, 18));
            flat.fill(
                split_before(&mut left, (start + (1 << 14), 0)),
                base,
                &mut of,
            )?;
        }
        Some(())
    }

    /// The outcome for /24s without an entry in the /18s of the mask: the most frequent one other than the default,
    /// but `main` as long as a good part has that. The default: there is no other.
    pub fn main(&self, mask: u8, main: Outcome) -> Outcome {
        let mut counts: Vec<(Outcome, u32)> = Vec::new();
        for (number, flat) in self.quarters.iter().enumerate() {
            if mask >> number & 1 == 0 {
                continue;
            }
            for slot in ones(flat.differs(self.default)) {
                let outcome = flat.whole[slot];
                match counts.iter_mut().find(|(other, _)| *other == outcome) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((outcome, 1)),
                }
            }
        }
        let Some((best, most)) = counts.iter().copied().max_by_key(|(_, count)| *count) else {
            return self.default;
        };
        let kept = counts.iter().find(|(outcome, _)| *outcome == main);
        match kept {
            Some((_, count)) if count * WORTH_A_CHANGE >= most => main,
            _ => best,
        }
    }
}

/// How many times as many /24s must have another outcome before that becomes the main one.
const WORTH_A_CHANGE: u32 = 4;

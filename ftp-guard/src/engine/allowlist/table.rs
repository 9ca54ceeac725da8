//! Entries by prefix, as one sorted piece of memory.

use std::{cmp::Ordering, sync::Arc};

use ftp_guard_common::{allow::AllowValue, class::Family};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the kernel enforces: IPv4 and IPv6 together, each prefix once.
///
/// The rows are sorted by prefix: IPv4 before IPv6, a wider prefix before those inside it, so that
/// all that lies in a prefix follows it. A clone shares them until one of the two changes; then they
/// are copied, once. Changing a single prefix costs a search and the move of what stands behind it.
#[derive(Clone, Debug, Default)]
pub struct AllowTable {
    rows: Arc<Vec<(IpNet, AllowValue)>>,
}

impl AllowTable {
    /// Without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[(IpNet, AllowValue)] {
        &self.rows
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&AllowValue> {
        let at = self.search(prefix).ok()?;
        self.rows.get(at).map(|(_, value)| value)
    }

    /// Whether there is an entry of exactly this prefix.
    #[must_use]
    pub fn contains_key(&self, prefix: &IpNet) -> bool {
        self.search(prefix).is_ok()
    }

    /// The narrowest entry around a prefix, the prefix itself left out.
    ///
    /// What stands before a prefix is either around it, or lies beside it in all that is around both: so
    /// the search goes on from what the two have in common.
    #[must_use]
    pub fn around(&self, prefix: &IpNet) -> Option<(IpNet, AllowValue)> {
        let mut end = self.search(prefix).unwrap_or_else(|at| at);
        loop {
            let (known, value) = self.rows.get(end.checked_sub(1)?)?;
            if known.contains(prefix) {
                return Some((*known, *value));
            }
            let common = common(known, prefix)?;
            end = match self.search(&common) {
                Ok(at) => at + 1,
                Err(at) => at,
            };
        }
    }

    /// The entries in their order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.rows.iter())
    }

    /// The prefixes in their order.
    pub fn keys(&self) -> impl Iterator<Item = &IpNet> {
        self.rows.iter().map(|(prefix, _)| prefix)
    }

    /// The values, in the order of their prefixes.
    pub fn values(&self) -> impl Iterator<Item = &AllowValue> {
        self.rows.iter().map(|(_, value)| value)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The entries of each family.
    #[must_use]
    pub fn families(&self) -> [(Family, &[(IpNet, AllowValue)]); 2] {
        let rows = self.as_slice();
        let first_v6 = rows.partition_point(|(prefix, _)| matches!(prefix, IpNet::V4(_)));
        let (v4, v6) = rows.split_at_checked(first_v6).unwrap_or((rows, &[]));
        [(Family::Ipv4, v4), (Family::Ipv6, v6)]
    }

    /// Gives a prefix this value; what it had before.
    pub fn insert(&mut self, prefix: IpNet, value: AllowValue) -> Option<AllowValue> {
        let place = self.search(&prefix);
        let rows = Arc::make_mut(&mut self.rows);
        match place {
            Ok(at) => rows
                .get_mut(at)
                .map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                rows.insert(at, (prefix, value));
                None
            }
        }
    }

    /// Takes a prefix out; what it had.
    pub fn remove(&mut self, prefix: &IpNet) -> Option<AllowValue> {
        let at = self.search(prefix).ok()?;
        let (_, value) = Arc::make_mut(&mut self.rows).remove(at);
        Some(value)
    }

    /// Whether the two are the same piece of memory, and so equal.
    #[must_use]
    pub fn same_rows(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rows, &other.rows)
    }

    fn search(&self, prefix: &IpNet) -> Result<usize, usize> {
        self.rows
            .binary_search_by(|(known, _)| order(known, prefix))
    }
}

/// That of [`IpNet`], in place: a long list is compared millions of times.
#[inline]
pub(super) fn order(one: &IpNet, other: &IpNet) -> Ordering {
    match (one, other) {
        (IpNet::V4(one), IpNet::V4(other)) => {
            let key = |net: &Ipv4Net| (net.addr().to_bits(), net.prefix_len());
            key(one).cmp(&key(other))
        }
        (IpNet::V6(one), IpNet::V6(other)) => {
            let key = |net: &Ipv6Net| (net.addr().to_bits(), net.prefix_len());
            key(one).cmp(&key(other))
        }
        (IpNet::V4(_), IpNet::V6(_)) => Ordering::Less,
        (IpNet::V6(_), IpNet::V4(_)) => Ordering::Greater,
    }
}

/// The narrowest prefix that holds two prefixes of which neither holds the other.
fn common(one: &IpNet, other: &IpNet) -> Option<IpNet> {
    let same = match (one, other) {
        (IpNet::V4(a), IpNet::V4(b)) => (a.addr().to_bits() ^ b.addr().to_bits()).leading_zeros(),
        (IpNet::V6(a), IpNet::V6(b)) => (a.addr().to_bits() ^ b.addr().to_bits()).leading_zeros(),
        _ => return None,
    };
    let length = u8::try_from(same).ok()?.min(one.prefix_len());
    let length = length.min(other.prefix_len());
    Some(IpNet::new(other.addr(), length).ok()?.trunc())
}

impl PartialEq for AllowTable {
    fn eq(&self, other: &Self) -> bool {
        self.same_rows(other) || self.rows == other.rows
    }
}

impl Eq for AllowTable {}

/// Of a prefix that comes more than once, the last value counts.
impl From<Vec<(IpNet, AllowValue)>> for AllowTable {
    fn from(mut rows: Vec<(IpNet, AllowValue)>) -> Self {
        if !rows.is_sorted_by(|(one, _), (next, _)| one < next) {
            rows.sort_by_key(|(prefix, _)| *prefix);
            rows.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1 = later.1;
                }
                same
            });
        }
        Self {
            rows: Arc::new(rows),
        }
    }
}

impl<const N: usize> From<[(IpNet, AllowValue); N]> for AllowTable {
    fn from(rows: [(IpNet, AllowValue); N]) -> Self {
        Vec::from(rows).into()
    }
}

impl FromIterator<(IpNet, AllowValue)> for AllowTable {
    fn from_iter<I: IntoIterator<Item = (IpNet, AllowValue)>>(rows: I) -> Self {
        rows.into_iter().collect::<Vec<_>>().into()
    }
}

impl IntoIterator for AllowTable {
    type Item = (IpNet, AllowValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.rows).into_iter()
    }
}

impl<'t> IntoIterator for &'t AllowTable {
    type Item = (&'t IpNet, &'t AllowValue);
    type IntoIter = Iter<'t>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of an [`AllowTable`] in their order.
#[derive(Clone, Debug)]
pub struct Iter<'t>(std::slice::Iter<'t, (IpNet, AllowValue)>);

impl<'t> Iterator for Iter<'t> {
    type Item = (&'t IpNet, &'t AllowValue);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(prefix, value)| (prefix, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

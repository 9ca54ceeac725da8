//! Tables by prefix: a longest-prefix trie for each family.

use aya::{
    Pod,
    maps::{LpmTrie, Map, MapData, MapError, lpm_trie::Key},
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{error::DatapathError, pins::Pins};
use crate::engine::allowlist::Change;

/// The two tries of one purpose, opened by their pins.
pub struct Prefixes<V: Pod> {
    v4: LpmTrie<MapData, [u8; 4], V>,
    v6: LpmTrie<MapData, [u8; 16], V>,
    /// What they hold, in words.
    what: &'static str,
    length_of: fn(&V) -> u8,
}

impl<V: Pod> Prefixes<V> {
    /// Opens the pinned maps. `length_of` tells the length of the prefix that a value stands under.
    pub fn open(
        pins: &Pins,
        [v4, v6]: [&str; 2],
        what: &'static str,
        length_of: fn(&V) -> u8,
    ) -> Result<Self, DatapathError> {
        let pinned = |name| {
            MapData::from_pin(pins.map(name)).map_err(|error| {
                DatapathError::kernel(format!("open the pinned map {name}"), error)
            })
        };
        let failed = |error| DatapathError::kernel(format!("open {what}"), error);
        Ok(Self {
            v4: LpmTrie::try_from(Map::LpmTrie(pinned(v4)?)).map_err(failed)?,
            v6: LpmTrie::try_from(Map::LpmTrie(pinned(v6)?)).map_err(failed)?,
            what,
            length_of,
        })
    }

    /// Carries out the changes in their order, all of them or none: when one fails, those before it are
    /// taken back.
    pub fn apply(&mut self, changes: &[Change<V>]) -> Result<(), DatapathError> {
        let mut undo = Vec::new();
        for change in changes {
            if let Err(error) = self.apply_one(change, &mut undo) {
                for change in undo.iter().rev() {
                    if let Err(error) = self.apply_one(change, &mut Vec::new()) {
                        tracing::error!("cannot take back a change of {}: {error}", self.what);
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn apply_one(
        &mut self,
        change: &Change<V>,
        undo: &mut Vec<Change<V>>,
    ) -> Result<(), DatapathError> {
        let prefix = match change {
            Change::Insert(prefix, _) | Change::Remove(prefix) => *prefix,
        };
        let before = self.exact(&prefix)?;
        match change {
            Change::Insert(prefix, value) => self.insert(prefix, *value)?,
            Change::Remove(prefix) => self.remove(prefix)?,
        }
        undo.push(match before {
            Some(value) => Change::Insert(prefix, value),
            None => Change::Remove(prefix),
        });
        Ok(())
    }

    /// Inserts or replaces an entry.
    fn insert(&mut self, prefix: &IpNet, value: V) -> Result<(), DatapathError> {
        match prefix {
            IpNet::V4(net) => self.v4.insert(&key_v4(net), value, 0),
            IpNet::V6(net) => self.v6.insert(&key_v6(net), value, 0),
        }
        .map_err(|error| {
            DatapathError::kernel(format!("insert {prefix} into {}", self.what), error)
        })
    }

    /// Removes an entry; one that is not there is removed already.
    fn remove(&mut self, prefix: &IpNet) -> Result<(), DatapathError> {
        let result = match prefix {
            IpNet::V4(net) => self.v4.remove(&key_v4(net)),
            IpNet::V6(net) => self.v6.remove(&key_v6(net)),
        };
        match result {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(DatapathError::kernel(
                format!("remove {prefix} from {}", self.what),
                error,
            )),
        }
    }

    /// The entry of the longest prefix that covers all of `prefix`.
    pub fn covering(&self, prefix: &IpNet) -> Result<Option<V>, DatapathError> {
        let result = match prefix {
            IpNet::V4(net) => self.v4.get(&key_v4(net), 0),
            IpNet::V6(net) => self.v6.get(&key_v6(net), 0),
        };
        match result {
            Ok(value) => Ok(Some(value)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(DatapathError::kernel(
                format!("look up {}", self.what),
                error,
            )),
        }
    }

    /// The entry of exactly this prefix.
    fn exact(&self, prefix: &IpNet) -> Result<Option<V>, DatapathError> {
        let covering = self.covering(prefix)?;
        Ok(covering.filter(|value| (self.length_of)(value) == prefix.prefix_len()))
    }

    /// Every entry.
    pub fn entries(&self) -> Result<Vec<(IpNet, V)>, DatapathError> {
        let failed = |error| DatapathError::kernel(format!("read {}", self.what), error);
        let mut entries = Vec::new();
        for item in self.v4.iter() {
            let (key, value) = item.map_err(failed)?;
            let net = Ipv4Net::new(key.data().into(), key.prefix_len() as u8);
            entries.extend(net.ok().map(|net| (IpNet::V4(net), value)));
        }
        for item in self.v6.iter() {
            let (key, value) = item.map_err(failed)?;
            let net = Ipv6Net::new(key.data().into(), key.prefix_len() as u8);
            entries.extend(net.ok().map(|net| (IpNet::V6(net), value)));
        }
        Ok(entries)
    }
}

fn key_v4(net: &Ipv4Net) -> Key<[u8; 4]> {
    Key::new(u32::from(net.prefix_len()), net.network().octets())
}

fn key_v6(net: &Ipv6Net) -> Key<[u8; 16]> {
    Key::new(u32::from(net.prefix_len()), net.network().octets())
}

fn is_absent(error: &MapError) -> bool {
    super::error::errno(error) == Some(nix::errno::Errno::ENOENT)
}

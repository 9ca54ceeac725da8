//! Where the kernel at hand keeps what the socket program reads, from the kernel's description of its own
//! types (BTF, Documentation/bpf/btf.rst in the kernel's source).
//!
//! aya's reader of BTF does not tell the members of a struct, so this one reads the few that matter.

/// Offsets in the kernel's structs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// Of the pointer to `struct net` in `struct sock_common`, with which every socket begins.
    pub net: u32,
    /// Of the namespace's inode number in `struct net`.
    pub inum: u32,
    /// Of the local port, big-endian, in `struct inet_sock`.
    pub source_port: u32,
}

/// Why the offsets cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no BTF, or not of this machine's byte order, or it ends too early.
    #[error("it is damaged, or of a form that ftp-guard does not know")]
    Damaged,
    /// A struct or its member is not there.
    #[error("it has no member `{member}` in `struct {structure}`")]
    Missing {
        /// The struct.
        structure: &'static str,
        /// The member.
        member: &'static str,
    },
}

/// Finds the offsets.
///
/// # Errors
///
/// See [`Unreadable`].
pub fn offsets(btf: &[u8]) -> Result<Offsets, Unreadable> {
    let types = Types::read(btf)?;
    Ok(Offsets {
        net: types.find("sock_common", &["skc_net", "net"])?,
        inum: types.find("net", &["ns", "inum"])?,
        source_port: types.find("inet_sock", &["inet_sport"])?,
    })
}

const MAGIC: u16 = 0xeb9f;
const HEADER_LEN: usize = 24;
const TYPE_LEN: usize = 12;
const MEMBER_LEN: usize = 12;

// linux/btf.h: kinds of types.
const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// Structs lie in one another and typedefs name typedefs; no kernel's do so this deep.
const DEEPEST: usize = 16;

struct Types<'a> {
    section: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in the section; the first is number 1.
    begins: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Type {
    at: usize,
    name: u32,
    kind: u32,
    members: usize,
    /// Whether offsets of members carry sizes of bit fields in their upper byte.
    bitfields: bool,
    /// Of a typedef or qualifier: the type that it stands for.
    of: u32,
}

impl<'a> Types<'a> {
    fn read(btf: &'a [u8]) -> Result<Self, Unreadable> {
        let magic = btf.get(..2).and_then(|bytes| bytes.try_into().ok());
        if magic.map(u16::from_ne_bytes) != Some(MAGIC) {
            return Err(Unreadable::Damaged);
        }
        // Those that follow are counted from the header's end.
        let header = word(btf, 4)? as usize;
        if header < HEADER_LEN {
            return Err(Unreadable::Damaged);
        }
        let mut types = Self {
            section: part(btf, header, word(btf, 8)?, word(btf, 12)?)?,
            strings: part(btf, header, word(btf, 16)?, word(btf, 20)?)?,
            begins: Vec::new(),
        };
        let mut at = 0;
        while at < types.section.len() {
            let this = types.at(at)?;
            types.begins.push(at);
            at += TYPE_LEN
                + match this.kind {
                    INT | VAR | DECL_TAG => 4,
                    ARRAY => 12,
                    STRUCT | UNION => this.members * MEMBER_LEN,
                    ENUM | FUNC_PROTO => this.members * 8,
                    DATASEC | ENUM64 => this.members * 12,
                    0 | 20.. => return Err(Unreadable::Damaged),
                    _ => 0,
                };
        }
        Ok(types)
    }

    fn at(&self, at: usize) -> Result<Type, Unreadable> {
        let info = word(self.section, at + 4)?;
        Ok(Type {
            at,
            name: word(self.section, at)?,
            kind: info >> 24 & 0x1f,
            members: (info & 0xffff) as usize,
            bitfields: info >> 31 == 1,
            of: word(self.section, at + 8)?,
        })
    }

    fn is_named(&self, name: u32, wanted: &str) -> bool {
        let rest = self.strings.get(name as usize..).unwrap_or_default();
        rest.strip_prefix(wanted.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    /// The offset of a member of a member of a struct.
    fn find(&self, structure: &'static str, path: &[&'static str]) -> Result<u32, Unreadable> {
        for begin in &self.begins {
            let this = self.at(*begin)?;
            // Another type of the kernel's or of a module's may have the name.
            if this.kind == STRUCT
                && self.is_named(this.name, structure)
                && let Some(bits) = self.walk(this, path, 0)?
                && bits % 8 == 0
            {
                return Ok(bits / 8);
            }
        }
        Err(Unreadable::Missing {
            structure,
            member: path.first().copied().unwrap_or_default(),
        })
    }

    /// The offset in bits of a member, which may lie in a struct or union without a name.
    fn walk(
        &self,
        structure: Type,
        path: &[&str],
        depth: usize,
    ) -> Result<Option<u32>, Unreadable> {
        let Some((wanted, rest)) = path.split_first() else {
            return Ok(Some(0));
        };
        if depth > DEEPEST || !matches!(structure.kind, STRUCT | UNION) {
            return Ok(None);
        }
        for number in 0..structure.members {
            let at = structure.at + TYPE_LEN + number * MEMBER_LEN;
            let name = word(self.section, at)?;
            let path = match () {
                () if self.is_named(name, wanted) => rest,
                () if self.is_named(name, "") => path,
                () => continue,
            };
            let mut offset = word(self.section, at + 8)?;
            if structure.bitfields {
                offset &= 0x00ff_ffff;
            }
            let found = match path {
                [] => Some(0),
                _ => self.walk(self.resolve(word(self.section, at + 4)?)?, path, depth + 1)?,
            };
            if let Some(inner) = found {
                return Ok(Some(offset.saturating_add(inner)));
            }
        }
        Ok(None)
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut number: u32) -> Result<Type, Unreadable> {
        for _ in 0..DEEPEST {
            let index = (number as usize).checked_sub(1);
            let begin = index.and_then(|index| self.begins.get(index));
            let this = self.at(*begin.ok_or(Unreadable::Damaged)?)?;
            if !matches!(this.kind, TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG) {
                return Ok(this);
            }
            number = this.of;
        }
        Err(Unreadable::Damaged)
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32, Unreadable> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map(|word| u32::from_ne_bytes(*word))
        .ok_or(Unreadable::Damaged)
}

fn part(btf: &[u8], header: usize, offset: u32, len: u32) -> Result<&[u8], Unreadable> {
    let begin = header.saturating_add(offset as usize);
    btf.get(begin..begin.saturating_add(len as usize))
        .ok_or(Unreadable::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes types one after another.
    #[derive(Default)]
    struct Writer {
        section: Vec<u8>,
        strings: Vec<u8>,
        count: u32,
    }

    impl Writer {
        fn new() -> Self {
            Self {
                strings: vec![0],
                ..Self::default()
            }
        }

        fn name(&mut self, name: &str) -> u32 {
            if name.is_empty() {
                return 0;
            }
            let at = self.strings.len() as u32;
            self.strings.extend(name.as_bytes());
            self.strings.push(0);
            at
        }

        fn words(&mut self, words: &[u32]) {
            self.section
                .extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        }

        fn plain(&mut self, name: &str, kind: u32, of: u32) -> u32 {
            let name = self.name(name);
            self.words(&[name, kind << 24, of]);
            self.count += 1;
            self.count
        }

        fn structure(&mut self, name: &str, kind: u32, members: &[(&str, u32, u32)]) -> u32 {
            self.plain(name, kind, 0);
            let info = self.section.len() - 8;
            let described = kind << 24 | members.len() as u32;
            self.section[info..info + 4].copy_from_slice(&described.to_ne_bytes());
            for (name, of, bytes) in members {
                let name = self.name(name);
                self.words(&[name, *of, bytes * 8]);
            }
            self.count
        }

        fn finish(self) -> Vec<u8> {
            let mut btf = MAGIC.to_ne_bytes().to_vec();
            btf.extend([1, 0]);
            let (types, strings) = (self.section.len() as u32, self.strings.len() as u32);
            for word in [HEADER_LEN as u32, 0, types, types, strings] {
                btf.extend(word.to_ne_bytes());
            }
            btf.extend(self.section);
            btf.extend(self.strings);
            btf
        }
    }

    /// What matters of a kernel, in small.
    fn kernel() -> Vec<u8> {
        let mut types = Writer::new();
        let int = types.plain("int", INT, 4);
        types.words(&[32]);
        let pointer = types.plain("", 2, int);
        let inner = types.structure("", STRUCT, &[("net", pointer, 0)]);
        let possible_net = types.plain("possible_net_t", TYPEDEF, inner);
        let constant = types.plain("", CONST, possible_net);
        let union = types.structure("", UNION, &[("skc_hash", int, 0), ("skc_net", constant, 8)]);
        // A namesake without the member.
        types.structure("net", STRUCT, &[("device", int, 0)]);
        types.structure(
            "sock_common",
            STRUCT,
            &[("skc_daddr", int, 0), ("", union, 40)],
        );
        types.plain("net", 7, 0);
        let ns = types.structure(
            "ns_common",
            STRUCT,
            &[("stashed", pointer, 0), ("inum", int, 24)],
        );
        types.structure("net", STRUCT, &[("passive", int, 0), ("ns", ns, 152)]);
        types.structure(
            "inet_sock",
            STRUCT,
            &[("sk", int, 0), ("inet_sport", int, 814)],
        );
        types.finish()
    }

    #[test]
    fn members_are_found_through_typedefs_and_nameless_unions() {
        let wanted = Offsets {
            net: 48,
            inum: 176,
            source_port: 814,
        };
        assert_eq!(offsets(&kernel()), Ok(wanted));
    }

    #[test]
    fn a_missing_member_is_named() {
        let mut types = Writer::new();
        types.structure("sock_common", STRUCT, &[]);
        let error = offsets(&types.finish()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has no member `skc_net` in `struct sock_common`"
        );
    }

    #[test]
    fn what_is_damaged_is_no_panic() {
        let whole = kernel();
        for length in 0..whole.len() {
            // The last strings may be cut without harm.
            let _ = offsets(&whole[..length]);
            let mut bent = whole.clone();
            bent[length] ^= 0xff;
            let _ = offsets(&bent);
        }
        assert_eq!(offsets(&whole[..HEADER_LEN]), Err(Unreadable::Damaged));
        assert_eq!(offsets(b""), Err(Unreadable::Damaged));
    }

    #[test]
    fn types_that_stand_for_themselves_end() {
        let mut types = Writer::new();
        types.structure("sock_common", STRUCT, &[("", 2, 0)]);
        types.plain("loop", TYPEDEF, 2);
        assert_eq!(offsets(&types.finish()), Err(Unreadable::Damaged));
        let mut types = Writer::new();
        types.structure("sock_common", STRUCT, &[("", 1, 0)]);
        assert!(offsets(&types.finish()).is_err());
    }

    #[test]
    fn this_kernel_is_understood_if_it_describes_itself() {
        let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            return;
        };
        let found = offsets(&types).unwrap();
        assert!(found.net < 256 && found.net.is_multiple_of(8), "{found:?}");
        assert!(
            found.inum < 4096 && found.inum.is_multiple_of(4),
            "{found:?}"
        );
        assert!(
            found.source_port < 4096 && found.source_port.is_multiple_of(2),
            "{found:?}"
        );
    }
}

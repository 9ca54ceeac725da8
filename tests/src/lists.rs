//! Lists of prefixes, the same for the same seed, and addresses inside them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// Where IPv6 sources of a flood from anywhere lie, and the entries of lists: registries give addresses of
/// these out.
pub const V6_ALLOCATED: [&str; 6] = [
    "2400::/12",
    "2600::/12",
    "2800::/12",
    "2a00::/12",
    "2c00::/12",
    "2000::/12",
];
/// Prefixes of one cluster.
const CLUSTER_V4: usize = 500;
const CLUSTER_V6: usize = 50;

/// How the entries of a list lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Anywhere.
    Random,
    /// Near each other: IPv4 in /16s of 500, IPv6 in /32s of 50.
    Clustered,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Random, Self::Clustered];

    /// For reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Clustered => "clustered",
        }
    }
}

/// IPv4 prefixes of /24 to /32, none inside another, in a random order.
pub fn v4(count: usize, shape: Shape, seed: u64) -> Vec<IpNet> {
    let mut rng = StdRng::seed_from_u64(seed);
    let blocks: Vec<u32> = (0..count.div_ceil(CLUSTER_V4))
        .map(|_| unicast(&mut rng) & 0xffff_0000)
        .collect();
    disjoint(count, &mut rng, |rng| {
        let address = match shape {
            Shape::Random => unicast(rng),
            Shape::Clustered => {
                blocks[rng.random_range(0..blocks.len())] | rng.random_range(0..0x1_0000)
            }
        };
        let length = rng.random_range(24..=32);
        Ipv4Net::new_assert(address.into(), length).trunc().into()
    })
}

/// IPv6 prefixes, half of them /48, the others of /32 to /64 and, one in ten, hosts; none inside another, in a
/// random order.
pub fn v6(count: usize, shape: Shape, seed: u64) -> Vec<IpNet> {
    let mut rng = StdRng::seed_from_u64(seed);
    let blocks: Vec<u128> = (0..count.div_ceil(CLUSTER_V6))
        .map(|_| allocated(&mut rng) >> 96 << 96)
        .collect();
    disjoint(count, &mut rng, |rng| {
        let (address, shortest) = match shape {
            Shape::Random => (allocated(rng), 32),
            Shape::Clustered => {
                let block = blocks[rng.random_range(0..blocks.len())];
                (block | rng.random::<u128>() >> 32, 40)
            }
        };
        let length = match rng.random_range(0..10) {
            0..5 => 48,
            5..9 => rng.random_range(shortest..=64),
            _ => 128,
        };
        Ipv6Net::new_assert(address.into(), length).trunc().into()
    })
}

/// The lines of an allowlist file.
pub fn text(list: &[IpNet]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Addresses inside randomly chosen prefixes of a list.
pub fn inside(list: &[IpNet], count: usize, seed: u64) -> Vec<IpAddr> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| match list[rng.random_range(0..list.len())] {
            IpNet::V4(net) => {
                let host = rng.random::<u32>() & net.hostmask().to_bits();
                Ipv4Addr::from_bits(net.network().to_bits() | host).into()
            }
            IpNet::V6(net) => {
                let host = rng.random::<u128>() & net.hostmask().to_bits();
                Ipv6Addr::from_bits(net.network().to_bits() | host).into()
            }
        })
        .collect()
}

fn unicast(rng: &mut StdRng) -> u32 {
    loop {
        let address = rng.random::<u32>();
        if !matches!(address >> 24, 0 | 10 | 127 | 224..) {
            return address;
        }
    }
}

fn allocated(rng: &mut StdRng) -> u128 {
    let bases = [0x240, 0x260, 0x280, 0x2a0, 0x2c0, 0x200_u128];
    bases[rng.random_range(0..bases.len())] << 116 | rng.random::<u128>() >> 12
}

/// So many prefixes, none of which is inside another.
fn disjoint(
    count: usize,
    rng: &mut StdRng,
    mut draw: impl FnMut(&mut StdRng) -> IpNet,
) -> Vec<IpNet> {
    let mut list: Vec<IpNet> = Vec::new();
    while list.len() < count {
        let missing = count - list.len();
        list.extend((0..missing + missing / 8).map(|_| draw(rng)));
        // In this order a prefix comes right before those inside it.
        list.sort_unstable();
        let mut last: Option<IpNet> = None;
        list.retain(|net| {
            let keep = !last.is_some_and(|last| last.contains(net));
            if keep {
                last = Some(*net);
            }
            keep
        });
    }
    list.shuffle(rng);
    list.truncate(count);
    list
}

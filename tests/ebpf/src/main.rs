//! Makes the frames of a flood, in a `BPF_PROG_TEST_RUN` with live frames: the kernel hands the program
//! one page after the other and sends what it leaves there. The kernel recycles the pages with whatever
//! the receiver has written into them, so the program writes the whole frame each time.

#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the xdp macro wraps the entry point in a function without its documentation"
)]

mod recipe;

use aya_ebpf::{
    Global,
    bindings::xdp_action,
    btf_maps::Array,
    helpers::{bpf_get_prandom_u32, bpf_redirect},
    macros::{btf_map, xdp},
    programs::XdpContext,
};

use crate::recipe::{
    FLAG_ACKNOWLEDGES, FLAG_POOL, FLAG_UNICAST, FLAG_V6, FRAME_WORDS, PORTS, Source, Template,
};

#[btf_map]
static FLOOD_TEMPLATE: Array<Template, 1> = Array::new();

#[btf_map]
static FLOOD_SOURCES: Array<Source, { recipe::SOURCES as usize }> = Array::new();

/// Addresses to take in turn, host order: a word for each of IPv4, two for each of IPv6. The loader sets the
/// length.
#[btf_map]
static FLOOD_POOL: Array<u64, 1> = Array::new();

/// Whose turn it is.
#[btf_map]
static FLOOD_TURN: Array<u64, 1> = Array::new();

// The loader sets them, so that the verifier knows them and removes what a flood does not need. None is
// zero before: LLVM merges a zero global with zero constants that are passed by address.

/// Index of the interface that the frames leave by.
#[unsafe(no_mangle)]
static INTERFACE: Global<u32> = Global::new(1);
/// Length of the frame in words of 8 bytes; the IP header says where the packet ends.
#[unsafe(no_mangle)]
static WORDS: Global<u32> = Global::new(2);
/// Offset of the IP header.
#[unsafe(no_mangle)]
static NETWORK: Global<u32> = Global::new(3);
/// Offset of the TCP header.
#[unsafe(no_mangle)]
static TRANSPORT: Global<u32> = Global::new(4);
/// Number of sources.
#[unsafe(no_mangle)]
static SOURCE_COUNT: Global<u32> = Global::new(5);
/// Number of destination ports.
#[unsafe(no_mangle)]
static PORT_COUNT: Global<u32> = Global::new(6);
/// `FLAG_*`.
#[unsafe(no_mangle)]
static FLAGS: Global<u32> = Global::new(7);
/// Number of addresses in the pool.
#[unsafe(no_mangle)]
static POOL_COUNT: Global<u32> = Global::new(8);

#[xdp]
pub fn ftpg_flood(ctx: XdpContext) -> u32 {
    match write(&ctx) {
        Some(()) => redirect(INTERFACE.load()),
        None => xdp_action::XDP_ABORTED,
    }
}

/// Writes the next frame; nothing when the page is too short for it.
#[inline(always)]
fn write(ctx: &XdpContext) -> Option<()> {
    let template = FLOOD_TEMPLATE.get(0)?;
    let (start, end) = (ctx.data(), ctx.data_end());
    let words = WORDS.load() as usize;
    if words > FRAME_WORDS || start + words * 8 > end {
        return None;
    }
    let frame = Frame { start, end };
    for word in 0..FRAME_WORDS {
        if word >= words {
            break;
        }
        frame.put(word * 8, template.frame[word])?;
    }

    let (first, second) = (random(), random());
    let source = source(first)?;
    let port = template.ports[choose(second, PORT_COUNT.load(), PORTS as u32) as usize];
    // Not below 1024, as clients' ports.
    let source_port = second as u16 | 1024;
    let sequence = first.rotate_left(16) ^ second;
    let network = NETWORK.load() as usize;
    let transport = TRANSPORT.load() as usize;

    let mut sum = u32::from(!u16::from_be(frame.get(transport + 16)?));
    if FLAGS.load() & FLAG_V6 != 0 {
        for (number, word) in source.iter().enumerate() {
            frame.put(network + 8 + 4 * number, word.to_be())?;
            sum += halves(*word);
        }
    } else {
        let header = u32::from(!u16::from_be(frame.get(network + 10)?));
        frame.put(network + 12, source[0].to_be())?;
        frame.put(network + 10, fold(header + halves(source[0])).to_be())?;
        sum += halves(source[0]);
    }
    frame.put(transport, source_port.to_be())?;
    frame.put(transport + 2, port.to_be())?;
    frame.put(transport + 4, sequence.to_be())?;
    sum += u32::from(source_port) + u32::from(port) + halves(sequence);
    if FLAGS.load() & FLAG_ACKNOWLEDGES != 0 {
        let acknowledgement = random();
        frame.put(transport + 8, acknowledgement.to_be())?;
        sum += halves(acknowledgement);
    }
    frame.put(transport + 16, fold(sum).to_be())
}

/// The words of the next address of the pool. One CPU sends: nobody else takes a turn.
#[inline(always)]
fn pooled() -> Option<[u32; 4]> {
    let turn = FLOOD_TURN.get_ptr_mut(0)?;
    // SAFETY: the kernel keeps the value where it is; a torn turn would be another address of the pool.
    let number = unsafe { *turn } as u32;
    let next = number + 1;
    // SAFETY: as above.
    unsafe {
        *turn = if next < POOL_COUNT.load() {
            next.into()
        } else {
            0
        }
    };
    if FLAGS.load() & FLAG_V6 == 0 {
        return Some([*FLOOD_POOL.get(number)? as u32, 0, 0, 0]);
    }
    let (high, low) = (
        *FLOOD_POOL.get(2 * number)?,
        *FLOOD_POOL.get(2 * number + 1)?,
    );
    Some([
        (high >> 32) as u32,
        high as u32,
        (low >> 32) as u32,
        low as u32,
    ])
}

/// The words of a source's address, by a random number.
#[inline(always)]
fn source(random_bits: u32) -> Option<[u32; 4]> {
    if FLAGS.load() & FLAG_POOL != 0 {
        return pooled();
    }
    let count = SOURCE_COUNT.load();
    let number = if count > 1 {
        choose(random(), count, recipe::SOURCES)
    } else {
        0
    };
    let Source { base, mask } = FLOOD_SOURCES.get(number)?;
    let mut words = [base[0] | random_bits & mask[0], base[1], base[2], base[3]];
    if FLAGS.load() & FLAG_V6 != 0 {
        for number in 1..4 {
            if mask[number] != 0 {
                words[number] |= random() & mask[number];
            }
        }
    } else if FLAGS.load() & FLAG_UNICAST != 0 {
        let network = words[0] >> 24;
        if network == 0 || network == 10 || network == 127 || network >= 224 {
            // Into 128.0.0.0/2, where none of them lies.
            words[0] = words[0] & 0x3fff_ffff | 0x8000_0000;
        }
    }
    Some(words)
}

/// A number below `count`, which is not above `most`, by a random one.
#[inline(always)]
fn choose(random_bits: u32, count: u32, most: u32) -> u32 {
    let number = (u64::from(random_bits) * u64::from(count)) >> 32;
    // The verifier does not see that the product is below the count.
    (number as u32).min(most - 1)
}

/// The page of a frame.
struct Frame {
    start: usize,
    end: usize,
}

impl Frame {
    /// Writes a value, unaligned; nothing when it does not fit.
    #[inline(always)]
    fn put<T: Copy>(&self, offset: usize, value: T) -> Option<()> {
        let place = self.place::<T>(offset)?;
        // SAFETY: the value lies in the frame.
        unsafe { place.write_unaligned(value) };
        Some(())
    }

    /// Reads a value, unaligned; nothing when the frame ends before.
    #[inline(always)]
    fn get<T: Copy>(&self, offset: usize) -> Option<T> {
        let place = self.place::<T>(offset)?;
        // SAFETY: the value lies in the frame, and every byte of it was written from the template.
        Some(unsafe { place.read_unaligned() })
    }

    #[inline(always)]
    fn place<T>(&self, offset: usize) -> Option<*mut T> {
        let place = self.start + offset;
        (place + size_of::<T>() <= self.end).then_some(place as *mut T)
    }
}

#[inline(always)]
fn halves(word: u32) -> u32 {
    (word >> 16) + (word & 0xffff)
}

/// The Internet checksum (RFC 1071) of a sum of 16-bit words.
#[inline(always)]
fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    !((once & 0xffff) + (once >> 16)) as u16
}

#[inline(always)]
fn random() -> u32 {
    // SAFETY: the helper takes nothing.
    unsafe { bpf_get_prandom_u32() }
}

#[inline(always)]
fn redirect(interface: u32) -> u32 {
    // SAFETY: the helper takes integers alone.
    unsafe { bpf_redirect(interface, 0) as u32 }
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program in which this can be reached.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// The shortest frame that the kernel's test run takes.
const SHORTEST: usize = 14;

/// Bytes that mean something somewhere: protocol numbers, first bytes of IP headers, lengths,
/// EtherTypes.
const MEANINGFUL: [u8; 27] = [
    0, 1, 2, 4, 5, 6, 8, 17, 20, 21, 22, 40, 43, 44, 51, 58, 59, 60, 0x20, 0x40, 0x45, 0x46, 0x4f,
    0x60, 0x81, 0x88, 0xff,
];

/// Damages a frame once; it keeps at least 14 bytes.
///
/// # Panics
///
/// When the frame is shorter than 14 bytes.
pub fn mutate(rng: &mut StdRng, frame: &mut Vec<u8>) {
    match rng.random_range(0..9) {
        0 => flip_bits(rng, frame),
        1 => {
            let at = header_byte(rng, frame);
            frame[at] = *MEANINGFUL.choose(rng).expect("not empty");
        }
        2 => {
            let at = header_byte(rng, frame);
            frame[at] = rng.random();
        }
        3 => {
            let length = rng.random_range(SHORTEST..=frame.len().clamp(SHORTEST, 160));
            frame.truncate(length);
        }
        4 => change_length_field(rng, frame),
        5 => {
            let at = rng.random_range(12..=frame.len().min(120));
            let inserted: Vec<u8> = (0..rng.random_range(1..20)).map(|_| rng.random()).collect();
            frame.splice(at..at, inserted);
        }
        6 => {
            let at = header_byte(rng, frame);
            let end = (at + rng.random_range(1..20)).min(frame.len());
            if frame.len() - (end - at) >= SHORTEST {
                frame.drain(at..end);
            }
        }
        7 => swap_blocks(rng, frame),
        _ => repeat_block(rng, frame),
    }
}

/// Where headers are: from the EtherType on, and not far from the beginning.
fn header_byte(rng: &mut StdRng, frame: &[u8]) -> usize {
    rng.random_range(12..frame.len().min(120))
}

fn flip_bits(rng: &mut StdRng, frame: &mut [u8]) {
    for _ in 0..rng.random_range(1..8) {
        let at = header_byte(rng, frame);
        frame[at] ^= 1 << rng.random_range(0..8);
    }
}

/// Nudges what stands where an untagged or tagged packet has its IPv4 header length, its total or
/// payload length, or the first TCP data offset.
fn change_length_field(rng: &mut StdRng, frame: &mut [u8]) {
    let ip = 14 + 4 * rng.random_range(0..=2);
    let at = ip + *[0, 2, 3, 4, 5, 32, 41, 52].choose(rng).expect("not empty");
    if let Some(byte) = frame.get_mut(at) {
        *byte = match rng.random_range(0..4) {
            0 => byte.wrapping_add(rng.random_range(1..20)),
            1 => byte.wrapping_sub(rng.random_range(1..20)),
            2 => 0,
            _ => rng.random(),
        };
    }
}

/// Swaps two blocks of a header's size, as if headers came in another order.
fn swap_blocks(rng: &mut StdRng, frame: &mut [u8]) {
    let size = *[2, 4, 8, 20].choose(rng).expect("not empty");
    let Some(last) = frame.len().min(140).checked_sub(size) else {
        return;
    };
    if last < 12 {
        return;
    }
    let (a, b) = (rng.random_range(12..=last), rng.random_range(12..=last));
    for i in 0..size {
        frame.swap(a + i, b + i);
    }
}

/// Repeats a block of a header's size where it stands, as if the header came twice.
fn repeat_block(rng: &mut StdRng, frame: &mut Vec<u8>) {
    let size = *[4, 8, 20, 40].choose(rng).expect("not empty");
    let at = header_byte(rng, frame);
    let end = (at + size).min(frame.len());
    let block = frame[at..end].to_vec();
    frame.splice(at..at, block);
}

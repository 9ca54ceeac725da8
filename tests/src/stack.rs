//! The stack of a program as the kernel counts it (kernel/bpf/verifier.c, `check_max_stack_depth`), from its
//! instructions: of each chain of calls the sum of all frames, each rounded up to 32 bytes. Newer
//! kernels round up to less; what fits the older ones fits them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Context as _;
use aya_obj::{
    Object,
    generated::{
        BPF_ADD, BPF_ALU64, BPF_CALL, BPF_DW, BPF_IMM, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MOV,
        BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC, BPF_ST, BPF_STX, BPF_X, bpf_insn,
    },
};

/// What the kernel grants a chain of calls, in bytes.
pub const MAX_STACK: u32 = 512;

/// Number of the register that points to the end of a frame.
const FRAME: u8 = 10;
const CALL: u8 = (BPF_JMP | BPF_CALL) as u8;
const MOVE: u8 = (BPF_ALU64 | BPF_MOV | BPF_X) as u8;
const ADD_NUMBER: u8 = (BPF_ALU64 | BPF_ADD | BPF_K) as u8;
const LOAD_NUMBER: u8 = (BPF_LD | BPF_DW | BPF_IMM) as u8;

/// The deepest chain of calls of each program of an object, in bytes.
///
/// # Errors
///
/// The object does not parse or link.
pub fn depths(object: &[u8]) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut object = Object::parse(object)?;
    let sections: HashSet<usize> = object
        .functions
        .keys()
        .map(|(section, _)| *section)
        .collect();
    object.relocate_calls(&sections)?;
    let mut depths = BTreeMap::new();
    for (name, program) in &object.programs {
        let function = object
            .functions
            .get(&program.function_key())
            .with_context(|| format!("{name} has no instructions"))?;
        depths.insert(name.clone(), depth(&function.instructions));
    }
    Ok(depths)
}

/// A function of a linked program.
#[derive(Default)]
struct Frame {
    bytes: u32,
    /// The functions that it calls or has called, by where they begin.
    calls: BTreeSet<usize>,
}

fn depth(instructions: &[bpf_insn]) -> u32 {
    let begins: BTreeSet<usize> = instructions
        .iter()
        .enumerate()
        .filter_map(|(at, it)| callee(at, it))
        .chain([0])
        .collect();
    let mut frames: BTreeMap<usize, Frame> = BTreeMap::new();
    let mut frame = Frame::default();
    let mut begin = 0;
    // The register that was last made a copy of the frame's end.
    let mut copy = None;
    for (at, instruction) in instructions.iter().enumerate() {
        if begins.contains(&at) && at != begin {
            frames.insert(begin, std::mem::take(&mut frame));
            begin = at;
        }
        frame.calls.extend(callee(at, instruction));
        let below = match u32::from(instruction.code & 7) {
            BPF_LDX if instruction.src_reg() == FRAME => -i32::from(instruction.off),
            BPF_ST | BPF_STX if instruction.dst_reg() == FRAME => -i32::from(instruction.off),
            _ if instruction.code == ADD_NUMBER && copy == Some(instruction.dst_reg()) => {
                -instruction.imm
            }
            _ => 0,
        };
        frame.bytes = frame.bytes.max(u32::try_from(below).unwrap_or(0));
        copy = (instruction.code == MOVE && instruction.src_reg() == FRAME)
            .then(|| instruction.dst_reg());
    }
    frames.insert(begin, frame);
    deepest(&frames, 0)
}

/// Where the function begins that an instruction calls, or hands to a helper that calls it.
fn callee(at: usize, instruction: &bpf_insn) -> Option<usize> {
    let names = match instruction.code {
        CALL => u32::from(instruction.src_reg()) == BPF_PSEUDO_CALL,
        LOAD_NUMBER => u32::from(instruction.src_reg()) == BPF_PSEUDO_FUNC,
        _ => false,
    };
    names.then(|| (at + 1).checked_add_signed(instruction.imm as isize))?
}

/// The programs do not recurse: the verifier refuses that.
fn deepest(frames: &BTreeMap<usize, Frame>, begin: usize) -> u32 {
    let Some(frame) = frames.get(&begin) else {
        return 0;
    };
    let below = frame.calls.iter().map(|call| deepest(frames, *call)).max();
    frame.bytes.max(1).next_multiple_of(32) + below.unwrap_or(0)
}

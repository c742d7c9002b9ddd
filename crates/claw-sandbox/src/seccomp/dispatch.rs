//! Compiles the part of the table that looks at numbers alone.
//!
//! seccompiler tests the numbers one after the other. A binary search over ranges is shorter and is
//! installed faster, because the kernel runs each filter once per system call number to find the
//! calls that it always allows.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, sock_filter};

use super::bpf::{ARCHITECTURE, JUMP, JUMP_IF_AT_LEAST, JUMP_IF_EQUAL, LOAD_WORD, NUMBER, RETURN, statement};
use super::{CompileError, SeccompSpec, Verdict, table};

/// Compiles the prologue (foreign architectures, unknown and x32 numbers) and the denied numbers.
pub(super) fn compile(spec: SeccompSpec, architecture: u32) -> Result<BpfProgram, CompileError> {
    let mut program = vec![
        statement(LOAD_WORD, ARCHITECTURE),
        jump(JUMP_IF_EQUAL, architecture, 1),
        statement(RETURN, Verdict::KillProcess.into()),
        statement(LOAD_WORD, NUMBER),
    ];
    program.extend(search(&ranges(spec))?);
    Ok(program)
}

/// The program that runs `second` where `first` allows a call.
pub(super) fn followed_by(mut first: BpfProgram, second: BpfProgram) -> BpfProgram {
    // How far the end is from behind each instruction.
    let distances = (0_u32..).zip(first.iter_mut().rev());
    for (distance, instruction) in distances {
        if instruction.code == RETURN && instruction.k == u32::from(Verdict::Allow) {
            *instruction = statement(JUMP, distance);
        }
    }
    first.extend(second);
    first
}

// A range reaches from its number to that of the next one.
#[derive(Clone, Copy)]
struct Range {
    from: u32,
    verdict: Verdict,
}

fn ranges(spec: SeccompSpec) -> Vec<Range> {
    let mut verdicts: BTreeMap<u32, Verdict> =
        spec.denied().map(|(group, call)| (call.number, Verdict::Errno(group.errno))).collect();
    verdicts.insert(table::LAST_REVIEWED + 1, Verdict::Errno(table::ENOSYS));
    let mut ranges = vec![Range { from: 0, verdict: Verdict::Allow }];
    let mut next = 0;
    for (number, verdict) in verdicts {
        if number > next {
            begin(&mut ranges, next, Verdict::Allow);
        }
        begin(&mut ranges, number, verdict);
        next = number + 1;
    }
    ranges
}

fn begin(ranges: &mut Vec<Range>, from: u32, verdict: Verdict) {
    if ranges.last().is_none_or(|last| last.verdict != verdict) {
        ranges.push(Range { from, verdict });
    }
}

// The number is in one of `ranges`. The depth is the logarithm of their count.
fn search(ranges: &[Range]) -> Result<BpfProgram, CompileError> {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (Some(_), Some(middle)) = (low.first(), high.first()) else {
        let verdict = high.first().map_or(Verdict::KillProcess, |range| range.verdict);
        return Ok(vec![statement(RETURN, verdict.into())]);
    };
    let (low, from) = (search(low)?, middle.from);
    let offset = u8::try_from(low.len()).map_err(|_| CompileError::Jump(low.len()))?;
    let mut program = vec![jump(JUMP_IF_AT_LEAST, from, offset)];
    program.extend(low);
    program.extend(search(high)?);
    Ok(program)
}

const fn jump(code: u16, k: u32, if_true: u8) -> sock_filter {
    sock_filter { code, jt: if_true, jf: 0, k }
}

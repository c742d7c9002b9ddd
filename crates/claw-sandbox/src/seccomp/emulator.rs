//! The kernel's interpreter of classic BPF, as far as seccomp programs go.
//!
//! It refuses what the kernel's checker refuses: jumps and loads out of bounds, a program that does
//! not end, unknown instructions.

use seccompiler::sock_filter;

/// What a filter sees: `struct seccomp_data`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    pub(super) number: u32,
    pub(super) architecture: u32,
    pub(super) arguments: [u64; 6],
}

impl Data {
    fn word(&self, offset: u32) -> u32 {
        assert!(offset.is_multiple_of(4) && offset < 64, "a load at {offset}");
        match offset {
            0 => self.number,
            4 => self.architecture,
            8 | 12 => 0,
            _ => {
                let argument = self.arguments[usize::try_from((offset - 16) / 8).expect("small")];
                let bytes = argument.to_ne_bytes();
                let half = if offset.is_multiple_of(8) { &bytes[..4] } else { &bytes[4..] };
                u32::from_ne_bytes(half.try_into().expect("four bytes"))
            }
        }
    }
}

/// Runs a program and returns its answer.
pub(super) fn run(program: &[sock_filter], data: &Data) -> u32 {
    let (mut accumulator, mut index) = (0_u32, 0_u32);
    let mut at = 0;
    loop {
        let instruction = program.get(at).expect("a jump leaves the program");
        at += 1;
        let jump = |taken: bool| usize::from(if taken { instruction.jt } else { instruction.jf });
        match instruction.code {
            0x20 => accumulator = data.word(instruction.k),
            0x54 => accumulator &= instruction.k,
            0xa4 => accumulator ^= instruction.k,
            0x4c => accumulator |= index,
            0x07 => index = accumulator,
            0x05 => at += usize::try_from(instruction.k).expect("small"),
            0x15 => at += jump(accumulator == instruction.k),
            0x25 => at += jump(accumulator > instruction.k),
            0x35 => at += jump(accumulator >= instruction.k),
            0x45 => at += jump(accumulator & instruction.k != 0),
            0x06 => return instruction.k,
            code => panic!("instruction {code:#x}"),
        }
    }
}

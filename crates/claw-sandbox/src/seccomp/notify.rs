//! Compiles the program that asks the supervisor.
//!
//! It is installed beside the program of [`super`], on each run thread, and each call gets the
//! strictest answer of them all: what is denied there never reaches the supervisor. Calls that are
//! not listed are allowed whatever their arguments, so the kernel does not even run the program
//! for them.

use std::ffi::c_long;

use seccompiler::{BpfProgram, sock_filter};

use super::bpf::{
    ARGUMENTS, COPY_TO_INDEX, JUMP_IF_ANY_BIT, JUMP_IF_EQUAL, LOAD_WORD, NUMBER, OR_INDEX, RETURN, XOR,
    statement,
};

/// A call that the supervisor answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notified {
    pub(crate) call: c_long,
    pub(crate) when: When,
}

// What the first filter of a run thread must leave to this one: a second listener would answer in our place when
// ours is gone. The thread itself installs one, so no filter before it can deny that.
const REFUSED: Notified = Notified {
    call: libc::SYS_seccomp,
    when: When::AnyBit { argument: 1, bits: libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32 },
};

/// With which arguments it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    /// Always.
    Always,
    /// Any of the bits is set in the low half of the argument.
    AnyBit {
        /// From 0.
        argument: u8,
        /// The bits.
        bits: u32,
    },
    /// The low half of the argument is one of the values.
    OneOf {
        /// From 0.
        argument: u8,
        /// The values.
        values: &'static [u32],
    },
    /// The argument, 64 bits, is not zero: a pointer that is there.
    NotZero {
        /// From 0.
        argument: u8,
    },
}

/// By which the program knows an `execve` that was decided before: the first one of a run.
///
/// It stands in two of the call's six registers, of which the kernel reads three. A run never comes by it: it is in this
/// process's memory and in the kernel's program, neither of which a run can read, and in the registers of the child that
/// becomes the run's first process, which runs our code until then. The exec clears them (`ELF_PLAT_INIT`).
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Pass([u32; 4]);

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pass")
    }
}

// The first register that `execve` does not read.
const PASS_ARGUMENT: u8 = 3;

impl Pass {
    /// A pass of random bytes.
    pub(crate) fn new(random: [u8; 16]) -> Self {
        let (words, _) = random.as_chunks::<4>();
        let word = |index: usize| words.get(index).copied().map_or(0, u32::from_ne_bytes);
        Self([word(0), word(1), word(2), word(3)])
    }

    /// The two registers.
    pub(crate) const fn registers(self) -> [u64; 2] {
        let Self([a, b, c, d]) = self;
        [a as u64 | (b as u64) << 32, c as u64 | (d as u64) << 32]
    }

    // Every word is looked at before the answer, so the time that it takes tells nothing of how many were right.
    fn body(self, verdict: u32) -> Vec<sock_filter> {
        let first = low(PASS_ARGUMENT);
        let words = self.0.into_iter().zip((first..).step_by(4)).enumerate();
        let compare = words.flat_map(|(index, (word, offset))| {
            let unite = (index > 0).then_some(statement(OR_INDEX, 0));
            let differ = [statement(LOAD_WORD, offset), statement(XOR, word)];
            differ.into_iter().chain(unite).chain([statement(COPY_TO_INDEX, 0)])
        });
        let end = [
            sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: 0 },
            statement(RETURN, libc::SECCOMP_RET_ALLOW),
            statement(RETURN, verdict),
        ];
        compare.chain(end).collect()
    }
}

/// The program for `calls`; each may be named once. An `execve` with `pass` is not asked about.
pub(crate) fn compile(calls: &[Notified], pass: Option<Pass>) -> BpfProgram {
    let mut program = vec![statement(LOAD_WORD, NUMBER)];
    let notified = calls.iter().map(|notified| (notified, libc::SECCOMP_RET_USER_NOTIF));
    let refused = (&REFUSED, libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned());
    for (Notified { call, when }, verdict) in notified.chain([refused]) {
        let body = match pass {
            Some(pass) if *call == libc::SYS_execve => pass.body(verdict),
            _ => body(*when, verdict),
        };
        let over = u8::try_from(body.len()).unwrap_or(u8::MAX);
        // No system call has a number beyond 32 bits.
        program.push(sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: over, k: *call as u32 });
        program.extend(body);
    }
    program.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    program
}

// Ends in a verdict on every way through: nothing falls out of it.
fn body(when: When, verdict: u32) -> Vec<sock_filter> {
    let notify = statement(RETURN, verdict);
    let allow = statement(RETURN, libc::SECCOMP_RET_ALLOW);
    match when {
        When::Always => vec![notify],
        When::AnyBit { argument, bits } => vec![
            statement(LOAD_WORD, low(argument)),
            sock_filter { code: JUMP_IF_ANY_BIT, jt: 0, jf: 1, k: bits },
            notify,
            allow,
        ],
        When::OneOf { argument, values } => {
            let compare = values.iter().zip((0..values.len()).rev()).map(|(value, left)| {
                // The last comparison goes over the denial; every one that holds goes to it.
                let over = if left == 0 { 1 } else { 0 };
                sock_filter { code: JUMP_IF_EQUAL, jt: left as u8, jf: over, k: *value }
            });
            let load = statement(LOAD_WORD, low(argument));
            [load].into_iter().chain(compare).chain([notify, allow]).collect()
        }
        When::NotZero { argument } => vec![
            statement(LOAD_WORD, low(argument)),
            sock_filter { code: JUMP_IF_ANY_BIT, jt: 2, jf: 0, k: u32::MAX },
            statement(LOAD_WORD, low(argument) + 4),
            sock_filter { code: JUMP_IF_ANY_BIT, jt: 0, jf: 1, k: u32::MAX },
            notify,
            allow,
        ],
    }
}

// Both architectures that we know are little-endian.
const fn low(argument: u8) -> u32 {
    ARGUMENTS + argument as u32 * 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::emulator;
    use super::*;

    fn verdict(calls: &[Notified], number: u32, arguments: [u64; 6]) -> u32 {
        passed(calls, None, number, arguments)
    }

    fn passed(calls: &[Notified], pass: Option<Pass>, number: u32, arguments: [u64; 6]) -> u32 {
        emulator::run(&compile(calls, pass), &emulator::Data { number, architecture: 0xC000_003E, arguments })
    }

    fn expected(calls: &[Notified], number: u32, arguments: [u64; 6]) -> u32 {
        let notified =
            calls.iter().find(|notified| notified.call as u32 == number).is_some_and(
                |notified| match notified.when {
                    When::Always => true,
                    When::AnyBit { argument, bits } => arguments[usize::from(argument)] as u32 & bits != 0,
                    When::OneOf { argument, values } => {
                        values.contains(&(arguments[usize::from(argument)] as u32))
                    }
                    When::NotZero { argument } => arguments[usize::from(argument)] != 0,
                },
            );
        if notified { libc::SECCOMP_RET_USER_NOTIF } else { libc::SECCOMP_RET_ALLOW }
    }

    fn when() -> impl Strategy<Value = When> {
        prop_oneof![
            Just(When::Always),
            (0..6_u8, any::<u32>()).prop_map(|(argument, bits)| When::AnyBit { argument, bits }),
            (0..6_u8).prop_map(|argument| When::NotZero { argument }),
            (0..6_u8).prop_map(|argument| When::OneOf { argument, values: &[1, 7, 9] }),
        ]
    }

    fn argument() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(1 << 32), Just(1), Just(7), Just(9), any::<u64>()]
    }

    #[test]
    fn a_second_listener_is_refused() {
        let seccomp = libc::SYS_seccomp as u32;
        let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        assert_eq!(verdict(&[], seccomp, [1, 1 << 3 | 1, 0, 0, 0, 0]), refused);
        assert_eq!(verdict(&[], seccomp, [1, 1, 0, 0, 0, 0]), libc::SECCOMP_RET_ALLOW);
    }

    proptest! {
        #[test]
        fn an_exec_is_not_asked_about_with_exactly_the_pass_of_its_thread(
            random in any::<[u8; 16]>(),
            arguments in any::<[u64; 6]>(),
            wrong in 0..128_usize,
        ) {
            const BOTH: [Notified; 2] = [
                Notified { call: libc::SYS_execveat, when: When::Always },
                Notified { call: libc::SYS_execve, when: When::Always },
            ];
            let pass = Some(Pass::new(random));
            let [execve, execveat] = [libc::SYS_execve as u32, libc::SYS_execveat as u32];
            let [a, b, c, _, _, f] = arguments;
            let [d, e] = Pass::new(random).registers();
            let right = [a, b, c, d, e, f];
            let mut almost = right;
            almost[3 + wrong / 64] ^= 1 << (wrong % 64);
            let notified = libc::SECCOMP_RET_USER_NOTIF;
            prop_assert_eq!(passed(&BOTH, pass, execve, right), libc::SECCOMP_RET_ALLOW);
            prop_assert_eq!(passed(&BOTH, pass, execve, almost), notified);
            prop_assert_eq!(passed(&BOTH, pass, execveat, right), notified);
            prop_assert_eq!(passed(&BOTH, None, execve, right), notified);
            prop_assert_eq!(passed(&BOTH, pass, 1, right), libc::SECCOMP_RET_ALLOW);
        }

        #[test]
        fn the_program_asks_about_exactly_what_its_table_says(
            table in prop::collection::btree_map(0..40_u32, when(), 0..20),
            number in 0..41_u32,
            arguments in prop::array::uniform6(argument()),
        ) {
            let calls: Vec<Notified> =
                table.into_iter().map(|(call, when)| Notified { call: call.into(), when }).collect();
            prop_assert_eq!(verdict(&calls, number, arguments), expected(&calls, number, arguments));
        }
    }
}

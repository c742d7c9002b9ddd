//! Compiles the program that asks the supervisor.
//!
//! It is installed beside the program of [`super`], on each run thread, and each call gets the
//! strictest answer of them all: what is denied there never reaches the supervisor. Calls that are
//! not listed are allowed whatever their arguments, so the kernel does not even run the program
//! for them.

use std::ffi::c_long;

use seccompiler::{BpfProgram, sock_filter};

use super::bpf::{ARGUMENTS, JUMP_IF_ANY_BIT, JUMP_IF_EQUAL, LOAD_WORD, NUMBER, RETURN, statement};

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

/// The program for `calls`; each may be named once.
pub(crate) fn compile(calls: &[Notified]) -> BpfProgram {
    let mut program = vec![statement(LOAD_WORD, NUMBER)];
    let notified = calls.iter().map(|notified| (notified, libc::SECCOMP_RET_USER_NOTIF));
    let refused = (&REFUSED, libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned());
    for (Notified { call, when }, verdict) in notified.chain([refused]) {
        let body = body(*when, verdict);
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
        emulator::run(&compile(calls), &emulator::Data { number, architecture: 0xC000_003E, arguments })
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

use std::collections::HashSet;

use proptest::prelude::*;

use super::emulator::{self, Data};
use super::{SeccompSpec, Sockets, Verdict, table};
use crate::sys::{attempt, caps};

const NONE: Sockets = Sockets { tcp: false, udp: false };
const TCP: Sockets = Sockets { tcp: true, udp: false };
const UDP: Sockets = Sockets { tcp: false, udp: true };
const BOTH: Sockets = Sockets { tcp: true, udp: true };

const SPECS: [SeccompSpec; 8] = [
    SeccompSpec {
        unix_connect: false,
        sockets: NONE,
        reserve_space: true,
        files_in_memory: true,
        judged_modes: false,
        supervised: false,
    },
    SeccompSpec {
        unix_connect: true,
        sockets: NONE,
        reserve_space: true,
        files_in_memory: true,
        judged_modes: false,
        supervised: false,
    },
    SeccompSpec {
        unix_connect: false,
        sockets: NONE,
        reserve_space: true,
        files_in_memory: true,
        judged_modes: true,
        supervised: true,
    },
    SeccompSpec {
        unix_connect: false,
        sockets: TCP,
        reserve_space: true,
        files_in_memory: true,
        judged_modes: true,
        supervised: true,
    },
    SeccompSpec {
        unix_connect: false,
        sockets: UDP,
        reserve_space: true,
        files_in_memory: true,
        judged_modes: true,
        supervised: true,
    },
    SeccompSpec {
        unix_connect: false,
        sockets: BOTH,
        reserve_space: true,
        files_in_memory: true,
        judged_modes: true,
        supervised: true,
    },
    SeccompSpec {
        unix_connect: true,
        sockets: NONE,
        reserve_space: false,
        files_in_memory: true,
        judged_modes: false,
        supervised: true,
    },
    SeccompSpec {
        unix_connect: true,
        sockets: TCP,
        reserve_space: true,
        files_in_memory: false,
        judged_modes: false,
        supervised: true,
    },
];

fn native() -> u32 {
    table::AUDIT_ARCHITECTURE.expect("the tests run on an architecture with a table")
}

// A number of the table, its neighbours, or any; with and without the x32 bit.
fn number() -> impl Strategy<Value = u32> {
    let denied = table::DENIED.iter().flat_map(|group| group.calls.iter().map(|call| call.number));
    let known: Vec<u32> = denied.chain(table::all_arguments().map(|rule| rule.call.number)).collect();
    let near = (prop::sample::select(known), -1_i32..=1)
        .prop_map(|(number, distance)| number.saturating_add_signed(distance));
    let base = prop_oneof![4 => near, 2 => 0_u32..600, 1 => any::<u32>()];
    (base, prop::bool::weighted(0.1))
        .prop_map(|(number, x32)| if x32 { number | 0x4000_0000 } else { number })
}

// Values that the table compares with, single bits, and any; with and without high bits.
fn argument() -> impl Strategy<Value = u64> {
    let compared = table::all_arguments().flat_map(|rule| rule.tests.iter().map(|test| test.value));
    let compared: Vec<u32> = compared.collect();
    let low = prop_oneof![
        prop::sample::select(compared),
        (0_u32..32).prop_map(|bit| 1 << bit),
        0_u32..16,
        any::<u32>(),
        (0_u32..16).prop_map(|kind| kind | 0o2_004_000),
    ];
    let high = prop_oneof![Just(0_u32), Just(u32::MAX), any::<u32>()];
    (low, high).prop_map(|(low, high)| u64::from(high) << 32 | u64::from(low))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_program_does_what_the_specification_says(
        number in number(),
        foreign in prop::option::weighted(0.1, any::<u32>()),
        arguments in prop::array::uniform6(argument()),
        spec in prop::sample::select(SPECS.to_vec()),
    ) {
        let architecture = foreign.unwrap_or_else(native);
        let program = spec.compile().expect("it compiles");
        let answer = emulator::run(&program, &Data { number, architecture, arguments });
        prop_assert_eq!(answer, u32::from(spec.verdict(architecture, number, arguments)));
    }

    #[test]
    fn high_bits_of_the_arguments_change_nothing(
        number in number(),
        arguments in prop::array::uniform6(argument()),
        high in prop::array::uniform6(any::<u32>()),
    ) {
        let mut other = arguments;
        for (value, high) in other.iter_mut().zip(high) {
            *value = *value & u64::from(u32::MAX) | u64::from(high) << 32;
        }
        let spec = SPECS[0];
        prop_assert_eq!(spec.verdict(native(), number, arguments), spec.verdict(native(), number, other));
    }
}

#[test]
fn every_number_is_answered_as_specified() {
    for spec in SPECS {
        let program = spec.compile().expect("it compiles");
        for number in (0..1200).chain(0x4000_0000..0x4000_0400).chain([u32::MAX]) {
            let data = Data { number, architecture: native(), arguments: [0; 6] };
            let expected = spec.verdict(native(), number, [0; 6]);
            assert_eq!(emulator::run(&program, &data), u32::from(expected), "call {number}");
        }
    }
}

#[test]
fn the_table_lists_every_call_once_and_says_why() {
    let mut seen = HashSet::new();
    for group in table::DENIED {
        assert!(!group.reason.is_empty() && !group.calls.is_empty());
        for call in group.calls {
            assert!(seen.insert(call.number), "{} is listed twice", call.name);
            assert!(call.number <= table::LAST_REVIEWED, "{} was not reviewed", call.name);
        }
    }
    for rule in table::all_arguments() {
        assert!(!rule.reason.is_empty() && !rule.tests.is_empty());
        assert!(!seen.contains(&rule.call.number), "{} is always denied", rule.call.name);
        assert!(rule.tests.iter().all(|test| test.argument < 6));
    }
}

#[test]
fn sockets_are_unix_streams_and_what_the_network_rules_need_and_nothing_else() {
    let flags = [0, libc::SOCK_CLOEXEC as u64, (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u64];
    let protocols = [0, 1, 2, 6, 17, 33, 58, 132, 136, 255, 256, 262, 263, 1 << 31];
    for spec in SPECS {
        for family in 0..=50_u64 {
            for (kind, flag) in (0..16_u64).flat_map(|kind| flags.map(|flag| (kind, flag))) {
                for protocol in protocols {
                    let is_inet = family == libc::AF_INET as u64 || family == libc::AF_INET6 as u64;
                    let (stream, datagram) = (libc::SOCK_STREAM as u64, libc::SOCK_DGRAM as u64);
                    let unix = family == libc::AF_UNIX as u64
                        && (kind == stream || kind == libc::SOCK_SEQPACKET as u64);
                    let tcp = spec.sockets.tcp && is_inet && kind == stream && [0, 6].contains(&protocol);
                    let udp = spec.sockets.udp && is_inet && kind == datagram && [0, 17].contains(&protocol);
                    // High bits are cut off by the kernel.
                    let arguments = [family, kind | flag, protocol, 0, 0, 0].map(|value| value | 7 << 32);
                    let verdict = |call: std::ffi::c_long| spec.verdict(native(), call as u32, arguments);
                    let shown = format!("{spec:?}: family {family}, kind {kind}, protocol {protocol}");
                    assert_eq!(verdict(libc::SYS_socket) == Verdict::Allow, unix || tcp || udp, "{shown}");
                    assert_eq!(verdict(libc::SYS_socketpair) == Verdict::Allow, unix, "{shown}");
                }
            }
        }
    }
}

#[test]
fn the_program_is_short() {
    // As nearly always: the supervisor judges modes.
    let length = SeccompSpec { judged_modes: true, ..SPECS[0] }.compile().expect("it compiles").len();
    println!("instructions: {length}");
    // Of the kernel's 4096 for one, and of what an install should cost.
    assert!(length < 500, "{length}");
}

// Errors that the kernel itself never answers, so that each one is proof of the filter.
const FILTERED_EPERM: u32 = 3001;
const FILTERED_ENOSYS: u32 = 3002;
const FILTERED_EOPNOTSUPP: u32 = 3003;

// Runs the calls of the table in the kernel, on a thread that nothing else uses.
#[test]
fn the_kernel_denies_every_row_of_the_table() {
    let thread = std::thread::spawn(|| {
        caps::set_no_new_privileges().expect("always allowed");
        caps::drop_all().expect("always allowed");
        let strictest = SeccompSpec { reserve_space: false, files_in_memory: false, ..SPECS[0] };
        let mut program = strictest.compile().expect("it compiles");
        for instruction in program.iter_mut().filter(|instruction| instruction.code == 0x06) {
            instruction.k = match instruction.k {
                k if k == u32::from(Verdict::Errno(table::EPERM)) => Verdict::Errno(FILTERED_EPERM).into(),
                k if k == u32::from(Verdict::Errno(table::ENOSYS)) => Verdict::Errno(FILTERED_ENOSYS).into(),
                k if k == u32::from(Verdict::Errno(table::EOPNOTSUPP)) => {
                    Verdict::Errno(FILTERED_EOPNOTSUPP).into()
                }
                k => k,
            };
        }
        seccompiler::apply_filter(&program).expect("seccomp filters are available");
        let calls =
            table::DENIED.iter().flat_map(|group| group.calls.iter().map(move |call| (group.errno, call)));
        for (errno, call) in calls {
            let expected = match errno {
                table::ENOSYS => FILTERED_ENOSYS,
                table::EOPNOTSUPP => FILTERED_EOPNOTSUPP,
                _ => FILTERED_EPERM,
            };
            assert_eq!(attempt::denied_call(call.number, [0; 6]), expected, "{}", call.name);
        }
        let modes = [table::NEW_MODES, table::OLD_NEW_MODES, table::MODES, table::OLD_MODES];
        for rule in modes.into_iter().flatten().chain(table::ARGUMENTS) {
            let arguments = arguments_of(rule);
            assert_eq!(
                attempt::denied_call(rule.call.number, arguments),
                FILTERED_EPERM,
                "{} {arguments:x?}",
                rule.call.name
            );
        }
        for number in [table::LAST_REVIEWED + 1, 0x4000_0000 | 39] {
            assert_eq!(attempt::denied_call(number, [0; 6]), FILTERED_ENOSYS, "call {number:#x}");
        }
        // What must go on working.
        assert_eq!(attempt::denied_call(libc::SYS_getpid as u32, [0; 6]), 0);
        let pair = nix::sys::socket::socketpair(
            nix::sys::socket::AddressFamily::Unix,
            nix::sys::socket::SockType::Stream,
            None,
            nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        );
        assert!(pair.is_ok());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

// Arguments that the rule denies, with high bits set where the kernel ignores them.
fn arguments_of(rule: &super::ArgumentRule) -> [u64; 6] {
    let mut arguments = [0; 6];
    // Socket rules about the kind need the family that is not denied anyway.
    if [libc::SYS_socket as u32, libc::SYS_socketpair as u32].contains(&rule.call.number) {
        arguments[0] = libc::AF_UNIX as u64;
    }
    for test in rule.tests {
        let value = match test.operation {
            super::Operation::NotEqual => test.value ^ 2,
            super::Operation::Equal | super::Operation::Masked(_) => test.value,
        };
        arguments[usize::from(test.argument)] = u64::from(value) | 0xdead_beef_0000_0000;
    }
    arguments
}

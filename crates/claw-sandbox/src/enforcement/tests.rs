use claw_policy::{Confinement, Floor, Guarantee, Limits, NetworkRule};

use super::{State, assess};
use crate::KernelFeatures;

fn confinement() -> Confinement {
    Confinement { roots: Vec::new(), ..Confinement::default() }
}

fn missing(confinement: &Confinement, kernel: &KernelFeatures) -> Vec<&'static str> {
    assess(confinement, kernel).missing().map(|missing| missing.guarantee.name()).collect()
}

#[test]
fn every_abi_misses_what_its_kernel_lacks() {
    let expected: [(u32, &[&str]); 11] = [
        (0, &["files", "exec", "signals", "sweep"]),
        (1, &["files", "signals", "sweep"]),
        (2, &["files", "signals", "sweep"]),
        (3, &["signals", "sweep"]),
        (4, &["signals", "sweep"]),
        (5, &["signals", "sweep"]),
        (6, &[]),
        (7, &[]),
        (8, &[]),
        (9, &[]),
        (10, &[]),
    ];
    for (abi, names) in expected {
        assert_eq!(missing(&confinement(), &KernelFeatures::with_abi(abi)), names, "ABI {abi}");
    }
}

#[test]
fn without_seccomp_most_is_missing_under_any_abi() {
    let kernel = KernelFeatures { seccomp_filter: false, ..KernelFeatures::with_abi(10) };
    assert_eq!(missing(&confinement(), &kernel), ["metadata", "exec", "network", "signals", "syscalls"]);
}

#[test]
fn what_a_policy_does_not_need_is_not_assessed() {
    let free = Confinement { execute_any: true, detach: true, ..confinement() };
    let enforcement = assess(&free, &KernelFeatures::with_abi(7));
    for guarantee in [
        Guarantee::Exec,
        Guarantee::Sweep,
        Guarantee::Limits,
        Guarantee::NestedPaths,
        Guarantee::ProtectedPaths,
        Guarantee::ExecArguments,
    ] {
        assert_eq!(enforcement.state(guarantee), None, "{}", guarantee.name());
    }
}

fn rule(host: Option<&str>) -> NetworkRule {
    NetworkRule { protocol: None, port: Some(443), host: host.map(str::to_owned) }
}

#[test]
fn network_rules_need_the_notification_and_no_names() {
    let kernel = KernelFeatures::with_abi(7);
    let blind = KernelFeatures { seccomp_actions: vec!["errno"], ..kernel.clone() };
    let cases = [
        (&kernel, vec![], true),
        (&kernel, vec![rule(None), rule(Some("loopback")), rule(Some("10.0.0.0/8"))], true),
        (&kernel, vec![rule(None), rule(Some("*.example.org"))], false),
        (&blind, vec![], true),
        (&blind, vec![rule(None)], false),
    ];
    for (kernel, network, expected) in cases {
        let confinement = Confinement { network, ..confinement() };
        let enforcement = assess(&confinement, kernel);
        let state = enforcement.state(Guarantee::Network);
        assert_eq!(matches!(state, Some(State::Enforced { .. })), expected, "{state:?}");
    }
}

#[test]
fn what_this_version_cannot_do_is_named() {
    let kernel = KernelFeatures::with_abi(7);
    let demanding = Confinement { network: vec![rule(Some("api.example.org")), rule(None)], ..confinement() };
    let enforcement = assess(&demanding, &kernel);
    let Some(State::Missing { reason, .. }) = enforcement.state(Guarantee::Network) else {
        panic!("{enforcement:?}");
    };
    assert!(reason.contains("`any:api.example.org:443`"), "{reason}");
}

#[test]
fn the_floor_is_met_when_all_that_is_missing_was_given_up() {
    let kernel = KernelFeatures { openat2: false, ..KernelFeatures::with_abi(7) };
    let enforcement = assess(&confinement(), &kernel);
    let missing = enforcement.meets(&Floor::default()).expect_err("metadata is missing");
    let [only] = missing.as_slice() else { panic!("{missing:?}") };
    let line = only.to_string();
    assert!(line.contains("`metadata`") && line.contains("degrade: [metadata]"), "{line}");
    assert!(!line.contains('\n'), "{line}");
    assert_eq!(enforcement.meets(&Floor { degrade: vec![Guarantee::Metadata] }), Ok(()));
    let other = Floor { degrade: vec![Guarantee::Network] };
    assert!(enforcement.meets(&other).is_err());
}

#[test]
fn exceptions_inside_trees_need_the_broker() {
    let demanding = Confinement {
        nested: vec!["docs/secret".into()],
        nested_hidden: true,
        protected: vec![".git/hooks".into()],
        ..confinement()
    };
    let brokered = ["nested-paths", "protected-paths", "metadata"];
    let kernel = KernelFeatures::with_abi(7);
    let without = [
        KernelFeatures { openat2: false, ..kernel.clone() },
        KernelFeatures { seccomp_actions: Vec::new(), ..kernel.clone() },
        KernelFeatures { seccomp_filter: false, ..kernel.clone() },
    ];
    assert_eq!(missing(&demanding, &kernel), Vec::<&str>::new());
    for kernel in without {
        let missing = missing(&demanding, &kernel);
        assert!(brokered.iter().all(|name| missing.contains(name)), "{missing:?}");
    }
}

#[test]
fn each_limit_is_named_with_what_keeps_it() {
    let second = Some(std::time::Duration::from_secs(1));
    let all = Limits {
        time: second,
        output: Some(1),
        cpu: second,
        memory: Some(1),
        processes: Some(1),
        open_files: Some(1),
        file_size: Some(1),
        disk: Some(1),
        new_files: Some(1),
    };
    let kernel = KernelFeatures::with_abi(7);
    let told = |limits: &Limits, kernel: &KernelFeatures| {
        let limited = Confinement { limits: limits.clone(), ..confinement() };
        let enforcement = assess(&limited, kernel);
        let each: Vec<String> = enforcement.limits().iter().map(ToString::to_string).collect();
        (enforcement.state(Guarantee::Limits).cloned(), each.join("; "))
    };
    let every = "time: supervisor; output: supervisor; cpu: supervisor and rlimit; memory: supervisor and rlimit; \
                 processes: supervisor and rlimit; openFiles: rlimit; fileSize: rlimit; disk: supervisor; newFiles: supervisor";
    assert_eq!(told(&all, &kernel), (Some(State::Enforced { mechanism: every.into() }), every.into()));
    let root = KernelFeatures { root: true, ..kernel.clone() };
    let processes = Limits { processes: Some(1), ..Limits::default() };
    assert_eq!(told(&processes, &root).1, "processes: supervisor");
    assert_eq!(told(&Limits::default(), &kernel), (None, String::new()));
    let delegated = KernelFeatures { cgroups: Some("/sys/fs/cgroup/user".into()), ..root };
    let bounds = Limits { memory: Some(1), ..processes };
    assert_eq!(told(&bounds, &delegated).1, "memory: cgroup and rlimit; processes: cgroup and supervisor");
    let blind = KernelFeatures { write_accounting: false, openat2: false, ..kernel };
    let (Some(State::Missing { reason, .. }), _) = told(&all, &blind) else { panic!("not missing") };
    assert!(reason.contains("`disk`, `newFiles`"), "{reason}");
}

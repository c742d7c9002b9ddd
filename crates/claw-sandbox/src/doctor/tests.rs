use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Output};

use super::{Observation, PROBES, diagnose, judge, run_probe};
use crate::KernelFeatures;

const CHILD: &str = "doctor::tests::the_child_that_runs_a_probe";

#[test]
#[ignore = "started by the test of all probes, as a process of its own"]
fn the_child_that_runs_a_probe() {
    let arguments: Vec<String> = std::env::args().collect();
    let [.., name, scene] = arguments.as_slice() else { panic!("{arguments:?}") };
    println!("\n{}", run_probe(name, Path::new(scene)).expect("there is such a probe"));
}

#[test]
fn every_probe_is_blocked_inside_unless_the_gap_is_known() {
    let kernel = KernelFeatures::probe();
    if kernel.landlock_abi < 6 {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("skipped: needs Landlock ABI 6, this kernel has {}\n", kernel.landlock_abi),
        );
        return;
    }
    let program = std::env::current_exe().expect("the test's own path");
    let arguments = ["--ignored", "--exact", "--nocapture", "--test-threads=1", CHILD].map(OsStr::new);
    let findings = diagnose(&program, &arguments, &kernel).expect("the probes run");
    assert_eq!(findings.len(), PROBES.len());
    for finding in &findings {
        println!("{:20} inside {:?} outside {:?}", finding.probe.name, finding.inside, finding.outside);
    }
    for finding in &findings {
        let name = finding.probe.name;
        match finding.known_gap() {
            None => assert!(
                matches!(finding.inside, Observation::Blocked(_) | Observation::NotApplicable(_))
                    && (!matches!(finding.inside, Observation::NotApplicable(_))
                        || matches!(finding.outside, Observation::NotApplicable(_))),
                "{name}: {finding:?}"
            ),
            Some(_) => assert!(!finding.is_failure(), "{name}"),
        }
    }
    assert!(findings.iter().all(|finding| finding.supervised), "this kernel has all of it");
    // Without them the controls would prove nothing at all.
    for name in [
        "write-outside",
        "read-hidden",
        "tcp-socket",
        "signal-outside",
        "exec-copy",
        "exec-descriptor",
        "unix-path",
        "exec-loader",
        "chmod-outside",
        "write-hook",
        "rename-hook",
        "gate-connect",
    ] {
        let finding = findings.iter().find(|finding| finding.probe.name == name).expect(name);
        assert!(finding.is_proven(), "{finding:?}");
    }
}

#[test]
fn names_of_probes_are_unique_and_unknown_ones_are_refused() {
    for (at, probe) in PROBES.iter().enumerate() {
        assert!(PROBES.iter().skip(at + 1).all(|other| other.name != probe.name), "{}", probe.name);
    }
    assert_eq!(run_probe("no-such-probe", Path::new("/")), None);
}

fn output(status: i32, stdout: &str) -> Output {
    Output { status: ExitStatus::from_raw(status), stdout: stdout.into(), stderr: Vec::new() }
}

#[test]
fn an_observation_survives_being_printed() {
    for observation in [
        Observation::Blocked("EPERM".into()),
        Observation::NotBlocked("it got as far as EFAULT".into()),
        Observation::NotApplicable("no such thing".into()),
    ] {
        assert_eq!(judge(&output(0, &format!("noise\n{observation}\nnoise\n"))), observation);
    }
}

#[test]
fn silence_and_crashes_are_never_taken_for_protection() {
    assert!(matches!(judge(&output(0, "")), Observation::NotApplicable(_)));
    assert!(matches!(judge(&output(libc::SIGSEGV, "")), Observation::NotApplicable(_)));
    assert_eq!(judge(&output(libc::SIGSYS, "")), Observation::Blocked("killed by SIGSYS".into()));
}

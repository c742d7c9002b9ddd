use std::path::{Path, PathBuf};

use claw_policy::{Access, Confinement, Root};
use landlock::{AccessFs, AccessNet, BitFlags, Scope};

use super::RulesetPlan;
use crate::KernelFeatures;

fn confinement(roots: Vec<Root>) -> Confinement {
    Confinement { roots, executables: vec![PathBuf::from("/usr/bin/git")], ..Confinement::default() }
}

fn root(path: &str, access: Access) -> Root {
    Root { path: path.into(), access, execute: false, required: true, except: Vec::new() }
}

fn plan(confinement: &Confinement, abi: u32) -> RulesetPlan {
    RulesetPlan::new(confinement, &KernelFeatures::with_abi(abi), Some(Path::new("/tmp/private")))
        .expect("there is Landlock")
}

fn access(plan: &RulesetPlan, path: &str) -> BitFlags<AccessFs> {
    let rules = plan.rules.iter().filter(|rule| rule.path == Path::new(path));
    rules.fold(BitFlags::EMPTY, |access, rule| access | rule.access)
}

#[test]
fn there_is_no_ruleset_without_landlock() {
    assert_eq!(RulesetPlan::new(&confinement(Vec::new()), &KernelFeatures::with_abi(0), None), None);
}

#[test]
fn each_abi_handles_all_of_its_rights_and_no_other() {
    let confinement = confinement(vec![root("/w", Access::Write)]);
    for abi in 1..=12 {
        let plan = plan(&confinement, abi);
        let has = |right: AccessFs| plan.files.contains(right);
        assert!(has(AccessFs::Execute) && has(AccessFs::MakeBlock), "ABI {abi}");
        assert_eq!(has(AccessFs::Refer), abi >= 2, "ABI {abi}");
        assert_eq!(has(AccessFs::Truncate), abi >= 3, "ABI {abi}");
        assert_eq!(plan.network.contains(AccessNet::BindTcp | AccessNet::ConnectTcp), abi >= 4, "ABI {abi}");
        assert_eq!(plan.network.is_empty(), abi < 4, "ABI {abi}");
        assert_eq!(has(AccessFs::IoctlDev), abi >= 5, "ABI {abi}");
        assert_eq!(plan.scopes.contains(Scope::Signal | Scope::AbstractUnixSocket), abi >= 6, "ABI {abi}");
        assert_eq!(plan.scopes.is_empty(), abi < 6, "ABI {abi}");
        assert_eq!(has(AccessFs::ResolveUnix), abi >= 9, "ABI {abi}");
        assert!(plan.rules.iter().all(|rule| plan.files.contains(rule.access)), "ABI {abi}");
    }
}

#[test]
fn nothing_that_can_be_written_can_be_executed_unless_a_root_says_so() {
    let mut confinement = confinement(vec![root("/w", Access::Write), root("/r", Access::Read)]);
    let plan_without = plan(&confinement, 7);
    for path in ["/w", "/r", "/tmp/private"] {
        assert!(!access(&plan_without, path).contains(AccessFs::Execute), "{path}");
    }
    assert!(access(&plan_without, "/usr/bin/git").contains(AccessFs::Execute | AccessFs::ReadFile));
    assert!(!access(&plan_without, "/r").intersects(AccessFs::WriteFile | AccessFs::Truncate));
    confinement.execute_any = true;
    let plan_with = plan(&confinement, 7);
    assert!(access(&plan_with, "/r").contains(AccessFs::Execute));
    assert!(!access(&plan_with, "/tmp/private").contains(AccessFs::Execute));
}

#[test]
fn devices_are_controlled_only_if_they_are_the_terminal() {
    let confinement = confinement(vec![root("/dev/null", Access::Write), root("/dev/tty", Access::Write)]);
    let plan = plan(&confinement, 7);
    assert!(access(&plan, "/dev/tty").contains(AccessFs::IoctlDev));
    assert!(!access(&plan, "/dev/null").contains(AccessFs::IoctlDev));
}

#[test]
fn hiding_the_kernels_memory_does_not_hide_processes_to_come() {
    let mut proc = root("/proc", Access::Read);
    proc.except = vec!["/proc/kcore".into(), "/proc/keys".into()];
    let plan = plan(&confinement(vec![proc]), 7);
    let rule = plan.rules.iter().find(|rule| rule.path == Path::new("/proc")).expect("it is a root");
    assert_eq!(rule.except, [PathBuf::from("/proc/keys")]);
}

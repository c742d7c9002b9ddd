//! What is enforced does not depend on user namespaces: none is ever made, so a host that forbids them loses nothing.

use std::collections::BTreeMap;

use claw_testkit::programs;
use claw_testkit::scene::Scene;

use crate::harness::say;

/// In a last user namespace, as the same user: the first allows one more, which is spent on being oneself again.
const LAST: &str = "uid=$(id -u) gid=$(id -g)\n\
     exec unshare --user --map-root-user sh -c 'echo 1 > /proc/sys/user/max_user_namespaces && \
     exec unshare --user --map-user=$0 --map-group=$1 sh -c \"$2\" \"$3\"' $uid $gid \"$1\" \"$0\"";
/// Says nothing where one more can be made all the same.
const REPORT: &str = "unshare --user true 2> /dev/null || exec \"$0\" doctor --json";

#[test]
fn the_report_is_the_same_without_user_namespaces() {
    let scene = Scene::new();
    let with = scene.program(programs::sandbox()).args(["doctor", "--json"]).output().unwrap();
    let without =
        scene.program("sh").args(["-c", LAST]).arg(programs::sandbox()).arg(REPORT).output().unwrap();
    let Some(without) = enforced(&without.stdout) else {
        say(format_args!(
            "skipped: the_report_is_the_same_without_user_namespaces: this user cannot make a last user namespace here"
        ));
        return;
    };
    let with = enforced(&with.stdout).unwrap();
    assert!(with.len() >= 8, "{with:?}");
    assert_eq!(with, without);
}

/// The guarantees of a report.
fn enforced(report: &[u8]) -> Option<BTreeMap<String, serde_json::Value>> {
    let report: serde_json::Value = serde_json::from_slice(report).ok()?;
    serde_json::from_value(report.get("enforcement")?.clone()).ok()
}

//! `policy subset`: a proof, or a request that shows the difference.

use serde_json::json;

use crate::harness::Place;

fn place() -> Place {
    let place = Place::new();
    place.write(
        "home/parent.yaml",
        "exec:\n  allowlist: [git, ls]\nnetwork: { allow: [{ port: 443, protocol: tcp }] }\n",
    );
    place.write("home/child.yaml", "exec:\n  allowlist: [git log]\n");
    place.write("home/other.yaml", "exec:\n  allowlist: [git, rm]\n");
    place
}

#[test]
fn a_policy_that_only_narrows_lies_within() {
    let place = place();
    let ran = place.run(["policy", "subset", "../home/child.yaml", "../home/parent.yaml"]).exits(0);
    assert_eq!(ran.stdout, "`../home/child.yaml` lies within `../home/parent.yaml`\n");
    let ran = place.run(["policy", "subset", "--json", "../home/child.yaml", "../home/parent.yaml"]).exits(0);
    assert_eq!(ran.json(), json!({"subset": true, "counterexample": null, "excesses": []}));
}

#[test]
fn a_policy_that_goes_further_is_shown_by_a_request() {
    let place = place();
    place
        .run(["policy", "subset", "../home/other.yaml", "../home/parent.yaml"])
        .exits(1)
        .prints("does not lie within")
        .prints("`rm` may run (")
        .prints(r#"for example: {"exec":{"argv":["rm"]}}: allow under"#);
    let answer = place
        .run(["policy", "subset", "--json", "../home/other.yaml", "../home/parent.yaml"])
        .exits(1)
        .json();
    assert_eq!(answer["counterexample"]["request"], json!({"exec": {"argv": ["rm"]}}));
    assert_eq!(answer["counterexample"]["inner"]["decision"], "allow");
    assert_eq!(answer["counterexample"]["outer"]["decision"], "deny");
    place.run(["policy", "subset", "../home/parent.yaml", "../home/child.yaml"]).exits(1);
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    let place = place();
    place.run(["policy", "subset", "missing.yaml", "../home/parent.yaml"]).exits(125).says("missing.yaml");
    place.write("home/bad.yaml", "exec: [");
    place.run(["policy", "subset", "../home/parent.yaml", "../home/bad.yaml"]).exits(125).says("bad.yaml:1:");
}

//! OpenClaw's settings become a policy that works.

use crate::harness::Place;

const APPROVALS: &str = r#"{
  "version": 1,
  "defaults": { "security": "allowlist" },
  "agents": { "main": { "allowlist": ["git", { "pattern": "cp", "argPattern": "^-r( .*)?$" }] } },
  "novelty": true
}"#;

#[test]
fn an_imported_policy_is_linted_without_errors_and_decides_as_its_source() {
    let place = Place::new();
    place.write("approvals.json", APPROVALS);
    let imported =
        place.run(["import", "openclaw", "--approvals", "../approvals.json", "-o", "../policy.yaml"]);
    assert_eq!(imported.status, 0, "{imported:?}");
    assert!(imported.stderr.contains("../approvals.json:5:3: unknown: novelty"), "{imported:?}");
    assert!(imported.stdout.starts_with("wrote ../policy.yaml\n"), "{imported:?}");
    let linted = place.run(["lint", "../policy.yaml"]);
    assert_eq!(linted.status, 0, "{linted:?}");
    for (line, status) in [
        ("git status", 0),
        ("cp -r a b", 0),
        ("cp a b", 126),
        ("rm x", 126),
        ("git status | head -5", 0),
        ("head /etc/passwd", 126),
    ] {
        let checked = place.run(["check", "--policy", "../policy.yaml", "--shell", line]);
        assert_eq!(checked.status, status, "{line}: {checked:?}");
    }
    let ran = place.run(["run", "--policy", "../policy.yaml", "--shell", "git --version | head -1"]);
    assert!(ran.status == 0 && ran.stdout.starts_with("git version"), "{ran:?}");
    let denied = place.run(["run", "--policy", "../policy.yaml", "--", "rm", "-r", "."]);
    assert_eq!(denied.status, 126, "{denied:?}");
}

#[test]
fn an_import_replaces_no_file_unless_that_is_asked_for() {
    let place = Place::new();
    place.write("approvals.json", APPROVALS);
    place.write("policy.yaml", "exec: { security: deny }\n");
    let args = ["import", "openclaw", "--approvals", "../approvals.json", "--output", "../policy.yaml"];
    let refused = place.run(args);
    assert_eq!(refused.status, 125, "{refused:?}");
    assert!(refused.stderr.contains("there is already something"), "{refused:?}");
    let forced = place.run(args.iter().copied().chain(["--force"]));
    assert_eq!(forced.status, 0, "{forced:?}");
    let text = std::fs::read_to_string(place.path("policy.yaml")).unwrap();
    assert!(text.contains("security: allowlist"), "{text}");
}

#[test]
fn an_import_is_json_and_reads_standard_input() {
    let place = Place::new();
    let args = ["import", "openclaw", "--approvals", "-", "--json"];
    let imported = place.run_with(args, APPROVALS.as_bytes());
    assert_eq!(imported.status, 0, "{imported:?}");
    assert!(imported.stderr.is_empty(), "{imported:?}");
    let answer: serde_json::Value = serde_json::from_str(&imported.stdout).unwrap();
    assert!(answer["policy"].as_str().unwrap().contains("- git # standard input:4:39"), "{answer}");
    let unknown: Vec<_> =
        answer["report"].as_array().unwrap().iter().filter(|item| item["fate"] == "unknown").collect();
    assert_eq!(unknown.len(), 1, "{answer}");
    assert_eq!((&unknown[0]["line"], &unknown[0]["column"]), (&5.into(), &3.into()), "{answer}");
}

#[test]
fn settings_that_cannot_be_read_leave_no_policy() {
    let place = Place::new();
    place.write("bad.json", "{ version: 1,, }");
    place.write("old.json", "{ \"version\": 7 }");
    for (args, said) in [
        (vec!["--approvals", "../bad.json"], "--> ../bad.json:1:"),
        (vec!["--approvals", "../old.json"], "want version 1"),
        (vec!["--config", "../none.json"], "no such file or directory"),
        (vec![], "--config"),
    ] {
        let all = ["import", "openclaw", "-o", "../policy.yaml"].into_iter().chain(args.iter().copied());
        let refused = place.run(all);
        assert_eq!(refused.status, 125, "{refused:?}");
        assert!(refused.stderr.contains(said) && refused.stdout.is_empty(), "{refused:?}");
    }
    assert!(!place.path("policy.yaml").exists());
}

/// The first block of this language in `docs/openclaw.md`.
fn block(language: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openclaw.md");
    let text = std::fs::read_to_string(page).unwrap();
    let start = format!("\n```{language}\n");
    let (_, rest) = text.split_once(&start).unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

#[test]
fn the_example_of_the_documentation_is_what_comes_out() {
    let place = Place::new();
    place.write("work/openclaw.json", block("json5"));
    place.write("work/exec-approvals.json", block("json"));
    place.write("home/site/README", "text\n");
    let args = ["import", "openclaw", "--config", "openclaw.json", "--approvals", "exec-approvals.json"];
    let imported = place.run(args);
    assert_eq!((imported.status, imported.stdout.as_str()), (0, block("yaml").as_str()), "{imported:?}");
    let lost: String = imported
        .stderr
        .lines()
        .filter(|line| !line.contains(" mapped: "))
        .map(|line| format!("{}\n", line.trim_start_matches("claw-sandbox: ")))
        .collect();
    assert_eq!(lost, block("text"), "{imported:?}");
    place.write("policy.yaml", &imported.stdout);
    let linted = place.run(["lint", "../policy.yaml"]);
    assert_eq!(linted.status, 0, "{linted:?}");
    let site = place.path("home/site");
    let site = site.to_str().unwrap();
    for (line, status) in [
        ("git status | head -5", 0),
        ("git log 2>/dev/null", 0),
        ("echo x > out", 0),
        ("python3 tool.py", 126),
        ("head ~/.ssh/id_rsa", 126),
        ("echo x > /srv/assets/out", 126),
    ] {
        let checked = place.run(["check", "--policy", "../policy.yaml", "--cwd", site, "--shell", line]);
        assert_eq!(checked.status, status, "{line}: {checked:?}");
    }
}

use super::super::testing::{policy, ruled};
use super::*;

fn rules() -> Policy {
    let mut policy = policy("/w", &[], &[]);
    policy.environment.pass = vec![
        ["CI", "GITHUB_TOKEN", "LD_PRELOAD", "MY_*", "GIT_AUTHOR_NAME", "PATH"]
            .into_iter()
            .map(|name| ruled(name, name.to_owned()))
            .collect(),
    ];
    policy.environment.set = vec![
        ruled("A", ("A".to_owned(), "1".to_owned())),
        ruled("NODE_OPTIONS", ("NODE_OPTIONS".to_owned(), "--require x".to_owned())),
        ruled("PATH", ("PATH".to_owned(), "/evil".to_owned())),
    ];
    policy
}

#[test]
fn names_pass_by_the_short_list_or_by_the_policy_and_hooks_never() {
    use Code::*;
    let cases = [
        ("HOME", EnvironmentAllowed),
        ("LC_ALL", EnvironmentAllowed),
        ("CI", EnvironmentAllowed),
        ("MY_VALUE", EnvironmentAllowed),
        ("GIT_AUTHOR_NAME", EnvironmentAllowed),
        ("GIT_COMMITTER_NAME", EnvironmentNotPassed),
        ("OTHER", EnvironmentNotPassed),
        ("LD_PRELOAD", EnvironmentStripped),
        ("PATH", EnvironmentStripped),
        ("GIT_SSH_COMMAND", EnvironmentStripped),
        ("BASH_FUNC_git%%", EnvironmentStripped),
        ("NPM_CONFIG_SCRIPT_SHELL", EnvironmentStripped),
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", EnvironmentStripped),
        // A secret passes by its very name, not by a pattern.
        ("GITHUB_TOKEN", EnvironmentAllowed),
        ("MY_API_KEY", EnvironmentStripped),
        ("AWS_REGION", EnvironmentStripped),
        ("db_password_file", EnvironmentStripped),
        ("", EnvironmentNotPassed),
        ("CI=1", EnvironmentNotPassed),
    ];
    let policy = rules();
    for (name, expected) in cases {
        let reasons = judge(&policy, name.as_bytes()).unwrap_or_else(|reasons| reasons);
        assert_eq!(reasons[0].code, expected, "{name}");
    }
}

#[test]
fn every_layer_must_pass_a_name() {
    let policy = rules().edited(|policy| {
        policy.environment.pass.push(vec![ruled("CI", "CI".to_owned())]);
    });
    assert!(judge(&policy, b"CI").is_ok());
    assert!(judge(&policy, b"MY_VALUE").is_err());
}

#[test]
fn a_run_gets_what_passes_and_what_we_set() {
    let caller: Environment = [
        ("CI", "1"),
        ("CI", "2"),
        ("HOME", "/home/me"),
        ("LD_PRELOAD", "/evil.so"),
        ("PAGER", "evil"),
        ("PATH", "/evil"),
        ("MY_NUL", "a\0b"),
        ("MY_FUNCTION", "() { :; }"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let (environment, stripped) = build(&rules(), &caller);
    let value = |name: &str| {
        environment.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.as_slice())
    };
    assert_eq!(value("CI"), Some(b"2".as_slice()));
    assert_eq!(value("HOME"), Some(b"/home/me".as_slice()));
    assert_eq!(value("A"), Some(b"1".as_slice()));
    assert_eq!(value("PATH"), Some(b"/usr/bin".as_slice()));
    assert_eq!(value("PAGER"), Some(b"cat".as_slice()));
    assert_eq!(value("GIT_CONFIG_KEY_0"), Some(b"core.hooksPath".as_slice()));
    for name in ["LD_PRELOAD", "MY_NUL", "MY_FUNCTION", "NODE_OPTIONS"] {
        assert_eq!(value(name), None, "{name}");
    }
    let stripped: Vec<_> = stripped.iter().map(|name| String::from_utf8_lossy(name)).collect();
    assert_eq!(stripped, ["LD_PRELOAD", "PAGER", "PATH", "MY_NUL", "MY_FUNCTION"]);
}

//! Agreement with the kernel on executing: random allowlists, and programs by every path that leads to them. What the
//! agent may ask for, and what a sandboxed child that executes the path gets, must be the same answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking and says what it skips")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use claw_policy::Decision;
use claw_sandbox::{CommandLine, ExecInput, KernelFeatures, Sandbox, Stdio, policy_from_yaml};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Present wherever the tests run, and without effect when they are run without arguments. None is a wrapper
/// such as `env`: a process may start those without an entry, because what they run is judged by itself.
const PROGRAMS: &[&str] = &["true", "false", "pwd", "date", "uname", "id"];

#[test]
fn what_may_be_executed_is_what_the_kernel_executes() {
    if KernelFeatures::probe().landlock_abi < 6 {
        let _ = Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: needs Landlock ABI 6\n"));
        return;
    }
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let allowed = prop::collection::btree_set(prop::sample::select(PROGRAMS), 0..5);
    runner
        .run(&(allowed, any::<bool>()), |(allowed, workspace_exec)| {
            check(&Vec::from_iter(allowed), workspace_exec)
        })
        .unwrap();
}

fn check(allowed: &[&str], workspace_exec: bool) -> Result<(), TestCaseError> {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().canonicalize().unwrap();
    let paths = spellings(&root);
    let operate = PathBuf::from(env!("CARGO_BIN_EXE_operate"));
    // The workspace's own programs are listed by their path where it is executable.
    let own = if workspace_exec { format!("{{path: \"{}/*\"}}, ", root.display()) } else { String::new() };
    let policy = format!(
        "workspace: {}\nworkspaceExec: {workspace_exec}\nexec:\n  allowlist: [{{path: {}}}, {own}{}]\nfilesystem: {{protected: none}}\n",
        root.display(),
        operate.display(),
        allowed.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
    );
    let sandbox = Sandbox::new(policy_from_yaml(&policy, &root).unwrap()).unwrap();
    let mut child = sandbox
        .command(&operate)
        .current_dir(&root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for path in &paths {
        let request = ExecInput {
            command: CommandLine::Argv(vec![path.clone().into_os_string().into_encoded_bytes()]),
            cwd: root.clone(),
            environment: Vec::new(),
            timeout: None,
        };
        let decision = sandbox.decide_exec(&request);
        writeln!(input, "execute\t{}", path.display()).unwrap();
        let answer = output.next().unwrap().unwrap();
        match (&decision, answer.as_str()) {
            (Decision::Allow(_), "ok") | (Decision::Deny(_), "13") => {}
            _ => {
                let path = path.display();
                return Err(TestCaseError::fail(format!(
                    "{path}: the child said `{answer}`, decided {decision:?}"
                )));
            }
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    Ok(())
}

/// Every program by its trusted path, through a link in the workspace, and as a copy and a script there.
fn spellings(root: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for name in PROGRAMS {
        let program = Path::new("/usr/bin").join(name);
        let (link, copy) = (root.join(format!("{name}-link")), root.join(name));
        symlink(&program, &link).unwrap();
        fs::copy(&program, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        paths.extend([program, link, copy]);
    }
    paths
}

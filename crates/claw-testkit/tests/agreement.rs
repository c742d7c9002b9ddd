//! Agreement: a random tree, a random policy and random operations. `decide`, a real sandboxed child and the file
//! proxy must give the same answer, each of the two in a copy of the tree of its own. Where the operation fails for a reason of the tree
//! itself (no such file, not empty ...) it must fail for both.
//!
//! Where they may differ stands in `docs/agreement.md`, and is read from there.
//! `CLAW_AGREEMENT_CASES` sets the number of cases.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking and says what it skips")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use claw_policy::{Code, Decision, FileAction, FileRequest, Origin};
use claw_sandbox::{FileError, FileErrorKind, Files, Sandbox, Stdio, WriteMode, policy_from_yaml};
use claw_testkit::world::{self, Case, Operation};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// The rows of the table: who says no, and where.
fn documented() -> Vec<(&'static str, &'static str)> {
    let table = include_str!("../../../docs/agreement.md").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (who, _, place) = (cells.next()?, cells.next()?, cells.next()?);
        Some((who, place.strip_prefix('`')?.strip_suffix('`')?))
    });
    let rows: Vec<_> = table.collect();
    assert!(rows.len() >= 4, "the table of docs/agreement.md is not read: {rows:?}");
    rows
}

#[test]
fn decisions_agree_with_a_sandboxed_child() {
    if claw_sandbox::KernelFeatures::probe().landlock_abi < 6 {
        let _ = Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: needs Landlock ABI 6\n"));
        return;
    }
    let cases = std::env::var("CLAW_AGREEMENT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let compared = std::cell::Cell::new(0);
    runner
        .run(&world::cases(), |case| {
            compared.set(compared.get() + check(&case)?);
            Ok(())
        })
        .unwrap();
    let compared = compared.get();
    assert!(compared > cases, "most operations must tell something: {compared} in {cases} cases");
    println!("{compared} operations compared");
}

/// Runs a case; returns how many operations told something.
fn check(case: &Case) -> Result<u32, TestCaseError> {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().canonicalize().unwrap();
    world::build(&root, case);
    let program = program(&root);
    let policy = policy_from_yaml(&world::policy(&root, case, &program), &root).unwrap();
    let sandbox = Sandbox::new(policy).unwrap();
    let second = tempfile::tempdir().unwrap();
    let copy = second.path().canonicalize().unwrap();
    world::build(&copy, case);
    let policy = policy_from_yaml(&world::policy(&copy, case, &program), &copy).unwrap();
    let files = Sandbox::new(policy).unwrap().files().in_directory(copy.join("ws"));
    let mut command = sandbox.command(&program);
    command.current_dir(root.join("ws")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        // A hidden name may be a link to a directory above, and then the whole workspace is hidden.
        Err(error) => {
            let list = Operation { action: "list", path: "ws".to_owned(), to: None };
            return match sandbox.decide_file(&request(&root, &list)) {
                Decision::Deny(denial)
                    if denial.reasons.iter().any(|reason| reason.code == Code::FileHidden) =>
                {
                    Ok(0)
                }
                decision => {
                    Err(TestCaseError::fail(format!("nothing starts: {error}; decided {decision:?}")))
                }
            };
        }
    };
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut compared = 0;
    for operation in &case.operations {
        let decision = sandbox.decide_file(&request(&root, operation));
        let path = |path: &str| root.join(path).display().to_string();
        let to = operation.to.as_deref().map(path).unwrap_or_default();
        writeln!(input, "{}\t{}\t{to}", operation.action, path(&operation.path)).unwrap();
        let answer = output.next().unwrap().unwrap();
        let stricter = if answer != "ok" {
            None
        } else if is_only_passed(&sandbox, &root, operation, &decision) {
            Some("on-the-way")
        } else {
            is_link_itself(&sandbox, &root, operation, &decision).then_some("link-itself")
        };
        if let Some(place) = stricter {
            assert!(documented().contains(&("decision", place)));
            break;
        }
        compared += u32::from(compare(operation, &decision, &answer)?);
        let proxy = by_proxy(&files, &copy, operation);
        if !same_end(&answer, &proxy, operation, &decision)? {
            // From here on the two trees are not the same.
            break;
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    Ok(compared)
}

/// Whether a protected or hidden name is only on the way, as a link there is: `decide` refuses such a name, the
/// kernel judges the object that it leads to, which may be written by its own name.
fn is_only_passed(sandbox: &Sandbox, root: &Path, operation: &Operation, decision: &Decision) -> bool {
    let Decision::Deny(denial) = decision else { return false };
    let Ok(real) = root.join(&operation.path).canonicalize() else { return false };
    let by_own_name =
        FileRequest { path: real.into_os_string().into_encoded_bytes(), ..request(root, operation) };
    denial.reasons.iter().all(|reason| matches!(reason.code, Code::FileProtected | Code::FileHidden))
        && operation.to.is_none()
        && matches!(sandbox.decide_file(&by_own_name), Decision::Allow(_))
}

/// Whether a link itself got a second name: `decide` wants what it leads to as well, the kernel only the two names.
fn is_link_itself(sandbox: &Sandbox, root: &Path, operation: &Operation, decision: &Decision) -> bool {
    let is_link = root.join(&operation.path).symlink_metadata().is_ok_and(|found| found.is_symlink());
    let allows = |action, path: &str| {
        let operation = Operation { action, path: path.to_owned(), to: None };
        matches!(sandbox.decide_file(&request(root, &operation)), Decision::Allow(_))
    };
    matches!(decision, Decision::Deny(_))
        && operation.action == "hardlink"
        && is_link
        && allows("delete", &operation.path)
        && operation.to.as_deref().is_some_and(|to| allows("symlink", to))
}

fn compare(operation: &Operation, decision: &Decision, answer: &str) -> Result<bool, TestCaseError> {
    let refused = [libc_errno("EACCES"), libc_errno("EPERM"), libc_errno("EXDEV"), libc_errno("EROFS")];
    match decision {
        Decision::Allow(_) if answer == "ok" => Ok(true),
        Decision::Allow(_) if refused.contains(&answer) => {
            let documented = documented().contains(&("kernel", operation.action));
            if documented { Ok(false) } else { fail(operation, decision, answer) }
        }
        Decision::Deny(denial) if answer == "ok" => {
            let codes = denial.reasons.iter().map(|reason| reason.code.name());
            let documented = codes.into_iter().any(|code| documented().contains(&("decision", code)));
            if documented { Ok(false) } else { fail(operation, decision, answer) }
        }
        Decision::Deny(_) => Ok(refused.contains(&answer)),
        _ => Ok(false),
    }
}

/// The operation by the file proxy, in its own copy of the tree.
fn by_proxy(files: &Files, root: &Path, operation: &Operation) -> Result<(), FileError> {
    let path = root.join(&operation.path);
    let to = operation.to.as_ref().map(|to| root.join(to)).unwrap_or_default();
    match operation.action {
        "read" => files.read(path).map(drop),
        // The child writes into the file that is there; replaced, its other names would lead elsewhere.
        "write" => files.write(path, b"x", WriteMode::Append),
        "create" => files.write(path, b"", WriteMode::Create),
        "delete" => files.remove(path),
        "list" => files.list(path).map(drop),
        "mkdir" => files.make_directory(path),
        "symlink" => files.link("target", path),
        "chmod" => files.set_mode(path, 0o700),
        "rename" => files.rename(path, to, true),
        "hardlink" => files.hard_link(path, to),
        other => panic!("no operation {other}"),
    }
}

/// Whether the child and the proxy came to the same end; an error when they may not differ so.
fn same_end(
    child: &str,
    proxy: &Result<(), FileError>,
    operation: &Operation,
    decision: &Decision,
) -> Result<bool, TestCaseError> {
    let is_refusal = |kind| {
        matches!(kind, FileErrorKind::Denied | FileErrorKind::NoPermission | FileErrorKind::MountPoint)
    };
    let refused = proxy.as_ref().err().is_some_and(|error| is_refusal(error.kind()));
    let child_refused = [libc_errno("EACCES"), libc_errno("EPERM"), libc_errno("EXDEV"), libc_errno("EROFS")]
        .contains(&child);
    let explained = match (child == "ok", proxy.is_ok()) {
        (true, true) => return Ok(true),
        // Both say no. Of two reasons one may be the tree's: then it does not matter which is said.
        (false, false) => return Ok(true),
        (true, false) if refused => match decision {
            Decision::Deny(denial) => {
                denial.reasons.iter().any(|reason| documented().contains(&("decision", reason.code.name())))
            }
            _ => false,
        },
        (false, true) => child_refused && documented().contains(&("kernel", operation.action)),
        (true, false) => false,
    };
    if explained {
        return Ok(false);
    }
    Err(TestCaseError::fail(format!(
        "{operation:?}: the child said `{child}`, the proxy {proxy:?}, the decision was {decision:?}"
    )))
}

fn fail(operation: &Operation, decision: &Decision, answer: &str) -> Result<bool, TestCaseError> {
    Err(TestCaseError::fail(format!(
        "{operation:?}: the child said `{answer}`, the decision was {decision:?}"
    )))
}

fn libc_errno(name: &str) -> &'static str {
    match name {
        "EPERM" => "1",
        "EACCES" => "13",
        "EXDEV" => "18",
        _ => "30",
    }
}

fn request(root: &Path, operation: &Operation) -> FileRequest {
    let action = FileAction::ALL.iter().find(|action| action.name() == operation.action).copied().unwrap();
    let bytes = |path: &str| root.join(path).into_os_string().into_encoded_bytes();
    FileRequest {
        action,
        path: bytes(&operation.path),
        to: operation.to.as_deref().map(bytes),
        recursive: false,
        cwd: root.join("ws"),
        origin: Origin::Command,
    }
}

/// A copy of the operating child in a place of its own, so that its directory is not part of the tree.
fn program(root: &Path) -> PathBuf {
    let _ = root;
    PathBuf::from(env!("CARGO_BIN_EXE_operate"))
}

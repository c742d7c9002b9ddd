use super::super::testing::{Node, Tree, pattern, policy, ruled};
use crate::policy::{Entry, FileLayer, ProgramMatcher, Security};
use crate::{Access, Code, Decision, FileAction, FileRequest, Origin, Policy, Request};

fn request(action: FileAction, path: &str) -> FileRequest {
    FileRequest {
        action,
        path: path.into(),
        to: None,
        recursive: false,
        cwd: "/w".into(),
        origin: Origin::Runtime,
    }
}

/// `None` when allowed, else the code of the first reason.
fn code(tree: &Tree, policy: &Policy, request: &FileRequest) -> Option<Code> {
    match tree.decide(policy, Request::File(request)) {
        Decision::Allow(_) => None,
        Decision::Deny(denial) => Some(denial.reasons[0].code),
        Decision::Ask(_) => panic!("files are never asked about"),
    }
}

fn act(tree: &Tree, policy: &Policy, action: FileAction, path: &str) -> Option<Code> {
    code(tree, policy, &request(action, path))
}

fn tree() -> Tree {
    let mut tree = Tree::new(&["/w", "/ro"]);
    tree.file("/w/a")
        .file("/w/sub/b")
        .file("/ro/c")
        .file("/ro/rw/d")
        .file("/outside/x")
        .directory("/w/empty");
    tree.file("/w/.env").file("/w/sub/key.pem").file("/w/repo/.git/hooks/pre-commit").file("/w/repo/f");
    tree.link("/w/out", "/outside").link("/w/out-file", "/outside/x").link("/w/in", "sub");
    tree.link("/w/dangling", "/outside/new").link("/w/loop", "loop").link("/outside/back", "/w/a");
    tree.hard_link("/w/hard-out", "/outside/x")
        .hard_link("/w/hard-ro", "/ro/c")
        .hard_link("/w/hard-env", "/w/.env");
    tree.hard_link("/w/hard-in", "/w/sub/b");
    tree.add("/w/fifo", Node::Fifo);
    tree
}

fn rules() -> Policy {
    let mut policy = policy(
        "/w",
        &[("/ro", Access::Read), ("/ro/rw", Access::Write), ("/w/frozen", Access::Read)],
        &[".env", "*.pem"],
    );
    policy.protected = vec![pattern("**/.git/hooks"), pattern(".bashrc")];
    policy
}

#[test]
fn the_rules_of_the_semantics() {
    use Code::*;
    use FileAction::*;
    let cases: &[(FileAction, &str, Option<Code>)] = &[
        // Roots: the deepest decides.
        (Read, "/w/a", None),
        (Read, "a", None),
        (Write, "/w/new", None),
        (Create, "/w/missing/chain/new", None),
        (Read, "/ro/c", None),
        (Write, "/ro/c", Some(FileReadOnly)),
        (Write, "/ro/rw/d", None),
        (Read, "/outside/x", Some(FileOutside)),
        (Read, "/w2/a", Some(FileOutside)),
        (Stat, "/outside/x", Some(FileOutside)),
        (List, "/w", None),
        (List, "/", Some(FileOutside)),
        (Chmod, "/ro/c", Some(FileReadOnly)),
        (Write, "/w/frozen/x", Some(FileReadOnly)),
        (Mkdir, "/w/frozen", Some(FileReadOnly)),
        // Links.
        (Read, "/w/out/x", Some(FileOutside)),
        (Read, "/w/out-file", Some(FileOutside)),
        (Write, "/w/dangling", Some(FileOutside)),
        (Create, "/w/dangling", Some(FileOutside)),
        (Delete, "/w/out-file", None),
        (Delete, "/w/out", None),
        (Delete, "/w/out/", Some(FileOutside)),
        (Symlink, "/w/anew", None),
        (Read, "/outside/back", None),
        (Delete, "/outside/back", Some(FileOutside)),
        (Read, "/w/in/../a", None),
        (Read, "/w/out/../etc", Some(FileOutside)),
        (Read, "/w/loop", Some(FileUnresolved)),
        (Delete, "/w/loop", None),
        (Read, "/w/a/b", Some(FileUnresolved)),
        (Read, "/w/a/", Some(FileUnresolved)),
        (Read, "/w/a/.", Some(FileUnresolved)),
        (List, "/w/sub/", None),
        // Hidden.
        (Read, "/w/.env", Some(FileHidden)),
        (Stat, "/w/.env", Some(FileHidden)),
        (Create, "/w/deep/.env", Some(FileHidden)),
        (Read, "/w/.env/below", Some(FileUnresolved)),
        (Read, "/w/x/.env/below", Some(FileHidden)),
        (Read, "/w/sub/key.pem", Some(FileHidden)),
        (Read, "/ro/x.pem", Some(FileHidden)),
        // Hard links.
        (Read, "/w/hard-out", Some(FileHardLink)),
        (Write, "/w/hard-out", Some(FileHardLink)),
        (Read, "/w/hard-ro", None),
        (Write, "/w/hard-ro", Some(FileReadOnly)),
        (Read, "/w/hard-env", Some(FileHidden)),
        (Write, "/w/hard-in", None),
        // Protected.
        (Read, "/w/repo/.git/hooks/pre-commit", None),
        (Write, "/w/repo/.git/hooks/pre-commit", Some(FileProtected)),
        (Create, "/w/repo/.git/hooks/new", Some(FileProtected)),
        (Mkdir, "/w/x/.git/hooks", Some(FileProtected)),
        (Chmod, "/w/repo/.git/hooks/pre-commit", Some(FileProtected)),
        (Write, "/w/.bashrc", Some(FileProtected)),
        (Write, "/w/repo/.git/index", None),
        // Roots themselves.
        (Delete, "/w", Some(FileRoot)),
        (Delete, "/ro/rw", Some(FileRoot)),
        (Chmod, "/w", None),
        // Special files and odd spellings.
        (Read, "/w/fifo", Some(FileSpecial)),
        (Delete, "/w/fifo", None),
        (Read, "", Some(FileUnresolved)),
        (Read, "/w/\0", Some(FileUnresolved)),
        (Read, "~/x", Some(FileOutside)),
        (Read, "~nobody/x", Some(FileUnknownUser)),
        (Read, "~bob/x", Some(FileOutside)),
        (Create, "/w/~bob", None),
        (Rename, "/w/a", Some(FileUnresolved)),
        (Read, "/dev/null", Some(FileOutside)),
    ];
    let (tree, policy) = (tree(), rules());
    for (action, path, expected) in cases {
        assert_eq!(act(&tree, &policy, *action, path), *expected, "{} {path}", action.name());
    }
}

#[test]
fn rename_and_hard_link_need_the_right_at_both_ends() {
    use Code::*;
    use FileAction::*;
    let cases: &[(FileAction, &str, &str, Option<Code>)] = &[
        (Rename, "/w/a", "/w/z", None),
        (Rename, "/w/a", "/ro/z", Some(FileReadOnly)),
        (Rename, "/w/a", "/outside/z", Some(FileOutside)),
        (Rename, "/ro/c", "/w/z", Some(FileReadOnly)),
        (Rename, "/w/a", "/w/.env", Some(FileHidden)),
        (Rename, "/w/a", "/w/out/z", Some(FileOutside)),
        (Rename, "/w/a", "/w/out-file", None),
        (Rename, "/w/sub", "/w/sub2", Some(FileHidden)),
        (Rename, "/w/repo", "/w/repo2", Some(FileProtected)),
        (Rename, "/w/empty", "/w/empty2", None),
        (Rename, "/w/a", "/w", Some(FileRoot)),
        (Hardlink, "/w/a", "/w/z", None),
        (Hardlink, "/ro/c", "/w/z", Some(FileReadOnly)),
        (Hardlink, "/w/out-file", "/w/z", Some(FileOutside)),
        // It leads nowhere: the link itself is all there is.
        (Hardlink, "/w/loop", "/w/z", None),
        (Hardlink, "/w/a", "/w/x/.git/hooks/z", Some(FileProtected)),
    ];
    let (tree, policy) = (tree(), rules());
    for (action, path, to, expected) in cases {
        let request = FileRequest { to: Some((*to).into()), ..request(*action, path) };
        assert_eq!(code(&tree, &policy, &request), *expected, "{} {path} {to}", action.name());
    }
}

#[test]
fn moving_a_tree_into_a_protected_name_is_denied() {
    let (mut tree, policy) = (tree(), rules());
    tree.file("/w/evil/hooks/pre-commit");
    let request = FileRequest { to: Some("/w/new/.git".into()), ..request(FileAction::Rename, "/w/evil") };
    assert_eq!(code(&tree, &policy, &request), Some(Code::FileProtected));
}

#[test]
fn removing_a_tree_needs_the_right_on_all_of_it() {
    let (tree, policy) = (tree(), rules());
    let delete = |path: &str| FileRequest { recursive: true, ..request(FileAction::Delete, path) };
    assert_eq!(code(&tree, &policy, &delete("/w/empty")), None);
    assert_eq!(code(&tree, &policy, &delete("/w/sub")), Some(Code::FileHidden));
    assert_eq!(code(&tree, &policy, &delete("/w/repo")), Some(Code::FileProtected));
    assert_eq!(code(&tree, &policy, &delete("/w/repo/.git/..")), Some(Code::FileProtected));
    assert_eq!(code(&tree, &policy, &delete("/w/out")), None);
}

#[test]
fn a_read_only_root_beneath_keeps_its_ancestors_in_place() {
    let mut tree = tree();
    tree.file("/w/top/deep/kept");
    let policy = policy("/w", &[("/w/top/deep", Access::Read)], &[]);
    let rename = FileRequest { to: Some("/w/else".into()), ..request(FileAction::Rename, "/w/top") };
    assert_eq!(code(&tree, &policy, &rename), Some(Code::FileRoot));
    let delete = FileRequest { recursive: true, ..request(FileAction::Delete, "/w/top") };
    assert_eq!(code(&tree, &policy, &delete), Some(Code::FileRoot));
}

#[test]
fn a_hidden_entry_that_is_a_link_covers_its_target() {
    let mut tree = tree();
    tree.link("/w/secret", "/w/store/real").file("/w/store/real/x").hard_link("/w/copy", "/w/a");
    let policy = policy("/w", &[], &["/w/secret", "/w/a"]);
    assert_eq!(act(&tree, &policy, FileAction::Read, "/w/store/real/x"), Some(Code::FileHidden));
    assert_eq!(act(&tree, &policy, FileAction::Read, "/w/secret/x"), Some(Code::FileHidden));
    assert_eq!(act(&tree, &policy, FileAction::Read, "/w/copy"), Some(Code::FileHidden));
    assert_eq!(act(&tree, &policy, FileAction::Delete, "/w/secret"), Some(Code::FileHidden));
}

#[test]
fn a_hidden_name_that_is_a_link_at_the_top_of_a_root_covers_its_target() {
    let mut tree = Tree::new(&["/w"]);
    tree.link("/w/.env", "conf/real").file("/w/conf/real").file("/w/conf/other").link("/w/keys", "conf/keys");
    tree.file("/w/conf/keys/x");
    let policy = policy("/w", &[], &[".env", "**/keys"]);
    for path in ["/w/conf/real", "/w/conf/keys/x", "/w/.env"] {
        assert_eq!(act(&tree, &policy, FileAction::Read, path), Some(Code::FileHidden), "{path}");
    }
    assert_eq!(act(&tree, &policy, FileAction::Read, "/w/conf/other"), None);
}

#[test]
fn where_a_new_symbolic_link_points_to_is_not_changed() {
    let request = FileRequest { to: Some("/etc/passwd".into()), ..request(FileAction::Symlink, "/w/new") };
    assert_eq!(code(&tree(), &rules(), &request), None);
}

#[test]
fn patterns_hold_when_the_workspace_is_spelled_through_a_link() {
    let mut tree = Tree::new(&["/real"]);
    tree.file("/real/w/conf/x.key").link("/link", "/real").file("/real/w/ok");
    let policy = policy("/link/w", &[], &["/link/w/conf/*.key"]);
    for path in ["/real/w/conf/x.key", "/link/w/conf/x.key"] {
        assert_eq!(act(&tree, &policy, FileAction::Read, path), Some(Code::FileHidden), "{path}");
    }
    for path in ["/real/w/ok", "/link/w/ok"] {
        assert_eq!(act(&tree, &policy, FileAction::Write, path), None, "{path}");
    }
    assert_eq!(act(&tree, &policy, FileAction::Delete, "/real/w"), Some(Code::FileRoot));
}

#[test]
fn a_named_root_takes_back_a_default_hidden_entry_at_that_path_only() {
    let mut tree = Tree::new(&["/w"]);
    tree.file("/home/me/.ssh/known_hosts").file("/home/me/.ssh/id").file("/home/me/.aws/x");
    let mut policy =
        policy("/w", &[("/home/me/.ssh/known_hosts", Access::Read), ("/home/me/.aws", Access::Read)], &[]);
    policy.hidden_by_default = vec![pattern("/home/me/.ssh"), pattern("/home/me/.aws")];
    assert_eq!(act(&tree, &policy, FileAction::Read, "~/.ssh/known_hosts"), None);
    assert_eq!(act(&tree, &policy, FileAction::Read, "~/.ssh/id"), Some(Code::FileHidden));
    assert_eq!(act(&tree, &policy, FileAction::Read, "~/.aws/x"), None);
    policy =
        policy.edited(|policy| policy.files[0].roots.iter_mut().for_each(|root| root.value.named = false));
    assert_eq!(act(&tree, &policy, FileAction::Read, "~/.aws/x"), Some(Code::FileHidden));
}

#[test]
fn only_commands_read_the_system_profile() {
    let mut tree = Tree::new(&["/w"]);
    tree.file("/usr/lib/x").file("/etc/shadow").file("/etc/hosts");
    let mut policy = policy("/w", &[], &[]);
    policy.system = vec![
        super::super::testing::root("/usr", Access::Read),
        super::super::testing::root("/etc", Access::Read),
    ];
    policy.hidden_by_default = vec![pattern("/etc/shadow")];
    let command = |action, path| FileRequest { origin: Origin::Command, ..request(action, path) };
    assert_eq!(code(&tree, &policy, &command(FileAction::Read, "/usr/lib/x")), None);
    assert_eq!(code(&tree, &policy, &command(FileAction::Read, "/etc/shadow")), Some(Code::FileHidden));
    assert_eq!(code(&tree, &policy, &command(FileAction::Write, "/etc/hosts")), Some(Code::FileOutside));
    assert_eq!(code(&tree, &policy, &command(FileAction::Write, "/dev/null")), None);
    assert_eq!(code(&tree, &policy, &command(FileAction::Write, "/dev/stdout")), None);
    assert_eq!(act(&tree, &policy, FileAction::Read, "/usr/lib/x"), Some(Code::FileOutside));
}

#[test]
fn every_layer_must_allow_and_a_layer_without_a_workspace_only_narrows() {
    let (tree, mut policy) = (tree(), policy("/w", &[], &[]));
    let mut narrow = policy.files[0].clone();
    narrow.workspace = None;
    narrow.roots = vec![super::super::testing::root("/w/sub", Access::Read)];
    policy.files.push(narrow);
    assert_eq!(act(&tree, &policy, FileAction::Write, "/w/sub/b"), Some(Code::FileReadOnly));
    assert_eq!(act(&tree, &policy, FileAction::Write, "/w/a"), None);
    assert_eq!(act(&tree, &policy, FileAction::Read, "/w/sub/b"), None);
    let policy = policy.edited(|policy| {
        policy.files.push(policy.files[0].clone());
        policy.files[2].roots = vec![super::super::testing::root("/w/sub", Access::Write)];
    });
    assert_eq!(act(&tree, &policy, FileAction::Read, "/w/a"), Some(Code::FileOutside));
}

#[test]
fn programs_are_executed_by_what_the_file_is() {
    let mut tree = Tree::new(&["/w"]);
    tree.file("/usr/bin/git").file("/usr/bin/rm").file("/opt/tools/x/bin/tool").file("/w/git").file("/w/run");
    tree.link("/w/link", "/usr/bin/git").link("/usr/bin/out", "/w/git").hard_link("/w/copy", "/usr/bin/rm");
    let entry = |text: &str, program| {
        let entry = Entry { program, prefix: Vec::new(), allow: Vec::new(), deny: Vec::new() };
        ruled(text, entry)
    };
    let mut policy = policy("/w", &[], &[]);
    policy.exec[0].allowlist = vec![
        entry("git", ProgramMatcher::Name(b"git".to_vec())),
        entry("tools", ProgramMatcher::Path("/opt/tools/*/bin/*".into())),
    ];
    policy.exec_deny = vec![ruled("rm", ProgramMatcher::Name(b"rm".to_vec()))];
    let cases = [
        ("/usr/bin/git", None),
        ("/w/link", None),
        ("/opt/tools/x/bin/tool", None),
        ("/w/git", Some(Code::ExecNotAllowlisted)),
        ("/usr/bin/rm", Some(Code::ExecDenied)),
        ("/w", Some(Code::ExecNotExecutable)),
        ("/w/none", Some(Code::ExecNotFound)),
    ];
    for (path, expected) in cases {
        assert_eq!(act(&tree, &policy, FileAction::Execute, path), expected, "{path}");
    }
    let policy = policy.edited(|policy| policy.files[0].workspace_exec = true);
    assert_eq!(act(&tree, &policy, FileAction::Execute, "/w/run"), None);
    assert_eq!(act(&tree, &policy, FileAction::Execute, "/w/copy"), Some(Code::ExecDenied));
    // What a multi-call program does depends on its name; a second trusted directory counts as the first.
    tree.file("/usr/bin/busybox").link("/usr/bin/ls", "busybox").link("/w/rm2", "/usr/bin/busybox");
    tree.file("/usr/local/bin/git").file("/usr/bin/git");
    let busybox = policy.edited(|policy| {
        policy.trusted_dirs.push("/usr/local/bin".into());
        policy.exec[0].allowlist.push(entry("ls", ProgramMatcher::Name(b"ls".to_vec())));
    });
    assert_eq!(act(&tree, &busybox, FileAction::Execute, "/usr/bin/ls"), None);
    assert_eq!(act(&tree, &busybox, FileAction::Execute, "/w/rm2"), Some(Code::ExecNotAllowlisted));
    assert_eq!(act(&tree, &busybox, FileAction::Execute, "/usr/local/bin/git"), None);
    let narrowed = policy.edited(|policy| {
        policy.files.push(FileLayer { roots: Vec::new(), workspace: None, workspace_exec: false });
    });
    assert_eq!(act(&tree, &narrowed, FileAction::Execute, "/w/run"), Some(Code::ExecNotAllowlisted));
    let policy = policy.edited(|policy| policy.exec[0].security.value = Security::Deny);
    assert_eq!(act(&tree, &policy, FileAction::Execute, "/w/run"), Some(Code::ExecNotAllowlisted));
    assert_eq!(act(&tree, &policy, FileAction::Execute, "/usr/bin/git"), Some(Code::ExecNotAllowlisted));
}

use std::path::Path;

use super::*;
use crate::decide::testing::{Tree, pattern, policy, root, ruled};
use crate::policy::{Bundle, Entry, Part, ProgramMatcher, Security};
use crate::{Access, Facts, FileId, Root};

fn program(path: &str, inode: u64) -> ProgramFact {
    ProgramFact {
        found: path.into(),
        real: path.into(),
        id: FileId { device: 2, inode },
        executable: true,
        interpreters: vec!["/lib/ld.so".into()],
    }
}

fn facts(tree: &Tree, policy: &Policy) -> Facts {
    let mut facts = Facts::new(Some("/home/me".into()));
    for (inode, name) in ["git", "npm", "rm"].into_iter().enumerate() {
        facts.set_program(name, Ok(program(&format!("/usr/bin/{name}"), inode as u64)));
    }
    loop {
        let world = World::new(&facts);
        if build(policy, &world, &[]).is_some() {
            return facts;
        }
        let missing = world.into_missing();
        assert!(!missing.is_empty(), "what is missing is said");
        missing.iter().for_each(|query| tree.answer(query, &mut facts));
    }
}

fn confine(tree: &Tree, policy: &Policy) -> Arc<Confinement> {
    let facts = facts(tree, policy);
    build(policy, &World::new(&facts), &[]).expect("the facts are settled")
}

fn root_at<'a>(confinement: &'a Confinement, path: &str) -> Option<&'a Root> {
    confinement.roots.iter().find(|root| root.path == Path::new(path))
}

fn tree() -> Tree {
    let mut tree = Tree::new(&["/real"]);
    tree.directory("/real/w/docs").link("/w", "/real/w").file("/etc/shadow").file("/etc/ssh/host_key");
    tree.directory("/home/me/.ssh").file("/usr/bin/git").directory("/usr/lib/git-core");
    tree
}

#[test]
fn roots_are_canonical_and_read_only_trees_lose_what_is_hidden() {
    let mut policy = policy("/w", &[("/etc", Access::Read), ("/missing", Access::Read)], &[]);
    policy.hidden_by_default = vec![
        pattern("/etc/shadow"),
        pattern("/etc/ssh/*_key"),
        pattern("/home/me/.ssh"),
        pattern("/etc/gone"),
    ];
    let confinement = confine(&tree(), &policy);
    assert!(root_at(&confinement, "/w").is_none());
    let workspace = root_at(&confinement, "/real/w").expect("the workspace");
    assert_eq!((workspace.access, workspace.required), (Access::Write, true));
    let etc = root_at(&confinement, "/etc").expect("the read-only root");
    let except: Vec<_> = etc.except.iter().map(|path| path.to_str().expect("text")).collect();
    assert_eq!(except, ["/etc/gone", "/etc/shadow", "/etc/ssh"]);
    assert!(!root_at(&confinement, "/missing").expect("the missing root").required);
    assert_eq!(confinement.nested, Vec::<String>::new());
}

#[test]
fn the_system_profile_loses_what_is_hidden_and_there() {
    let mut policy = policy("/w", &[], &[]);
    policy.system =
        vec![root("/etc", Access::Read), root("/gone", Access::Read), root("/proc", Access::Read)];
    policy.hidden_by_default = vec![pattern("/etc/shadow"), pattern("/etc/gone"), pattern("/proc/kcore")];
    let mut tree = tree();
    tree.file("/proc/kcore");
    let confinement = confine(&tree, &policy);
    assert!(root_at(&confinement, "/proc").expect("the profile").except.is_empty());
    assert_eq!(confinement.nested, Vec::<String>::new());
    assert_eq!(root_at(&confinement, "/etc").expect("the profile").except, [Path::new("/etc/shadow")]);
    assert!(root_at(&confinement, "/gone").is_none());
    assert!(root_at(&confinement, "/dev/null").is_some());
}

#[test]
fn exceptions_inside_a_writable_tree_are_named() {
    let mut policy =
        policy("/w", &[("/w/docs", Access::Read)], &["*.pem", "/w/secret", "/w/conf/*.key", "/x/y"]);
    policy.protected = vec![pattern("**/.git/hooks"), pattern("/elsewhere/policy.yaml")];
    let confinement = confine(&tree(), &policy);
    assert_eq!(confinement.nested, ["*.pem", "/w/conf/*.key", "/w/docs", "/w/secret"]);
    assert_eq!(confinement.protected, ["**/.git/hooks"]);
}

#[test]
fn layers_leave_what_all_of_them_allow() {
    let mut policy = policy("/w", &[("/etc", Access::Write)], &[]);
    let mut second = policy.files[0].clone();
    second.workspace = None;
    second.roots = vec![root("/etc", Access::Read)];
    policy.files.insert(0, second);
    let mut third = policy.files[1].clone();
    third.roots = vec![root("/real/w/docs", Access::Write), root("/etc", Access::Write)];
    policy.files.push(third);
    let confinement = confine(&tree(), &policy);
    assert_eq!(root_at(&confinement, "/etc").map(|root| root.access), Some(Access::Read));
    assert_eq!(root_at(&confinement, "/real/w/docs").map(|root| root.access), Some(Access::Write));
    assert!(root_at(&confinement, "/real/w").is_none());
}

#[test]
fn programs_are_those_of_every_layer_without_the_denied() {
    let entry = |name: &str| {
        let program = ProgramMatcher::Name(name.into());
        ruled(name, Entry { program, prefix: Vec::new(), allow: Vec::new(), deny: Vec::new() })
    };
    let mut policy = policy("/w", &[], &[]);
    policy.exec[0].allowlist = vec![entry("git"), entry("npm"), entry("rm"), entry("absent")];
    policy.exec.push(policy.exec[0].clone());
    policy.exec[1].allowlist.remove(1);
    policy.exec_deny = vec![ruled("rm", ProgramMatcher::Name(b"rm".to_vec()))];
    policy.bundles = vec![Bundle {
        program: b"git".to_vec(),
        parts: ["/usr/lib/git-core", "/usr/libexec/git-core"].map(Part::of_text).into(),
    }];
    let confinement = confine(&tree(), &policy);
    let files: Vec<_> = confinement.executables.iter().map(|path| path.to_str().expect("text")).collect();
    assert_eq!(files, ["/lib/ld.so", "/usr/bin/git", "/usr/lib/git-core"]);
    assert!(!confinement.execute_any && !confinement.argument_rules);

    let facts = facts(&tree(), &policy);
    let more = build(&policy, &World::new(&facts), &[program("/usr/bin/sh", 9)]).expect("settled");
    assert!(more.executables.contains(&"/usr/bin/sh".into()));
    let same = build(&policy, &World::new(&facts), &[program("/usr/bin/git", 0)]).expect("settled");
    assert!(Arc::ptr_eq(&same, &build(&policy, &World::new(&facts), &[]).expect("settled")));

    let full = policy
        .edited(|policy| policy.exec.iter_mut().for_each(|layer| layer.security.value = Security::Full));
    assert!(confine(&tree(), &full).execute_any);
}

#[test]
fn a_corrected_fact_is_seen() {
    let policy = policy("/w", &[], &[]);
    let mut facts = facts(&tree(), &policy);
    assert!(root_at(&build(&policy, &World::new(&facts), &[]).expect("settled"), "/real/w").is_some());
    let mut moved = Tree::new(&[]);
    moved.directory("/other").link("/w", "/other");
    facts.set_path("/w", false, moved.resolve(Path::new("/w"), false));
    facts.set_path("/w", true, moved.resolve(Path::new("/w"), true));
    assert!(root_at(&build(&policy, &World::new(&facts), &[]).expect("settled"), "/other").is_some());
}

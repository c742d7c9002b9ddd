//! Properties of file decisions on random trees, policies and requests.

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::testing::{Node, Tree, pattern, policy, root};
use crate::policy::Policy;
use crate::{Access, Decision, Facts, FileAction, FileRequest, Origin, Request, explain};

const NAMES: [&str; 5] = ["a", "b", "k.pem", ".env", "sub"];

fn path() -> impl Strategy<Value = String> {
    let top = select(vec!["/w", "/ro", "/out", "/w/sub"]);
    (top, prop::collection::vec(select(NAMES.to_vec()), 0..3))
        .prop_map(|(top, names)| std::iter::once(top).chain(names).collect::<Vec<_>>().join("/"))
}

#[derive(Clone, Debug)]
enum Plan {
    Directory,
    File,
    HardLink(Index),
    Link(String),
    Fifo,
}

fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        2 => Just(Plan::Directory),
        4 => Just(Plan::File),
        2 => any::<Index>().prop_map(Plan::HardLink),
        2 => path().prop_map(Plan::Link),
        1 => select(vec!["..", "../..", "a", "../sub", "."]).prop_map(|target| Plan::Link(target.into())),
        1 => Just(Plan::Fifo),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::vec((path(), plan()), 1..14).prop_map(|plans| {
        let mut tree = Tree::new(&["/w", "/ro"]);
        tree.directory("/w").directory("/ro").directory("/out");
        for (path, plan) in plans {
            let path = PathBuf::from(path);
            // Only directories have members, and nothing is put in twice.
            let taken = tree.nodes.contains_key(&path);
            let fits =
                path.ancestors().skip(1).all(|at| matches!(tree.nodes.get(at), None | Some(Node::Directory)));
            if taken || !fits {
                continue;
            }
            let files: Vec<Node> =
                tree.nodes.values().filter(|node| matches!(node, Node::File(_))).cloned().collect();
            let fresh = Node::File(tree.nodes.len() as u64 + 100);
            let node = match plan {
                Plan::Directory => Node::Directory,
                Plan::File => fresh,
                Plan::HardLink(index) if !files.is_empty() => index.get(&files).clone(),
                Plan::HardLink(_) => fresh,
                Plan::Link(target) => Node::Link(target.into()),
                Plan::Fifo => Node::Fifo,
            };
            tree.add(path, node);
        }
        tree
    })
}

fn rules() -> impl Strategy<Value = Policy> {
    let access = select(vec![Access::Read, Access::Write]);
    let hidden = prop_oneof![
        select(vec!["*.pem".to_owned(), ".env".into(), "**/.env".into(), "/w/*/b".into()]),
        path()
    ];
    let protected = select(vec!["**/a/b", "sub", "/w/b"]);
    (
        prop::collection::vec((path(), access), 0..4),
        prop::collection::vec(hidden, 0..3),
        prop::collection::vec(protected, 0..2),
    )
        .prop_map(|(roots, hidden, protected)| {
            let roots: Vec<_> = roots.iter().map(|(path, access)| (path.as_str(), *access)).collect();
            let mut policy = policy("/w", &roots, &hidden.iter().map(String::as_str).collect::<Vec<_>>());
            policy.protected = protected.into_iter().map(pattern).collect();
            policy
        })
}

fn request() -> impl Strategy<Value = FileRequest> {
    let action = select(FileAction::ALL.to_vec())
        .prop_filter("programs are another matter", |action| *action != FileAction::Execute);
    (action, path(), path(), any::<bool>()).prop_map(|(action, path, to, recursive)| {
        let pair = matches!(action, FileAction::Rename | FileAction::Hardlink);
        FileRequest {
            action,
            path: path.into(),
            to: pair.then(|| to.into()),
            recursive,
            cwd: "/w".into(),
            origin: Origin::Runtime,
        }
    })
}

fn allows(tree: &Tree, policy: &Policy, request: &FileRequest) -> bool {
    matches!(tree.decide(policy, Request::File(request)), Decision::Allow(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn an_added_restriction_never_allows(
        tree in tree(), policy in rules(), request in request(), place in path(), kind in 0..4,
    ) {
        let more = policy.edited(|policy| match kind {
            0 => policy.hidden.push(pattern(&place)),
            1 => policy.protected.push(pattern(&place)),
            2 => policy.hidden.push(pattern("*b")),
            _ => {
                let mut narrow = policy.files[0].clone();
                narrow.workspace = None;
                narrow.roots = vec![root(&place, Access::Read)];
                policy.files.push(narrow);
            }
        });
        prop_assert!(allows(&tree, &policy, &request) || !allows(&tree, &more, &request));
    }

    #[test]
    fn an_added_read_only_root_gives_no_write(tree in tree(), policy in rules(), request in request(), place in path()) {
        prop_assume!(super::judge::needs(request.action) == Access::Write);
        let more = policy.edited(|policy| policy.files[0].roots.push(root(&place, Access::Read)));
        // A hard link to a file in the new root is known by one more of its names: that is no new right.
        prop_assert!(allows(&tree, &policy, &request) || !allows(&tree, &more, &request));
    }

    #[test]
    fn the_order_of_rules_does_not_matter(tree in tree(), policy in rules(), request in request()) {
        let reversed = policy.edited(|policy| {
            policy.files[0].roots.reverse();
            policy.hidden.reverse();
            policy.protected.reverse();
        });
        prop_assert_eq!(allows(&tree, &policy, &request), allows(&tree, &reversed, &request));
    }

    #[test]
    fn what_is_hidden_by_its_name_is_never_allowed(tree in tree(), policy in rules(), request in request()) {
        let name = PathBuf::from(String::from_utf8_lossy(&request.path).into_owned());
        let more = policy.edited(|policy| policy.hidden.push(pattern(&name.display().to_string())));
        prop_assert!(!allows(&tree, &more, &request));
    }

    #[test]
    fn every_spelling_of_a_path_decides_alike(tree in tree(), policy in rules(), request in request(), at in 1_usize..4) {
        let spelled = String::from_utf8_lossy(&request.path).into_owned();
        let parts: Vec<&str> = spelled.split('/').skip(1).collect();
        let at = at.min(parts.len() - 1);
        let (front, back) = (format!("/{}", parts[..at].join("/")), parts[at..].join("/"));
        let expected = allows(&tree, &policy, &request);
        let mut spellings = vec![format!("{front}/./{back}"), format!("{front}//{back}"), format!("/../{front}/{back}")];
        if at > 0 && tree.nodes.get(&PathBuf::from(&front)) == Some(&Node::Directory) {
            spellings.push(format!("{front}/../{}/{back}", parts[at - 1]));
        }
        if let Some(relative) = spelled.strip_prefix("/w/") {
            spellings.push(relative.to_owned());
            spellings.push(format!("./{relative}"));
        }
        for spelling in spellings {
            let other = FileRequest { path: spelling.clone().into(), ..request.clone() };
            prop_assert_eq!(allows(&tree, &policy, &other), expected, "{}", spelling);
        }
    }

    #[test]
    fn an_explanation_names_rules_whose_removal_changes_the_answer(
        tree in tree(), policy in rules(), request in request(),
    ) {
        let mut facts = Facts::new(None);
        let explanation = loop {
            match explain(&policy, &facts, Request::File(&request)) {
                Ok(explanation) => break explanation,
                Err(missing) => missing.queries.iter().for_each(|query| tree.answer(query, &mut facts)),
            }
        };
        let before = allows(&tree, &policy, &request);
        prop_assert_eq!(matches!(explanation.decision, Decision::Allow(_)), before);
        if before {
            prop_assert!(!explanation.deciding.is_empty());
        }
        if !explanation.deciding.is_empty() {
            let named = |rule: &crate::RuleRef| explanation.deciding.contains(rule);
            let without = policy.edited(|policy| {
                policy.files[0].roots.retain(|stated| !named(&stated.rule));
                policy.hidden.retain(|stated| !named(&stated.rule));
                policy.protected.retain(|stated| !named(&stated.rule));
            });
            prop_assert_ne!(allows(&tree, &without, &request), before);
        }
    }
}

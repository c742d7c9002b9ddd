//! The file proxy's paths against two libraries that resolve beneath a directory: `cap-std` and `pathrs`.
//!
//! What `cap-std` reads (nothing leaves the directory at any step) the proxy reads too, and the same. What the proxy
//! reads is what the kernel finds under the path, and lies in the workspace. `pathrs` resolves as in a chroot, so it has an opinion about
//! paths that the others refuse; where `cap-std` reads, all three read the same.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use claw_sandbox::{FileErrorKind, Sandbox, policy_from_yaml};
use pathrs::Root;
use pathrs::flags::OpenFlags;
use proptest::prelude::*;

/// A thing in the tree: its path, and what a link says.
#[derive(Clone, Debug)]
enum Item {
    File(String),
    Directory(String),
    Link(String, String),
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "l", "m", "f", ".hidden", "sp ace"])
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![5 => name(), 1 => Just(".."), 1 => Just("."), 1 => Just("")], 1..6)
        .prop_map(|parts| parts.join("/"))
}

fn item() -> impl Strategy<Value = Item> {
    let place = || prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"));
    let target = prop_oneof![
        4 => path(),
        1 => path().prop_map(|path| format!("../{path}")),
        1 => Just("{root}/work/f".to_owned()),
        1 => Just("{root}/outside/f".to_owned()),
        1 => Just("/proc/self/cwd".to_owned()),
    ];
    prop_oneof![
        place().prop_map(Item::File),
        place().prop_map(Item::Directory),
        (place(), target).prop_map(|(place, target)| Item::Link(place, target))
    ]
}

fn build(root: &Path, items: &[Item]) {
    let work = root.join("work");
    fs::create_dir_all(root.join("outside")).unwrap();
    fs::create_dir_all(&work).unwrap();
    fs::write(root.join("outside/f"), "OUTSIDE").unwrap();
    for (index, item) in items.iter().enumerate() {
        let (Item::File(path) | Item::Directory(path) | Item::Link(path, _)) = item;
        // An earlier link may lead out, to this process's own directory too: nothing is made through one.
        let mut above = Path::new(path).ancestors().map(|above| work.join(above));
        if above.any(|above| above.is_symlink()) {
            continue;
        }
        // What collides with an earlier thing is left out.
        let _ = match item {
            Item::File(path) => fs::create_dir_all(work.join(path).parent().unwrap())
                .and_then(|()| fs::write(work.join(path), format!("content {index}"))),
            Item::Directory(path) => fs::create_dir_all(work.join(path)),
            Item::Link(path, target) => fs::create_dir_all(work.join(path).parent().unwrap())
                .and_then(|()| symlink(target.replace("{root}", root.to_str().unwrap()), work.join(path))),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn paths_lead_where_other_libraries_find_them(items in prop::collection::vec(item(), 0..12), paths in prop::collection::vec(path(), 12)) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        build(&root, &items);
        let work = root.join("work");
        let policy = policy_from_yaml(&format!("workspace: {}\n", work.display()), &work).unwrap();
        let files = Sandbox::new(policy).unwrap().files();
        let capability = cap_std::fs::Dir::open_ambient_dir(&work, cap_std::ambient_authority()).unwrap();
        let chroot = Root::open(&work).unwrap();
        for path in paths {
            let ours = files.read(&path);
            if let Ok(theirs) = capability.read(&path) {
                prop_assert_eq!(ours.as_ref().ok(), Some(&theirs), "{} {:?}", path, ours);
                let mut content = Vec::new();
                chroot.resolve(&path).unwrap().reopen(OpenFlags::O_RDONLY).unwrap().read_to_end(&mut content).unwrap();
                prop_assert_eq!(content, theirs, "{}", path);
            }
            match ours {
                Ok(content) => {
                    let real = work.join(&path).canonicalize().unwrap();
                    prop_assert!(real.starts_with(&work), "{} leads to {:?}", path, real);
                    prop_assert_eq!(content, fs::read(real).unwrap());
                }
                Err(error) => {
                    // The kernel opens it plainly, so only a way out explains the refusal.
                    let plain = fs::read(work.join(&path));
                    if plain.is_ok() {
                        prop_assert_eq!(error.kind(), FileErrorKind::Denied, "{} {}", path, error);
                    }
                }
            }
        }
    }
}

use std::time::SystemTime;

use claw_policy::Limits;

use super::*;

#[test]
fn our_own_group_is_found_beneath_the_mount() {
    let cases = [
        ("9:pids:/x\n0::/user.slice/app\n", Some("/m/user.slice/app")),
        ("0::/\n", Some("/m/")),
        ("0::/../outside\n", None),
        ("9:pids:/x\n", None),
    ];
    for (own, expected) in cases {
        assert_eq!(own_group(Path::new("/m"), own).as_deref(), expected.map(Path::new), "{own}");
    }
}

// Files as the kernel makes them.
fn group(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("group");
    fs::create_dir(&path).unwrap();
    for file in files {
        fs::write(path.join(file), "").unwrap();
    }
    (parent, path)
}

const ALL: [&str; 7] = [
    "cgroup.procs",
    "memory.max",
    "memory.oom.group",
    "memory.swap.max",
    "memory.events",
    "pids.max",
    "pids.events",
];

fn bounds(memory: Option<u64>, processes: Option<u64>) -> Bounds {
    Bounds { parent: PathBuf::new(), memory, processes }
}

#[test]
fn bounds_are_written_and_what_the_kernel_had_to_do_is_read() {
    let (_keep, path) = group(&ALL);
    let group = Group::bound(&path, &bounds(Some(1 << 20), Some(7))).unwrap();
    for (file, content) in
        [("memory.max", "1048576"), ("memory.oom.group", "1"), ("memory.swap.max", "0"), ("pids.max", "7")]
    {
        assert_eq!(fs::read_to_string(path.join(file)).unwrap(), content, "{file}");
    }
    assert_eq!(group.exceeded(), None);
    fs::write(path.join("memory.events"), "low 0\nhigh 0\nmax 12\noom 3\noom_kill 0\noom_group_kill 0\n")
        .unwrap();
    fs::write(path.join("pids.events"), "max 0\n").unwrap();
    assert_eq!(group.exceeded(), None);
    fs::write(path.join("pids.events"), "max 2\n").unwrap();
    assert_eq!(group.exceeded(), Some(Ending::ProcessLimit));
    fs::write(path.join("memory.events"), "low 0\noom_kill 4\n").unwrap();
    assert_eq!(group.exceeded(), Some(Ending::MemoryLimit));
}

#[test]
fn a_bound_that_cannot_be_set_is_an_error() {
    for missing in
        ["memory.max", "memory.oom.group", "pids.max", "cgroup.procs", "memory.events", "pids.events"]
    {
        let files: Vec<&str> = ALL.into_iter().filter(|file| *file != missing).collect();
        let (_keep, path) = group(&files);
        assert!(Group::bound(&path, &bounds(Some(1), Some(1))).is_err(), "{missing}");
    }
    // A kernel without swap.
    let (_keep, path) = group(&["cgroup.procs", "memory.max", "memory.oom.group", "memory.events"]);
    assert!(Group::bound(&path, &bounds(Some(1), None)).is_ok());
}

#[test]
fn a_group_is_made_only_for_what_it_bounds() {
    let kernel = KernelFeatures { cgroups: Some("/g".into()), ..KernelFeatures::with_abi(7) };
    let confinement = |memory, processes, detach| Confinement {
        limits: Limits { memory, processes, ..Limits::default() },
        detach,
        ..Confinement::default()
    };
    let cases = [
        (confinement(None, Some(USUAL_PROCESSES), false), false),
        (confinement(None, None, false), false),
        (confinement(Some(1), Some(USUAL_PROCESSES), false), true),
        (confinement(None, Some(20), false), true),
        (confinement(Some(1), Some(20), true), false),
    ];
    for (confinement, expected) in cases {
        assert_eq!(Bounds::of(&confinement, &kernel).is_some(), expected, "{:?}", confinement.limits);
        assert_eq!(Bounds::of(&confinement, &KernelFeatures::with_abi(7)), None);
    }
}

#[test]
fn a_name_that_another_left_behind_is_not_used_again() {
    let parent = tempfile::tempdir().unwrap();
    let first = make_directory(parent.path()).unwrap();
    let (_, number) = first.to_str().unwrap().rsplit_once('-').unwrap();
    let number: u64 = number.parse().unwrap();
    for next in number + 1..number + 40 {
        fs::create_dir(parent.path().join(name(std::process::id(), next))).unwrap();
    }
    assert!(make_directory(parent.path()).unwrap().is_dir());
}

#[test]
fn empty_groups_of_the_dead_are_removed() {
    let parent = tempfile::tempdir().unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    let dead = u32::MAX;
    let make = |name: &str, is_old: bool, is_empty: bool| {
        let path = parent.path().join(name);
        fs::create_dir(&path).unwrap();
        if !is_empty {
            fs::create_dir(path.join("process")).unwrap();
        }
        if is_old {
            File::open(&path).unwrap().set_modified(old).unwrap();
        }
        path
    };
    let gone = make(&name(dead, 0), true, true);
    let kept = [
        make(&name(dead, 1), false, true),
        make(&name(dead, 2), true, false),
        make(&name(std::process::id(), 0), true, true),
        make("claw-sandbox-x", true, true),
        make("another", true, true),
    ];
    remove_left_behind(parent.path());
    assert!(!gone.exists());
    for path in kept {
        assert!(path.exists(), "{}", path.display());
    }
}

#[test]
fn the_usual_number_of_processes_is_that_of_the_built_in_profile() {
    let source = claw_policy::built_in();
    let layers = [claw_policy::Layer { source, kind: claw_policy::LayerKind::BuiltIn }];
    let expansion =
        claw_policy::Expansion { home: Some("/home/u".into()), cwd: "/".into(), ..Default::default() };
    let policy = claw_policy::compile(&layers, &expansion).unwrap();
    assert_eq!(policy.limits().processes, Some(USUAL_PROCESSES));
}

#[test]
fn a_group_that_hands_on_too_little_is_not_used() {
    let (_keep, path) = group(&["cgroup.procs", "cgroup.subtree_control"]);
    let hands = |controllers: &str| {
        fs::write(path.join("cgroup.subtree_control"), controllers).unwrap();
        hands_on(&path)
    };
    assert!(hands("cpu io memory pids\n"));
    assert!(!hands("cpu memory\n"));
    assert!(!hands("pids\n"));
    assert!(!hands(""));
}

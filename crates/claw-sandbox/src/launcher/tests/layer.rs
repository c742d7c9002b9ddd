//! A run is below the thread that starts it, on every kernel with Landlock.

use super::*;

// Says nothing, and 1 if any task of its parent lets itself be looked at.
const LOOK: &str =
    "for task in /proc/$PPID/task/*; do cat $task/environ > /dev/null 2>&1 && exit 1; done; exit 0";

fn of_abi(abi: u32) -> KernelFeatures {
    KernelFeatures { landlock_abi: abi, ..KernelFeatures::probe() }
}

// A launcher as on a kernel of that ABI.
fn launcher_of(abi: u32, has_layer: bool) -> Arc<Launcher> {
    let kernel = of_abi(abi);
    let domain = PreparedDomain::prepare(&open_confinement(), &kernel, None).unwrap();
    let restrictions = Restrictions {
        domain: Box::new(|| domain.restrict_current_thread().map_err(|error| error.to_string())),
        child_layer: has_layer.then(|| Arc::new(child_layer(&kernel).unwrap().unwrap())),
        ..Restrictions::none()
    };
    Arc::new(Launcher::start(restrictions, None).unwrap())
}

#[test]
fn a_run_cannot_look_at_the_thread_that_starts_it() {
    for abi in [1, 2, 5, 6] {
        let beside = launcher_of(abi, false).spawn(sh(LOOK)).unwrap().wait();
        assert_eq!(code(&beside), Some(1), "the control, without a layer, on ABI {abi}");
        let below = launcher_of(abi, true).spawn(sh(LOOK)).unwrap().wait();
        assert_eq!(code(&below), Some(0), "ABI {abi}");
    }
}

#[test]
fn the_layer_takes_nothing_else_away() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    let work = format!(
        "cd {place} && mkdir a b && echo x > a/file && ln a/file b/link && mv a/file b/file && mkfifo b/fifo \
         && ln -s file b/symlink && cat b/symlink && rm -r a b && (exit 0) && kill -0 $$"
    );
    // Before ABI 2 nothing moves between directories, with a layer or without.
    for abi in [2, 5, 6] {
        let outcome = launcher_of(abi, true).spawn(sh(&work)).unwrap().wait();
        assert_eq!(code(&outcome), Some(0), "ABI {abi}");
    }
    // With the run thread's layer as well.
    assert_eq!(code(&run(sh(&work))), Some(0));
}

#[test]
fn without_landlock_there_is_no_layer() {
    assert!(child_layer(&of_abi(0)).unwrap().is_none());
}

#[test]
fn a_child_that_cannot_take_its_layer_does_not_start() {
    let no_ruleset: OwnedFd = File::open("/dev/null").unwrap().into();
    let restrictions = Restrictions { child_layer: Some(Arc::new(no_ruleset)), ..restrictions() };
    let failed = Arc::new(Launcher::start(restrictions, None).unwrap()).spawn(sh("exit 0")).unwrap_err();
    assert!(
        matches!(&failed.error, SpawnError::Restrict(text) if text.contains("landlock")),
        "{:?}",
        failed.error
    );
}

#[test]
fn the_layer_s_descriptor_is_not_the_run_s() {
    let (_, fds) = output(sh("for fd in /proc/self/fd/*; do readlink $fd; done; true"));
    assert!(!fds.is_empty() && !fds.contains("landlock"), "{fds}");
}

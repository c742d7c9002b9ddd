//! Protected, read-only and hidden paths inside a writable tree, and metadata, against real processes.
//!
//! Each attack is a script. It is run without the sandbox first and must change what it aims at; then in a fresh scene
//! inside, where nothing of that may change. What counts is what lies on the disk afterwards, seen from outside.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use claw_sandbox::{Guarantee, Sandbox, State, policy_from_yaml};
use tempfile::TempDir;

const SECRET: &str = "a secret";

struct Scene {
    _keep: TempDir,
    path: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().canonicalize().unwrap();
        for directory in ["w/.git/hooks", "w/ro", "w/secret", "w/d", "w/plain/.git", "w/lib/hooks", "out"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        for file in ["w/.git/config", "w/.git/hooks/old", "w/.bashrc", "w/ro/file", "w/file", "out/file"] {
            fs::write(path.join(file), "original").unwrap();
        }
        fs::write(path.join("w/secret/key"), SECRET).unwrap();
        fs::hard_link(path.join("w/.git/config"), path.join("w/hard")).unwrap();
        symlink(".git/hooks", path.join("w/link")).unwrap();
        symlink(".git/hooks/new", path.join("w/dangling")).unwrap();
        Self { _keep: keep, path }
    }

    fn workspace(&self) -> PathBuf {
        self.path.join("w")
    }

    fn sandbox(&self) -> Sandbox {
        let workspace = self.workspace();
        let text = format!(
            "workspace: {0}\nexec: {{security: full}}\n\
             filesystem: {{readOnly: [{0}/ro, {1}/out], hidden: [secret]}}\n",
            workspace.display(),
            self.path.display(),
        );
        Sandbox::new(policy_from_yaml(&text, &workspace).unwrap()).unwrap()
    }

    fn script(&self, text: &str) -> PathBuf {
        let script = self.path.join("w/script");
        fs::write(&script, text).unwrap();
        script
    }

    /// Everything that may not change, with its content and metadata; and what is known of the secret elsewhere.
    fn guarded(&self) -> String {
        let mut all = String::new();
        let mut pending = vec![self.path.clone()];
        while let Some(directory) = pending.pop() {
            let mut entries: Vec<_> =
                fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            for path in entries {
                let metadata = fs::symlink_metadata(&path).unwrap();
                if metadata.is_dir() {
                    pending.push(path.clone());
                }
                let content =
                    if metadata.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
                let content = String::from_utf8_lossy(&content).into_owned();
                let name = path.strip_prefix(&self.path).unwrap();
                if is_guarded(name) {
                    let times = if metadata.is_dir() { 0 } else { metadata.mtime_nsec() };
                    writeln!(all, "{} {:o} {times} {content}", name.display(), metadata.mode()).unwrap();
                } else if content.contains(SECRET) {
                    writeln!(all, "the secret is in {}", name.display()).unwrap();
                }
            }
        }
        all
    }
}

fn is_guarded(name: &Path) -> bool {
    let name = name.to_str().unwrap();
    // Of a repository that a run makes the directory itself is its own, and what would lie in it is not.
    if ["w/n/.git/hooks", "w/t/.git/hooks"].contains(&name) {
        return false;
    }
    ["/.git/hooks", "/.git/config", ".bashrc", "secret", "w/ro", "out/"]
        .iter()
        .any(|part| name.contains(part))
}

/// Inside, as the policy says. Returns the standard output and error.
fn inside(scene: &Scene, text: &str) -> (String, String) {
    let script = scene.script(text);
    let mut command = scene.sandbox().command("/bin/bash");
    let output = command.arg(script).current_dir(scene.workspace()).output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (stdout, stderr)
}

fn outside(scene: &Scene, text: &str) {
    let script = scene.script(text);
    let mut command = std::process::Command::new("/bin/bash");
    command.arg(script).current_dir(scene.workspace()).output().unwrap();
}

fn python(text: &str) -> String {
    format!("/usr/bin/python3 - <<'END'\nimport os, ctypes\n{text}\nEND\n")
}

fn attacks() -> Vec<(&'static str, String)> {
    let mut attacks: Vec<(&'static str, String)> = [
        ("write", "echo evil > .git/hooks/old"),
        ("append", "echo evil >> .git/config"),
        ("create", "echo evil > .git/hooks/new"),
        ("create in a new repository", "mkdir -p n/.git; mkdir n/.git/hooks; echo evil > n/.git/hooks/x"),
        ("create the configuration of a new repository", "mkdir -p n/.git; echo evil > n/.git/config"),
        ("create in an existing one", "echo evil > plain/.git/config"),
        ("write through a link", "echo evil > link/old"),
        ("create through a dangling link", "echo evil > dangling"),
        ("write through a new link", "ln -s .git l; echo evil > l/config"),
        ("write through the working directory", "cd .git/hooks; echo evil > old"),
        ("write by dots", "echo evil > d/../.git/./config"),
        ("write by /proc", "echo evil > /proc/self/cwd/.git/config"),
        ("write by a hard link that is there", "echo evil > hard"),
        ("make a hard link and write", "ln .git/hooks/old mine; echo evil > mine"),
        ("remove", "rm -f .git/config"),
        ("remove a tree", "rm -rf .git"),
        ("rename away", "mv .git/hooks gone"),
        ("rename over", "echo evil > x; mv -f x .git/config"),
        ("rename the tree around it", "mv .git gone"),
        ("rename a directory to a protected name", "mv lib/hooks plain/.git/hooks"),
        (
            "rename a parent to a protected one",
            "mkdir q; mkdir q/hooks; echo evil > q/hooks/x; mv q p; mkdir n; mv p n/.git",
        ),
        ("copy", "cp file .git/hooks/new"),
        ("tar", "mkdir -p t/.git/hooks; echo evil > t/.git/hooks/x; tar cf a.tar t; rm -rf t; tar xf a.tar"),
        ("symbolic link in its place", "rm -f .bashrc; ln -s file .bashrc"),
        ("symbolic link at a protected name", "ln -s ../../lib/hooks plain/.git/hooks"),
        ("fifo", "mkfifo .git/hooks/new"),
        ("truncate", "truncate -s 0 .git/config"),
        ("sed -i", "sed -i s/original/evil/ .git/config"),
        ("chmod protected", "chmod +x .git/hooks/old"),
        ("touch protected", "touch -d yesterday .git/config"),
        ("write read-only", "echo evil > ro/file"),
        ("create in read-only", "echo evil > ro/new"),
        ("remove read-only", "rm -rf ro"),
        ("rename read-only", "mv ro gone"),
        ("rename in read-only", "mv ro/file ro/other"),
        ("chmod read-only", "chmod 600 ro/file"),
        ("touch read-only", "touch -d yesterday ro/file"),
        ("chmod outside", "chmod 600 ../out/file"),
        ("touch outside", "touch -d yesterday ../out/file"),
        ("read hidden", "cat secret/key > leak"),
        ("read hidden in a directory", "cd secret; cat key > ../leak"),
        ("copy hidden", "cp -r secret leak"),
        ("rename hidden", "mv secret leak"),
        ("link hidden", "ln secret/key leak"),
        ("read hidden by a link", "ln -s secret/key l; cat l > leak"),
        ("read hidden by /proc", "cat /proc/self/cwd/secret/key > leak"),
        ("write hidden", "echo evil > secret/key"),
    ]
    .map(|(name, script)| (name, script.to_owned()))
    .into();
    attacks.extend(
        [
            ("openat from a directory", "d = os.open('.git', os.O_RDONLY); os.open('config', os.O_WRONLY | os.O_TRUNC, dir_fd=d)"),
            ("open a descriptor again", "f = os.open('.git/config', os.O_RDONLY); os.write(os.open('/proc/self/fd/%d' % f, os.O_WRONLY), b'evil')"),
            ("open a path descriptor again", "f = os.open('.git/config', os.O_PATH); os.write(os.open('/dev/fd/%d' % f, os.O_WRONLY), b'evil')"),
            ("fchmod", "os.fchmod(os.open('.git/config', os.O_RDONLY), 0o777)"),
            ("futimens", "os.utime(os.open('ro/file', os.O_RDONLY), (1, 1))"),
            ("chmod by a path descriptor", "os.chmod('/proc/self/fd/%d' % os.open('ro/file', os.O_PATH), 0o777)"),
            ("rename with exchange", "open('x', 'w').write('evil'); libc = ctypes.CDLL(None); libc.renameat2(-100, b'x', -100, b'.git/config', 2)"),
            ("name a temporary file", "f = os.open('.', os.O_TMPFILE | os.O_RDWR); os.write(f, b'evil'); ctypes.CDLL(None).linkat(-100, b'/proc/self/fd/%d' % f, -100, b'.git/hooks/new', 0x400)"),
            ("openat2", "libc = ctypes.CDLL(None); how = (ctypes.c_uint64 * 3)(os.O_WRONLY | os.O_TRUNC, 0, 0); libc.syscall(437, -100, b'.git/config', how, 24)"),
            ("creat", "ctypes.CDLL(None).creat(b'.git/config', 0o644)"),
            ("truncate", "os.truncate('.git/config', 0)"),
            ("mknod", "os.mknod('.git/hooks/new')"),
            ("from another thread", "import threading; t = threading.Thread(target=lambda: open('.git/config', 'w')); t.start(); t.join()"),
            ("in a directory made by descriptor", "os.mkdir('n'); d = os.open('n', os.O_PATH); os.mkdir('.git', dir_fd=d); e = os.open('.git', os.O_PATH, dir_fd=d); os.mkdir('hooks', dir_fd=e); os.open('hooks/x', os.O_CREAT | os.O_WRONLY, dir_fd=e)"),
        ]
        .map(|(name, text)| (name, python(text))),
    );
    attacks
}

#[test]
fn what_is_guarded_stays_as_it_is() {
    let mut won = Vec::new();
    for (name, script) in attacks() {
        let control = Scene::new();
        let before = control.guarded();
        outside(&control, &script);
        assert_ne!(control.guarded(), before, "the control of `{name}` changes nothing");

        let scene = Scene::new();
        let before = scene.guarded();
        let (_, stderr) = inside(&scene, &script);
        let after = scene.guarded();
        if after != before {
            won.push(format!("{name}: {before}\n->\n{after}\n{stderr}"));
        }
    }
    assert!(won.is_empty(), "{}", won.join("\n\n"));
}

#[test]
fn the_guarantees_are_given_and_a_denial_says_why() {
    let scene = Scene::new();
    let mut command = scene.sandbox().command("/bin/bash");
    let script = scene.script("echo evil > .git/config");
    command.arg(script).current_dir(scene.workspace());
    let enforcement = scene.sandbox().enforcement(&command.input().unwrap()).unwrap();
    for guarantee in [Guarantee::NestedPaths, Guarantee::ProtectedPaths, Guarantee::Metadata] {
        let state = enforcement.state(guarantee);
        assert!(matches!(state, Some(State::Enforced { .. })), "{guarantee:?}: {state:?}");
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("claw-sandbox: denied: ") && stderr.contains("/.git/config` is protected"),
        "{stderr}"
    );
    assert!(stderr.contains("Permission denied"), "{stderr}");
}

/// A second process swaps a link between a harmless directory and the hooks, as fast as it can.
const RACE: &str = "
import signal
os.mkdir('harmless')
child = os.fork()
if child == 0:
    os.symlink('harmless', 'one'); os.symlink('.git/hooks', 'two')
    while True:
        os.rename('one', 'swap'); os.symlink('harmless', 'one')
        os.rename('two', 'swap'); os.symlink('.git/hooks', 'two')
attempts = denied = 0
def enough():
    seen = len(os.listdir('harmless')) > 0 and (denied > 0 or len(os.listdir('.git/hooks')) > 1)
    return attempts >= 1000000 or attempts >= 2000 and seen
while attempts % 100 or not enough():
    attempts += 1
    try: os.close(os.open('swap/won%d' % (attempts % 4000), os.O_CREAT | os.O_WRONLY))
    except PermissionError: denied += 1
    except OSError: pass
os.kill(child, signal.SIGKILL)
os.wait()
";

#[test]
fn a_path_that_is_swapped_under_way_wins_nothing() {
    let wins = |scene: &Scene| fs::read_dir(scene.path.join("w/.git/hooks")).unwrap().count() - 1;
    let tried = |scene: &Scene| fs::read_dir(scene.path.join("w/harmless")).unwrap().count();
    let control = Scene::new();
    outside(&control, &python(RACE));
    assert!(wins(&control) > 0 && tried(&control) > 0, "the control of the race");
    let scene = Scene::new();
    inside(&scene, &python(RACE));
    assert_eq!(wins(&scene), 0);
    assert!(tried(&scene) > 0, "the race was run");
}

/// What must give the same result as without the sandbox.
fn uses() -> Vec<(&'static str, String)> {
    let mut uses: Vec<(&'static str, String)> = [
        ("files", "echo a > a; echo b >> a; cat a; cp -a a b; mv b c; ln c d2; ln -s c e; cat e d2; rm c; ls; stat -c '%a %h' a"),
        ("masks", "umask 077; echo > a; mkdir b; umask 000; echo > c; mkdir d3; mkfifo f; stat -c '%n %a' a b c d3 f"),
        ("directories", "mkdir -p a/b/c; mkdir -p a/b/c; rmdir a/b/c; rmdir a; echo $?; mkdir a; mkdir x/y; rm -r a; ls -d a"),
        ("errors", "echo > d; echo > file/x; echo > nowhere/x; cat nowhere; mkdir file; rmdir d x; mv nowhere y; rm nowhere; ln file file; ln -s a a; cat a; echo > a; echo > d/"),
        ("descriptors", "exec 3<> file; echo x >&3; echo out > /dev/fd/1; echo out2 > /proc/self/fd/1; echo out3 > /dev/stdout; cat <(echo sub) /dev/fd/3; echo null > /dev/null"),
        ("a fifo", "mkfifo f; (cat f > got) & echo through > f; wait; cat got; (echo back > f) & cat f; wait"),
        ("a fifo nobody opens", "mkfifo f; timeout 0.3 bash -c 'echo > f'; echo $?; timeout 0.3 cat f; echo $?"),
        ("noclobber", "set -C; echo a > a; echo b > a; cat a"),
        ("times and modes", "echo a > a; chmod 751 a; touch -d '2001-02-03 04:05:06.789 UTC' a; stat -c '%a %y' a; chmod u+x a; ln -s a l; touch -h -d '2001-02-03 UTC' l; TZ=UTC stat -c '%y' l a"),
        ("tar", "mkdir t; echo a > t/a; ln t/a t/b; ln -s a t/c; chmod 640 t/a; tar cf t.tar t; rm -r t; tar xf t.tar; ls t; stat -c '%a %h %N' t/*"),
        ("cp -a of a tree", "mkdir -p t/u; echo a > t/u/a; touch -d yesterday t/u/a; cp -a t v; diff -r t v && echo same; find v | sort"),
        ("sed -i", "printf 'a\\nb\\n' > s; sed -i s/a/c/ s; cat s"),
        ("an editor by rename", "echo old > e; echo new > .e.swp; chmod --reference=e .e.swp; mv .e.swp e; cat e"),
        ("git", "git init -q r; cd r; git config user.name n; git config user.email e@x; echo 1 > f; git add f; git commit -qm 1; git branch b; git checkout -q b; echo 2 > f; git commit -qam 2; git log --format=%s; git gc -q; git status -s; cd ..; git clone -q r s; cat s/f; ls s/.git/hooks; cd s; git remote -v | grep -c origin"),
        ("a bare repository", "git init -q --bare r; git clone -q r s 2>&1; cd s; git config user.name n; git config user.email e@x; git commit -q --allow-empty -m 1; git push -q origin HEAD; cd ../r; git log --format=%s; git config core.bare; git config gc.auto 0; git config gc.auto; git repack -q; cd ..; git clone -q --bare s t; git clone -q --mirror s u; git -C u log --format=%s; mv t v; rm -r v; ls"),
        ("worktrees", "git init -q r; cd r; git config user.name n; git config user.email e@x; git commit -q --allow-empty -m 1; git worktree add -q ../t -b b 2>&1; cat .git/worktrees/t/commondir; cd ../t; echo x > f; git add f; git commit -qm 2; git log --format=%s; git status -s; git worktree list | wc -l; cd ../r; git worktree remove ../t; git worktree list | wc -l; git worktree add -q ../u; git worktree prune; ls ../u .git/worktrees"),
        ("worktrees of a bare repository", "git init -q r; git -C r -c user.name=n -c user.email=e@x commit -q --allow-empty -m 1; git clone -q --bare r s; cd s; git worktree add -q ../t 2>&1; cat worktrees/t/commondir; git -C ../t log --format=%s; git worktree remove t; rm -r ../s; ls .."),
    ]
    .map(|(name, script)| (name, script.to_owned()))
    .into();
    uses.extend(
        [
            ("a temporary file", "f = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640); os.write(f, b'x'); ctypes.CDLL(None).linkat(-100, b'/proc/self/fd/%d' % f, -100, b'named', 0x400); print(open('named').read(), oct(os.stat('named').st_mode))"),
            ("tempfile", "import tempfile\nwith tempfile.TemporaryDirectory(dir='.') as d:\n  f = tempfile.NamedTemporaryFile(dir=d); f.write(b'x'); f.flush(); print(os.stat(f.name).st_size); f.close()"),
            ("extended attributes", "open('a', 'w')\ntry: os.setxattr('a', 'user.x', b'y'); print(os.getxattr('a', 'user.x')); os.removexattr('a', 'user.x'); print(os.listxattr('a'))\nexcept OSError as e: print(e.errno)"),
            ("flags", "f = os.open('a', os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o604); print(os.get_inheritable(f)); import fcntl; print(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_APPEND != 0); print(oct(os.fstat(f).st_mode))\nfor flags in [os.O_CREAT | os.O_EXCL, os.O_WRONLY | os.O_DIRECTORY, os.O_CREAT | os.O_DIRECTORY, os.O_RDWR | os.O_NOFOLLOW]:\n  for name in ['a', 'd', 'a/', 'd/', '']:\n    try: os.close(os.open(name, flags)); print(name, flags, 'ok')\n    except OSError as e: print(name, flags, e.errno)"),
            ("sqlite", "import sqlite3; c = sqlite3.connect('db'); c.execute('pragma journal_mode=wal'); c.execute('create table t(a)'); c.execute('insert into t values (1)'); c.commit(); print(c.execute('select * from t').fetchall()); c.close(); print(os.path.exists('db-wal'))"),
            ("sockets", "import socket\ns = socket.socket(socket.AF_UNIX); os.umask(0o27); s.bind('d/s'); s.listen(); print(s.getsockname(), oct(os.stat('d/s').st_mode))\nfor name in ['d/s', 'nowhere/x', 'file/x', 'd', 'x' * 107]:\n  try: socket.socket(socket.AF_UNIX).bind(name); print(len(name), 'ok')\n  except OSError as e: print(name, e.errno)\nu = socket.socket(socket.AF_UNIX); u.bind(b'\\0claw-%d' % os.getpid()); print(u.getsockname()[:6]); v = socket.socket(socket.AF_UNIX); v.bind(''); print(len(v.getsockname()))"),
            ("descriptors run out", "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))\ntry:\n  for i in range(20): os.open('a%d' % i, os.O_CREAT | os.O_WRONLY)\nexcept OSError as e: print(e.errno)"),
        ]
        .map(|(name, text)| (name, python(text))),
    );
    uses
}

#[test]
fn what_is_not_guarded_works_as_without_a_sandbox() {
    let mut differ = Vec::new();
    for (name, script) in uses() {
        let script =
            format!("exec 2>&1; export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 LC_ALL=C; umask 022\n{script}");
        let (plain, sandboxed) = (Scene::new(), Scene::new());
        let output = {
            let script = plain.script(&script);
            let mut command = std::process::Command::new("/bin/bash");
            command.env("GIT_TEMPLATE_DIR", "").arg(script).current_dir(plain.workspace()).output().unwrap()
        };
        let expected = clean(&plain, &String::from_utf8_lossy(&output.stdout));
        let (stdout, _) = inside(&sandboxed, &script);
        let found = clean(&sandboxed, &stdout);
        if expected != found {
            differ.push(format!("{name}:\n{expected}\n-> inside\n{found}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

// Paths and process ids differ.
fn clean(scene: &Scene, output: &str) -> String {
    output.replace(scene.path.to_str().unwrap(), "SCENE")
}

#[test]
fn denied_calls_are_recorded_and_allowed_ones_when_asked_for() {
    for audited in [false, true] {
        let scene = Scene::new();
        let log = scene.path.join("log");
        let text = format!(
            "workspace: {}\nexec: {{security: full}}\nlogging: {{logFile: {}, auditFileAccess: {audited}}}\n",
            scene.workspace().display(),
            log.display(),
        );
        let sandbox = Sandbox::new(policy_from_yaml(&text, scene.workspace()).unwrap()).unwrap();
        let script = scene.script("echo evil > .git/config; echo fine > allowed; cat file");
        sandbox.command("/bin/bash").arg(script).current_dir(scene.workspace()).output().unwrap();
        let log = fs::read_to_string(log).unwrap();
        let of = |name: &str, decision: &str| {
            let decision = format!("\"decision\":\"{decision}\"");
            let lines = log.lines().filter(|line| line.contains("file.descendant"));
            lines.filter(|line| line.contains(&decision) && line.contains(name)).count()
        };
        assert_eq!(of("/.git/config", "deny"), 1, "{log}");
        assert_eq!(of("/allowed", "allow"), usize::from(audited), "{log}");
        assert_eq!(of("/w/file", "allow"), 0, "{log}");
    }
}

#[test]
fn what_we_write_of_a_repository_for_a_run_is_recorded_like_everything_else() {
    for audited in [false, true] {
        let scene = Scene::new();
        fs::remove_dir_all(scene.workspace().join(".git")).unwrap();
        let log = scene.path.join("log");
        let text = format!(
            "workspace: {}\nexec: {{security: full}}\nlogging: {{logFile: {}, auditFileAccess: {audited}}}\n",
            scene.workspace().display(),
            log.display(),
        );
        let sandbox = Sandbox::new(policy_from_yaml(&text, scene.workspace()).unwrap()).unwrap();
        let script = scene.script(
            "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
             git init -q . && git -c user.name=n -c user.email=e@x commit -q --allow-empty -m x
             git remote add origin https://example.org/x.git && git worktree add -q w/tree
             mkdir -p b/objects b/refs; printf '[core]\n\tbare = true\n' > b/config; echo 'ref: refs/heads/main' > b/HEAD
             git -C b rev-parse --is-bare-repository; cat .git/worktrees/tree/commondir",
        );
        let output =
            sandbox.command("/bin/bash").arg(script).current_dir(scene.workspace()).output().unwrap();
        assert_eq!(output.stdout, b"true\n../..\n", "{}", String::from_utf8_lossy(&output.stderr));
        let log = fs::read_to_string(log).unwrap();
        let lines = log.lines().filter(|line| line.contains("file.descendant") && line.contains("\"allow\""));
        let lines: Vec<_> = lines.collect();
        for (name, at_least) in
            [("/.git/config\"", 2), ("/worktrees/tree/commondir\"", 1), ("/b/config\"", 2)]
        {
            let found = lines.iter().filter(|line| line.contains(name)).count();
            assert!(if audited { found >= at_least } else { found == 0 }, "{name}: {found}\n{log}");
        }
    }
}

#[test]
fn a_later_run_may_change_what_git_does_not_execute_and_nothing_else() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.workspace().join(".git")).unwrap();
    let git = "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1\n";
    let run = |text: &str| inside(&scene, &format!("{git}{text}"));
    run("git init -q .");
    outside(&scene, &format!("{git}git config alias.given '!true'"));
    let config = scene.workspace().join(".git/config");
    let given = fs::read_to_string(&config).unwrap();
    assert!(given.contains("given = !true"), "{given}");
    let (_, stderr) = run("git remote add origin https://example.org/x.git; git config user.name n");
    let changed = fs::read_to_string(&config).unwrap();
    assert!(changed.contains("example.org/x.git") && changed.contains("given = !true"), "{changed} {stderr}");
    for change in [
        "git config core.fsmonitor evil",
        "git config core.hooksPath evil",
        "git config alias.given '!evil'",
        "git config --unset alias.given",
        "git config remote.origin.url 'ext::evil'",
        "git config include.path evil",
        "git config url.x.insteadOf y",
        "git config core.worktree /",
        "git config filter.x.clean evil",
        "git config credential.helper '!evil'",
        "git config core.sshCommand evil",
        "echo evil > .git/config.lock; mv .git/config.lock .git/config",
        "exec 5> .git/config.lock; cat .git/config >&5; mv .git/config.lock .git/config; echo evil >&5",
        "cp .git/config .git/config.lock; ln .git/config.lock l; mv .git/config.lock .git/config; echo evil >> l",
        "cp .git/config c; echo evil >> c; ln -s ../c .git/config.lock; mv .git/config.lock .git/config",
        "rm -f .git/config",
        "mv .git/config gone",
    ] {
        run(change);
        assert_eq!(fs::read_to_string(&config).unwrap(), changed, "{change}");
        let _ = fs::remove_file(scene.workspace().join(".git/config.lock"));
    }
}

#[test]
fn a_submodule_of_a_given_repository_is_fetched() {
    let scene = Scene::new();
    let git = "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git() { command git -c user.name=n -c user.email=e@x -c protocol.file.allow=always \"$@\"; }\n";
    let made = "git init -q r; echo x > r/f; git -C r add f; git -C r commit -qm 1; git init -q s; git -C s submodule -q add ../r sub; git -C s commit -qm 2; git clone -q s t";
    outside(&scene, &format!("{git}{made}"));
    let (_, stderr) = inside(&scene, &format!("{git}cd t; git submodule -q update --init"));
    let file = scene.workspace().join("t/sub/f");
    assert!(fs::read_to_string(file).is_ok_and(|text| text == "x\n"), "{stderr}");
}

#[test]
fn a_log_that_waits_holds_up_no_other_run() {
    let (scene, other) = (Scene::new(), Scene::new());
    let log = scene.path.join("log");
    let text = format!(
        "workspace: {}\nexec: {{security: full}}\nlogging: {{logFile: {}, auditFileAccess: true}}\n",
        scene.workspace().display(),
        log.display(),
    );
    let sandbox = Sandbox::new(policy_from_yaml(&text, scene.workspace()).unwrap()).unwrap();
    let script = scene.script("while [ ! -e go ]; do sleep 0.01; done; until echo new > written; do :; done");
    let mut command = sandbox.command("/bin/bash");
    let mut waiting = command.arg(script).current_dir(scene.workspace()).spawn().unwrap();
    let held = fs::File::open(&log).unwrap();
    held.lock().unwrap();
    fs::write(scene.workspace().join("go"), "").unwrap();
    // Renames wait for whatever is being judged, and the log's patience is 5 s.
    let renames = "for i in {1..20}; do mv file moved; mv moved file; done";
    let (stdout, stderr) = inside(&other, &format!("timeout 100 bash -c '{renames}' && ls file"));
    assert_eq!(stdout, "file\n", "{stderr}");
    assert!(!scene.workspace().join("written").exists(), "it waits for the log");
    held.unlock().unwrap();
    waiting.wait().unwrap();
    assert!(scene.workspace().join("written").exists());
}

/// Fills a FIFO with more opens than may wait, swaps it with a file all the time, and goes on working.
const WAITERS: &str = "
import signal, time
os.mkfifo('f'); os.mkfifo('a'); open('b', 'w').close()
read, write = os.pipe()
children = []
for i in range(140):
    child = os.fork()
    if child == 0:
        try: os.close(os.open('f', os.O_WRONLY))
        except OSError as e: os.write(write, b'%d ' % e.errno)
        os._exit(0)
    children.append(child)
    if i % 10 == 0: open('work%d' % i, 'w').close()
refused = b''
while refused.count(b' ') < 12: refused += os.read(read, 100)
libc = ctypes.CDLL(None)
for i in range(50):
    libc.renameat2(-100, b'a', -100, b'b', 2)
    child = os.fork()
    if child == 0:
        open('swapped', 'w').close(); os.close(os.open('a', os.O_RDWR)); os._exit(0)
    children.append(child)
    os.rename('work0', 'other'); os.rename('other', 'work0')
print(set(refused.split()), 'worked')
for child in children[:140]: os.kill(child, signal.SIGKILL)
for child in children: os.waitpid(child, 0)
while True:
    # A thread that waits for somebody sees that its caller is gone when it looks the next time.
    try: os.close(os.open('f', os.O_RDWR)); break
    except OSError: time.sleep(0.01)
print('free')
";

#[test]
fn opens_that_wait_are_bounded_and_hold_up_nobody() {
    let scene = Scene::new();
    let (stdout, stderr) = inside(&scene, &python(WAITERS));
    // ENFILE.
    assert_eq!(stdout, "{b'23'} worked\nfree\n", "{stderr}");
    assert!(stderr.contains("too many opens of this run wait"), "{stderr}");
}

#[test]
fn a_caller_without_a_right_gets_none_from_the_broker() {
    let scene = Scene::new();
    fs::write(scene.path.join("other"), "original").unwrap();
    fs::set_permissions(scene.workspace().join("file"), fs::Permissions::from_mode(0o444)).unwrap();
    let script = "echo evil > ../other; mv file ../moved; ln file ../linked; mkdir ../made; echo evil > /etc/claw-evil";
    let (_, stderr) = inside(&scene, script);
    assert_eq!(fs::read_to_string(scene.path.join("other")).unwrap(), "original");
    for name in ["moved", "linked", "made"] {
        assert!(!scene.path.join(name).exists(), "{name}: {stderr}");
    }
    assert!(!Path::new("/etc/claw-evil").exists());
    if nix_is_root() {
        // Without capabilities another user's files are as closed as to anybody.
        let theirs = scene.workspace().join("theirs");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(65534), Some(65534)).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o700)).unwrap();
        inside(&scene, "echo evil > theirs/x; chmod 777 theirs");
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
        assert_eq!(fs::metadata(&theirs).unwrap().mode() & 0o777, 0o700);
    } else {
        println!("skipped in part: only root can make another user's directory");
    }
}

fn nix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

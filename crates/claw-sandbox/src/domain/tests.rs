//! Real restrictions on threads of this process: each test's thread ends with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use claw_policy::{Access, Confinement, Root};

use super::PreparedDomain;
use crate::KernelFeatures;
use crate::sys::caps;

fn confinement(mut roots: Vec<Root>) -> Confinement {
    let devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
    roots.extend(devices.map(|device| root(device, Access::Write)));
    Confinement { roots, ..Confinement::default() }
}

fn root(path: impl Into<PathBuf>, access: Access) -> Root {
    Root { path: path.into(), access, execute: false, required: true, except: Vec::new() }
}

// Runs `body` on a thread in the domain; `None`, with a reason on stderr, where the kernel has no
// Landlock of ABI 6.
fn inside<T: Send + 'static>(
    confinement: &Confinement,
    body: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let kernel = KernelFeatures::probe();
    if kernel.landlock_abi < 6 {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("skipped: needs Landlock ABI 6, this kernel has {}\n", kernel.landlock_abi),
        );
        return None;
    }
    let prepared = PreparedDomain::prepare(confinement, &kernel, None).expect("it can be prepared");
    let thread = std::thread::spawn(move || {
        prepared.restrict_current_thread().expect("it can be enforced");
        body()
    });
    match thread.join() {
        Ok(value) => Some(value),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn workspace() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("it exists");
    (directory, path)
}

#[test]
fn files_outside_of_the_roots_are_neither_read_nor_written() {
    let (_kept, base) = workspace();
    let (inner, outer, read_only) = (base.join("in"), base.join("out"), base.join("read"));
    for directory in [&inner, &outer, &read_only] {
        fs::create_dir(directory).expect("made");
        fs::write(directory.join("file"), "text").expect("written");
    }
    let confinement = confinement(vec![root(&inner, Access::Write), root(&read_only, Access::Read)]);
    inside(&confinement, move || {
        assert!(fs::read(inner.join("file")).is_ok());
        assert!(fs::write(inner.join("new"), "").is_ok());
        assert!(fs::read(read_only.join("file")).is_ok());
        assert!(fs::write(read_only.join("new"), "").is_err());
        assert!(fs::read(outer.join("file")).is_err());
        assert!(fs::write(outer.join("new"), "").is_err());
        assert!(fs::write("/dev/null", "x").is_ok());
        assert!(fs::read_dir(&outer).is_err());
    });
}

#[test]
fn exceptions_of_a_root_are_not_granted() {
    let (_kept, base) = workspace();
    for directory in ["etc/ssh", "etc/deep/er", "flat"] {
        fs::create_dir_all(base.join(directory)).expect("made");
    }
    for file in [
        "etc/shadow",
        "etc/hosts",
        "etc/ssh/key",
        "etc/deep/er/secret",
        "etc/deep/er/plain",
        "flat/hidden",
        "flat/file",
    ] {
        fs::write(base.join(file), "text").expect("written");
    }
    let mut etc = root(base.join("etc"), Access::Read);
    etc.except =
        ["etc/shadow", "etc/ssh", "etc/deep/er/secret", "etc/gone"].map(|path| base.join(path)).into();
    let mut flat = root(base.join("flat"), Access::Read);
    flat.except = vec![base.join("flat/hidden")];
    inside(&confinement(vec![etc, flat]), move || {
        for (path, is_readable) in [
            ("etc/hosts", true),
            ("etc/deep/er/plain", true),
            ("flat/file", true),
            ("etc/shadow", false),
            ("etc/ssh/key", false),
            ("etc/deep/er/secret", false),
            ("flat/hidden", false),
        ] {
            assert_eq!(fs::read(base.join(path)).is_ok(), is_readable, "{path}");
        }
        assert!(fs::read_dir(base.join("flat")).is_ok(), "no directory is hidden in it");
        assert!(fs::read_dir(base.join("etc/deep/er")).is_ok(), "no directory is hidden in it");
        assert!(fs::read_dir(base.join("etc/ssh")).is_err(), "it is hidden");
        // Stricter than it has to be: the right would reach the hidden directory too.
        assert!(fs::read_dir(base.join("etc")).is_err());
    });
}

#[test]
fn no_capability_is_left_and_none_comes_back() {
    let system = Root { execute: true, ..root("/", Access::Read) };
    inside(&confinement(vec![system]), || {
        assert_eq!(caps::is_empty(), Ok(true));
        let status = Command::new("cat").arg("/proc/self/status").output().expect("it runs");
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        for line in [
            "CapInh:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapAmb:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
        ] {
            assert!(status.contains(line), "{line} is not in {status}");
        }
    });
}

// A working directory that may be written and executed, and what the built-in profile lets commands
// read, with programs of every kind.
fn developer(workspace: &Path) -> Confinement {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let below_home = [".gitconfig", ".config/git", ".pyenv", ".cargo/bin", ".rustup", ".nvm", ".local/bin"];
    let system = ["/usr", "/bin", "/lib", "/lib64", "/opt", "/etc", "/proc"].map(PathBuf::from);
    let tools = home.iter().flat_map(|home| below_home.map(|path| home.join(path)));
    let existing = system.into_iter().chain(tools).filter_map(|path| path.canonicalize().ok());
    let mut roots: Vec<Root> = existing.map(|path| root(path, Access::Read)).collect();
    for root in &mut roots {
        let hidden = ["/etc/shadow", "/etc/ssh", "/proc/kcore"].map(PathBuf::from);
        root.except = hidden.into_iter().filter(|path| path.starts_with(&root.path)).collect();
    }
    roots.push(Root { execute: true, ..root(workspace, Access::Write) });
    Confinement { execute_any: true, ..confinement(roots) }
}

fn run(line: &str, workspace: &Path) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(workspace).env("TMPDIR", workspace);
    command.output().expect("there is a shell")
}

#[test]
fn developer_tools_work_under_the_filter() {
    let (_kept, base) = workspace();
    let confinement = developer(&base);
    let roots: Vec<PathBuf> = confinement.roots.iter().map(|root| root.path.clone()).collect();
    inside(&confinement, move || {
        for (tool, line) in [
            (
                "git",
                "git init -q . && echo x > f && git add f && git -c user.name=a -c user.email=b commit -qm c && git status",
            ),
            (
                "python3",
                "python3 -c 'import subprocess, threading, tempfile; t = threading.Thread(target=print); t.start(); t.join(); print(subprocess.check_output([\"true\"]))'",
            ),
            ("node", "node -e 'require(\"child_process\").execFileSync(\"true\"); console.log(1)'"),
            ("npm", "npm --version --cache ."),
            ("cargo", "cargo --version"),
            ("gcc", "echo 'int main(void) { return 0; }' > a.c && gcc a.c -o a.out && ./a.out"),
            ("tar", "echo y > g && tar czf a.tgz g && tar tzf a.tgz"),
            ("make", "printf 'all:\\n\\ttrue\\n' > Makefile && make -j2"),
            ("perl", "perl -e 'print 1'"),
        ] {
            let found = run(&format!("command -v {tool}"), &base).stdout;
            let found = PathBuf::from(String::from_utf8_lossy(&found).trim());
            let granted = |path: PathBuf| roots.iter().any(|root| path.starts_with(root));
            // A toolchain in a place of its own is not granted here.
            if !found.canonicalize().is_ok_and(granted) {
                let _ = std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("skipped: {tool} is not installed where the test grants programs\n"),
                );
                continue;
            }
            let output = run(line, &base);
            assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        }
    });
}

#[test]
fn python_has_no_socket_but_pairs() {
    let (_kept, base) = workspace();
    let confinement = developer(&base);
    inside(&confinement, move || {
        if !run("command -v python3", &base).status.success() {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("skipped: python3 is not installed\n"),
            );
            return;
        }
        assert!(
            run(
                "python3 -c 'import socket; a, b = socket.socketpair(); a.send(b\"x\"); print(b.recv(1))'",
                &base
            )
            .status
            .success()
        );
        for kind in [
            "AF_INET, SOCK_STREAM",
            "AF_INET, SOCK_DGRAM",
            "AF_INET6, SOCK_STREAM",
            "AF_INET, SOCK_STREAM, 262",
            "AF_NETLINK, SOCK_RAW",
            "AF_UNIX, SOCK_DGRAM",
        ] {
            let output = run(&format!("python3 -c 'from socket import *; socket({kind})'"), &base);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.contains("PermissionError"), "{kind}: {error}");
        }
    });
}

#[test]
fn the_rules_of_every_older_abi_can_be_enforced_here() {
    let newest = KernelFeatures::probe().used_abi();
    if newest == 0 {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("skipped: this kernel has no Landlock\n"),
        );
    }
    for abi in 1..=newest {
        let (_kept, base) = workspace();
        fs::write(base.join("file"), "text").expect("written");
        let work = confinement(vec![root(base.join("file"), Access::Write)]);
        let kernel = KernelFeatures::with_abi(abi);
        let prepared = PreparedDomain::prepare(&work, &kernel, None).expect("it can be prepared");
        let thread = std::thread::spawn(move || {
            prepared.restrict_current_thread().expect("it can be enforced");
            assert!(fs::read(base.join("file")).is_ok(), "ABI {abi}");
            assert!(fs::read("/etc/passwd").is_err(), "ABI {abi}");
            assert!(fs::write(base.join("new"), "").is_err(), "ABI {abi}");
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

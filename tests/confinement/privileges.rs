//! Privileges: a run has none, and gets none from the files that it executes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use claw_testkit::programs;
use claw_testkit::scene::Scene;

use crate::attack::{attacks, bash, calls, python, sh};
use crate::evidence::Evidence::{After, Held};

const WORKSPACE_EXEC: &str = "workspace: {ws}\nworkspaceExec: true\nexec: {exec}\n";
/// With a program that becomes root, as `sudo` does.
const SU: &str = "workspace: {ws}\nexec: {allowlist: [python3, {path: /usr/bin/su}, {path: /usr/bin/passwd}, {path: /usr/bin/mount}]}\n";
const UNJUDGED: &str = "workspace: {ws}\nexec: {exec}\nenforcement: {degrade: [metadata]}\n";
const ROOT: &str = "root, who may make such a file";

attacks! { "privileges";
    capabilities => calls(&["do", "hold"]).needs("root").shows(Held(is_capable));
    ambient_capabilities => calls(&["do", "prctl 47 2 7 0 0; hold"]).needs("inheritable capabilities").within(&["setpriv", "--inh-caps=+setuid"])
        .shows(Held(|scene| has_capabilities(scene, "CapAmb:")));
    user_id_of_a_file => sh("./tool do hold {root}").under(WORKSPACE_EXEC).needs(ROOT).after(|scene| tool(scene, Special::User)).shows(Held(is_somebody_else));
    group_id_of_a_file => sh("./tool do hold {root}").under(WORKSPACE_EXEC).needs(ROOT).after(|scene| tool(scene, Special::Group)).shows(Held(is_in_another_group));
    capabilities_of_a_file => sh("./tool do hold {root}").within(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
        .under(WORKSPACE_EXEC).needs(ROOT).after(|scene| tool(scene, Special::Capabilities)).shows(Held(is_capable));
    su => python(concat!(
        "import subprocess, time\np = subprocess.Popen(['/usr/bin/su', 'root', '-c', ': {root}'], stdin=subprocess.PIPE)\n",
        "time.sleep(0.5)\nprint('ready', flush=True)\nsys.stdin.read()\np.kill()")).under(SU).may_be_refused()
        .needs("another user than root, and a su that asks for a password").shows(Held(is_root_now));
    make_a_program_of_one_s_own_user => bash("cp {attack} p; chmod 4755 p").shows(After(set_id));
    make_a_program_of_one_s_own_group => bash("cp {attack} p; chmod g+s p").shows(After(set_id));
    make_such_a_program_by_descriptor => python("f = open('p', 'wb'); os.fchmod(f.fileno(), 0o6755)").shows(After(set_id));
    make_such_a_program_by_its_directory => python("open('p', 'w'); os.chmod('p', 0o4755, dir_fd=os.open('.', os.O_RDONLY))").shows(After(set_id));
    make_such_a_program_by_number => calls(&["do", "openat -100 @{ws}/p 0o101 0o755; fchmodat2 $1 @ 0o4755 0x1000"]).needs("fchmodat2 (Linux 6.6)").shows(After(set_id));
    open_such_a_program => python("os.umask(0); os.open('p', os.O_CREAT | os.O_WRONLY, 0o4755)").shows(After(set_id));
    make_such_a_node => python("import stat; os.umask(0); os.mknod('p', stat.S_IFREG | 0o6755)").shows(After(set_id));
    make_such_a_nameless_program => python("f = os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o4755); os.link('/proc/self/fd/%d' % f, 'p', src_dir_fd=os.open('/', os.O_RDONLY), follow_symlinks=True)").shows(After(set_id));
    make_such_a_program_where_metadata_is_given_up => bash("cp {attack} p; chmod 4755 p").under(UNJUDGED).shows(After(set_id));
    make_such_a_program_for_the_group_where_metadata_is_given_up => bash("cp {attack} p; chmod g+s p").under(UNJUDGED).shows(After(set_id));
    become_somebody_else => calls(&["do", "setresuid 12345 12345 12345; hold"]).needs("CAP_SETUID").shows(Held(|scene| {
        scene.some_attacker(|process| ids(process, "Uid:") == ["12345"; 3])
    }));
    groups => calls(&["do", "setgroups 0 0; setresgid 12345 12345 12345; hold"]).needs("CAP_SETGID").shows(Held(|scene| {
        scene.some_attacker(|process| ids(process, "Gid:") == ["12345"; 3])
    }));
    scheduling_class => calls(&["do", "sched_setscheduler 0 1 =01000000; hold"]).needs("CAP_SYS_NICE").shows(Held(|scene| {
        scene.some_attacker(|process| {
            // Policy, the 41st field (proc_pid_stat(5)).
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.split(' ').nth(38) == Some("1"))
        })
    }));
}

// Whether a file was left that runs as somebody else when somebody else runs it.
fn set_id(scene: &Scene, _: &crate::harness::Ran) -> bool {
    let mode = fs::metadata(scene.path("ws/p")).map_or(0, |metadata| metadata.permissions().mode());
    mode & 0o6000 != 0
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Special {
    User,
    Group,
    Capabilities,
}

/// A copy of the hostile program, in the workspace, that gives something to whoever executes it. Only root can make it.
fn tool(scene: &mut Scene, special: Special) {
    let path = scene.path("ws/tool");
    fs::copy(programs::attack(), &path).unwrap();
    let mode = match special {
        Special::User => {
            let _ = chown(&path, Some(65534), None);
            0o4755
        }
        Special::Group => {
            let _ = chown(&path, None, Some(65534));
            0o2755
        }
        Special::Capabilities => 0o755,
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    if special == Special::Capabilities {
        for place in ["", "ws", "home", "state"] {
            let _ = fs::set_permissions(scene.path(place), fs::Permissions::from_mode(0o777));
        }
        // VFS_CAP_REVISION_2 with the effective bit, CAP_SETUID permitted (capabilities(7)).
        let program = "import os, struct, sys; os.setxattr(sys.argv[1], 'security.capability', struct.pack('<5I', 0x02000001, 1 << 7, 0, 0, 0))";
        let _ = std::process::Command::new("python3").args(["-c", program]).arg(&path).output();
    }
}

/// Real, effective and saved.
fn ids(process: u32, name: &str) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    line.split_whitespace().take(3).map(str::to_owned).collect()
}

fn own(name: &str) -> Vec<String> {
    ids(std::process::id(), name)
}

fn is_somebody_else(scene: &Scene) -> bool {
    scene.some_attacker(|process| ids(process, "Uid:").get(1) != own("Uid:").get(1))
}

fn is_in_another_group(scene: &Scene) -> bool {
    scene.some_attacker(|process| ids(process, "Gid:").get(1) != own("Gid:").get(1))
}

fn is_root_now(scene: &Scene) -> bool {
    own("Uid:") != ["0"; 3]
        && scene.some_attacker(|process| ids(process, "Uid:").get(1).is_some_and(|id| id == "0"))
}

fn has_capabilities(scene: &Scene, which: &str) -> bool {
    scene.some_attacker(|process| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let set = status.lines().find_map(|line| line.strip_prefix(which)).unwrap_or("0").trim().to_owned();
        u64::from_str_radix(&set, 16).is_ok_and(|set| set != 0)
    })
}

fn is_capable(scene: &Scene) -> bool {
    has_capabilities(scene, "CapEff:") || has_capabilities(scene, "CapPrm:")
}

//! The kernel's surface: interfaces that lead past the other guarantees, or have a long record of faults.
//!
//! Calls that would change this machine when they succeed (reboot, modules, the clock, swap) have no control that
//! could be tried; the filter's own tests and `doctor` are about them.

use std::fs;

use claw_testkit::scene::Scene;

use crate::attack::{attacks, calls, hostile};
use crate::evidence::Evidence::{After, Held, Loot};

const SPACE: &str = "CAP_SYS_ADMIN, or user namespaces";
const ADMIN: &str = "CAP_SYS_ADMIN";

attacks! { "kernel_surface";
    new_user_namespace => calls(&["do", "unshare 0x10000000; hold"]).needs("user namespaces").shows(Held(|scene| is_elsewhere(scene, "user")));
    new_mount_namespace => calls(&["do", "unshare 0x20000; hold"]).needs(ADMIN).shows(Held(|scene| is_elsewhere(scene, "mnt")));
    new_network_namespace => calls(&["do", "unshare 0x40000000; hold"]).needs(ADMIN).shows(Held(|scene| is_elsewhere(scene, "net")));
    new_ipc_namespace => calls(&["do", "unshare 0x08000000; hold"]).needs(ADMIN).shows(Held(|scene| is_elsewhere(scene, "ipc")));
    new_uts_namespace => calls(&["do", "unshare 0x04000000; hold"]).needs(ADMIN).shows(Held(|scene| is_elsewhere(scene, "uts")));
    new_cgroup_namespace => calls(&["do", "unshare 0x02000000; hold"]).needs(ADMIN).shows(Held(|scene| is_elsewhere(scene, "cgroup")));
    all_namespaces_at_once => calls(&["do", "unshare 0x7c020000; hold"]).needs(SPACE).shows(Held(|scene| is_elsewhere(scene, "net")));
    child_in_a_user_namespace => calls(&["do", "clone 0x10000011 0 0 0 0; hold"]).needs("user namespaces").shows(Held(|scene| is_elsewhere(scene, "user")));
    child_in_a_user_namespace_by_clone3 => calls(&["do",
        "clone3 =00000010000000000000000000000000000000000000000000000000000000001100000000000000000000000000000000000000000000000000000000000000 64; hold"])
        .needs("user namespaces").shows(Held(|scene| is_elsewhere(scene, "user")));
    enter_a_namespace => calls(&["do", "openat -100 @/proc/{pid}/ns/uts 0; setns $1 0; hold"]).needs(ADMIN)
        .shows(Held(|scene| scene.some_attacker(|process| opens(process, "uts:["))));
    mount => calls(&["do", "mount @none @{out}/empty @tmpfs 0 0; hold; umount2 @{out}/empty 2"]).needs(ADMIN).shows(Held(is_mounted));
    bind_mount => calls(&["do", "mount @{ws} @{out}/empty @none 0x1000 0; hold; umount2 @{out}/empty 2"]).needs(ADMIN).shows(Held(is_mounted));
    detached_mount => calls(&["do", "fsopen @tmpfs 0; hold"]).needs(ADMIN).shows(Held(|scene| holds(scene, "fscontext")));
    detached_tree => calls(&["do", "open_tree -100 @{ws} 1; hold"]).needs(ADMIN).shows(Held(|scene| scene.some_attacker(|process| opens(process, "/"))));
    change_root => calls(&["do", "chroot @{ws}; hold"]).needs("CAP_SYS_CHROOT")
        .shows(Held(|scene| scene.some_attacker(|process| fs::read_link(format!("/proc/{process}/root")).is_ok_and(|root| root == scene.path("ws")))));
    host_name => calls(&["do", "sethostname @claw-attack 11; say done"]).within(&["unshare", "--uts", "--fork", "sh", "-c",
        "\"$@\"; cat /proc/sys/kernel/hostname > {out}/name", "sh"]).needs(ADMIN)
        .shows(After(|scene, _| fs::read_to_string(scene.path("out/name")).is_ok_and(|name| name == "claw-attack\n")));
    domain_name => calls(&["do", "setdomainname @claw-attack 11; say done"]).within(&["unshare", "--uts", "--fork", "sh", "-c",
        "\"$@\"; cat /proc/sys/kernel/domainname > {out}/name", "sh"]).needs(ADMIN)
        .shows(After(|scene, _| fs::read_to_string(scene.path("out/name")).is_ok_and(|name| name == "claw-attack\n")));
    io_uring => calls(&["do", "io_uring_setup 1 *120; hold"]).needs("io_uring").shows(Held(|scene| holds(scene, "[io_uring]")));
    userfaultfd => calls(&["do", "userfaultfd 1; hold"]).needs("userfaultfd").shows(Held(|scene| holds(scene, "[userfaultfd]")));
    // BPF_MAP_CREATE of an array with one element.
    bpf_map => calls(&["do", "bpf 0 =02000000040000000400000001000000000000000000000000000000000000000000000000000000000000000000000000000000 52; hold"])
        .needs("bpf for this user").shows(Held(|scene| holds(scene, "bpf-map")));
    // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK.
    perf_event => calls(&["do", "perf_event_open =0100000070000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 0 -1 -1 0; hold"])
        .needs("performance counters for this user").shows(Held(|scene| holds(scene, "[perf_event]")));
    fanotify => calls(&["do", "fanotify_init 0x200 0; hold"]).needs("fanotify").shows(Held(|scene| holds(scene, "[fanotify]")));
    secret_memory => calls(&["do", "memfd_secret 0; hold"]).needs("secret memory").shows(Held(|scene| holds(scene, "secretmem")));
    executable_memory_file => calls(&["do", "memfd_create @x 0; hold"]).shows(Held(|scene| holds(scene, "/memfd:")));
    memory_file_with_exec_asked_for => calls(&["do", "memfd_create @x 0x10; hold"]).shows(Held(|scene| holds(scene, "/memfd:")));
    personality => calls(&["do", "personality 0x0040000; hold"]).shows(Held(|scene| {
        scene.some_attacker(|process| fs::read_to_string(format!("/proc/{process}/personality")).is_ok_and(|text| text.trim() != "00000000"))
    }));
    foreign_architecture => hostile(&["int80-umask", "321"]).needs("the 32-bit interface").shows(Held(has_umask));
    x32_numbers => calls(&["do", "0x4000005f 0o321; hold"]).needs("the x32 interface").shows(Held(has_umask));
    keyring => calls(&["do", "add_key @user @{token} @x 1 -4; keyctl 15 $1 5; hold"]).needs("keyrings").shows(Held(|scene| {
        fs::read_to_string("/proc/keys").unwrap_or_default().contains(&scene.fill("{token}"))
    }));
    kernel_log => calls(&["do", "syslog 10 0 0; say log-size-known"]).needs("CAP_SYSLOG")
        .shows(crate::evidence::Evidence::Said("log-size-known"));
    open_by_handle => calls(&["do", "openat -100 @/ 0o200000; name_to_handle_at -100 @{out}/secret =8000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 *4 0; say handle"])
        .shows(crate::evidence::Evidence::Said("handle"));
    process_memory_map => calls(&["do", "openat -100 @/proc/{pid}/mem 0; hold"]).shows(Held(|scene| scene.some_attacker(|process| opens(process, "/mem"))));
    read_kernel_memory => calls(&["do", "openat -100 @/proc/kcore 0; hold"]).needs("CAP_SYS_RAWIO").shows(Held(|scene| scene.some_attacker(|process| opens(process, "kcore"))));
    open_a_disk => calls(&["do", "openat -100 @/dev/vda 0; hold"]).needs("a disk /dev/vda, and the right to read it")
        .shows(Held(|scene| scene.some_attacker(|process| opens(process, "/dev/vda"))));
    change_a_kernel_setting => calls(&["do", "openat -100 @/proc/sys/kernel/core_pattern 1; hold"]).needs("root")
        .shows(Held(|scene| scene.some_attacker(|process| opens(process, "core_pattern"))));
    trace_the_kernel => calls(&["do", "openat -100 @/sys/kernel/debug 0; hold"]).needs("a readable debugfs")
        .shows(Held(|scene| scene.some_attacker(|process| opens(process, "/sys/kernel/debug"))));
    change_a_cgroup => calls(&["do", "mkdirat -100 @/sys/fs/cgroup/pids/{token} 0o755; hold; unlinkat -100 @/sys/fs/cgroup/pids/{token} 0x200"])
        .needs("a writable cgroup hierarchy").shows(Held(|scene| fs::exists(scene.fill("/sys/fs/cgroup/pids/{token}")).unwrap_or(false)));
    secret_of_the_machine => calls(&["do", "openat -100 @/etc/shadow 0; print $1; say {secret}"]).needs("root")
        .after(|scene| { let secret = scene.secret().to_owned(); scene.name("secret", secret); }).shows(Loot);
}

fn is_elsewhere(scene: &Scene, namespace: &str) -> bool {
    let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{namespace}"));
    let ours = of("self").unwrap();
    scene.some_attacker(|process| of(&process.to_string()).is_ok_and(|theirs| theirs != ours))
}

fn is_mounted(scene: &Scene) -> bool {
    fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&scene.fill("{out}/empty"))
}

/// Whether an attacker has a descriptor that is no file of a path.
fn holds(scene: &Scene, what: &str) -> bool {
    scene.some_attacker(|process| opens(process, what))
}

/// Whether a descriptor beyond the standard streams leads to something with this in its name.
fn opens(process: u32, what: &str) -> bool {
    let links = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    links
        .filter(|link| {
            link.file_name().to_str().and_then(|name| name.parse().ok()).is_some_and(|number: u32| number > 2)
        })
        .filter_map(|link| fs::read_link(link.path()).ok())
        .any(|to| to.to_string_lossy().contains(what))
}

fn has_umask(scene: &Scene) -> bool {
    scene.some_attacker(|process| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().any(|line| line == "Umask:\t0321")
    })
}

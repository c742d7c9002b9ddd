//! Files: nothing outside the roots is read or written, and nothing beneath a read-only root is written.

use std::fs;
use std::os::unix::fs::symlink;

use claw_testkit::scene::Scene;

use crate::attack::{attacks, bash, calls, perl, python, sh};
use crate::evidence::Evidence::{After, Changed, Exists, Gone, Held, Loot, Said};

const HIDDEN: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: [{ro}], hidden: [{ro}/hidden, {ro}/deep/hidden]}\n";
const HOME_READABLE: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: [{home}]}\n";
const HOME_WRITABLE: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {writable: [{home}]}\n";
const LOGGED: &str = "workspace: {ws}\nexec: {exec}\nlogging: {logFile: {out}/audit.log}\n";

const NESTED: &str =
    "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: ['{ws}/given'], hidden: ['{ws}/secret']}\n";
const NETWORK: &str = "workspace: {ws}\nexec: {exec}\nnetwork: {allow: [{host: loopback}]}\n";

fn shared(scene: &mut Scene) {
    fs::write(scene.fill("/dev/shm/{token}"), "own").unwrap();
}

// What somebody else's shared memory holds in the end.
fn take_shared(scene: &Scene) -> String {
    let path = scene.fill("/dev/shm/{token}");
    let content = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    content
}

attacks! { "file";
    bind_a_socket_at_a_protected_name => python("import socket; socket.socket(socket.AF_UNIX).bind('{ws}/.bashrc')").shows(Exists("{ws}/.bashrc"));
    bind_a_socket_at_a_protected_name_with_a_network => python("import socket; socket.socket(socket.AF_UNIX).bind('{ws}/.bashrc')")
        .under(NETWORK).shows(Exists("{ws}/.bashrc"));
    bind_a_socket_in_a_protected_directory => python("import socket; os.chdir('.git'); socket.socket(socket.AF_UNIX).bind('hooks/x')")
        .after(|scene| { scene.write("ws/.git/hooks/old", ""); }).shows(Exists("{ws}/.git/hooks/x"));
    bind_a_socket_through_a_link => python("import socket; os.symlink('.git/hooks', 'l'); socket.socket(socket.AF_UNIX).bind('l/x')")
        .after(|scene| { scene.write("ws/.git/hooks/old", ""); }).shows(Exists("{ws}/.git/hooks/x"));
    bind_a_socket_in_a_read_only_directory => python("import socket; socket.socket(socket.AF_UNIX).bind('{ws}/given/x')")
        .under(NESTED).after(|scene| { scene.write("ws/given/old", ""); }).shows(Exists("{ws}/given/x"));
    bind_a_socket_in_a_hidden_directory => python("import socket; socket.socket(socket.AF_UNIX).bind('{ws}/secret/x')")
        .under(NESTED).after(|scene| { scene.write("ws/secret/old", ""); }).shows(Exists("{ws}/secret/x"));
    overwrite_outside => sh("echo changed > {out}/kept").shows(Changed("{out}/kept"));
    append_outside => sh("echo changed >> {out}/kept").shows(Changed("{out}/kept"));
    create_outside => sh("echo new > {out}/new").shows(Exists("{out}/new"));
    create_in_the_root_directory_above => sh("echo new > ../new").shows(Exists("{root}/new"));
    delete_outside => sh("rm -f {out}/kept").shows(Gone("{out}/kept"));
    move_out_of_outside => sh("mv {out}/kept {ws}/stolen").shows(Gone("{out}/kept"));
    move_into_outside => sh("mv {ws}/own {out}/new").shows(Exists("{out}/new"));
    replace_by_rename => perl("rename '{ws}/own', '{out}/new'").shows(Exists("{out}/new"));
    exchange_names => calls(&["do", "renameat2 -100 @{ws}/script -100 @{out}/kept 2"])
        .after(|scene| { scene.write("ws/script", "changed"); })
        .shows(Changed("{out}/kept"));
    make_a_directory_outside => sh("mkdir {out}/new").shows(Exists("{out}/new"));
    remove_a_directory_outside => sh("rmdir {out}/empty").shows(Gone("{out}/empty"));
    make_a_symlink_outside => sh("ln -s x {out}/new").shows(Exists("{out}/new"));
    hard_link_into_outside => sh("ln {ws}/own {out}/new").shows(Exists("{out}/new"));
    hard_link_from_outside_and_write => sh("ln {out}/kept {ws}/link; echo changed > {ws}/link").shows(Changed("{out}/kept"));
    hard_link_from_read_only_and_write => sh("ln {ro}/kept {ws}/link; echo changed > {ws}/link").shows(Changed("{ro}/kept"));
    make_a_fifo_outside => sh("mkfifo {out}/new").shows(Exists("{out}/new"));
    bind_a_socket_outside => python("import socket; socket.socket(socket.AF_UNIX).bind('{out}/new')").shows(Exists("{out}/new"));
    truncate_by_path => calls(&["do", "truncate @{out}/kept 0"]).shows(Changed("{out}/kept"));
    truncate_by_open => calls(&["do", "openat -100 @{out}/kept 0o1001"]).shows(Changed("{out}/kept"));
    unnamed_file_linked_outside => calls(&["do", "openat -100 @{ws} 0o20200002 0o600; linkat $1 @ -100 @{out}/new 0x1000"])
        .needs("a right to link a descriptor (CAP_DAC_READ_SEARCH, or Linux 6.10)").shows(Exists("{out}/new"));
    write_through_a_symlink => sh("ln -s {out}/kept link; echo changed > link").shows(Changed("{out}/kept"));
    write_through_a_symlink_made_before => sh("echo changed > link")
        .after(|scene| symlink(scene.path("out/kept"), scene.path("ws/link")).unwrap()).shows(Changed("{out}/kept"));
    write_through_a_directory_link => sh("ln -s {out} link; echo changed > link/kept").shows(Changed("{out}/kept"));
    write_through_a_chain_of_links => sh("ln -s {out} a; ln -s a b; ln -s b/kept c; echo changed > c").shows(Changed("{out}/kept"));
    write_through_dot_dot => sh("echo changed > {ws}/../out/kept").shows(Changed("{out}/kept"));
    write_through_the_root_of_proc => sh("echo changed > /proc/self/root{out}/kept").shows(Changed("{out}/kept"));
    write_through_the_directory_of_proc => sh("echo changed > /proc/self/cwd/../out/kept").shows(Changed("{out}/kept"));
    write_by_openat2 => calls(&["do", "openat2 -100 @{out}/new =410000000000000080010000000000000000000000000000 24"])
        .shows(Exists("{out}/new"));
    copy_between_descriptors => calls(&["do", "openat -100 @{ws}/own 0; openat -100 @{out}/empty/new 0o102 0o600; copy_file_range $1 0 $2 0 9 0"])
        .shows(Exists("{out}/empty/new"));
    directory_descriptor_outside => calls(&["do", "openat -100 @{out} 0o10200000; openat $1 @new 0o102 0o600"]).shows(Exists("{out}/new"));
    change_directory_and_write => sh("cd {out} && echo new > new").shows(Exists("{out}/new"));
    read_a_secret => sh("cat {out}/secret").shows(Loot);
    copy_a_secret => sh("cp {out}/secret {ws}/loot").shows(Loot);
    read_through_a_symlink => sh("ln -s {out}/secret link; cat link").shows(Loot);
    read_through_the_root_of_another => sh("cat /proc/{pid}/root{out}/secret").shows(Loot);
    read_through_the_directory_of_another => sh("cat /proc/{pid}/cwd/../out/secret").shows(Loot);
    read_a_descriptor_of_another => sh("cat /proc/{pid}/fd/{descriptor}").shows(Loot);
    write_a_descriptor_of_another => sh("echo changed > /proc/{pid}/fd/{descriptor}")
        .shows(After(|scene, _| fs::read_to_string(scene.path("out/secret")).unwrap() != scene.secret()));
    read_by_a_mapping => python("import mmap; f = open('{out}/secret'); print(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:])").shows(Loot);
    list_outside => sh("ls {out}").after(|scene| { scene.write("out/name-of-a-file", ""); }).shows(Said("name-of-a-file"));
    list_the_home => sh("ls -A {home}").after(|scene| { scene.write("home/name-of-a-file", ""); }).shows(Said("name-of-a-file"));
    read_a_key_of_the_home => sh("cat ~/.ssh/id").after(|scene| { scene.write("home/.ssh/id", scene.secret()); }).shows(Loot);
    read_a_key_of_a_readable_home => sh("cat ~/.ssh/id").under(HOME_READABLE)
        .after(|scene| { scene.write("home/.ssh/id", scene.secret()); scene.write("home/other", ""); }).shows(Loot);
    read_a_key_of_a_writable_home => sh("cat ~/.ssh/id").under(HOME_WRITABLE)
        .after(|scene| { scene.write("home/.ssh/id", scene.secret()); }).shows(Loot);
    write_a_start_up_file => sh("echo changed >> ~/.bashrc").shows(Exists("{home}/.bashrc"));
    overwrite_read_only => sh("echo changed > {ro}/kept").shows(Changed("{ro}/kept"));
    delete_read_only => sh("rm -f {ro}/kept").shows(Gone("{ro}/kept"));
    create_in_read_only => sh("echo new > {ro}/new").shows(Exists("{ro}/new"));
    rename_in_read_only => sh("mv {ro}/kept {ro}/new").shows(Gone("{ro}/kept"));
    move_out_of_read_only => sh("mv {ro}/kept {ws}/new").shows(Gone("{ro}/kept"));
    move_into_read_only => sh("mv {ws}/own {ro}/new").shows(Exists("{ro}/new"));
    write_read_only_through_a_link => sh("ln -s {ro}/kept link; echo changed > link").shows(Changed("{ro}/kept"));
    write_read_only_by_a_descriptor_again => bash("exec 5< {ro}/kept; echo changed > /proc/self/fd/5").shows(Changed("{ro}/kept"));
    read_a_hidden_file => sh("cat {ro}/hidden").under(HIDDEN).after(hidden).shows(Loot);
    read_a_hidden_directory => sh("cat {ro}/deep/hidden/file").under(HIDDEN).after(hidden).shows(Loot);
    read_a_hidden_file_through_a_link => sh("ln -s {ro}/hidden link; cat link").under(HIDDEN).after(hidden).shows(Loot);
    read_a_hidden_file_by_a_hard_link => sh("ln {ro}/hidden {ws}/link; cat link").under(HIDDEN).after(hidden).shows(Loot);
    change_the_policy => sh("echo changed > {root}/policy.yaml")
        .shows(After(|scene, _| fs::read(scene.path("policy.yaml")).is_ok_and(|bytes| bytes == b"changed\n")));
    delete_the_audit_log => sh("rm -f {out}/audit.log").under(LOGGED)
        .after(|scene| { scene.write("out/audit.log", ""); }).shows(Gone("{out}/audit.log"));
    make_shared_memory_as_a_library_does => python("os.close(os.open('/dev/shm/{token}', os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW))")
        .shows(After(|scene, _| fs::remove_file(scene.fill("/dev/shm/{token}")).is_ok()));
    change_the_shared_memory_of_another => python("os.write(os.open('/dev/shm/{token}', os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW), b'changed')")
        .after(shared).shows(After(|scene, _| take_shared(scene) != "own"));
    remove_the_shared_memory_of_another => perl("unlink '/dev/shm/{token}'").after(shared).shows(After(|scene, _| take_shared(scene) != "own"));
    write_through_a_link_in_shared_memory => python(
        "own = os.environ.get('TMPDIR', ''); os.symlink('{out}/kept', own + '/shm.{token}' if own.startswith('/tmp/claw-sandbox-') else '/dev/shm/{token}'); os.write(os.open('/dev/shm/{token}', os.O_RDWR | os.O_EXCL), b'changed')",
    ).shows(After(|scene, ran| {
        let _ = fs::remove_file(scene.fill("/dev/shm/{token}"));
        Changed("{out}/kept").afterwards(scene, ran)
    }));
    write_into_shared_memory => sh("echo new > /dev/shm/{token}").shows(After(|scene, _| {
        fs::remove_file(scene.fill("/dev/shm/{token}")).is_ok()
    }));
    write_into_the_shared_temporary_directory => sh("echo new > /tmp/{token}-new")
        .shows(After(|scene, _| fs::remove_file(scene.fill("/tmp/{token}-new")).is_ok()));
    write_by_an_inherited_descriptor => sh("echo changed >&7").within(&["bash", "-c", "exec 7>> {out}/kept; exec \"$@\"", "bash"])
        .shows(Changed("{out}/kept"));
    read_by_an_inherited_descriptor => sh("cat <&7").within(&["bash", "-c", "exec 7< {out}/secret; exec \"$@\"", "bash"]).shows(Loot);
    use_an_inherited_directory => sh("echo new > /proc/self/fd/7/new").within(&["bash", "-c", "exec 7< {out}; exec \"$@\"", "bash"])
        .shows(Exists("{out}/new"));
    make_a_device => sh("mknod {ws}/device c 1 3").needs("CAP_MKNOD").shows(Exists("{ws}/device"));
    open_by_a_handle => calls(&["do", "name_to_handle_at -100 @{out}/kept =0800000000000000000000000000000000000000 *4 0; say ready; hold"])
        .shows(Held(|scene| scene.some_attacker(|_| true)));
}

fn hidden(scene: &mut Scene) {
    scene.write("ro/hidden", scene.secret());
    scene.write("ro/deep/hidden/file", scene.secret());
}

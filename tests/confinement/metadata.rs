//! Metadata: modes, owners, times and attributes of what may only be read, or not even that.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use claw_testkit::scene::Scene;

use crate::attack::{attacks, bash, calls, perl, python, sh};
use crate::evidence::Evidence::{After, Mode, Old, Owner, Said};

/// As the suite's plain policy, with nothing given up.
const STRICT: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: [{ro}]}\nenforcement: {degrade: [exec-arguments]}\n";

const HIDDEN: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {hidden: ['{ws}/secret']}\n";

attacks! { "metadata";
    chmod_read_only => sh("chmod 777 {ro}/kept").under(STRICT).shows(Mode("{ro}/kept"));
    chmod_outside => sh("chmod 777 {out}/kept").under(STRICT).shows(Mode("{out}/kept"));
    chmod_the_read_only_root => sh("chmod 640 {ro}").under(STRICT).shows(After(|scene, _| mode(&scene.path("ro")) == 0o640));
    chmod_through_a_link => sh("ln -s {ro}/kept link; chmod 777 link").under(STRICT).shows(Mode("{ro}/kept"));
    chmod_through_a_directory_link => sh("ln -s {out} link; chmod 777 link/kept").under(STRICT).shows(Mode("{out}/kept"));
    chmod_through_dot_dot => sh("chmod 777 {ws}/../out/kept").under(STRICT).shows(Mode("{out}/kept"));
    chmod_through_proc => bash("exec 5< {ro}/kept; chmod 777 /proc/self/fd/5").under(STRICT).shows(Mode("{ro}/kept"));
    chmod_through_the_root_of_another => sh("chmod 777 /proc/{pid}/root{out}/kept").under(STRICT).shows(Mode("{out}/kept"));
    chmod_by_descriptor => calls(&["do", "openat -100 @{ro}/kept 0; fchmod $1 0o777"]).under(STRICT).shows(Mode("{ro}/kept"));
    chmod_by_directory_descriptor => calls(&["do", "openat -100 @{ro} 0o200000; fchmodat $1 @kept 0o777"]).under(STRICT).shows(Mode("{ro}/kept"));
    chmod_by_path_descriptor => calls(&["do", "openat -100 @{out}/kept 0o10000000; fchmodat2 $1 @ 0o777 0x1000"]).under(STRICT)
        .needs("fchmodat2 (Linux 6.6)").shows(Mode("{out}/kept"));
    set_user_id_bit => sh("chmod u+s {ro}/kept").under(STRICT).shows(Mode("{ro}/kept"));
    chown_outside => sh("chown 65534:65534 {out}/kept").under(STRICT).needs("CAP_CHOWN").shows(Owner("{out}/kept"));
    chown_by_descriptor => calls(&["do", "openat -100 @{ro}/kept 0; fchown $1 65534 65534"]).under(STRICT).needs("CAP_CHOWN").shows(Owner("{ro}/kept"));
    chown_a_link_outside => calls(&["do", "fchownat -100 @{out}/link 65534 65534 0x100"]).under(STRICT).needs("CAP_CHOWN")
        .after(|scene| symlink("x", scene.path("out/link")).unwrap()).shows(Owner("{out}/link"));
    times_read_only => perl("utime 1, 1, '{ro}/kept'").under(STRICT).shows(Old("{ro}/kept"));
    times_outside => perl("utime 1, 1, '{out}/kept'").under(STRICT).shows(Old("{out}/kept"));
    times_by_descriptor => python("fd = os.open('{ro}/kept', os.O_RDONLY); os.utime(fd, (1, 1))").under(STRICT).shows(Old("{ro}/kept"));
    times_of_a_link => python("os.utime('{out}/link', (1, 1), follow_symlinks=False)").under(STRICT)
        .after(|scene| symlink("x", scene.path("out/link")).unwrap()).shows(Old("{out}/link"));
    times_of_a_directory => perl("utime 1, 1, '{out}'").under(STRICT).shows(Old("{out}"));
    set_an_attribute => calls(&["do", "setxattr @{ro}/kept @user.attack @x 1 0"]).under(STRICT).needs(ATTRIBUTES).shows(After(has_attribute));
    set_an_attribute_by_descriptor => calls(&["do", "openat -100 @{ro}/kept 0; fsetxattr $1 @user.attack @x 1 0"]).under(STRICT)
        .needs(ATTRIBUTES).shows(After(has_attribute));
    remove_an_attribute => calls(&["do", "removexattr @{ro}/kept @user.given"]).under(STRICT).needs(ATTRIBUTES)
        .after(|scene| attribute(scene, "os.setxattr(sys.argv[1], 'user.given', b'x')")).shows(After(lost_attribute));
    read_an_attribute_of_a_hidden_file => python("print(os.getxattr('{ws}/secret', 'user.attack'))").under(HIDDEN).needs(ATTRIBUTES)
        .after(hidden).shows(Said("a value"));
    read_an_attribute_of_a_hidden_file_through_a_descriptor =>
        python("f = os.open('{ws}/secret', os.O_PATH); print(os.getxattr('/proc/self/fd/%d' % f, 'user.attack'))").under(HIDDEN).needs(ATTRIBUTES)
        .after(hidden).shows(Said("a value"));
    read_an_attribute_of_a_hidden_file_through_a_link => python("os.symlink('secret', 'l'); print(os.getxattr('l', 'user.attack'))").under(HIDDEN)
        .needs(ATTRIBUTES).after(hidden).shows(Said("a value"));
    list_the_attributes_of_a_hidden_file => python("print(os.listxattr('{ws}/secret', follow_symlinks=False))").under(HIDDEN).needs(ATTRIBUTES)
        .after(hidden).shows(Said("user.attack"));
    // FS_IOC_SETFLAGS with FS_NODUMP_FL, which the owner may set.
    set_a_flag => calls(&["do", "openat -100 @{ro}/kept 0; ioctl $1 0x40086602 =4000000000000000"]).under(STRICT)
        .needs("a file system with flags").shows(After(|scene, _| flags(&scene.path("ro/kept")).contains('d')));
}

const ATTRIBUTES: &str = "a file system with attributes of users";

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

// The standard library has no attributes; Python has.
fn attribute(scene: &mut Scene, line: &str) {
    let program = format!("import os, sys; {line}");
    let _ = Command::new("python3").args(["-c", &program]).arg(scene.path("ro/kept")).output();
}

fn hidden(scene: &mut Scene) {
    let secret = scene.write("ws/secret", scene.secret());
    let program = "import os, sys; os.setxattr(sys.argv[1], 'user.attack', b'a value')";
    let _ = Command::new("python3").args(["-c", program]).arg(secret).output();
}

fn attributes(scene: &Scene) -> String {
    let program = "import os, sys; print(os.listxattr(sys.argv[1]))";
    let output = Command::new("python3").args(["-c", program]).arg(scene.path("ro/kept")).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

fn has_attribute(scene: &Scene, _: &crate::harness::Ran) -> bool {
    attributes(scene).contains("user.attack")
}

fn lost_attribute(scene: &Scene, _: &crate::harness::Ran) -> bool {
    !attributes(scene).contains("user.given")
}

fn flags(path: &Path) -> String {
    let output = Command::new("lsattr").arg(path).output();
    let listed =
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    listed.split(' ').next().unwrap_or("").to_owned()
}

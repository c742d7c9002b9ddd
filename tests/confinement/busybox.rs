//! One file that is many programs: it is judged as what it is, whatever it is called.

use crate::attack::{attacks, python, sh};
use crate::evidence::Evidence::Exists;

const MARKED: crate::evidence::Evidence = Exists("{ws}/marked");
const BUSYBOX: &str = "busybox";
const WORKSPACE_EXEC: &str =
    "workspace: {ws}\nworkspaceExec: true\nexec: {allowlist: [sh, ln, cp, cat, chmod]}\n";
/// One applet is allowed.
const ONE_APPLET: &str = "workspace: {ws}\nworkspaceExec: true\nexec: {allowlist: [sh, ln, python3, {command: busybox, allow: [[cat]]}]}\n";
const NO_APPLET: &str = "workspace: {ws}\nexec: {allowlist: [sh, python3, busybox], deny: [touch]}\n";

attacks! { "busybox";
    not_allowed => sh("busybox touch {ws}/marked").needs(BUSYBOX).shows(MARKED);
    by_a_link_with_an_allowed_name => sh("ln -s $(command -v busybox) cat; busybox=./cat; $busybox touch {ws}/marked || ln -s /bin/busybox touch; ./touch {ws}/marked")
        .under(WORKSPACE_EXEC).needs(BUSYBOX).shows(MARKED);
    through_its_shell => sh("busybox sh -c 'touch {ws}/marked'").needs(BUSYBOX).shows(MARKED);
    another_applet => sh("busybox touch {ws}/marked").under(ONE_APPLET).needs(BUSYBOX).shows(MARKED);
    another_applet_by_a_link => sh("ln -s /bin/busybox touch; ./touch {ws}/marked").under(ONE_APPLET).needs(BUSYBOX).shows(MARKED);
    // The name says which applet, and the arguments look like an allowed one.
    another_applet_by_its_name => python("os.execv('/bin/busybox', ['touch', 'cat', '{ws}/marked'])").under(ONE_APPLET).needs(BUSYBOX).shows(MARKED);
    another_applet_by_its_name_in_a_link => python("os.symlink('/bin/busybox', 'touch'); os.execv('./touch', ['touch', 'cat', '{ws}/marked'])")
        .under(ONE_APPLET).needs(BUSYBOX).shows(MARKED);
    a_denied_name_by_its_name => python("os.execv('/bin/busybox', ['touch', '{ws}/marked'])").under(NO_APPLET).needs(BUSYBOX).shows(MARKED);
    a_denied_applet => sh("busybox touch {ws}/marked").under(NO_APPLET).needs(BUSYBOX).shows(MARKED);
    a_shell_s_denied_applet => sh("busybox sh -c 'touch {ws}/marked'").under(NO_APPLET).needs(BUSYBOX).shows(MARKED);
}

//! Programs: only what is allowed runs, whoever starts it and under whatever name.
//!
//! `touch` is the tool that is not allowed in these policies, and `{ws}/marked` is what it leaves.

use crate::attack::{attacks, bash, calls, line, perl, python, sh};
use crate::evidence::Evidence::Exists;

const MARKED: crate::evidence::Evidence = Exists("{ws}/marked");

const WORKSPACE_EXEC: &str = "workspace: {ws}\nworkspaceExec: true\nexec: {exec}\n";
const ARGUMENTS: &str = "workspace: {ws}\nexec: {allowlist: [sh, python3, xargs, find, env, make, cp, ln, \
     {command: git, allow: [[status], [version]]}, {command: mkdir, deny: [{subcommand: [], anyFlag: [-m, --mode]}]}]}\n";
const PREFIX: &str = "workspace: {ws}\nexec: {allowlist: [sh, git status]}\n";
const DENIED: &str = "workspace: {ws}\nexec: {security: full, deny: [touch]}\n";
const ONLY_PYTHON: &str = "workspace: {ws}\nexec: {allowlist: [python3, {path: {attack}}]}\n";
const ONLY_GIT: &str = "workspace: {ws}\nexec: {allowlist: [git, {path: {attack}}]}\n";
const ONLY_NPM: &str = "workspace: {ws}\nexec: {allowlist: [npm, python3]}\n";
const NO_INLINE: &str = "workspace: {ws}\nexec: {allowlist: [sh, python3, perl], inlineEval: deny}\n";

attacks! { "exec";
    as_a_command => line("touch {ws}/marked").may_be_refused().shows(MARKED);
    behind_a_wrapper => line("env timeout 5 nice touch {ws}/marked").may_be_refused().shows(MARKED);
    in_a_substitution => line("echo $(touch {ws}/marked)").may_be_refused().shows(MARKED);
    in_a_variable => line("t=touch; $t {ws}/marked").may_be_refused().shows(MARKED);
    from_a_script => sh("touch {ws}/marked").shows(MARKED);
    by_its_path => sh("/usr/bin/touch {ws}/marked").shows(MARKED);
    by_another_spelling_of_its_path => sh("/usr/../usr/bin/./touch {ws}/marked").shows(MARKED);
    through_env => sh("env touch {ws}/marked").shows(MARKED);
    through_timeout_and_nice => sh("timeout 5 nice touch {ws}/marked").shows(MARKED);
    through_setsid => sh("setsid touch {ws}/marked; sleep 0.1").shows(MARKED);
    through_xargs => sh("echo {ws}/marked | xargs touch").shows(MARKED);
    through_find => sh("find own -exec touch {ws}/marked ';'").shows(MARKED);
    through_awk => sh("awk 'BEGIN { system(\"touch {ws}/marked\") }'").shows(MARKED);
    through_sed => sh("sed '1e touch {ws}/marked' own").shows(MARKED);
    through_make => sh("printf 'all:\\n\\ttouch {ws}/marked\\n' > Makefile; make").needs("make").shows(MARKED);
    through_tar => sh("tar -cf x.tar --checkpoint=1 --checkpoint-action=exec='touch {ws}/marked' own").shows(MARKED);
    through_sort => sh("seq 1 9000 > big; sort -S 20k --compress-program={ws}/t big > /dev/null")
        .after(|scene| program(scene, "ws/t", "#!/bin/sh\ntouch {ws}/marked\nexec cat\n")).shows(MARKED);
    through_an_alias_of_git => sh("git -c alias.x='!touch {ws}/marked' x").needs("git").shows(MARKED);
    through_a_hook_of_git => sh("git init -q r; mkdir -p h; cd r; git -c core.hooksPath={ws}/h -c user.name=a -c user.email=a@b commit -q --allow-empty -m x")
        .after(|scene| program(scene, "ws/h/pre-commit", "#!/bin/sh\ntouch {ws}/marked\n")).needs("git").shows(MARKED);
    through_a_filter_of_git => sh("git init -q r; cd r; echo '* filter=x' > .gitattributes; echo a > a; git -c filter.x.clean='touch {ws}/marked; cat' add a")
        .needs("git").shows(MARKED);
    through_ed => sh("printf '!touch {ws}/marked\\nq\\n' | ed own").needs("ed").shows(MARKED);
    through_vim => sh("vim -es -u NONE -c '!touch {ws}/marked' -c q < /dev/null").needs("vim").shows(MARKED);
    through_node => sh("node -e 'require(\"child_process\").spawnSync(\"touch\", [\"{ws}/marked\"])'").needs("node").shows(MARKED);
    through_an_npm_script => sh("echo '{\"scripts\":{\"x\":\"touch {ws}/marked\"}}' > package.json; npm run x").needs("npm").shows(MARKED);
    from_python => python("os.execv('/usr/bin/touch', ['cat', '{ws}/marked'])").shows(MARKED);
    from_python_by_spawn => python("os.posix_spawn('/usr/bin/touch', ['cat', '{ws}/marked'], {})").shows(MARKED);
    from_perl => perl("exec { '/usr/bin/touch' } 'cat', '{ws}/marked'").shows(MARKED);
    with_a_false_name => calls(&["do", "execve @/usr/bin/touch argv:cat,{ws}/marked 0"]).shows(MARKED);
    copied => sh("cp /usr/bin/touch t; ./t {ws}/marked").shows(MARKED);
    copied_with_an_allowed_name => sh("cp /usr/bin/touch cat; ./cat {ws}/marked").shows(MARKED);
    linked_with_an_allowed_name => sh("ln -s /usr/bin/touch cat; ./cat {ws}/marked").shows(MARKED);
    hard_linked_with_an_allowed_name => sh("ln /usr/bin/touch cat; ./cat {ws}/marked").needs("a link on the same file system to a file of one's own").shows(MARKED);
    planted_on_the_path => sh("cp /usr/bin/touch cat; PATH={ws}:$PATH; cat {ws}/marked").shows(MARKED);
    copied_where_programs_may_run => sh("cp /usr/bin/touch t; ./t {ws}/marked")
        .under("workspace: {ws}\nworkspaceExec: false\nexec: {exec}\n").shows(MARKED);
    script_with_a_foreign_interpreter => sh("printf '#!/usr/bin/touch {ws}/marked\\n' > x; chmod 755 x; ./x").under(WORKSPACE_EXEC).shows(MARKED);
    script_in_the_workspace => sh("printf '#!/bin/sh\\n: > {ws}/marked\\n' > x; chmod 755 x; ./x").shows(MARKED);
    script_through_a_chain_of_interpreters => sh(
        "printf '#!/usr/bin/touch {ws}/marked\\n' > a; chmod 755 a; printf '#!{ws}/a\\n' > b; chmod 755 b; ./b").under(WORKSPACE_EXEC).shows(MARKED);
    by_the_loader => sh("/lib64/ld-linux-x86-64.so.2 /usr/bin/touch {ws}/marked").needs("the loader of x86_64").shows(MARKED);
    by_the_loader_from_the_workspace => sh("cp /usr/bin/touch t; /lib64/ld-linux-x86-64.so.2 ./t {ws}/marked").needs("the loader of x86_64").shows(MARKED);
    by_a_copy_of_the_loader => sh("cp /lib64/ld-linux-x86-64.so.2 ld; ./ld /usr/bin/touch {ws}/marked").needs("the loader of x86_64").shows(MARKED);
    by_the_loader_from_python => python("os.execv('/lib64/ld-linux-x86-64.so.2', ['cat', '/usr/bin/touch', '{ws}/marked'])")
        .needs("the loader of x86_64").shows(MARKED);
    by_the_loader_for_an_argument_rule => sh("/lib64/ld-linux-x86-64.so.2 /usr/bin/mkdir -m 700 {ws}/marked").under(ARGUMENTS)
        .needs("the loader of x86_64").shows(MARKED);
    from_memory => python(concat!(
        "fd = os.memfd_create('x', 0)\nos.sendfile(fd, os.open('/usr/bin/touch', os.O_RDONLY), 0, 1 << 24)\n",
        "os.execv(f'/proc/self/fd/{fd}', ['cat', '{ws}/marked'])")).shows(MARKED);
    from_memory_by_descriptor => python(concat!(
        "fd = os.memfd_create('x', 0)\nos.sendfile(fd, os.open('/usr/bin/touch', os.O_RDONLY), 0, 1 << 24)\n",
        "os.execve(fd, ['cat', '{ws}/marked'], {})")).shows(MARKED);
    by_descriptor => python("os.execve(os.open('/usr/bin/touch', os.O_RDONLY), ['cat', '{ws}/marked'], {})").shows(MARKED);
    by_a_path_descriptor => calls(&["do", "openat -100 @/usr/bin/touch 0o10000000; execveat $1 @ argv:cat,{ws}/marked 0 0x1000"]).shows(MARKED);
    by_a_directory_descriptor => calls(&["do", "openat -100 @/usr/bin 0o10000000; execveat $1 @touch argv:cat,{ws}/marked 0 0"]).shows(MARKED);
    by_a_descriptor_s_path => python("fd = os.open('/usr/bin/touch', os.O_PATH); os.execv(f'/proc/self/fd/{fd}', ['cat', '{ws}/marked'])").shows(MARKED);
    from_an_unnamed_file => python(concat!(
        "fd = os.open('{ws}', os.O_TMPFILE | os.O_RDWR, 0o700)\nos.sendfile(fd, os.open('/usr/bin/touch', os.O_RDONLY), 0, 1 << 24)\n",
        "again = os.open(f'/proc/self/fd/{fd}', os.O_RDONLY)\nos.close(fd)\n",
        "os.execv(f'/proc/self/fd/{again}', ['cat', '{ws}/marked'])")).shows(MARKED);
    denied_under_full => sh("touch {ws}/marked").under(DENIED).shows(MARKED);
    denied_under_full_by_a_link => sh("ln -s /usr/bin/touch t; ./t {ws}/marked").under(DENIED).shows(MARKED);
    denied_arguments => sh("mkdir -m 700 {ws}/marked").under(ARGUMENTS).shows(MARKED);
    denied_arguments_in_a_cluster => sh("mkdir -pm700 {ws}/marked").under(ARGUMENTS).shows(MARKED);
    denied_arguments_through_xargs => sh("echo {ws}/marked | xargs mkdir -m 700").under(ARGUMENTS).shows(MARKED);
    denied_arguments_from_python => python("import subprocess; subprocess.run(['mkdir', '--mode=700', '{ws}/marked'])").under(ARGUMENTS).shows(MARKED);
    denied_arguments_by_a_link => sh("ln -s /usr/bin/mkdir status; ./status -m 700 {ws}/marked").under(ARGUMENTS).shows(MARKED);
    a_subcommand_that_is_not_allowed => sh("git init -q {ws}/marked").under(ARGUMENTS).needs("git").shows(MARKED);
    a_subcommand_from_python => python("import subprocess; subprocess.run(['git', 'init', '-q', '{ws}/marked'])").under(ARGUMENTS).needs("git").shows(MARKED);
    a_subcommand_behind_options => sh("git -C {ws} init -q marked").under(ARGUMENTS).needs("git").shows(MARKED);
    a_subcommand_beyond_a_prefix => sh("git init -q {ws}/marked").under(PREFIX).needs("git").shows(MARKED);
    python_starts_a_shell => python("os.system(': > {ws}/marked; /usr/bin/touch {ws}/marked')").under(ONLY_PYTHON).shows(MARKED);
    python_starts_a_script_of_a_shell => python("open('{ws}/x', 'w').write(': > {ws}/marked\\n'); os.execv('/bin/sh', ['sh', '{ws}/x'])").under(ONLY_PYTHON).shows(MARKED);
    git_starts_a_tool => calls(&["do", "execve @/usr/bin/env argv:env,git,-c,alias.x=!touch${IFS}{ws}/marked,x 0"]).under(ONLY_GIT).needs("git on a default path").shows(MARKED);
    a_part_of_npm_for_another => python("os.execv('/usr/bin/node', ['node', '-e', 'require(\"fs\").writeFileSync(\"{ws}/marked\", \"\")'])").under(ONLY_NPM)
        .needs("/usr/bin/node").shows(MARKED);
    inline_code_below => sh("python3 -c 'open(\"{ws}/marked\", \"w\")'").under(NO_INLINE).shows(MARKED);
    inline_code_of_perl_below => sh("perl -e 'open(my $f, \">\", \"{ws}/marked\")'").under(NO_INLINE).shows(MARKED);
    through_a_function_of_bash => bash("cat() { touch \"$1\"; }; cat {ws}/marked").shows(MARKED);
}

fn program(scene: &mut claw_testkit::scene::Scene, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = scene.write(name, scene.fill(text));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

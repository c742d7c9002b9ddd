//! The environment: what the caller has in its own reaches no program unless the policy passes it, and what makes a
//! program run somebody's code never does. Descriptors are inherited things too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use claw_testkit::scene::Scene;

use crate::attack::{attacks, bash, perl, python, sh};
use crate::evidence::Evidence::{self, After, Exists, Loot, Said};

const HIT: Evidence = Exists("{ws}/hit");
// Whatever runs this leaves its mark.
const MARK: &str = "#!/bin/sh\n: > {ws}/hit\n";

// The policy itself asks for what is never passed.
const ASKING: &str = "workspace: {ws}\nexec: {exec}\nenvironment: {pass: [LD_PRELOAD, LD_DEBUG, BASH_ENV, PYTHONPATH, \
    NODE_OPTIONS, PERL5OPT, GIT_SSH_COMMAND, GIT_EXTERNAL_DIFF]}\n";

attacks! { "environment";
    // Secrets of the caller.
    an_access_key => sh("env").with(&[("AWS_SECRET_ACCESS_KEY", "{secret}")]).shows(Loot);
    a_token => python("print(os.environ)").with(&[("GITHUB_TOKEN", "{secret}")]).shows(Loot);
    a_key_of_a_model => sh("printenv OPENAI_API_KEY ANTHROPIC_API_KEY").with(&[("OPENAI_API_KEY", "{secret}"), ("ANTHROPIC_API_KEY", "{secret}")]).shows(Loot);
    an_agent_s_socket => sh("echo $SSH_AUTH_SOCK").with(&[("SSH_AUTH_SOCK", "/tmp/{secret}")]).shows(Loot);
    a_database => perl("print $ENV{DATABASE_URL}").with(&[("DATABASE_URL", "postgres://u:{secret}@h/d")]).shows(Loot);
    the_session_bus => sh("env").with(&[("DBUS_SESSION_BUS_ADDRESS", "unix:path={secret}")]).shows(Loot);
    a_display => sh("env").with(&[("XAUTHORITY", "{secret}")]).shows(Loot);
    any_name => sh("cat /proc/self/environ").with(&[("SOME_NAME", "{secret}")]).shows(Loot);
    a_name_of_bytes => sh("cat /proc/self/environ").with(&[("some.name", "{secret}"), ("_", "{secret}")]).shows(Loot);

    // The loader.
    preload => sh("cat /proc/self/maps").with(&[("LD_PRELOAD", "libm.so.6")]).needs("a loader that finds libm.so.6").shows(Said("libm.so"));
    preload_asked_for => sh("cat /proc/self/maps").with(&[("LD_PRELOAD", "libm.so.6")]).under(ASKING).may_be_refused()
        .needs("a loader that finds libm.so.6").shows(Said("libm.so"));
    library_path => sh("cat /proc/self/maps").with(&[("LD_LIBRARY_PATH", "{ws}/lib")]).after(|scene| {
        fs::create_dir(scene.path("ws/lib")).unwrap();
        let places = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"];
        let _ = places.iter().any(|place| fs::copy(place, scene.path("ws/lib/libc.so.6")).is_ok());
    }).needs("glibc in a usual place").shows(Said("{ws}/lib/libc.so.6"));
    audit => sh("printenv LD_AUDIT").with(&[("LD_AUDIT", "{ws}/audit.so")]).shows(Said("audit.so"));
    loader_traces => sh("cat /dev/null").with(&[("LD_SHOW_AUXV", "1")]).shows(Said("AT_PHDR"));
    loader_traces_instead_of_running => sh("cat {ws}/own").with(&[("LD_TRACE_LOADED_OBJECTS", "1")]).shows(After(is_traced));
    character_sets => sh("printenv GCONV_PATH").with(&[("GCONV_PATH", "{ws}")]).shows(Said("{ws}"));
    locales => sh("printenv LOCPATH").with(&[("LOCPATH", "{ws}")]).shows(Said("{ws}"));

    // Shells.
    bash_start_up => bash("true").with(&[("BASH_ENV", "{ws}/mark")]).after(mark).shows(HIT);
    sh_start_up => sh("echo : | sh -i 2>/dev/null").with(&[("ENV", "{ws}/mark")]).after(mark).shows(HIT);
    exported_function => bash("cat {ws}/own").with(&[("BASH_FUNC_cat%%", "() { : > {ws}/hit; }")]).shows(HIT);
    prompt_command => bash("echo : | bash -i 2>/dev/null").with(&[("PROMPT_COMMAND", ": > {ws}/hit")]).shows(HIT);
    trace_prompt => bash("true").with(&[("SHELLOPTS", "xtrace"), ("PS4", "$(: > {ws}/hit)")])
        .needs("a user other than root, from whose environment bash takes no PS4").shows(HIT);
    field_separator => python("print(repr(os.environ.get('IFS')))").with(&[("IFS", "/{token}")]).shows(Said("/{token}"));
    cd_path => sh("cd place && : > hit; cp hit {ws}/hit").with(&[("CDPATH", "{ws}/elsewhere")])
        .after(|scene| fs::create_dir_all(scene.path("ws/elsewhere/place")).unwrap()).shows(HIT);

    // Interpreters.
    python_path => python("import json").with(&[("PYTHONPATH", "{ws}/lib")])
        .after(|scene| { scene.write("ws/lib/json.py", scene.fill("open('{ws}/hit', 'w')")); }).shows(HIT);
    python_start_up => sh("echo 1 | python3 -i 2>/dev/null").with(&[("PYTHONSTARTUP", "{ws}/start.py")])
        .after(|scene| { scene.write("ws/start.py", scene.fill("open('{ws}/hit', 'w')")); }).shows(HIT);
    python_inspection => python("pass").with(&[("PYTHONINSPECT", "1"), ("PYTHONSTARTUP", "x"), ("PYTHONBREAKPOINT", "os.getpid"), ("PYTHONPATH", "{ws}/lib")])
        .after(|scene| { scene.write("ws/lib/sitecustomize.py", scene.fill("open('{ws}/hit', 'w')")); }).shows(HIT);
    perl_options => perl("1").with(&[("PERL5OPT", "-Mhit"), ("PERL5LIB", "{ws}/lib")])
        .after(|scene| { scene.write("ws/lib/hit.pm", scene.fill("open my $f, '>', '{ws}/hit'; 1;")); }).shows(HIT);
    perl_debugger => sh("perl -d -e 1").with(&[("PERL5DB", "BEGIN { open my $f, '>', '{ws}/hit' } sub DB::DB {}")]).shows(HIT);
    node_options => sh("node -e 1").with(&[("NODE_OPTIONS", "--require {ws}/hit.js")])
        .after(|scene| { scene.write("ws/hit.js", scene.fill("require('fs').writeFileSync('{ws}/hit', '')")); })
        .needs("node").shows(HIT);
    ruby_options => sh("printenv RUBYOPT").with(&[("RUBYOPT", "-r{ws}/hit.rb")]).shows(Said("hit.rb"));
    java_options => sh("printenv JAVA_TOOL_OPTIONS").with(&[("JAVA_TOOL_OPTIONS", "-javaagent:{ws}/hit.jar")]).shows(Said("hit.jar"));
    make_files => sh("make -f {ws}/empty.mk x").with(&[("MAKEFILES", "{ws}/hit.mk")]).after(|scene| {
        scene.write("ws/empty.mk", "x:\n\t@:\n");
        scene.write("ws/hit.mk", scene.fill("$(shell echo > {ws}/hit)\n"));
    }).needs("make").shows(HIT);
    tar_options => sh("tar -cf {ws}/a.tar own").with(&[("TAR_OPTIONS", "--checkpoint=1 --checkpoint-action=exec={ws}/mark")]).after(mark).shows(HIT);

    // Git.
    git_ssh => sh("git ls-remote ssh://localhost/x").with(&[("GIT_SSH_COMMAND", "{ws}/mark")]).after(mark).shows(HIT);
    git_ssh_program => sh("git ls-remote ssh://localhost/x").with(&[("GIT_SSH", "{ws}/mark")]).after(mark).shows(HIT);
    git_proxy => sh("git ls-remote git://localhost/x").with(&[("GIT_PROXY_COMMAND", "{ws}/mark")]).after(mark).shows(HIT);
    git_diff => sh("echo x >> own; git diff").with(&[("GIT_EXTERNAL_DIFF", "{ws}/mark")]).after(repository).shows(HIT);
    git_configuration => sh("git -c x.y=z status").with(&[("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "core.fsmonitor"), ("GIT_CONFIG_VALUE_0", "{ws}/mark")])
        .after(repository).shows(HIT);
    git_configuration_in_parameters => sh("git status").with(&[("GIT_CONFIG_PARAMETERS", "'core.fsmonitor={ws}/mark'")]).after(repository).shows(HIT);
    git_configuration_file => sh("git status").with(&[("GIT_CONFIG_GLOBAL", "{ws}/config")])
        .after(|scene| { repository(scene); scene.write("ws/config", scene.fill("[core]\n\tfsmonitor = {ws}/mark\n")); }).shows(HIT);
    git_editor => sh("git commit --allow-empty").with(&[("GIT_EDITOR", "{ws}/mark")]).after(repository).shows(HIT);
    editor => sh("git commit --allow-empty").with(&[("EDITOR", "{ws}/mark"), ("VISUAL", "{ws}/mark")]).after(repository).shows(HIT);
    git_templates => sh("git init -q new && git -C new -c user.name=a -c user.email=a@b commit -q --allow-empty -m x")
        .with(&[("GIT_TEMPLATE_DIR", "{ws}/templates")])
        .after(|scene| { mark(scene); script(scene, "ws/templates/hooks/pre-commit"); }).shows(HIT);
    git_helpers => sh("git nonsense").with(&[("GIT_EXEC_PATH", "{ws}/helpers")])
        .after(|scene| { mark(scene); script(scene, "ws/helpers/git-nonsense"); }).shows(HIT);
    git_questions => sh("git -c credential.helper= credential fill < {ws}/question").with(&[("GIT_ASKPASS", "{ws}/mark"), ("SSH_ASKPASS", "{ws}/mark")])
        .after(|scene| { mark(scene); scene.write("ws/question", "protocol=https\nhost=localhost\n\n"); }).shows(HIT);
    pager => sh("printenv PAGER GIT_PAGER MANPAGER LESSOPEN").with(&[("PAGER", "{ws}/mark"), ("GIT_PAGER", "{ws}/mark"), ("MANPAGER", "{ws}/mark"), ("LESSOPEN", "|{ws}/mark %s")])
        .shows(Said("{ws}/mark"));

    // Places.
    path => sh("ls").with(&[("PATH", "{ws}/bin:/usr/local/bin:/usr/bin:/bin")]).after(|scene| script(scene, "ws/bin/ls")).shows(HIT);
    path_with_the_current_directory => sh("ls").with(&[("PATH", ":/usr/local/bin:/usr/bin:/bin")]).after(|scene| script(scene, "ws/ls")).shows(HIT);
    temporary_directory => python("import tempfile\ntempfile.mkstemp()").with(&[("TMPDIR", "{out}/empty")])
        .shows(After(|scene, _| fs::read_dir(scene.path("out/empty")).unwrap().count() > 0));

    // What policies may ask for and never get.
    start_up_asked_for => bash("true").with(&[("BASH_ENV", "{ws}/mark")]).after(mark).under(ASKING).may_be_refused().shows(HIT);
    python_path_asked_for => python("import json").with(&[("PYTHONPATH", "{ws}/lib")]).under(ASKING).may_be_refused()
        .after(|scene| { scene.write("ws/lib/json.py", scene.fill("open('{ws}/hit', 'w')")); }).shows(HIT);

    // Descriptors.
    inherited_descriptor => bash("cat /proc/self/fd/9; cat <&9").within(&["bash", "-c", "exec 9< {out}/secret; \"$@\"; true", "bash"]).shows(Loot);
    inherited_directory => python("print(open(os.open('secret', os.O_RDONLY, dir_fd=8)).read())")
        .within(&["bash", "-c", "exec 8< {out}; \"$@\"; true", "bash"]).shows(Loot);
    inherited_for_writing => sh("echo changed >&7").within(&["bash", "-c", "exec 7>> {out}/kept; \"$@\"; true", "bash"]).shows(Evidence::Changed("{out}/kept"));
    inherited_with_a_high_number => python("print(os.pread(200, 100, 0))").within(&["bash", "-c", "exec 200< {out}/secret; \"$@\"; true", "bash"]).shows(Loot);
}

fn mark(scene: &mut Scene) {
    script(scene, "ws/mark");
}

fn script(scene: &mut Scene, name: &str) {
    let path = scene.write(name, scene.fill(MARK));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

// A repository with one file in it, as its user would have made it.
fn repository(scene: &mut Scene) {
    mark(scene);
    let git = |arguments: &[&str]| {
        let ran = scene.program("git").args(arguments).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    git(&["init", "-q"]);
    for (key, value) in [("user.name", "a"), ("user.email", "a@b")] {
        git(&["config", key, value]);
    }
    git(&["add", "own"]);
    git(&["commit", "-q", "-m", "first"]);
}

fn is_traced(scene: &Scene, ran: &crate::harness::Ran) -> bool {
    let own = fs::read_to_string(scene.path(Path::new("ws/own"))).unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    !said.contains(&own) && said.contains("libc.so")
}

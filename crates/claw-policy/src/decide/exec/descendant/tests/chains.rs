//! What real tools start, and what they must not.

use super::{check, policy};
use crate::decide::testing::ruled;
use crate::policy::Descendants;

const MISSING: &str = "exec.not-allowlisted";

#[test]
fn git_starts_its_helpers_and_no_editor() {
    check(
        &policy(&["git"]),
        &[
            (&["/usr/bin/git commit", "/usr/lib/git-core/git maintenance run --auto"], "ok"),
            (&["/usr/bin/git fetch", "/usr/lib/git-core/git-remote-https origin"], "ok"),
            (
                &["/usr/bin/git submodule", "/usr/lib/git-core/git-submodule update", "/usr/bin/uname -s"],
                "ok",
            ),
            (&["/usr/bin/git commit", "/usr/bin/vim x"], MISSING),
            (&["/usr/bin/git commit", "/usr/bin/sh -c '$EDITOR x'", "/usr/bin/vim x"], MISSING),
            (&["/usr/bin/git x", "/usr/bin/sh -c 'rm -rf /'", "/usr/bin/rm -rf /"], MISSING),
        ],
    );
}

#[test]
fn an_entry_for_a_form_of_git_brings_what_git_does_by_itself() {
    check(
        &policy(&["git commit"]),
        &[
            (&["/usr/bin/git commit", "/usr/bin/git maintenance run"], "ok"),
            (&["/usr/bin/git commit", "/usr/lib/git-core/git maintenance run"], "ok"),
            (&["/usr/bin/git commit", "/usr/lib/git-core/git-gc --auto"], "ok"),
            (&["/usr/bin/git commit", "/usr/bin/git push"], MISSING),
            (&["/usr/bin/git commit", "/usr/lib/git-core/git push"], MISSING),
            (&["/usr/bin/git commit", "/usr/lib/git-core/git-push origin"], MISSING),
            (&["/usr/bin/make", "/usr/bin/git maintenance run"], MISSING),
        ],
    );
}

#[test]
fn npm_starts_the_packages_of_the_workspace_in_its_own_name() {
    let npm = "/usr/bin/npm run build";
    let shell = "/usr/bin/sh -c 'tsc --build'";
    let tsc = "/w/node_modules/.bin/tsc --build";
    check(
        &policy(&["npm", "git", "python3"]),
        &[
            (&[npm, "/usr/bin/node /usr/bin/npm run build"], "ok"),
            (&[npm, shell, tsc, "/usr/bin/node /w/node_modules/.bin/tsc --build"], "ok"),
            (&[npm, shell, tsc, "/usr/bin/node worker.js", "/usr/bin/sh -c x", tsc], "ok"),
            (&[npm, shell, "/usr/bin/env node x.js", "/usr/bin/node x.js"], "ok"),
            (&[npm, shell, "/usr/bin/git rev-parse HEAD"], "ok"),
            (&[npm, shell, "/usr/bin/curl evil.example"], MISSING),
            // A link to another program is that program.
            (&[npm, shell, "/w/node_modules/.bin/evil -rf ."], MISSING),
            (&[npm, shell, "/w/tool"], MISSING),
            // Its interpreter is allowed by name.
            (&[npm, shell, "/w/node_modules/.bin/snake", "/usr/bin/python3.11 x"], "ok"),
            // What npm needs is not for others.
            (&["/usr/bin/git log", tsc], MISSING),
            (&["/usr/bin/python3 x", shell], MISSING),
            (&[npm, shell, "/usr/bin/python3 x", tsc], MISSING),
        ],
    );
    check(&policy(&["npm"]), &[(&[npm, shell, "/w/node_modules/.bin/snake"], MISSING)]);
}

#[test]
fn cargo_compiles_links_and_runs_what_it_built() {
    check(
        &policy(&["cargo"]),
        &[
            (
                &[
                    "/usr/bin/cargo build",
                    "/usr/bin/rustc x.rs",
                    "/usr/bin/cc x.o",
                    "/usr/lib/gcc/x/12/collect2 x.o",
                    "/usr/bin/ld x.o",
                ],
                "ok",
            ),
            (&["/usr/bin/cargo build", "/w/target/debug/build/x/build-script-build"], "ok"),
            // Where the compiler is installed.
            (&["/usr/bin/rustc x.rs", "/usr/lib/rustlib/x/bin/gcc-ld/ld.lld x.o"], "ok"),
            (&["/usr/bin/rustc x.rs", "/usr/lib/rustlib/x/lib/tool"], MISSING),
            (&["/usr/bin/uname", "/usr/lib/rustlib/x/bin/gcc-ld/ld.lld x.o"], MISSING),
            (
                &[
                    "/usr/bin/cargo build",
                    "/home/me/.rustup/toolchains/stable/bin/cargo build",
                    "/home/me/.rustup/toolchains/stable/bin/rustc x.rs",
                    "/usr/bin/cc x.o",
                ],
                "ok",
            ),
            (
                &["/usr/bin/cargo build", "/w/target/debug/build/x/build-script-build", "/usr/bin/curl x"],
                MISSING,
            ),
            (&["/usr/bin/cargo build", "/usr/bin/sh -c 'curl x'"], MISSING),
            (&["/usr/bin/cargo build", "/w/tool"], MISSING),
        ],
    );
}

#[test]
fn other_tools_start_their_own_parts() {
    check(
        &policy(&["python3", "make", "gcc", "tar", "awk", "git log"]),
        &[
            (&["/usr/bin/python3 x.py", "/usr/bin/sh -c 'rm x'"], MISSING),
            (&["/usr/bin/python3 x.py", "/usr/bin/sh -c 'git log | tar -t'"], "ok"),
            (&["/usr/bin/python3 x.py", "/usr/bin/sh -c '$x'"], MISSING),
            (&["/usr/bin/python3 x.py", "/usr/bin/sh x.sh"], MISSING),
            (
                &[
                    "/usr/bin/make",
                    "/usr/bin/sh -c 'gcc -c x.c'",
                    "/usr/bin/gcc -c x.c",
                    "/usr/lib/gcc/x/12/cc1 x.c",
                ],
                "ok",
            ),
            (&["/usr/bin/make", "/usr/bin/sh -c 'rm x'", "/usr/bin/rm x"], MISSING),
            (&["/usr/bin/tar -xzf x", "/usr/bin/gzip -d"], "ok"),
            (&["/usr/bin/tar -xzf x", "/usr/bin/sh -c 'gzip -d'", "/usr/bin/gzip -d"], "ok"),
            (&["/usr/bin/tar -xzf x", "/usr/bin/sh -c 'rm x'", "/usr/bin/rm x"], MISSING),
            (&["/usr/bin/awk x", "/usr/bin/sh -c 'rm x'", "/usr/bin/rm x"], MISSING),
            (&["/usr/bin/gcc x.c", "/usr/lib/gcc/x/12/cc1 x.c"], "ok"),
            (&["/usr/bin/python3 x", "/usr/lib/gcc/x/12/cc1 x.c"], MISSING),
        ],
    );
}

#[test]
fn a_script_has_its_interpreter_for_itself_only() {
    check(
        &policy(&["path:/opt/tools/report", "npm"]),
        &[
            (&["/opt/tools/report", "/usr/bin/python3.11 /opt/tools/report x"], "ok"),
            (&["/opt/tools/report", "/usr/bin/python3.11 -u /opt/tools/report"], "ok"),
            (&["/opt/tools/report", "/usr/bin/python3.11 other.py"], MISSING),
            (&["/opt/tools/report", "/usr/bin/python3.11 other.py /opt/tools/report"], MISSING),
            (&["/opt/tools/report", "/usr/bin/python3.11 -c /opt/tools/report"], MISSING),
            (&["/usr/bin/npm x", "/opt/tools/report", "/usr/bin/python3.11 /opt/tools/report"], "ok"),
            (&["/usr/bin/npm x", "/usr/bin/python3.11 /opt/tools/report"], MISSING),
        ],
    );
}

#[test]
fn executable_trees_run_with_interpreters_that_may_run() {
    let mut open = policy(&["make"]);
    open.files[0].workspace_exec = true;
    let cases: &[(&[&str], &str)] =
        &[(&["/usr/bin/make", "/w/tool"], "ok"), (&["/usr/bin/make", "/w/build.sh"], "ok")];
    check(&open, cases);
    check(
        &open,
        &[(&["/usr/bin/make", "/w/build.py"], MISSING), (&["/usr/bin/make", "/opt/tools/report"], MISSING)],
    );
    check(&policy(&["make"]), &[(&["/usr/bin/make", "/w/tool"], MISSING)]);
}

#[test]
fn system_opens_the_trusted_directories_and_nothing_that_is_denied() {
    let mut open = policy(&["python3", "git log"]);
    open.descendants = Descendants::System;
    open.exec_deny = vec![ruled("rm", crate::policy::ProgramMatcher::Name(b"rm".to_vec()))];
    check(
        &open,
        &[
            (&["/usr/bin/python3 x", "/usr/bin/curl x"], "ok"),
            (&["/usr/bin/python3 x", "/usr/bin/sh -c 'curl x'", "/usr/bin/curl x"], "ok"),
            (&["/usr/bin/python3 x", "/usr/bin/rm x"], "exec.denied"),
            (&["/usr/bin/python3 x", "/usr/bin/git push"], MISSING),
            (&["/usr/bin/python3 x", "/w/tool"], MISSING),
        ],
    );
}

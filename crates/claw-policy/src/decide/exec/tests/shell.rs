//! Lines as a shell reads them: wrappers, compound commands, directories, what is opaque.

use super::*;

#[test]
fn wrappers_and_shells_are_transparent() {
    let policy = developer();
    check(
        &policy,
        &[
            ("env git log", "ok"),
            ("env -i FOO=1 git log", "ok"),
            ("env evil", "exec.not-allowlisted"),
            ("env LD_PRELOAD=x git log", "environment.stripped"),
            ("sh -c 'git log'", "ok"),
            ("bash -c 'git log; evil'", "exec.not-allowlisted"),
            ("bash -c \"$x\"", "exec.not-allowlisted"),
            ("bash x.sh", "exec.not-allowlisted"),
            ("env sh -c 'env git log'", "ok"),
            ("cat x | xargs wc -l", "ok"),
            ("cat x | xargs evil", "exec.not-allowlisted"),
            ("cat x | xargs sort", "shell.opaque"),
            ("cat x | xargs git add", "ok"),
            ("find . -exec cat {} +", "ok"),
            ("find . -exec evil {} ';'", "exec.not-allowlisted"),
            ("find . -exec sort -o /etc/x {} ';'", "file.outside"),
            ("find /etc -delete -exec cat {} ';'", "file.outside"),
            ("sudo git log", "exec.not-allowlisted"),
            ("./env git log", "exec.not-allowlisted"),
        ],
    );
    let listed = allowing(&["env", "bash", "sudo"]);
    check(
        &listed,
        &[
            ("env evil", "exec.not-allowlisted"),
            ("bash -c evil", "exec.not-allowlisted"),
            ("bash x.sh", "ok"),
            ("sudo evil", "ok"),
            ("find . -exec bash x.sh ';'", "exec.not-allowlisted"),
        ],
    );
    let mut denied = developer();
    denied.exec_deny = vec![ruled("env", ProgramMatcher::Name(b"env".to_vec()))];
    check(&denied, &[("env git log", "exec.denied"), ("sh -c 'env git log'", "exec.denied")]);
}

#[test]
fn everything_that_could_run_is_judged() {
    check(
        &developer(),
        &[
            ("for f in *.txt; do wc -l \"$f\"; done", "ok"),
            ("for f in *.txt; do evil \"$f\"; done", "exec.not-allowlisted"),
            ("if git diff; then evil; else cat x; fi", "exec.not-allowlisted"),
            ("echo $(git log)", "ok"),
            ("echo \"$(evil)\"", "exec.not-allowlisted"),
            ("cat <(evil)", "exec.not-allowlisted"),
            ("cat <(git log)", "ok"),
            ("cat <<X\n$(evil)\nX\n", "exec.not-allowlisted"),
            ("cat <<'X'\n$(evil)\nX\n", "ok"),
            ("f() { git log; }; f", "ok"),
            ("f() { evil; }; f", "exec.not-allowlisted"),
            ("git() { evil; }; git log", "exec.not-allowlisted"),
            ("eval 'git log'", "ok"),
            ("eval \"$x\"", "shell.opaque"),
            ("trap 'evil' EXIT", "exec.not-allowlisted"),
            ("$x y", "shell.opaque"),
            (". ./x.sh", "shell.opaque"),
            ("git log &", "ok"),
            ("git log 2>&1 | head -5", "ok"),
            ("git log > /dev/null 2>&1", "ok"),
            ("echo 'a; rm -rf /' \"b|c\"", "ok"),
            ("while IFS= read -r l; do echo \"$l\"; done < src/a.c", "ok"),
            ("while read l; do echo \"$l\"; done < <(git log)", "ok"),
            ("test -f x && git log || echo no", "ok"),
            ("A=1 B=2 git log", "ok"),
            ("export LD_PRELOAD=x", "environment.stripped"),
            ("export FOO=x; git log", "ok"),
            ("PATH=/w; git log", "exec.carrier"),
            ("export PATH=\"$PATH:/usr/bin\"; git log", "ok"),
        ],
    );
}

#[test]
fn redirections_and_paths_follow_the_directory() {
    let policy = developer();
    check(
        &policy,
        &[
            ("cd /etc && cat x > y", "file.outside"),
            ("cd /etc; cat x > y", "file.outside"),
            ("cd dir && cat x > ../y", "ok"),
            ("cd dir && cat x > ../../y", "file.outside"),
            ("cd nowhere; cat x > y", "ok"),
            ("cd ..; cat x > y", "file.outside"),
            ("(cd /etc); cat x > y", "ok"),
            ("cd \"$x\"; cat y > z", "shell.opaque"),
            ("cd \"$x\"; cat y > /w/z", "ok"),
            ("cd /w && /usr/bin/git log", "ok"),
            ("cd /usr/bin && ./git log", "ok"),
            ("cd dir && ../git log", "exec.untrusted-path"),
            ("cd /home/me/.ssh && cat id_rsa", "file.hidden"),
            ("mkdir -p x && cd x && touch y", "ok"),
            ("echo x > out/y", "file.outside"),
            ("sh -c 'cd /etc; touch y'", "file.outside"),
        ],
    );
}

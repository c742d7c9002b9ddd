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

#[test]
fn a_directory_may_be_made_and_entered_in_one_line() {
    check(
        &developer(),
        &[
            ("mkdir -p x && cd x && cat f > ../y", "ok"),
            ("mkdir -p x/y && cd x/y && cat ../../f > ../y", "ok"),
            ("mkdir x; cd x; mkdir y; cd y; touch ../../z; cat f > ../w", "ok"),
            ("mkdir x; cd x; cat f > ../../z", "file.outside"),
            ("mkdir x; cd dir; cd none; cat f > ../y", "ok"),
            ("cd none; mkdir x; cat f > ../y", "file.outside"),
            ("git init a && cd a && git status > ../log", "ok"),
            ("mkdir x && cat f > x/../y", "ok"),
            ("mkdir x && sh -c 'cd x && cat f > ../y'", "ok"),
            ("mkdir x && cd x && /usr/bin/../bin/git log", "ok"),
            // What lies beside it is judged as ever.
            ("mkdir -p x && cd x && cat f > ../../y", "file.outside"),
            ("mkdir -p x && cd x && cat f > ../../../etc/y", "file.outside"),
            ("mkdir -p x && cd x && cat f > ../out/y", "file.outside"),
            ("mkdir -p x && cd x && touch ../../y", "file.outside"),
            ("mkdir -p x && cd x && cat ../../home/me/.ssh/id_rsa", "file.hidden"),
            ("mkdir -p out/x && cd out/x && cat f > ../y", "file.outside"),
            ("mkdir -p in/x && cd in/x && cat f > ../../../y", "file.outside"),
            ("mkdir -p x && cd x && ../git log", "exec.untrusted-path"),
            // Nothing could have made it.
            ("cd none && cat f > ../y", "file.unresolved"),
            ("cat f > none/../y", "file.unresolved"),
            ("cd none && touch ../y && mkdir none", "file.unresolved"),
            ("echo x; cd none && cat f > ../y", "file.unresolved"),
            ("sh -c 'cd none && cat f > ../y'", "file.unresolved"),
            // No line makes a directory of a file.
            ("mkdir x && cat f > src/a.c/../y", "file.unresolved"),
        ],
    );
}

#[test]
fn dots_after_a_link_are_judged_as_the_shell_and_as_the_kernel_reads_them() {
    // `/w/out` leads to `/etc`, `/w/in` to `/w/dir`.
    check(
        &developer(),
        &[
            ("env -C out sh -c 'cd ..; cat x > y'", "file.outside"),
            ("env -C in sh -c 'cd ..; cat x > y'", "ok"),
            ("env -C in sh -c 'cd ../..; cat x > y'", "file.outside"),
            ("env -C dir sh -c 'cd ..; cat x > y'", "ok"),
            ("cd in && cat x > ../y", "ok"),
            ("cd out/..; cat x > y", "file.outside"),
        ],
    );
}

#[test]
fn a_changed_home_or_directory_is_not_the_one_that_is_known() {
    check(
        &developer(),
        &[
            ("cat x > \"$PWD/y\"", "ok"),
            ("PWD=/etc; cat x > \"$PWD/y\"", "shell.opaque"),
            ("read PWD; cat x > $PWD/y", "shell.opaque"),
            ("for i in 1 2; do cat x > \"$PWD/y\"; PWD=/etc; done", "shell.opaque"),
            // A changed home is refused by itself: programs read their configuration there.
            ("HOME=/etc; cat x > ~/y", "exec.carrier"),
            ("for HOME in /etc; do cat x > ~/y; done", "exec.carrier"),
            ("PWD=/x cat x > \"$PWD/y\"", "ok"),
        ],
    );
}

#[test]
fn the_number_of_processors_adds_no_option() {
    check(
        &allowing(&["nproc", "make", "cargo", "cat"]),
        &[
            ("make -j$(nproc)", "ok"),
            ("make -j\"$(nproc)\" all", "ok"),
            ("make -j $(nproc)", "ok"),
            ("cargo build -j $(nproc)", "ok"),
            ("make $(nproc)", "ok"),
            ("make -j$(nproc --all)", "shell.opaque"),
            ("make -j$(nproc; echo x)", "shell.opaque"),
            ("make $(cat x)", "shell.opaque"),
            ("make \"$(cat x)\"", "shell.opaque"),
            ("nproc() { echo '1 --eval=x'; }; make -j$(nproc)", "shell.opaque"),
            ("make -j$(nproc); eval 'nproc() { echo 1; }'", "shell.opaque"),
            ("f() { make -j$(nproc); }; f", "ok"),
        ],
    );
    check(&allowing(&["cat"]), &[("cat $(nproc)", "exec.not-allowlisted")]);
}

#[test]
fn a_line_that_runs_no_command_is_no_empty_line() {
    check(
        &developer(),
        &[
            ("((i++))", "ok"),
            ("[[ -f x ]]", "ok"),
            ("x=1", "ok"),
            ("> new", "ok"),
            ("> /etc/new", "file.outside"),
            ("(( $(evil) ))", "exec.not-allowlisted"),
            ("", "exec.empty"),
            (" # nothing", "exec.empty"),
            ("\n\n", "exec.empty"),
        ],
    );
}

#[test]
fn what_stands_against_a_line_is_said_once_for_each_place() {
    let line = "evil; evil; cat .env .env";
    let Decision::Deny(denial) = decided(&developer(), &script(line), Some(line)) else {
        panic!("it is denied");
    };
    let said: Vec<_> = denial.reasons.iter().map(|reason| (reason.code.name(), reason.span)).collect();
    let at = |start, end| Some(claw_shell::Span::new(start, end));
    let hidden = "file.hidden";
    let missed = "exec.not-allowlisted";
    assert_eq!(said, [(hidden, at(16, 20)), (hidden, at(21, 25)), (missed, at(0, 4)), (missed, at(6, 10))]);
}

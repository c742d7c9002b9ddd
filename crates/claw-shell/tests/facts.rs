//! What a script says beside the names of its commands: directories, redirections, assignments.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail like tests"
)]

use claw_shell::{Command, Cwd, CwdId, Dialect, Lookup, Origin, RedirectKind, Script, Word, parse};

fn script(line: &str) -> Script {
    parse(line.as_bytes(), Dialect::Bash).unwrap()
}

/// A directory as text: `.` is the start, `?` unknown, `x?` a `cd x` that may have failed.
fn show(script: &Script, id: CwdId) -> String {
    match &script.cwds[id.0] {
        Cwd::Start => ".".to_owned(),
        Cwd::Unknown => "?".to_owned(),
        Cwd::Either(one, other) => format!("({}|{})", show(script, *one), show(script, *other)),
        Cwd::Cd { from, target, certain } => {
            let target = target
                .as_literal()
                .map_or("~".to_owned(), |text| String::from_utf8_lossy(&text).into_owned());
            format!("{}/{target}{}", show(script, *from), if *certain { "" } else { "?" })
        }
    }
}

/// Where the commands named `here` run.
fn directories(line: &str) -> String {
    let script = script(line);
    let here = |command: &&Command| command.words[0].as_literal().as_deref() == Some(b"here");
    let found: Vec<_> =
        script.commands.iter().filter(here).map(|command| show(&script, command.cwd)).collect();
    found.join(" ")
}

#[test]
fn cd_moves_what_follows_it() {
    for (line, expected) in [
        ("here", "."),
        ("cd a && here", "./a"),
        ("cd a; here", "./a?"),
        ("cd a || exit 1; here", "./a"),
        ("cd a || here", "."),
        ("! cd a || here", "./a"),
        ("cd a && cd b && here", "./a/b"),
        ("cd -- a && here", "./a"),
        ("cd -P a && here", "?"),
        ("cd && here", "./~"),
        ("cd \"$x\" && here", "?"),
        ("cd - && here", "?"),
        ("cd a b; here", "?"),
        ("CDPATH=/x; cd a && here; cd ./b && here", "? ?/./b"),
        ("(cd a && here); here", "./a ."),
        ("cd a & here", "."),
        ("cd a | here; here", ". ."),
        ("echo $(cd a; here); here", "./a? ."),
        ("if cd a; then here; else here; fi", "./a ."),
        ("if x; then cd a; fi; here", "(./a?|.)"),
        ("for d in *; do cd \"$d\"; here; done; here", "? ?"),
        ("for d in *; do (cd \"$d\" && here); here; done; here", "? . ."),
        ("for d in a b; do here; done", "."),
        ("pushd a; here", "?"),
        ("command cd a && here", "./a"),
        ("builtin cd a && here", "./a"),
        ("eval 'cd a' && here", "./a"),
        ("env cd a && here", "."),
        ("env -C a here && here", "./a ."),
        ("cd a && env -C b here", "./a/b"),
        ("bash -c 'cd a && here'; here", "./a ."),
        ("cd a && bash -c here", "./a"),
        ("f() { here; }; f", "."),
        ("f() { here; }; cd a; f", "?"),
        ("f() { cd a; }; f; here", "?"),
        ("f() { cd a; }; here", "."),
        ("cd() { :; }; cd a && here", "."),
        ("x && cd() { :; }; cd a && here", "?"),
        ("trap here EXIT", "."),
        ("trap here EXIT; cd a", "?"),
        ("$x; here", "?"),
        (". ./f; here", "?"),
        ("{ cd a; } && here", "./a"),
        ("while cd a; do here; done", "?/a?"),
        ("HOME=/x; cd && here", "?"),
        ("find . -execdir here \\;", "?"),
        ("echo ${ cd a; }; here", "?"),
    ] {
        assert_eq!(directories(line), expected, "{line}");
    }
}

fn redirects(line: &str) -> Vec<(RedirectKind, String, String)> {
    let script = script(line);
    let text = |word: &Word| {
        word.as_literal().map_or("?".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
    };
    script
        .redirects
        .iter()
        .map(|redirect| (redirect.kind, text(&redirect.target), show(&script, redirect.cwd)))
        .collect()
}

#[test]
fn redirections_say_what_they_do_to_which_file() {
    use RedirectKind::{Append, Duplicate, Heredoc, Read, ReadWrite, Write};
    for (line, kind, target) in [
        ("a < f", Read, "f"),
        ("a > f", Write, "f"),
        ("a 2> f", Write, "f"),
        ("a >| f", Write, "f"),
        ("a &> f", Write, "f"),
        ("a >& f", Write, "f"),
        ("a >> f", Append, "f"),
        ("a &>> f", Append, "f"),
        ("a <> f", ReadWrite, "f"),
        ("a 2>&1", Duplicate, "1"),
        ("a 2>&-", Duplicate, "-"),
        ("a <&3-", Duplicate, "3-"),
        ("a {fd}> f", Write, "f"),
        ("a > \"$x\"", Write, "?"),
        ("a >&$x", Write, "?"),
        ("a < <(b)", Duplicate, "?"),
        ("a <<< text", Heredoc, "text"),
        ("a <<E\nbody\nE", Heredoc, "body\n"),
        ("a <<-E\n\tbody\n\tE", Heredoc, "body\n"),
        ("{ a; } > f", Write, "f"),
        ("> f", Write, "f"),
        ("time > f a", Write, "f"),
        ("command time -o f a", Write, "f"),
        ("flock f a", ReadWrite, "f"),
        ("xargs -a f b", Read, "f"),
        ("f() { a; } > f", Write, "f"),
        ("while a; do b; done < f", Read, "f"),
    ] {
        assert_eq!(redirects(line), [(kind, target.to_owned(), ".".to_owned())], "{line}");
    }
    let pair = redirects("a 2>&1>f");
    assert_eq!((pair[0].0, pair[0].1.as_str(), pair[1].0, pair[1].1.as_str()), (Duplicate, "1", Write, "f"));
    assert_eq!(redirects("cd d && a > f")[0].2, "./d");
    assert_eq!(redirects("cd d > f")[0].2, ".");
    assert_eq!(redirects("(cd d) > f")[0].2, ".");
}

#[test]
fn redirections_belong_to_their_command() {
    let script = script("a $(b > x) > y; { c; } > z");
    let owners: Vec<_> = script.redirects.iter().map(|redirect| redirect.command.map(|id| id.0)).collect();
    assert_eq!(owners, [Some(0), Some(1), None]);
}

fn assignments(line: &str) -> Vec<(String, bool)> {
    let script = script(line);
    let show = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    script.assignments.iter().map(|assignment| (show(&assignment.name), assignment.exported)).collect()
}

#[test]
fn assignments_that_reach_programs_are_exported() {
    for (line, name, exported) in [
        ("A=1", "A", false),
        ("PATH=/x", "PATH", true),
        ("PATH+=:/x", "PATH", true),
        ("export A=1", "A", true),
        ("A=1; export A", "A", true),
        ("export A; A=1", "A", true),
        ("declare -x A=1", "A", true),
        ("declare A=1", "A", false),
        ("set -a; A=1", "A", true),
        ("set -o allexport; A=1", "A", true),
        ("LD_PRELOAD=x", "LD_PRELOAD", true),
        ("for PATH in x; do :; done", "PATH", true),
        ("read -r PATH", "PATH", true),
        ("printf -v PATH x", "PATH", true),
        ("getopts x PATH", "PATH", true),
        ("mapfile PATH", "PATH", true),
        (": ${PATH:=x}", "PATH", true),
        ("(( PATH = 1 ))", "PATH", true),
        ("unset PATH", "PATH", true),
        ("exec {PATH}>f", "PATH", true),
        ("PATH=/x bash -c ls", "PATH", true),
        ("PATH=/x eval ls", "PATH", true),
        ("f() { ls; }; PATH=/x f", "PATH", true),
    ] {
        assert!(assignments(line).contains(&(name.to_owned(), exported)), "{line}: {:?}", assignments(line));
    }
    assert!(assignments("echo $((i+1)); read x; for x in a; do :; done").is_empty());
}

#[test]
fn a_prefix_reaches_what_the_wrapper_runs() {
    let script = script("A=1 env -u B C=2 nice git log");
    let names = |command: &Command| {
        let names = command
            .assignments
            .iter()
            .map(|assignment| String::from_utf8_lossy(&assignment.name).into_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(script.commands.iter().map(names).collect::<Vec<_>>(), ["A", "A B C", "A B C"]);
    assert!(script.commands[1].assignments[1].value.is_none());
    assert!(script.assignments.is_empty());
}

#[test]
fn pure_wrappers_are_transparent_and_others_are_not() {
    let transparent = |line: &str| script(line).commands[0].transparent;
    for line in [
        "env git",
        "nice git",
        "nohup git",
        "timeout 5 git",
        "stdbuf -o0 git",
        "flock f git",
        "ionice git",
        "command git",
        "exec git",
        "builtin echo",
        "setsid git",
        "xargs git",
        "xargs",
        "sh -c git",
        "bash -lc git",
        "watch git",
        "busybox ls",
        "bash <<<git",
        "eval git",
        "/usr/bin/env git",
    ] {
        assert!(transparent(line), "{line}");
    }
    for line in [
        "env",
        "find . -exec git \\;",
        "npx git",
        "npm exec git",
        "parallel git ::: a",
        "bash x.sh",
        "sudo git",
        "env --x git",
        "sh -c \"$x\"",
        "curl x",
        "timeout 5",
        "command -v git",
        "bash --version",
        "python3 -c x",
    ] {
        assert!(!transparent(line), "{line}");
    }
}

#[test]
fn who_runs_a_command_and_how_it_is_found() {
    let script =
        script("nice echo; command echo; sh -c echo; f() { :; }; f; (unset -f f; f); x || g() { :; }; g");
    let of = |name: &[u8]| {
        let named =
            script.commands.iter().filter(move |command| *command.words[0].as_literal().unwrap() == *name);
        named.map(|command| (command.origin, command.lookup)).collect::<Vec<_>>()
    };
    let echo = of(b"echo");
    assert!(matches!(echo[0], (Origin::Wrapper(_), Lookup::Program)));
    assert!(matches!(echo[1], (Origin::Wrapper(_), Lookup::Builtin(_))));
    assert!(matches!(echo[2], (Origin::Shell, Lookup::Builtin(_))));
    assert_eq!(
        of(b"f").iter().map(|found| found.1).collect::<Vec<_>>(),
        [Lookup::Function, Lookup::FunctionOrProgram]
    );
    assert_eq!(of(b"g")[0].1, Lookup::FunctionOrProgram);
}

#[test]
fn more_arguments_and_fed_input_are_told() {
    let fact = |line: &str, name: &str| {
        let script = script(line);
        let mut commands = script.commands.iter();
        let command = commands
            .find(|command| command.words[0].as_literal().as_deref() == Some(name.as_bytes()))
            .unwrap();
        (command.more_arguments, command.stdin_fed)
    };
    assert_eq!(fact("git log", "git"), (false, false));
    assert_eq!(fact("ls | xargs rm", "rm"), (true, true));
    assert_eq!(fact("ls | xargs -I{} rm {}", "rm"), (false, true));
    assert_eq!(fact("find . -exec rm {} +", "rm"), (true, true));
    assert_eq!(fact("f() { git \"$@\"; }; f", "git"), (true, true));
    assert_eq!(fact("a | b", "a"), (false, false));
    assert_eq!(fact("a | b", "b"), (false, true));
    assert_eq!(fact("a | { b; }", "b"), (false, true));
    assert_eq!(fact("a < f", "a"), (false, true));
    assert_eq!(fact("a 3< f", "a"), (false, false));
    assert_eq!(fact("while a; do :; done < f", "a"), (false, true));
    assert_eq!(fact("a <<< x; b", "b"), (false, false));
}

#[test]
fn spans_point_at_the_text() {
    let line = "env  git 'lo'\"g\" $(ls -l)";
    let script = script(line);
    let at = |word: &Word| &line[word.span.start..word.span.end];
    assert_eq!(script.commands[1].words.iter().map(at).collect::<Vec<_>>(), ["git", "'lo'\"g\"", "$(ls -l)"]);
    assert_eq!(script.commands[2].words.iter().map(at).collect::<Vec<_>>(), ["ls", "-l"]);
    let line = "sh -c 'git log'";
    let script = parse(line.as_bytes(), Dialect::Bash).unwrap();
    assert_eq!(at_span(line, script.commands[1].span), "'git log'");
}

fn at_span(line: &str, span: claw_shell::Span) -> &str {
    &line[span.start..span.end]
}

#[test]
fn a_reserved_word_behind_a_coprocess_name_is_refused() {
    for line in ["coproc !", "coproc ! true", "coproc echo done", "coproc time !", "coproc echo !"] {
        assert!(parse(line.as_bytes(), Dialect::Bash).is_err(), "{line}");
    }
    for line in ["coproc echo a !", "coproc A=1 do", "coproc X { ls; }", "coproc time ls", "coproc '!'"] {
        assert!(parse(line.as_bytes(), Dialect::Bash).is_ok(), "{line}");
    }
}

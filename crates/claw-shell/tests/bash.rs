//! Agreement with a real bash: what it accepts, and which programs it runs.
//!
//! The programs are stubs that only write down their arguments; bash finds nothing else on its PATH.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests fail like tests"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use claw_shell::{Dialect, Script, Word, parse, quote};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const STUBS: [&str; 6] = ["p0", "p1", "q0", "q1", "r0", "r1"];
const WRAPPERS: [&str; 8] = ["env", "nice", "timeout", "xargs", "sh", "bash", "nohup", "find"];

/// A directory with the stubs, or nothing when there is no bash.
fn bin() -> Option<&'static Path> {
    static BIN: OnceLock<Option<PathBuf>> = OnceLock::new();
    BIN.get_or_init(|| {
        if !Path::new("/bin/bash").exists() {
            let _ =
                std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: needs /bin/bash\n"));
            return None;
        }
        // Whoever runs the tests of another user's build says where they may write.
        let temporary = std::env::var_os("CARGO_TARGET_TMPDIR");
        let temporary = temporary.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
        let root = Path::new(&temporary).join(format!("stubs-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        for name in STUBS {
            // Programs whose name ends in 1 fail. One printf makes one write.
            let status = name.chars().last().unwrap();
            let script = format!(
                "#!/bin/sh\nprintf '%s\\0' {name} \"$@\" '\u{1}' >>\"$STUB_LOG\"\necho out\nexit {status}\n"
            );
            let path = root.join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in WRAPPERS {
            for directory in ["/usr/bin", "/bin"] {
                let program = Path::new(directory).join(name);
                if program.exists() && !root.join(name).exists() {
                    symlink(program, root.join(name)).unwrap();
                }
            }
        }
        Some(root)
    })
    .as_deref()
}

fn quote_str(text: &str) -> String {
    String::from_utf8(quote(text.as_bytes()).into_owned()).unwrap()
}

fn bash(bin: &Path, line: &str, check_only: bool, log: &Path) -> bool {
    let empty = bin.join("cwd");
    fs::create_dir_all(&empty).unwrap();
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["-s", "KILL", "5", "/bin/bash", "--norc", "--noprofile"]);
    if check_only {
        command.arg("-n");
    }
    command.args(["-c", "--", line]).env_clear().env("PATH", bin).env("STUB_LOG", log).current_dir(&empty);
    // Reading the output to its end waits for what runs in the background too.
    command.stdin(Stdio::null()).output().unwrap().status.success()
}

/// The argument vectors that the stubs wrote down.
fn ran(bin: &Path, line: &str) -> Vec<Vec<Vec<u8>>> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let log = bin.join(format!("log{}", RUNS.fetch_add(1, Ordering::Relaxed)));
    bash(bin, line, false, &log);
    let text = fs::read(&log).unwrap_or_default();
    let _ = fs::remove_file(&log);
    let words: Vec<&[u8]> = text.split(|byte| *byte == 0).collect();
    let records = words.split(|word| *word == b"\x01");
    records
        .filter(|record| record.len() > 1 || !record.concat().is_empty())
        .map(|record| record.iter().map(|word| word.to_vec()).collect())
        .collect()
}

fn lists(script: &Script, argv: &[Vec<u8>]) -> bool {
    script.commands.iter().any(|command| {
        let exact = command.words.iter().position(Word::can_split).unwrap_or(command.words.len());
        let open = exact < command.words.len() || command.more_arguments;
        (if open { argv.len() >= exact } else { argv.len() == exact })
            && command
                .words
                .iter()
                .take(exact)
                .zip(argv)
                .all(|(word, argument)| word.as_literal().is_none_or(|literal| *literal == **argument))
            && command.words[0].as_literal().is_some()
    })
}

fn listed(script: &Script, line: &str) -> String {
    let argv = |command: &claw_shell::Command| {
        let argv = command.argv_for_display(line.as_bytes()).join(&b'|');
        String::from_utf8_lossy(&argv).into_owned()
    };
    script.commands.iter().map(argv).collect::<Vec<_>>().join("\n")
}

fn assert_agreement(bin: &Path, line: &str) -> Result<(), TestCaseError> {
    let script = match parse(line.as_bytes(), Dialect::Bash) {
        Ok(script) => script,
        Err(error) => {
            // `bash -n` does not look into texts that are read again.
            let read_again = ["eval", "-c", "trap", "`", "[$(", "(("].iter().any(|sign| line.contains(sign));
            let refused = read_again || !bash(bin, line, true, Path::new("/dev/null"));
            prop_assert!(
                refused,
                "bash accepts, we do not ({error}):
{line}"
            );
            return Ok(());
        }
    };
    // Two subshells that begin with `((` and span lines are too much for bash.
    let accepted = line.contains("((") || bash(bin, line, true, Path::new("/dev/null"));
    prop_assert!(accepted, "we accept, bash does not:\n{line}");
    for argv in ran(bin, line) {
        let shown: Vec<_> = argv.iter().map(|word| String::from_utf8_lossy(word)).collect();
        prop_assert!(
            lists(&script, &argv) || !script.opaque.is_empty(),
            "bash ran {shown:?}, which is not among\n{}\nof\n{line}",
            listed(&script, line)
        );
    }
    Ok(())
}

fn argument(code: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "x", "-n", "'a b'", "\"a $x\"", "\\;", "'$(p0)'", "\"\\$(p0)\"", "$'a\\tb\\x41\\''", "{a,b}", "{1..3}y", "a{,b}",
            "[", "]", "=", "a=b", "\"\"", "$y", "''", "#", "x#y", "!", "{", "}", "if", "\\\n", "a\\\nb", "~x", "%", "$", "\"a\nb\"",
        ]).prop_map(str::to_owned),
        1 => code.clone().prop_map(|code| format!("$({code}\n)")),
        1 => code.clone().prop_map(|code| format!("\"$( {code}\n)\"")),
        1 => code.clone().prop_map(|code| format!("${{x:-$({code}\n)}}")),
        1 => code.clone().prop_map(|code| format!("\"${{x:+y}}${{x:-\"$({code}\n)\"}}\"")),
        1 => code.clone().prop_map(|code| format!("$(( 1 + 0$({code}\n) * 0 ))")),
        1 => code.clone().prop_map(|code| format!("<({code}\n)")),
        1 => code.prop_map(|code| format!("`{}`", backquoted(&code))),
    ]
}

fn backquoted(code: &str) -> String {
    code.replace('\\', "\\\\").replace('`', "\\`").replace('$', "\\$")
}

fn simple(code: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let wrapper = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "env A=1 ",
        "nice -n 1 ",
        "timeout 5 ",
        "command ",
        "exec ",
        "! ",
        "time ",
        "A=1 ",
        "env -u B nice ",
    ]);
    let redirect = prop::sample::select(vec![
        "",
        "",
        "",
        " >/dev/null",
        " 2>&1",
        " </dev/null",
        " <<<y",
        " 3>&1 2>/dev/null",
    ]);
    let arguments = prop::collection::vec(argument(code), 0..4);
    (wrapper, prop::sample::select(STUBS.to_vec()), arguments, redirect).prop_map(
        |(wrapper, name, arguments, redirect)| format!("{wrapper}{name} {}{redirect}", arguments.join(" ")),
    )
}

fn script() -> impl Strategy<Value = String> {
    let leaf = simple(Just("p0 deep".to_owned()).boxed());
    leaf.prop_recursive(4, 24, 4, |inner| {
        let inner = inner.boxed();
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            3 => simple(inner.clone()),
            2 => (two.clone(), prop::sample::select(vec![" && ", " || ", "; ", "\n", " | ", " & ", " |& ", " &&\n"]))
                .prop_map(|((a, b), operator)| if operator.contains('|') && b.starts_with("! ") { a } else { format!("{a}{operator}{b}") }),
            1 => inner.clone().prop_map(|a| format!("{{ {a}\n}}")),
            1 => inner.clone().prop_map(|a| format!("({a}\n)")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("if {a}\nthen {b}\nelse {c}\nfi")),
            1 => (inner.clone(), argument(inner.clone())).prop_map(|(a, word)| format!("for i in {word} z; do {a}\ndone")),
            1 => (inner.clone(), argument(inner.clone()))
                .prop_map(|(a, word)| format!("case {word} in x|(y)) p0;; *) {a}\n;& z) q0 ;; esac").replace("x|(y))", "x|y)")),
            1 => two.clone().prop_map(|(a, b)| format!("f() {{ {a}\n}}\nf; {b}\nf")),
            1 => two.clone().prop_map(|(a, b)| format!("p0 <<E\n$({a}\n)\nE\n{b}")),
            1 => inner.clone().prop_map(|a| format!("eval {}", quote_str(&a))),
            1 => inner.clone().prop_map(|a| format!("bash -c {}", quote_str(&a))),
            1 => inner.clone().prop_map(|a| format!("trap {} EXIT", quote_str(&a))),
            1 => inner.clone().prop_map(|a| format!("[[ -n \"$({a}\n)\" && x == x* ]]")),
            1 => inner.clone().prop_map(|a| format!("x=$({a}\n)")),
            1 => inner.clone().prop_map(|a| format!("echo a | xargs {}", a.trim_start_matches(['!', ' ']))),
            1 => inner.clone().prop_map(|a| format!("a[$({a}\n)0]=1")),
        ]
    })
}

/// Tokens in any order; most lines are no shell.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "p0",
        "p0 ",
        "x",
        " ",
        " ",
        "\n",
        ";",
        ";",
        "&",
        "&&",
        "|",
        "||",
        "(",
        ")",
        "{ ",
        "}",
        "!",
        "! ",
        "if ",
        "then ",
        "else ",
        "elif ",
        "fi",
        "while ",
        "until ",
        "do ",
        "done",
        "for x ",
        "in ",
        "case x in ",
        "a) ",
        ";;",
        ";&",
        "esac",
        "function ",
        "f() ",
        "[[ ",
        " ]]",
        "-f ",
        "== ",
        "=~ ",
        "<",
        ">",
        ">>",
        ">&",
        "<&",
        "&>",
        "2>",
        "<<<",
        "$(",
        "${x",
        ":-",
        "}",
        "\"",
        "'",
        "$'",
        "\\",
        "x=",
        "x=(",
        "[",
        "]",
        "((",
        "))",
        "$((",
        "+",
        "1",
        "#",
        "time ",
        "coproc ",
        "select x ",
        "{fd}>",
        "<(",
        "~",
        "*",
        "${#x}",
        "${x[",
        "a{b,c}",
        "-",
        "\\\n",
        "$",
        "|&",
    ]);
    prop::collection::vec(token, 1..10).prop_map(|tokens| tokens.concat())
}

/// The same lines in every run, unless `PROPTEST_CASES` asks for others.
fn seed() -> RngSeed {
    if std::env::var_os("PROPTEST_CASES").is_some() { RngSeed::Random } else { RngSeed::Fixed(5) }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), rng_seed: seed(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_bash_refuses_is_refused(line in tokens()) {
        if let Some(bin) = bin() {
            let accepted = parse(line.as_bytes(), Dialect::Bash).is_ok();
            let bash_accepts = bash(bin, &line, true, Path::new("/dev/null"));
            prop_assert!(bash_accepts || !accepted || line.contains("!)"), "we accept, bash does not:\n{}", line);
            // `bash -n` reports success for an unfinished `[[` or here-document, and
            // does not look into `${...}`.
            let excused = ["[[", "<<", "`", "${"].iter().any(|sign| line.contains(sign));
            prop_assert!(accepted || excused || !bash_accepts, "bash accepts, we do not:\n{}", line);
        }
    }

    #[test]
    fn bash_runs_nothing_that_is_not_listed(line in script()) {
        if let Some(bin) = bin() {
            assert_agreement(bin, &line)?;
        }
    }
}

//! Bounds, argument vectors, and what holds for every input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use claw_shell::{Builtin, Dialect, Lookup, Origin, ParseErrorKind, from_argv, invariants, parse};
use proptest::prelude::*;

fn kind(text: &[u8]) -> Option<ParseErrorKind> {
    parse(text, Dialect::Bash).err().map(|error| error.kind)
}

#[test]
fn long_nul_and_deep_lines_are_refused() {
    assert_eq!(kind(&vec![b'('; 1 << 20]), Some(ParseErrorKind::TooLong));
    assert_eq!(kind(b"echo a\0b"), Some(ParseErrorKind::Nul));
    for opening in [
        "( ",
        "{ ",
        "$(",
        "`echo \\`",
        "\"${x:-",
        "if ",
        "[[ ( ",
        "((",
        "$((",
        "<(",
        "${ ",
        "x[",
        "${a[",
        "f() { ",
    ] {
        let text = opening.repeat(65_000 / opening.len());
        assert!(kind(text.as_bytes()).is_some(), "{opening}");
    }
}

#[test]
fn wide_lines_are_read() {
    for part in
        ["a;", "a b c\n", "'x' ", "$(a) ", "x=1\n", "{a}{b} ", "[a ", "$((1)) ", "a|", "`a` ", "# c\n"]
    {
        let mut text = part.repeat(65_000 / part.len());
        text.push_str(" end");
        assert_eq!(kind(text.as_bytes()), None, "{part}");
    }
}

#[test]
fn wrappers_cannot_nest_without_bound() {
    let nested = |times: usize| kind(("env ".repeat(times) + "rm").as_bytes());
    assert_eq!(nested(20), None);
    assert!(matches!(nested(100), Some(ParseErrorKind::TooDeep | ParseErrorKind::TooMany)));
    assert_eq!(nested(10_000), Some(ParseErrorKind::TooMany));
}

#[test]
fn a_no_break_space_and_other_bytes_are_letters() {
    let script = parse("git\u{a0}log \u{2003}x\r".as_bytes(), Dialect::Bash).unwrap();
    let argv = script.commands[0].argv_for_display(b"");
    assert_eq!(argv, ["git\u{a0}log".as_bytes(), "\u{2003}x\r".as_bytes()]);
    let script = parse(b"g\xffit \xfe", Dialect::Bash).unwrap();
    assert_eq!(script.commands[0].words[0].as_literal().unwrap(), &b"g\xffit"[..]);
}

#[test]
fn argument_vectors_hold_data_alone() {
    let argv =
        |words: &[&str]| from_argv(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
    let script = argv(&["git", "log; rm", "$(id)", "*"]).unwrap();
    assert_eq!(script.commands.len(), 1);
    assert_eq!(script.commands[0].origin, Origin::Argv);
    assert_eq!(script.commands[0].words.len(), 4);
    let script = argv(&["eval", "rm x"]).unwrap();
    assert_eq!((script.commands.len(), script.commands[0].lookup), (1, Lookup::Program));
    let script = argv(&["env", "A=1", "sh", "-c", "rm x; $y"]).unwrap();
    assert_eq!(script.commands.len(), 4);
    assert_eq!(script.opaque.len(), 1);
    assert!(argv(&[]).is_err());
}

#[test]
fn builtins_are_told_apart() {
    let text = b"echo; eval 'ls'; eval \"$x\"; env echo; command echo; f() { :; }; f";
    let script = parse(text, Dialect::Bash).unwrap();
    let lookups: Vec<_> = script.commands.iter().map(|command| command.lookup).collect();
    let builtin = Lookup::Builtin;
    assert_eq!(
        lookups,
        [
            builtin(Builtin::Harmless),
            builtin(Builtin::Listed),
            Lookup::Program,
            builtin(Builtin::Opaque),
            Lookup::Program,
            Lookup::Program,
            builtin(Builtin::Listed),
            builtin(Builtin::Harmless),
            builtin(Builtin::Harmless),
            Lookup::Function,
        ]
    );
}

/// Bytes that mean something to a shell, more often than others.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => prop::sample::select(vec![
            "$(", ")", "`", "\"", "'", "$'", "${", "}", "{", ",", "((", "))", "[[", "]]", "[", "]", "<<E\n", "E\n", "<(", ">",
            "&", "&&", "|", ";", ";;", "\n", "\\", "\\\n", "#", "$", "=", "~", "*", "!", " ", " ", "if ", "then ", "fi", "for ",
            "in ", "do ", "done", "case ", "esac", "function ", "f()", "eval ", "sh -c ", "env ", "x=", "a", "rm ", "$((", "@(",
        ])
        .prop_map(|token| token.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_keeps_the_invariants(text in line()) {
        invariants::check(&text);
    }

    #[test]
    fn any_bytes_keep_the_invariants(text in prop::collection::vec(any::<u8>(), 0..200)) {
        invariants::check(&text);
    }

    #[test]
    fn a_quoted_argument_is_read_back(argument in prop::collection::vec(1_u8..=255, 0..40)) {
        let line = [b"echo ".as_slice(), &claw_shell::quote(&argument)].concat();
        let script = parse(&line, Dialect::Bash).unwrap();
        prop_assert_eq!(script.commands[0].words[1].as_literal().unwrap(), argument);
    }

    #[test]
    fn a_broken_corpus_line_keeps_the_invariants(
        at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>()
    ) {
        let corpus = concat!(include_str!("data/lines.txt"), include_str!("data/more.txt"));
        let cases: Vec<&str> = corpus.split("\n== ").collect();
        let mut text = at.get(&cases).as_bytes().to_vec();
        let offset = cut.index(text.len());
        if insert { text.insert(offset, byte) } else { text.truncate(offset) }
        invariants::check(&text);
    }
}

//! The fuzz targets' bodies on random input: what a fuzzer runs for hours, every test run does for a moment.

use claw_testkit::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;

/// Pieces that make random texts look like command lines and policies.
fn pieces(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    vec(prop_oneof![8 => word, 1 => vec(any::<u8>(), 0..4)], 0..60).prop_map(|words| words.concat())
}

const SHELL: &[&str] = &[
    "git ",
    "rm ",
    "ls ",
    "sh -c ",
    "'",
    "\"",
    "$(",
    ")",
    "`",
    "${",
    "}",
    "((",
    "))",
    "<<EOF\n",
    "EOF\n",
    ";",
    "&&",
    "|",
    "&",
    "\n",
    "if ",
    "then ",
    "fi",
    "for x in ",
    "do ",
    "done",
    "case ",
    "esac",
    "{ ",
    " }",
    "> ",
    "< ",
    "2>&1",
    "\\",
    "find . -exec ",
    "xargs ",
    "env A=1 ",
    "cd /tmp ",
    "A=1 ",
    "*",
    "~",
    "[[ ",
    " ]]",
    "function f ",
    "f() ",
    "eval ",
];

const POLICY: &[&str] = &[
    "exec:\n",
    "  security: ",
    "allowlist\n",
    "  allowlist:\n",
    "    - ",
    "git\n",
    "- {command: cargo}\n",
    "workspace: ",
    "/w\n",
    "~",
    "${HOME}",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "\n",
    " ",
    "  ",
    "filesystem:\n",
    "  hidden: ",
    "**/*.pem",
    "limits: {time: 60s}\n",
    "&a ",
    "*a",
    "!!str ",
    "---\n",
    "\t",
    "# x\n",
    "true",
    "1e9",
    "null",
    "|\n",
];

proptest! {
    #[test]
    fn any_bytes_are_a_command_line_or_an_error(data in vec(any::<u8>(), 0..200)) {
        fuzz::shell_parse(&data);
        fuzz::decide_line(&data);
    }

    #[test]
    fn shell_pieces_are_a_command_line_or_an_error(data in pieces(SHELL)) {
        fuzz::shell_parse(&data);
        fuzz::decide_line(&data);
    }

    #[test]
    fn any_text_is_a_policy_or_a_list_of_errors(data in prop_oneof![pieces(POLICY), vec(any::<u8>(), 0..200)]) {
        fuzz::policy_parse(&data);
    }
}

//! What holds for every input: the body of the fuzz target and of the property tests.
#![doc(hidden)]

use crate::script::{CommandId, Cwd, CwdId, Origin, Script, Span};
use crate::{Dialect, from_argv, parse};

/// Parses `text` in both dialects and as an argument vector.
///
/// # Panics
/// When a result breaks an invariant.
pub fn check(text: &[u8]) {
    for dialect in [Dialect::Bash, Dialect::Posix] {
        match parse(text, dialect) {
            Ok(script) => assert_script(&script, text.len()),
            Err(error) => assert_span(error.span, text.len()),
        }
    }
    let arguments: Vec<Vec<u8>> = text.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
    if let Ok(script) = from_argv(&arguments) {
        assert_script(&script, text.len());
        assert!(!script.commands.is_empty(), "an argument vector runs at least one command");
    }
}

/// Asserts that all spans and references of `script` lie within its line of `length` bytes.
///
/// # Panics
/// When one does not.
pub fn assert_script(script: &Script, length: usize) {
    assert_eq!(script.cwds.first(), Some(&Cwd::Start), "entry 0 is where the script starts");
    for (index, cwd) in script.cwds.iter().enumerate() {
        match cwd {
            Cwd::Start | Cwd::Unknown => {}
            Cwd::Cd { from, target, .. } => {
                assert!(from.0 < index, "a directory comes after the one it was entered from");
                assert_span(target.span, length);
            }
            Cwd::Either(one, other) => {
                assert!(one.0 < index && other.0 < index, "directories have no cycles");
            }
        }
    }
    for (index, command) in script.commands.iter().enumerate() {
        assert!(!command.words.is_empty(), "a command has a name");
        assert_span(command.span, length);
        assert_cwd(script, command.cwd);
        command.words.iter().for_each(|word| assert_span(word.span, length));
        if let Origin::Wrapper(CommandId(wrapper)) = command.origin {
            assert!(wrapper < index, "a wrapper comes before what it runs");
        }
    }
    for redirect in &script.redirects {
        assert_span(redirect.span, length);
        assert_cwd(script, redirect.cwd);
        let exists = redirect.command.is_none_or(|id| id.0 < script.commands.len());
        assert!(exists, "the command of a redirection exists");
    }
    script.assignments.iter().for_each(|assignment| assert_span(assignment.span, length));
    script.opaque.iter().for_each(|opaque| assert_span(opaque.span, length));
}

fn assert_cwd(script: &Script, cwd: CwdId) {
    assert!(cwd.0 < script.cwds.len(), "the directory exists");
}

fn assert_span(span: Span, length: usize) {
    assert!(span.start <= span.end && span.end <= length, "{span:?} lies outside a line of {length} bytes");
}

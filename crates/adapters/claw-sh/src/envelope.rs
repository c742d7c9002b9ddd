//! What a host wraps around a command.
//!
//! Claude Code 2.1 sends `source SNAPSHOT … && eval 'COMMAND' < /dev/null && pwd -P >| /tmp/claude-XXXX-cwd`. The snapshot
//! is the host's picture of the user's start-up files: functions and aliases, of which the sandbox wants none. What is left
//! is an ordinary line that the policy judges whole, the command inside `eval` included; the one thing that it needs beside
//! the policy is that file, in which the host reads where the command ended up.

/// A line without what its host put before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope<'a> {
    /// What is judged and runs: the end of the line, as it was written.
    pub line: &'a [u8],
    /// The file that the host expects the last directory in, absolute: directly in `/tmp`, with a name that only this host
    /// uses.
    pub directory_file: &'a [u8],
}

/// The envelope of a host that is known; nothing when the line is not exactly of its form.
///
/// ```
/// use claw_sh::peel;
///
/// let line = b"source /home/u/.claude/s.sh 2>/dev/null || true && eval 'ls -l' < /dev/null && pwd -P >| /tmp/claude-4760-cwd";
/// let envelope = peel(line).unwrap();
/// assert_eq!(envelope.line, b"eval 'ls -l' < /dev/null && pwd -P >| /tmp/claude-4760-cwd");
/// assert_eq!(envelope.directory_file, b"/tmp/claude-4760-cwd");
/// assert!(peel(b"ls && pwd").is_none());
/// ```
#[must_use]
pub fn peel(line: &[u8]) -> Option<Envelope<'_>> {
    let mut rest = line;
    while let Some(after) = prelude(rest) {
        rest = after;
    }
    let kept = rest;
    let after = rest.strip_prefix(b"eval ").and_then(quoted)?;
    let after = after.strip_prefix(b" < /dev/null").unwrap_or(after);
    let file = after.strip_prefix(b" && pwd -P >| ")?;
    is_directory_file(file).then_some(Envelope { line: kept, directory_file: file })
}

/// What follows the first part of a prelude, if that is one that we know.
fn prelude(line: &[u8]) -> Option<&[u8]> {
    let after = sourced(line).or_else(|| forgotten(line)).or_else(|| {
        [&b"\\builtin shopt -u extglob"[..], b"\\builtin setopt NO_EXTENDED_GLOB", b"setopt NO_EXTENDED_GLOB"]
            .into_iter()
            .find_map(|part| line.strip_prefix(part)?.strip_prefix(b" 2>/dev/null || true"))
    })?;
    after.strip_prefix(b" && ")
}

/// `source FILE 2>/dev/null || true`.
fn sourced(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"source ")?;
    let after = match quoted(rest) {
        Some(after) => after,
        None => {
            let end = rest.iter().position(|byte| !is_plain(*byte))?;
            rest.get(end..)?
        }
    };
    after.strip_prefix(b" 2>/dev/null || true")
}

/// `{ \builtin unalias -- 'NAME'; \builtin unset -f -- 'NAME'; } >/dev/null 2>&1 || true`.
fn forgotten(line: &[u8]) -> Option<&[u8]> {
    let after = quoted(line.strip_prefix(b"{ \\builtin unalias -- ")?)?;
    let after = quoted(after.strip_prefix(b"; \\builtin unset -f -- ")?)?;
    after.strip_prefix(b"; } >/dev/null 2>&1 || true")
}

/// What follows a word in single quotes, in which a quote is written `'\''` or `'"'"'`.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"'")?;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\'')?;
        let after = rest.get(end + 1..)?;
        let again = after.strip_prefix(b"\\''").or_else(|| after.strip_prefix(b"\"'\"'"));
        match again {
            Some(again) => rest = again,
            None => return Some(after),
        }
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'+' | b'@' | b':')
}

/// `/tmp/claude-4760-cwd`. Sixteen digits are far more than it has.
fn is_directory_file(path: &[u8]) -> bool {
    let id = path.strip_prefix(b"/tmp/claude-").and_then(|rest| rest.strip_suffix(b"-cwd"));
    id.is_some_and(|id| matches!(id.len(), 1..=16) && id.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Captured from Claude Code 2.1.330, with a path put back where the capture hides it.
    const CAPTURED: &str = "source /home/u/.claude/shell-snapshots/snapshot-bash-1.sh 2>/dev/null || true && \
        \\builtin shopt -u extglob 2>/dev/null || true && \
        { \\builtin unalias -- 'which'; \\builtin unset -f -- 'which'; } >/dev/null 2>&1 || true && \
        { \\builtin unalias -- 'unsetenv'; \\builtin unset -f -- 'unsetenv'; } >/dev/null 2>&1 || true && ";

    #[test]
    fn a_captured_line_is_peeled() {
        for command in ["echo good", "echo '\\''x'\\'' && rm -rf y", "echo '\"'\"'x'\"'\"'", "a\nb", ""] {
            let kept = format!("eval '{command}' < /dev/null && pwd -P >| /tmp/claude-ec39-cwd");
            let line = format!("{CAPTURED}{kept}");
            let envelope = peel(line.as_bytes()).unwrap();
            assert_eq!(envelope.line, kept.as_bytes());
            assert_eq!(envelope.directory_file, b"/tmp/claude-ec39-cwd");
        }
    }

    #[test]
    fn what_is_not_exactly_an_envelope_is_none() {
        let end = "< /dev/null && pwd -P >| /tmp/claude-1-cwd";
        for line in [
            "echo a".to_owned(),
            format!("{CAPTURED}echo a && pwd -P >| /tmp/claude-1-cwd"),
            format!("{CAPTURED}eval 'a' && rm x && pwd -P >| /tmp/claude-1-cwd"),
            format!("{CAPTURED}eval 'a''b' {end}"),
            format!("{CAPTURED}eval \"a\" {end}"),
            format!("{CAPTURED}eval 'a' {end}; rm x"),
            format!("source $(rm x) 2>/dev/null || true && eval 'a' {end}"),
            format!("source a;rm 2>/dev/null || true && eval 'a' {end}"),
            format!("rm x && eval 'a' {end}"),
            "eval 'a' && pwd -P >| /tmp/claude-../../etc/passwd-cwd".to_owned(),
            "eval 'a' && pwd -P >| /etc/claude-1-cwd".to_owned(),
            "eval 'a' && pwd -P >| /tmp/claude-1-cwd\n".to_owned(),
            "eval 'a".to_owned(),
        ] {
            assert_eq!(peel(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_kept_is_the_end_of_the_line(line in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(envelope) = peel(&line) {
                prop_assert!(line.ends_with(envelope.line));
            }
        }

        #[test]
        fn every_command_that_is_quoted_is_peeled(command in "[ -~\n]{0,60}") {
            let quoted = command.replace('\'', "'\\''");
            let line = format!("{CAPTURED}eval '{quoted}' < /dev/null && pwd -P >| /tmp/claude-0a-cwd");
            prop_assert!(peel(line.as_bytes()).is_some());
        }
    }
}

//! Redirections: each is a file request, `/dev/tcp` and `/dev/udp` are network requests.

use std::path::Path;

use claw_shell::{Piece, Redirect, RedirectKind, Word};

use super::{Judge, Scope, words};
use crate::decide::network;
use crate::{Code, FileAction, NetworkRequest, Protocol, Reason};

/// Devices that every run has and that keep nothing.
const FREE: [&[u8]; 9] = [
    b"/dev/null",
    b"/dev/zero",
    b"/dev/full",
    b"/dev/stdin",
    b"/dev/stdout",
    b"/dev/stderr",
    b"/dev/tty",
    b"/dev/random",
    b"/dev/urandom",
];

impl Judge<'_> {
    pub(super) fn redirect(&mut self, scope: &Scope<'_>, redirect: &Redirect) {
        let action = match redirect.kind {
            RedirectKind::Heredoc => return,
            RedirectKind::Duplicate => {
                if !is_descriptor(&redirect.target) && !self.is_process(scope, redirect) {
                    self.redirect_unknown(scope, redirect);
                }
                return;
            }
            RedirectKind::Read => FileAction::Read,
            RedirectKind::Write | RedirectKind::Append | RedirectKind::ReadWrite => FileAction::Write,
        };
        if let Some(protocol) = network_device(&redirect.target) {
            return self.network_device(scope, redirect, protocol);
        }
        if redirect.target.as_literal().is_some_and(|text| is_free(&text)) || self.is_process(scope, redirect)
        {
            return;
        }
        let Some(directories) = scope.directories.at(redirect.cwd) else {
            match words::path(&redirect.target, None, self.world) {
                Some(path) => return self.settled_file(scope, redirect.span, action, &path, false),
                None => return self.redirect_unknown(scope, redirect),
            }
        };
        for directory in directories {
            match words::path(&redirect.target, Some(directory), self.world) {
                Some(path) => {
                    let path = self.expected(scope, redirect.span, redirect.command, &path);
                    self.settled_file(scope, redirect.span, action, &path, false);
                }
                None => self.redirect_unknown(scope, redirect),
            }
        }
    }

    /// `< <(...)`: a pipe; what fills it is judged as a command.
    fn is_process(&self, scope: &Scope<'_>, redirect: &Redirect) -> bool {
        // The spans of a carried script point into its own text.
        if scope.depth > 0 {
            return false;
        }
        let span = redirect.target.span;
        let text = self.request.line.and_then(|line| line.get(span.start..span.end));
        matches!(redirect.target.pieces.as_slice(), [Piece::Dynamic { quoted: false }])
            && text.is_some_and(|text| text.starts_with(b"<(") || text.starts_with(b">("))
    }

    fn redirect_unknown(&mut self, scope: &Scope<'_>, redirect: &Redirect) {
        self.unknown(scope, redirect.span, "the file of this redirection is only known when the line runs");
    }

    fn network_device(&mut self, scope: &Scope<'_>, redirect: &Redirect, protocol: Protocol) {
        let span = scope.span(redirect.span);
        let text = redirect.target.as_literal().unwrap_or_default();
        let mut parts = text.split(|byte| *byte == b'/').skip(3);
        let host = parts.next().map(|host| String::from_utf8_lossy(host).into_owned());
        let port = parts.next().and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        let Some(port) = port else {
            let message = "this redirection opens a connection whose address is not known";
            return self.findings.refuse(Reason::new(Code::NetworkDenied, message).at(span));
        };
        if let Err(reasons) = network::judge(self.policy, &NetworkRequest { protocol, port, host }) {
            for reason in reasons {
                self.findings.refuse(reason.at(span));
            }
        }
    }

    /// Judges a file that the command line itself names. Only what is refused is kept.
    pub(super) fn file(
        &mut self,
        scope: &Scope<'_>,
        span: claw_shell::Span,
        action: FileAction,
        path: &Path,
        recursive: bool,
    ) {
        let path = self.expected(scope, span, None, path);
        self.settled_file(scope, span, action, &path, recursive);
    }

    fn settled_file(
        &mut self,
        scope: &Scope<'_>,
        span: claw_shell::Span,
        action: FileAction,
        path: &Path,
        recursive: bool,
    ) {
        if let Some(reason) = self.file_refusal(action, path, recursive) {
            self.findings.refuse(reason.at(scope.span(span)));
        }
    }
}

fn is_descriptor(target: &Word) -> bool {
    target.as_literal().is_some_and(|text| {
        let digits = text.strip_suffix(b"-").unwrap_or(&text);
        digits.iter().all(u8::is_ascii_digit) && !text.is_empty()
    })
}

fn is_free(path: &[u8]) -> bool {
    FREE.contains(&path)
        || path
            .strip_prefix(b"/dev/fd/")
            .is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// bash opens connections for these names itself; no such file exists.
fn network_device(target: &Word) -> Option<Protocol> {
    let prefix = target.literal_prefix();
    if prefix.starts_with(b"/dev/tcp/") {
        Some(Protocol::Tcp)
    } else if prefix.starts_with(b"/dev/udp/") {
        Some(Protocol::Udp)
    } else {
        None
    }
}

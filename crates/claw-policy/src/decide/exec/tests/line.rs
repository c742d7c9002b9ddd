//! Command lines for tests, read by a few lines of code: words, quotes, `$x`, globs, redirections, assignments.

use claw_shell::{
    Assignment, Builtin, Command, CommandId, Cwd, CwdId, Lookup, Origin, Piece, Redirect, RedirectKind,
    Script, Span, Word,
};

/// Reads simple commands joined by `;`, `&&`, `|`.
pub(super) fn parse(line: &str) -> Script {
    let mut script = Script { cwds: vec![Cwd::Start], ..Script::default() };
    let bytes = line.as_bytes();
    let (mut at, mut piped) = (0, false);
    let mut words: Vec<Word> = Vec::new();
    let mut redirect: Option<(RedirectKind, usize)> = None;
    loop {
        while bytes.get(at) == Some(&b' ') {
            at += 1;
        }
        let rest = &bytes[at..];
        let separator = rest.is_empty() || [&b";"[..], b"&&", b"|"].iter().any(|it| rest.starts_with(it));
        if separator {
            finish(&mut script, std::mem::take(&mut words), piped);
            if rest.is_empty() {
                return script;
            }
            piped = rest[0] == b'|';
            at += if rest[0] == b'&' { 2 } else { 1 };
        } else if rest.starts_with(b">>") || rest.starts_with(b"2>") {
            redirect = Some((RedirectKind::Append, at));
            at += 2;
        } else if rest[0] == b'>' || rest[0] == b'<' {
            redirect = Some((if rest[0] == b'<' { RedirectKind::Read } else { RedirectKind::Write }, at));
            at += 1;
        } else {
            let word = word(bytes, &mut at);
            match redirect.take() {
                Some((kind, start)) => script.redirects.push(Redirect {
                    span: Span::new(start, at),
                    kind,
                    target: word,
                    cwd: CwdId(0),
                    command: Some(CommandId(script.commands.len())),
                }),
                None => words.push(word),
            }
        }
    }
}

fn word(bytes: &[u8], at: &mut usize) -> Word {
    let start = *at;
    let mut pieces = Vec::new();
    let mut quote = None;
    while let Some(byte) = bytes.get(*at).copied() {
        *at += 1;
        match byte {
            b'\'' | b'"' if quote.is_none() => quote = Some(byte),
            _ if quote == Some(byte) => {
                quote = None;
                if pieces.is_empty() {
                    pieces.push(Piece::Literal(Vec::new()));
                }
            }
            b' ' | b';' | b'|' if quote.is_none() => {
                *at -= 1;
                break;
            }
            b'\\' if quote != Some(b'\'') => {
                literal(&mut pieces, bytes[*at]);
                *at += 1;
            }
            b'$' if quote != Some(b'\'') && bytes.get(*at).is_some_and(u8::is_ascii_alphabetic) => {
                let length = bytes[*at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                pieces
                    .push(Piece::Param { name: bytes[*at..*at + length].to_vec(), quoted: quote.is_some() });
                *at += length;
            }
            b'~' if quote.is_none() && *at == start + 1 => pieces.push(Piece::Tilde(Vec::new())),
            b'*' if quote.is_none() => pieces.push(Piece::Glob(b"*".to_vec())),
            byte => literal(&mut pieces, byte),
        }
    }
    Word { span: Span::new(start, *at), pieces }
}

fn literal(pieces: &mut Vec<Piece>, byte: u8) {
    match pieces.last_mut() {
        Some(Piece::Literal(text)) => text.push(byte),
        _ => pieces.push(Piece::Literal(vec![byte])),
    }
}

fn finish(script: &mut Script, words: Vec<Word>, piped: bool) {
    let is_assignment = |word: &&Word| {
        let text = word.literal_prefix();
        text.iter()
            .position(|byte| *byte == b'=')
            .is_some_and(|at| at > 0 && text[..at].iter().all(|b| b.is_ascii_uppercase() || *b == b'_'))
    };
    let count = words.iter().take_while(is_assignment).count();
    let assignments: Vec<Assignment> = words[..count].iter().map(assignment).collect();
    let Some(first) = words.get(count) else {
        script.assignments.extend(assignments.into_iter().map(|it| Assignment { exported: false, ..it }));
        return;
    };
    let span = Span::new(first.span.start, words.last().expect("there is a first").span.end);
    let builtin =
        matches!(&*first.literal_prefix(), b"echo" | b"cd" | b"true" | b"test" | b"printf" | b"read");
    script.commands.push(Command {
        span,
        words: words[count..].to_vec(),
        assignments,
        cwd: CwdId(0),
        origin: Origin::Shell,
        lookup: if builtin { Lookup::Builtin(Builtin::Harmless) } else { Lookup::Program },
        more_arguments: false,
        transparent: false,
        stdin_fed: piped || script.redirects.iter().any(|it| it.kind == RedirectKind::Read),
    });
}

fn assignment(word: &Word) -> Assignment {
    let mut value = word.clone();
    let Some(Piece::Literal(text)) = value.pieces.first_mut() else { unreachable!("it has a name") };
    let at = text.iter().position(|byte| *byte == b'=').expect("it has an equals sign");
    let name = text[..at].to_vec();
    text.drain(..=at);
    if text.is_empty() && value.pieces.len() > 1 {
        value.pieces.remove(0);
    }
    Assignment { span: word.span, name, value: Some(value), exported: true }
}

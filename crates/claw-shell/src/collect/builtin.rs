//! What shell builtins run or change.

use super::cwd::Flow;
use super::{Call, Collector, Invocation, Rules};
use crate::bounds::Parsed;
use crate::parser::code_in_text;
use crate::script::{Builtin, Dialect, Lookup, OpaqueKind, Origin, Piece, Span, Word};
use crate::wrapper;

/// Options of `read` that take a value.
const READ_VALUED: &[u8] = b"adinNptu";

/// Judges a builtin: sets its lookup, lists what it runs, and follows the directory.
pub(super) fn run(collector: &mut Collector, name: &[u8], call: &Call<'_>) -> Parsed<Flow> {
    let mut flow = collector.stay();
    let class = match name {
        b"cd" => {
            flow = collector.change_directory(call.words, call.span, call.more_arguments);
            Builtin::Harmless
        }
        b"pushd" | b"popd" => {
            let moved = collector.unknown_directory();
            flow = Flow { success: Some(moved), failure: flow.failure };
            Builtin::Harmless
        }
        b"exit" | b"logout" => {
            flow = Flow::never();
            Builtin::Harmless
        }
        b"eval" => {
            let (class, after) = eval(collector, call)?;
            flow = after;
            class
        }
        b"." | b"source" => {
            flow = Flow::stay(collector.unknown_directory());
            source(collector, call)
        }
        b"exec" => wrapper::exec(collector, call)?,
        b"command" => {
            let (class, after) = command(collector, call)?;
            flow = after;
            class
        }
        b"builtin" => {
            flow = builtin(collector, call)?;
            Builtin::Listed
        }
        b"trap" => trap(collector, call)?,
        b"alias" => alias(collector, call)?,
        b"set" => set(collector, call),
        b"shopt" => shopt(collector, call),
        b"export" | b"declare" | b"typeset" | b"local" | b"readonly" => collector.declare(name, call)?,
        b"unset" => unset(collector, call)?,
        b"read" => names(collector, call, READ_VALUED, b"a")?,
        b"mapfile" | b"readarray" => mapfile(collector, call)?,
        b"printf" => printf(collector, call)?,
        b"getopts" => getopts(collector, call)?,
        b"wait" => wait(collector, call)?,
        b"let" => arithmetic(collector, call.arguments())?,
        b"test" | b"[" => test(collector, call)?,
        b"enable" => listing_only(collector, call, b"aps", OpaqueKind::Redefinition),
        b"hash" => listing_only(collector, call, b"rdtl", OpaqueKind::Redefinition),
        b"bind" => listing_only(collector, call, b"lpPsSvVq", OpaqueKind::Redefinition),
        b"compgen" | b"complete" => {
            listing_only(collector, call, b"abcdefgjksuvprAoXPS", OpaqueKind::DynamicCode)
        }
        b"fc" => fc(collector, call),
        b"history" => history(collector, call),
        _ => Builtin::Harmless,
    };
    collector.set_lookup(call.id, Lookup::Builtin(class));
    Ok(flow)
}

/// The text of all `words` joined by spaces, when every one is known.
fn joined(words: &[Word]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for word in words {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&word.as_literal()?);
    }
    Some(text)
}

fn without_double_dash(words: &[Word]) -> &[Word] {
    match words.split_first() {
        Some((first, rest)) if first.as_literal().as_deref() == Some(b"--") => rest,
        _ => words,
    }
}

fn opaque(collector: &mut Collector, kind: OpaqueKind, span: Span) -> Builtin {
    collector.mark(kind, span);
    Builtin::Opaque
}

fn eval(collector: &mut Collector, call: &Call<'_>) -> Parsed<(Builtin, Flow)> {
    collector.publish_assignments(call.id)?;
    let words = without_double_dash(call.arguments());
    let text = if call.more_arguments { None } else { joined(words) };
    let Some(text) = text else {
        let unknown = collector.unknown_directory();
        return Ok((opaque(collector, OpaqueKind::DynamicCode, call.span), Flow::stay(unknown)));
    };
    let span = words.first().map_or(call.span, |word| word.span);
    let flow = collector.evaluate(&text, span)?;
    collector.set_transparent(call.id);
    Ok((Builtin::Listed, flow))
}

// The file may be written by the line itself, so what it holds is not looked at.
fn source(collector: &mut Collector, call: &Call<'_>) -> Builtin {
    let input = without_double_dash(call.arguments()).first().is_some_and(wrapper::names_standard_input);
    let kind = if input { OpaqueKind::CodeFromInput } else { OpaqueKind::DynamicCode };
    opaque(collector, kind, call.span)
}

/// `command [-p] name ...` runs a builtin or a program; with `-v` or `-V` it runs nothing.
fn command(collector: &mut Collector, call: &Call<'_>) -> Parsed<(Builtin, Flow)> {
    match wrapper::command_operand(call.arguments()) {
        wrapper::Operand::Nothing => Ok((Builtin::Harmless, collector.stay())),
        wrapper::Operand::Unknown(span) => {
            Ok((opaque(collector, OpaqueKind::WrapperOption, span), collector.stay()))
        }
        wrapper::Operand::At(index) => {
            let inner = wrapper::inner(collector, call, call.arguments().get(index..).unwrap_or_default())?;
            let flow = collector.invoke(Invocation { rules: Rules::NoFunctions, ..inner })?;
            collector.set_transparent(call.id);
            Ok((Builtin::Listed, flow))
        }
    }
}

fn builtin(collector: &mut Collector, call: &Call<'_>) -> Parsed<Flow> {
    let inner = wrapper::inner(collector, call, without_double_dash(call.arguments()))?;
    if inner.words.is_empty() && call.more_arguments {
        collector.mark(OpaqueKind::DynamicCommand, call.span);
    }
    let flow = collector.invoke(Invocation { rules: Rules::Builtins, ..inner })?;
    collector.set_transparent(call.id);
    Ok(flow)
}

fn trap(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    let words = without_double_dash(call.arguments());
    let Some((action, signals)) = words.split_first() else { return Ok(Builtin::Harmless) };
    let Some(text) = action.as_literal() else {
        return Ok(opaque(collector, OpaqueKind::DynamicCode, call.span));
    };
    let resets = signals.is_empty()
        || text.is_empty()
        || text.starts_with(b"-")
        || text.iter().all(u8::is_ascii_digit);
    if resets && !call.more_arguments {
        return Ok(Builtin::Harmless);
    }
    let (text, span) = (text.into_owned(), action.span);
    let moved = collector.at_another_time(|collector| {
        let before = collector.shell.cwd;
        collector.evaluate(&text, span)?;
        Ok(collector.shell.cwd != before)
    })?;
    let at_exit = |word: &Word| matches!(word.as_literal().as_deref(), Some(b"EXIT" | b"0"));
    if moved && !signals.iter().all(at_exit) {
        // `trap 'cd /' DEBUG` moves the shell between any two commands.
        return Ok(opaque(collector, OpaqueKind::Construct, call.span));
    }
    Ok(Builtin::Listed)
}

/// An alias is text that is put in front of arguments. Only plain words keep their meaning there.
fn alias(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    let mut class = Builtin::Harmless;
    for word in call.arguments() {
        let Some(text) = word.as_literal() else {
            class = opaque(collector, OpaqueKind::Redefinition, word.span);
            continue;
        };
        let Some(equals) = text.iter().position(|byte| *byte == b'=') else { continue };
        let (name, body) = text.split_at(equals);
        let body = body.get(1..).unwrap_or_default();
        if !is_plain_alias(name, body, collector.shell.dialect) {
            class = opaque(collector, OpaqueKind::Redefinition, word.span);
            continue;
        }
        if class == Builtin::Harmless {
            class = Builtin::Listed;
        }
        let words = body.split(|byte| *byte == b' ').filter(|part| !part.is_empty());
        let words: Vec<Word> = words.map(|part| Word::literal(part, word.span)).collect();
        collector.shared.bounds.charge(body.len(), word.span)?;
        let invocation = Invocation {
            words,
            span: word.span,
            more_arguments: true,
            rules: Rules::Shell,
            ..Invocation::program(Origin::Shell)
        };
        collector.at_another_time(|collector| collector.invoke(invocation))?;
    }
    if call.more_arguments {
        class = opaque(collector, OpaqueKind::Redefinition, call.span);
    }
    Ok(class)
}

fn is_plain_alias(name: &[u8], body: &[u8], dialect: Dialect) -> bool {
    const RESERVED: [&[u8]; 20] = [
        b"!",
        b"if",
        b"then",
        b"else",
        b"elif",
        b"fi",
        b"do",
        b"done",
        b"case",
        b"esac",
        b"while",
        b"until",
        b"for",
        b"select",
        b"function",
        b"coproc",
        b"time",
        b"in",
        b"{",
        b"}",
    ];
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./,:@%+- ".contains(byte);
    let first = body.split(|byte| *byte == b' ').find(|part| !part.is_empty());
    let usual = |word: &[u8]| !RESERVED.contains(&word) && !super::names::is_builtin(word, dialect);
    let first_is_usual = first.is_some_and(|first| usual(first) || first == b"cd" || first == b"echo");
    !body.is_empty()
        && body.iter().all(plain)
        && name.iter().all(plain)
        && usual(name)
        && first_is_usual
        && !wrapper::is_wrapper(name)
}

fn set(collector: &mut Collector, call: &Call<'_>) -> Builtin {
    let mut words = call.arguments().iter();
    while let Some(word) = words.next() {
        let Some(text) = word.as_literal() else {
            // Behind the first operand everything is data; here it could be `-k` or `-a`.
            return opaque(collector, OpaqueKind::Construct, word.span);
        };
        let (Some((sign @ (b'-' | b'+'), letters)), false) = (text.split_first(), &*text == b"--") else {
            break;
        };
        let on = *sign == b'-';
        let named = if letters.contains(&b'o') { words.next().and_then(Word::as_literal) } else { None };
        if (letters.contains(&b'a') || named.as_deref() == Some(b"allexport")) && on {
            collector.shell.exports_all = true;
        }
        // `-k` makes assignments of arguments, and POSIX mode reads the rest differently.
        // `-P` (`physical`) makes every later `cd` read `..` after links.
        let physical = letters.contains(&b'P') || named.as_deref() == Some(b"physical");
        if on
            && (physical
                || letters.contains(&b'k')
                || matches!(named.as_deref(), Some(b"keyword" | b"posix")))
        {
            return opaque(collector, OpaqueKind::Construct, word.span);
        }
    }
    Builtin::Harmless
}

fn shopt(collector: &mut Collector, call: &Call<'_>) -> Builtin {
    for word in call.arguments() {
        match word.as_literal().as_deref() {
            None | Some(b"lastpipe" | b"keyword" | b"posix") => {
                return opaque(collector, OpaqueKind::Construct, word.span);
            }
            Some(b"allexport") => collector.shell.exports_all = true,
            Some(_) => {}
        }
    }
    Builtin::Harmless
}

fn unset(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    for word in call.arguments() {
        let Some(name) = word.as_literal() else {
            return Ok(opaque(collector, OpaqueKind::Construct, word.span));
        };
        if name.starts_with(b"-") {
            continue;
        }
        collector.forget_function(&name);
        collector.set_variable(&name, word.span, None)?;
    }
    Ok(Builtin::Harmless)
}

/// A builtin whose operands are variables. `valued` are its options with a value, of which those in
/// `assigned` name a variable too.
fn names(collector: &mut Collector, call: &Call<'_>, valued: &[u8], assigned: &[u8]) -> Parsed<Builtin> {
    let mut words = call.arguments().iter();
    let mut options = true;
    while let Some(word) = words.next() {
        let literal = word.as_literal();
        if options && literal.as_deref() == Some(b"--") {
            options = false;
            continue;
        }
        if options && word.literal_prefix().starts_with(b"-") && word.literal_prefix().len() > 1 {
            let prefix = word.literal_prefix();
            let letters = prefix.get(1..).unwrap_or_default();
            let Some(at) = letters.iter().position(|letter| valued.contains(letter)) else { continue };
            let joined = letters.get(at + 1..).unwrap_or_default();
            let value = if joined.is_empty() && word.pieces.len() <= 1 { words.next() } else { None };
            if !letters.get(at).is_some_and(|letter| assigned.contains(letter)) {
                continue;
            }
            match value {
                Some(value) => variable(collector, value)?,
                None => variable(collector, &Word::literal(joined, word.span))?,
            };
            continue;
        }
        options = false;
        if variable(collector, word)? == Builtin::Opaque {
            return Ok(Builtin::Opaque);
        }
    }
    Ok(Builtin::Harmless)
}

/// An operand that names a variable to set.
fn variable(collector: &mut Collector, word: &Word) -> Parsed<Builtin> {
    match word.as_literal() {
        Some(name) => {
            let value = Word { span: word.span, pieces: Piece::Dynamic { quoted: true }.into() };
            collector.set_variable(&name, word.span, Some(value))?;
            Ok(Builtin::Harmless)
        }
        // It could be PATH, or a subscript with code.
        None => Ok(opaque(collector, OpaqueKind::Construct, word.span)),
    }
}

fn mapfile(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    let callback =
        |word: &Word| word.literal_prefix().starts_with(b"-") && word.literal_prefix().contains(&b'C');
    if let Some(word) = call.arguments().iter().find(|word| callback(word)) {
        return Ok(opaque(collector, OpaqueKind::DynamicCode, word.span));
    }
    names(collector, call, b"dnOsuCc", b"")
}

fn printf(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    let arguments = call.arguments();
    let Some(first) = arguments.first() else { return Ok(Builtin::Harmless) };
    match first.as_literal().as_deref() {
        Some(b"-v") => match arguments.get(1) {
            Some(name) => variable(collector, name),
            None => Ok(Builtin::Harmless),
        },
        Some([b'-', b'v', name @ ..]) => variable(collector, &Word::literal(name, first.span)),
        // A format is data; only an unquoted expansion could become `-v PATH`.
        None if first.literal_prefix().is_empty() && first.can_split() => {
            Ok(opaque(collector, OpaqueKind::Construct, first.span))
        }
        _ => Ok(Builtin::Harmless),
    }
}

fn getopts(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    match without_double_dash(call.arguments()).get(1) {
        Some(name) => variable(collector, name),
        None => Ok(Builtin::Harmless),
    }
}

fn wait(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    let option = |word: &Word| word.as_literal().as_deref() == Some(b"-p");
    let Some(at) = call.arguments().iter().position(option) else { return Ok(Builtin::Harmless) };
    match call.arguments().get(at + 1) {
        Some(name) => variable(collector, name),
        None => Ok(Builtin::Harmless),
    }
}

/// Words that are evaluated as arithmetic after their expansion.
fn arithmetic(collector: &mut Collector, words: &[Word]) -> Parsed<Builtin> {
    for word in words {
        collector.evaluate_arithmetic(word)?;
        collector.note_arithmetic(word.span);
    }
    Ok(Builtin::Harmless)
}

/// `-v NAME` evaluates the subscript of its operand.
fn test(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    let arguments = call.arguments();
    for (word, operand) in arguments.iter().zip(arguments.iter().skip(1)) {
        if !matches!(word.as_literal().as_deref(), Some(b"-v" | b"-R")) {
            continue;
        }
        match operand.as_literal() {
            Some(_) => collector.evaluate_arithmetic(operand)?,
            None => return Ok(opaque(collector, OpaqueKind::Construct, operand.span)),
        }
    }
    Ok(Builtin::Harmless)
}

/// A builtin that is harmless with the options in `harmless` alone, and without operands that go
/// with another option.
fn listing_only(collector: &mut Collector, call: &Call<'_>, harmless: &[u8], kind: OpaqueKind) -> Builtin {
    let mut only_names = true;
    for word in call.arguments() {
        let Some(text) = word.as_literal() else { return opaque(collector, kind, word.span) };
        match text.split_first() {
            Some((b'-', letters)) => {
                only_names &= letters.iter().all(|letter| harmless.contains(letter));
            }
            _ if call
                .words
                .first()
                .is_some_and(|name| matches!(name.as_literal().as_deref(), Some(b"bind"))) =>
            {
                only_names = false;
            }
            _ => {}
        }
    }
    if only_names && !call.more_arguments { Builtin::Harmless } else { opaque(collector, kind, call.span) }
}

/// `fc -l` lists; everything else runs an editor or old commands.
fn fc(collector: &mut Collector, call: &Call<'_>) -> Builtin {
    let lists =
        call.arguments().first().and_then(Word::as_literal).is_some_and(|text| {
            text.starts_with(b"-l") || text.starts_with(b"-nl") || text.starts_with(b"-rl")
        });
    if lists { Builtin::Harmless } else { opaque(collector, OpaqueKind::DynamicCode, call.span) }
}

/// Writing a history file is a write that no redirection shows.
fn history(collector: &mut Collector, call: &Call<'_>) -> Builtin {
    let plain = call.arguments().iter().all(|word| {
        word.as_literal().is_some_and(|text| &*text == b"-c" || text.iter().all(u8::is_ascii_digit))
    });
    if plain { Builtin::Harmless } else { opaque(collector, OpaqueKind::Construct, call.span) }
}

impl Collector {
    pub(super) fn note_arithmetic(&mut self, span: Span) {
        self.shell.arithmetic = self.shell.arithmetic.or(Some(span));
    }

    /// Lists the code in a word that is expanded once more, like a subscript.
    pub(super) fn evaluate_arithmetic(&mut self, word: &Word) -> Parsed<()> {
        for piece in &word.pieces {
            if let Piece::Literal(text) | Piece::Glob(text) = piece
                && text.iter().any(|byte| matches!(byte, b'$' | b'`'))
            {
                let code = code_in_text(text, word.span, self.shell.dialect, &mut self.shared)?;
                self.code(code)?;
            }
        }
        Ok(())
    }
}

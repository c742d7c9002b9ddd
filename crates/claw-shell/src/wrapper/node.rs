//! The package runners of the JavaScript world. They may fetch what they run, so they are never
//! transparent.

use super::options::{Options, Scan, scan};
use super::{inner, shell_text};
use crate::bounds::Parsed;
use crate::collect::{Call, Collector};
use crate::script::{OpaqueKind, Word};

const NONE: Options = Options {
    flags: "",
    valued: "",
    optional: "",
    long_flags: &[],
    long_valued: &[],
    long_optional: &[],
    number: false,
};

/// npm 10: `npx` and `npm exec`.
const NPM: Options = Options {
    flags: "yqs",
    valued: "pcw",
    long_flags: &[
        "yes",
        "no",
        "no-install",
        "quiet",
        "silent",
        "offline",
        "prefer-offline",
        "ignore-existing",
        "workspaces",
        "include-workspace-root",
    ],
    long_valued: &["package", "call", "workspace", "prefix", "cache", "registry", "loglevel"],
    ..NONE
};

/// pnpm 9: `pnpm exec` and `pnpm dlx`.
const PNPM: Options = Options {
    flags: "rwcs",
    valued: "C",
    long_flags: &[
        "recursive",
        "parallel",
        "workspace-root",
        "shell-mode",
        "silent",
        "no-reporter-hide-prefix",
    ],
    long_valued: &["package", "filter", "dir", "resume-from"],
    ..NONE
};

/// yarn 4: `yarn exec` and `yarn dlx`.
const YARN: Options =
    Options { flags: "q", valued: "p", long_flags: &["quiet"], long_valued: &["package", "cwd"], ..NONE };

/// bun 1: `bunx` and `bun x`.
const BUN: Options = Options {
    valued: "p",
    long_flags: &["bun", "no-install", "verbose", "silent"],
    long_valued: &["package"],
    ..NONE
};

pub(super) fn open(collector: &mut Collector, call: &Call<'_>, program: &[u8]) -> Parsed<()> {
    let (options, subcommands): (&Options, &[&[u8]]) = match program {
        b"npx" => return runner(collector, call, &NPM, call.arguments()),
        b"pnpx" => return runner(collector, call, &PNPM, call.arguments()),
        b"bunx" => return runner(collector, call, &BUN, call.arguments()),
        b"npm" => (&NPM, &[b"exec", b"x"]),
        b"pnpm" => (&PNPM, &[b"exec", b"dlx"]),
        b"yarn" => (&YARN, &[b"exec", b"dlx"]),
        _ => (&BUN, &[b"x"]),
    };
    let is_subcommand = |word: &Word| word.as_literal().is_some_and(|text| subcommands.contains(&&*text));
    let Scan::Options { rest, .. } = scan(options, call.arguments()) else {
        // Behind an unknown option stands its value or the subcommand.
        if let Some(word) = call.arguments().iter().find(|word| is_subcommand(word)) {
            collector.mark(OpaqueKind::WrapperOption, word.span);
        }
        return Ok(());
    };
    match call.arguments().get(rest) {
        Some(word) if is_subcommand(word) => {
            runner(collector, call, options, call.arguments().get(rest + 1..).unwrap_or_default())
        }
        None if call.more_arguments => {
            collector.mark(OpaqueKind::DynamicCommand, call.span);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn runner(collector: &mut Collector, call: &Call<'_>, options: &Options, arguments: &[Word]) -> Parsed<()> {
    let Scan::Options { found, rest } = scan(options, arguments) else {
        let span = arguments.first().map_or(call.span, |word| word.span);
        collector.mark(OpaqueKind::WrapperOption, span);
        return Ok(());
    };
    if let Some(text) = found.iter().find(|option| option.name == "c" || option.name == "call") {
        return match &text.value {
            Some(text) => untransparent(collector, call, |collector| {
                shell_text(collector, call, std::slice::from_ref(text))
            }),
            None => {
                collector.mark(OpaqueKind::DynamicCode, text.span);
                Ok(())
            }
        };
    }
    let words = arguments.get(rest..).unwrap_or_default();
    // npm takes its own options behind the operands too.
    let own = words.iter().take_while(|word| word.as_literal().as_deref() != Some(b"--"));
    if let Some(word) = own.into_iter().find(|word| is_call_option(word)) {
        collector.mark(OpaqueKind::DynamicCode, word.span);
    }
    let words = match words.split_first() {
        Some((first, rest)) if first.as_literal().as_deref() == Some(b"--") => rest,
        _ => words,
    };
    if words.is_empty() {
        if call.more_arguments {
            collector.mark(OpaqueKind::DynamicCommand, call.span);
        }
        return Ok(());
    }
    let invocation = inner(collector, call, words)?;
    collector.invoke(invocation)?;
    Ok(())
}

fn is_call_option(word: &Word) -> bool {
    let prefix = word.literal_prefix();
    prefix.starts_with(b"--cal") || &*prefix == b"--ca" || &*prefix == b"--c"
}

/// Runs `open`, which may find the call transparent, and takes that back.
fn untransparent(
    collector: &mut Collector,
    call: &Call<'_>,
    open: impl FnOnce(&mut Collector) -> Parsed<()>,
) -> Parsed<()> {
    open(collector)?;
    collector.command(call.id)?.transparent = false;
    Ok(())
}

//! What the tests of documents share.
#![allow(dead_code, reason = "each test binary uses its part")]

use claw_policy::{Diagnostic, Expansion, Format, Layer, LayerKind, Policy, Source, built_in, compile};

pub(crate) fn expansion() -> Expansion {
    Expansion {
        home: Some("/home/u".into()),
        cwd: "/home/u/project".into(),
        variables: [("PROJECT".to_owned(), "claw".to_owned()), ("HOME".to_owned(), "/home/u".to_owned())]
            .into(),
        ..Expansion::default()
    }
}

/// `text` as a layer of that kind over the built-in profile.
pub(crate) fn over_built_in(kind: LayerKind, text: &str, format: Format) -> Result<Policy, Vec<Diagnostic>> {
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: Source::new("policy.yaml", text, format), kind },
    ];
    compile(&layers, &expansion())
}

/// `text` as a named policy.
pub(crate) fn named(text: &str, format: Format) -> Result<Policy, Vec<Diagnostic>> {
    over_built_in(LayerKind::Named, text, format)
}

/// The errors of a result, shown.
pub(crate) fn shown(result: Result<Policy, Vec<Diagnostic>>) -> Vec<String> {
    result.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

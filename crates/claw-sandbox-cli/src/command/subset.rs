//! `policy subset`: whether one policy lies within another.

use std::path::Path;

use claw_policy::{Excess, ExcessKind, RuleRef};
use claw_sandbox::{Containment, Judge, LoadOptions, load_policy};

use crate::args::SubsetArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, visible};
use crate::wire::{self, SubsetAnswer};

pub(crate) fn run(args: &SubsetArgs) -> Outcome {
    let cwd = super::directory(args.cwd.as_deref())?;
    let judge = |path: &Path| -> Result<Judge, Failure> {
        let named = Some(path.to_owned());
        Ok(Judge::new(load_policy(&LoadOptions { cwd: cwd.clone(), named, ..LoadOptions::default() })?))
    };
    let (inner, outer) = (judge(&args.inner)?, judge(&args.outer)?);
    let containment = inner.within(&outer).ok_or_else(|| {
        Failure::new(
            "the files that the policies are about change faster than they can be looked at; try again",
        )
    })?;
    if args.json {
        output::print_json(&SubsetAnswer::from(&containment))?;
    } else {
        output::print(text(args, &containment))?;
    }
    Ok(if containment.is_within() { Exit::Success } else { Exit::Findings })
}

fn text(args: &SubsetArgs, containment: &Containment) -> String {
    let (inner, outer) = (args.inner.display(), args.outer.display());
    if containment.is_within() {
        return format!("`{inner}` lies within `{outer}`\n");
    }
    // That less is recorded is known without an example.
    let is_shown = containment.counterexample.is_some()
        || containment.excesses.iter().any(|excess| excess.kind == ExcessKind::Record);
    let proof = if is_shown { "" } else { " provably" };
    let mut text = format!("`{inner}` does not{proof} lie within `{outer}`:\n");
    for excess in &containment.excesses {
        text += &format!("  {}{}\n", visible(excess.message.as_bytes()), places(excess));
    }
    if let Some(found) = &containment.counterexample {
        let request = wire::wire_request(&found.request);
        let (own, other) = (wire::name(&found.inner), wire::name(&found.outer));
        text += &format!("for example: {request}: {own} under `{inner}`, {other} under `{outer}`\n");
    }
    text
}

fn places(excess: &Excess) -> String {
    // What no document states has no place.
    let place = |rule: &Option<RuleRef>| rule.as_ref().filter(|rule| rule.line > 0).map(ToString::to_string);
    match (place(&excess.inner), place(&excess.outer)) {
        (Some(inner), Some(outer)) => format!(" ({inner}, against {outer})"),
        (Some(inner), None) => format!(" ({inner})"),
        (None, Some(outer)) => format!(" (against {outer})"),
        (None, None) => String::new(),
    }
}

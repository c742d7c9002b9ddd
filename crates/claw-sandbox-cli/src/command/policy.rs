//! From the arguments, or a line of JSON, to a compiled policy.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use claw_policy::{Diagnostic, Expansion, Format, Layer, LayerKind, Policy, Source, built_in, compile, lint};
use claw_sandbox::policy_file::{self, PolicyFileError};
use claw_sandbox::{Judge, LoadOptions, load_policy};

use crate::args::PolicyArgs;
use crate::failure::Failure;

/// What a policy's own names mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) home: Option<PathBuf>,
    pub(crate) cwd: PathBuf,
    pub(crate) users: BTreeMap<String, PathBuf>,
}

/// The built-in profile, under `named` when there is one.
pub(crate) fn compiled(named: Option<Source>, names: &Names) -> Result<Policy, Vec<Diagnostic>> {
    let mut layers = vec![Layer { source: built_in(), kind: LayerKind::BuiltIn }];
    layers.extend(named.map(|source| Layer { source, kind: LayerKind::Named }));
    let variables = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let expansion = Expansion {
        home: names.home.clone(),
        cwd: names.cwd.clone(),
        variables: variables.collect(),
        users: names.users.clone(),
    };
    compile(&layers, &expansion)
}

/// The text of an inline policy.
pub(crate) fn inline(text: &str) -> Source {
    Source::new("policy", text, Format::Json)
}

/// Everything that is wrong or suspicious in a file.
pub(crate) fn findings(path: &Path) -> Result<Vec<Diagnostic>, Failure> {
    let source = match policy_file::read(path) {
        Ok(source) => source,
        Err(PolicyFileError::NotText(diagnostic)) => return Ok(vec![*diagnostic]),
        Err(error) => return Err(Failure::new(error)),
    };
    let names = Names { home: claw_sandbox::home(), cwd: super::directory(None)?, ..Names::default() };
    Ok(match compiled(Some(source), &names) {
        Ok(policy) => lint(&policy),
        Err(diagnostics) => diagnostics,
    })
}

/// Everything that is suspicious in what is in force in this directory: the built-in profile, the user's policy and the
/// project's.
pub(crate) fn findings_in_force() -> Result<Vec<Diagnostic>, Failure> {
    let cwd = super::directory(None)?;
    let policy = load_policy(&LoadOptions { cwd, named: None, workspace: None, narrowed_by: Vec::new() })?;
    Ok(lint(&policy))
}

/// The policy that the arguments name.
pub(crate) fn of_args(args: &PolicyArgs) -> Result<Policy, Failure> {
    let workspace =
        args.workspace.as_deref().map(|workspace| super::directory(Some(workspace))).transpose()?;
    let cwd = super::directory(args.cwd.as_deref())?;
    Ok(load_policy(&LoadOptions { cwd, named: args.policy.clone(), workspace, narrowed_by: Vec::new() })?)
}

/// The judge for the policy of the arguments.
pub(crate) fn judge(args: &PolicyArgs) -> Result<Judge, Failure> {
    of_args(args).map(Judge::new)
}

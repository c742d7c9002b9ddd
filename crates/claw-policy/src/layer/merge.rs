//! Statements, layer by layer, into a policy.

mod base;
mod restrict;

use self::base::Base;
pub(super) use self::restrict::{restrict, stricter};
use super::LayerKind;
use super::state::Stated;
use crate::expand::Expansion;
use crate::policy::{
    Ask, Descendants, EnvironmentRules, ExecLayer, FileLayer, FrontDoor, Logging, NetworkLayer, Places,
    Policy, Ruled, Secrets, Security,
};
use crate::{Floor, Limits, RuleRef, profile};

/// Merges documents that are in order. The built-in profile may be missing; then nothing is allowed that no document states.
pub(super) fn merge(stated: Vec<Stated>, expansion: &Expansion) -> Policy {
    let mut policy = ground(&stated, expansion);
    let mut base = Base::default();
    for mut document in stated {
        policy.contexts.append(&mut document.contexts);
        policy.sources.push(document.source.clone());
        let own = match document.kind {
            LayerKind::Project => Some(&mut policy.project_sources),
            LayerKind::Named => Some(&mut policy.named_sources),
            LayerKind::BuiltIn | LayerKind::User => None,
        };
        if let Some(own) = own {
            own.push(document.source.name().to_owned());
        }
        match document.kind {
            LayerKind::BuiltIn | LayerKind::Named => base.replace(&mut policy, document),
            LayerKind::User | LayerKind::Project => restrict(&mut policy, document),
        }
    }
    base.finish(&mut policy, expansion);
    policy
}

/// The policy that states nothing: nothing is allowed.
fn ground(stated: &[Stated], expansion: &Expansion) -> Policy {
    let nowhere = |text: &str| RuleRef { source: "default".into(), line: 0, column: 0, text: text.into() };
    let built_in = stated.iter().any(|document| document.kind == LayerKind::BuiltIn);
    Policy {
        sources: Vec::new(),
        project_sources: Vec::new(),
        named_sources: Vec::new(),
        exec: vec![ExecLayer {
            security: Ruled { value: Security::Allowlist, rule: nowhere("security: allowlist") },
            ask: Ruled { value: Ask::Off, rule: nowhere("ask: off") },
            allowlist: Vec::new(),
            inline_eval_denied: None,
            safe_bins: Vec::new(),
        }],
        exec_deny: Vec::new(),
        trusted_dirs: profile::trusted_dirs(),
        bundles: profile::bundles(expansion),
        descendants: Descendants::default(),
        verify: true,
        files: vec![FileLayer::default()],
        system: if built_in { profile::system(expansion) } else { Vec::new() },
        hidden: Vec::new(),
        hidden_by_default: Vec::new(),
        protected: Vec::new(),
        network: vec![NetworkLayer::default()],
        // The first list is the base's: a restricting document must not be the only one that lists names.
        environment: EnvironmentRules { pass: vec![Vec::new()], set: Vec::new() },
        limits: Limits::default(),
        floor: Floor::default(),
        detach: false,
        secrets: Secrets::default(),
        logging: Logging::default(),
        front_door: FrontDoor::default(),
        // The first list is the base's, as that of variables.
        tools: vec![Vec::new()],
        contexts: Vec::new(),
        places: Places::default(),
        patterns: Default::default(),
    }
}

fn replace<T>(place: &mut T, stated: Option<T>) {
    if let Some(value) = stated {
        *place = value;
    }
}

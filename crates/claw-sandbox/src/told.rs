//! A denial as people read it: a line for what was denied, one for the rule, one for the next step.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use claw_policy::{Denial, Reason};

/// A line of a script may be denied for many reasons; these are enough to begin with.
const REASONS: usize = 4;

/// What was denied and why, over several lines. `asked` is what was asked for, and by whom.
///
/// File names and policies may hold anything, so no part of it can begin a line of its own.
pub(crate) fn told(denial: &Denial, asked: Option<&str>) -> String {
    let mut text = String::new();
    let mut asked = asked;
    for reason in denial.reasons.iter().take(REASONS) {
        let start = if text.is_empty() { "denied: " } else { "\n  denied: " };
        let _ = write!(text, "{start}{}", visible(&reason.message));
        if let Some(asked) = asked.take() {
            let _ = write!(text, "\n  asked for: {}", visible(asked));
        }
        add_way_out(&mut text, reason);
    }
    match denial.reasons.len() {
        0 => text.push_str("denied"),
        number if number > REASONS => {
            let _ = write!(text, "\n  and {} more, which `claw-sandbox explain` lists", number - REASONS);
        }
        _ => {}
    }
    text
}

/// The same as one line, for programs and logs.
pub(crate) fn one_line(told: &str) -> String {
    told.replace("\n  ", "; ")
}

fn add_way_out(text: &mut String, reason: &Reason) {
    if let Some(rule) = &reason.rule {
        let _ = write!(text, "\n  rule: {} `{}`", visible(&rule.to_string()), visible(&rule.text));
    }
    if let Some(step) = reason.next_step() {
        let _ = write!(text, "\n  to allow it: {}", visible(&step));
    }
}

pub(crate) use claw_wire::visible;

#[cfg(test)]
mod tests {
    use claw_policy::{Code, RuleRef};

    use super::*;

    fn reason(message: &str, source: &str) -> Reason {
        let rule = RuleRef { source: source.into(), line: 3, column: 5, text: "allowlist".into() };
        Reason {
            code: Code::ExecNotAllowlisted,
            message: message.to_owned().into(),
            rule: Some(rule),
            span: None,
            change: Some("add \"curl\" to exec.allowlist".into()),
        }
    }

    #[test]
    fn a_denial_says_what_by_which_rule_and_what_to_do_in_which_file() {
        let denial = Denial { reasons: vec![reason("no `curl`", "p.yaml")], commands: Vec::new() };
        assert_eq!(
            told(&denial, Some("`curl x`, by `make`")),
            "denied: no `curl`\n  asked for: `curl x`, by `make`\n  rule: p.yaml:3:5 `allowlist`\n  \
             to allow it: add \"curl\" to exec.allowlist in p.yaml"
        );
    }

    #[test]
    fn for_programs_it_is_one_line() {
        let denial = Denial { reasons: vec![reason("no", "p.yaml"); 9], commands: Vec::new() };
        let line = one_line(&told(&denial, None));
        assert_eq!(line.lines().count(), 1);
        assert!(line.starts_with("denied: no; rule: p.yaml:3:5 `allowlist`; to allow it: add "), "{line}");
    }

    #[test]
    fn nobody_can_change_the_built_in_profile_so_its_denials_name_a_policy_of_ones_own() {
        let denial = Denial { reasons: vec![reason("no", "built-in")], commands: Vec::new() };
        assert!(told(&denial, None).ends_with("(`claw-sandbox init` writes one; `--policy FILE` names it)"));
    }

    #[test]
    fn a_file_name_cannot_forge_a_line() {
        let denial =
            Denial { reasons: vec![reason("a\nclaw-sandbox: \u{1b}[2J", "x\ny")], commands: Vec::new() };
        let told = told(&denial, Some("\r\n"));
        assert_eq!(told.lines().count(), 4, "{told}");
        assert!(!told.contains(['\u{1b}', '\r']), "{told:?}");
    }

    #[test]
    fn many_reasons_are_cut() {
        let denial = Denial { reasons: vec![reason("no", "p.yaml"); 9], commands: Vec::new() };
        let told = told(&denial, None);
        assert_eq!(told.matches("denied: ").count(), REASONS);
        assert!(told.ends_with("and 5 more, which `claw-sandbox explain` lists"), "{told}");
    }
}

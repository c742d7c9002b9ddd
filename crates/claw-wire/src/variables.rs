//! Variables that say who asks, or what the sandbox does: no model may set them.

/// Whether a variable is read by us, or by a host to learn who asks. A request that asks to set one is refused:
/// whoever could set it could claim to be somebody else.
///
/// ```
/// assert!(claw_wire::is_reserved_variable("OPENCLAW_CHANNEL_CONTEXT"));
/// assert!(claw_wire::is_reserved_variable("CLAW_PRINCIPAL"));
/// assert!(!claw_wire::is_reserved_variable("LANG"));
/// ```
#[must_use]
pub fn is_reserved_variable(name: &str) -> bool {
    const PREFIXES: [&str; 6] = ["CLAW_", "CLAUDE_", "CODEX_", "GEMINI_CLI", "OPENCLAW_", "ZEROCLAW_"];
    PREFIXES
        .iter()
        .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

//! What a host's environment says about who asks.
//!
//! It is somebody's word: in OpenClaw 2026.9.6 the model can set `OPENCLAW_CHANNEL_CONTEXT` itself. Whoever uses it treats it
//! as asserted, so that it can only narrow.

/// What was said. Nothing here is proven.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// The variable that holds OpenClaw's channel context, as JSON.
    pub channel_context: Option<String>,
    /// The conversation.
    pub session: Option<String>,
}

/// Looks at a host's variables through `variable`.
///
/// ```
/// let said = claw_sh::said(|name| (name == "ZEROCLAW_SESSION_ID").then(|| "s1".to_owned()));
/// assert_eq!(said.session.as_deref(), Some("s1"));
/// ```
#[must_use]
pub fn said(variable: impl Fn(&str) -> Option<String>) -> Said {
    let session = ["CLAUDE_CODE_SESSION_ID", "ZEROCLAW_SESSION_ID"].into_iter().find_map(&variable);
    Said { channel_context: variable("OPENCLAW_CHANNEL_CONTEXT"), session }
}

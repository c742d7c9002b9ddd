//! What does not hold yet.

/// Attacks that succeed in this version, and why. A case that holds must not be listed: the test then fails.
pub(crate) const PENDING: &[(&str, &str)] = &[];

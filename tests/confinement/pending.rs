//! What does not hold yet.

/// Attacks that succeed in this version, and why. A case that holds must not be listed: the test then fails.
pub(crate) const PENDING: &[(&str, &str)] = &[
    ("file::read_a_key_of_a_writable_home", NESTED),
];

const NESTED: &str = "a hidden path inside a writable tree: such a policy is refused as a whole";

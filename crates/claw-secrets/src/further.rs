//! Prefixes of issuers whose tokens only those ask about who would rather take away too much.
//!
//! Many are short enough to begin an ordinary word, so the detector does not go by them. The prefixes and the fewest
//! characters after them are those that OpenClaw takes out of its logs by default.

use crate::bytes::{is_url64, run};

/// Prefixes, and how many characters follow at least.
#[rustfmt::skip]
const PREFIXES: &[(&str, usize)] = &[
    // GitLab.
    ("gloas-", 20), ("gldt-", 20), ("glcbt-", 20), ("glptt-", 20), ("glft-", 12), ("glimt-", 20), ("glagent-", 20),
    ("glwt-", 20), ("glsoat-", 20), ("glffct-", 20), ("glrt-", 20), ("glrtr-", 20), ("GR1348941", 20), ("_gitlab_session=", 20),
    // Google, Firebase, Fernet.
    ("ya29.", 10), ("1//0", 10), ("gAAAA", 20),
    // Models, search and memory.
    ("pplx-", 10), ("fal_", 10), ("fc-", 10), ("tvly-", 10), ("exa_", 10), ("retaindb_", 10), ("hsk-", 10), ("mem0_", 10),
    ("brv_", 10), ("fw-", 30), ("fw_", 30), ("fpk_", 30), ("api_org_", 20), ("r8_", 10), ("am_", 10), ("sk_", 10), ("syt_", 10),
    // Clouds and services.
    ("dop_v1_", 10), ("doo_v1_", 10), ("dor_v1_", 10), ("SG.", 20), ("pypi-", 10), ("bb_live_", 10),
    ("dp.ct.", 40), ("dp.pt.", 40), ("dp.sa.", 40), ("dp.st.", 40), ("dp.scim.", 40), ("dp.audit.", 40),
    ("dckr_pat_", 20), ("dckr_oat_", 20), ("bkua_", 40), ("CCIPAT_", 40), ("sbp_", 40), ("dapi", 32), ("ddp_", 36), ("ddw_", 36),
    ("glsa_", 41), ("glc_eyJ", 60), ("nfp_", 36), ("CFPAT-", 40), ("ATCTT3xFfG", 16), ("ATATT", 16), ("ATBB", 16), ("BBDC-", 40),
    ("HRKU-AA", 20), ("pat-eu1-", 36), ("pat-na1-", 36), ("apify_api_", 20), ("fm1_", 100), ("fm2_", 100), ("fio-u-", 40),
    ("AKID", 10), ("LTAI", 10),
];

/// How long the token is that a text begins with, if it may be one.
pub(crate) fn begins(text: &[u8]) -> Option<usize> {
    let lengths = PREFIXES.iter().filter_map(|(prefix, fewest)| {
        let body = text.strip_prefix(prefix.as_bytes())?;
        let length = run(body, 0, |byte| is_url64(byte) || b"./+=%".contains(&byte));
        let body = body.get(..length)?;
        // What is drawn at random has digits; `exa_mple_of_a_name` has none.
        let is_drawn = body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic);
        (length >= *fewest && is_drawn).then_some(prefix.len() + length)
    });
    lengths.max()
}

//! What is found and what passes, by table; and what holds for any bytes.

use proptest::prelude::*;

use crate::{TextKind, bytes, find};

/// Letters and digits without a pattern, so that no test holds a token that a scanner of this repository would report.
fn random(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(LETTERS[usize::try_from(state % 62).unwrap()])
        })
        .collect()
}

fn found(kind: TextKind, text: &str) -> Vec<(&'static str, String)> {
    find(kind, text.as_bytes())
        .into_iter()
        .map(|finding| (finding.secret_type.name(), text.get(finding.span).unwrap().to_owned()))
        .collect()
}

#[test]
fn every_shape_is_found_whole_and_without_its_surroundings() {
    let upper = random(120).to_ascii_uppercase();
    let hex: String =
        random(400).chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    for (secret_type, token) in [
        ("anthropic_api_key", format!("sk-ant-api03-{}-{}AA", random(45), random(45))),
        ("openai_api_key", format!("sk-proj-{}_{}", random(40), random(40))),
        ("openai_api_key", format!("sk-{}", random(48))),
        ("openrouter_api_key", format!("sk-or-v1-{}", hex.split_at(64).0)),
        ("xai_api_key", format!("xai-{}", random(80))),
        ("groq_api_key", format!("gsk_{}", random(52))),
        ("google_api_key", format!("AIza{}", random(35))),
        ("google_oauth_secret", format!("GOCSPX-{}", random(28))),
        ("huggingface_token", format!("hf_{}", random(34))),
        ("github_token", format!("ghp_{}", random(36))),
        ("github_token", format!("github_pat_{}_{}", random(22), random(59))),
        ("gitlab_token", format!("glpat-{}", random(20))),
        ("npm_token", format!("npm_{}", random(36))),
        ("pypi_token", format!("pypi-AgEIcHlwaS5vcmc{}", random(60))),
        ("telegram_bot_token", format!("1234567890:AA{}", random(33))),
        ("discord_bot_token", format!("M{}.{}.{}", random(23), random(6), random(38))),
        ("slack_token", format!("xoxb-123456789012-1234567890123-{}", random(24))),
        ("slack_webhook", format!("https://hooks.slack.com/services/T00000001/B00000002/{}", random(24))),
        ("stripe_secret_key", format!("sk_live_{}", random(24))),
        ("sendgrid_api_key", format!("SG.{}.{}", random(22), random(43))),
        ("digitalocean_token", format!("dop_v1_{}", hex.split_at(64).0)),
        ("aws_access_key_id", format!("AKIA{}", upper.split_at(16).0)),
        ("jwt", format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}", random(43))),
        (
            "private_key",
            format!(
                "-----BEGIN RSA PRIVATE KEY-----\n{}\n{}\n-----END RSA PRIVATE KEY-----",
                random(64),
                random(64)
            ),
        ),
        (
            "private_key",
            format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\\n{}\\n-----END OPENSSH PRIVATE KEY-----",
                random(70)
            ),
        ),
    ] {
        for (kind, text) in [
            (TextKind::ConfigYaml, format!("apiKey: {token}\nnext: 1\n")),
            (TextKind::ConfigYaml, format!("apiKey: \"{token}\" # note")),
            (TextKind::Json5, format!("{{ \"apiKey\": \"{token}\", next: 1 }}")),
            (TextKind::Env, format!("export API_KEY={token}\nB=2")),
            (TextKind::File, format!("let client = connect('{token}');")),
            (TextKind::LogLine, format!("2026-11-24 request failed, used {token} for it")),
        ] {
            assert_eq!(found(kind, &text), [(secret_type, token.clone())], "{text}");
        }
    }
}

#[test]
fn places_and_names_tell_secrets_without_a_shape() {
    let value = random(32);
    let aws = format!("{}/{}+{}", random(18), random(12), random(8));
    for (kind, text, secret_type, secret) in [
        (TextKind::Env, format!("DB_PASSWORD={value}"), "generic_high_entropy", &value),
        (TextKind::Env, format!("DB_PASSWORD='{value}'"), "generic_high_entropy", &value),
        (TextKind::ConfigYaml, format!("  clientSecret: {value}"), "generic_high_entropy", &value),
        (TextKind::Json5, format!("{{clientSecret: '{value}'}}"), "generic_high_entropy", &value),
        (TextKind::File, format!("const API_KEY = \"{value}\";"), "generic_high_entropy", &value),
        (
            TextKind::LogLine,
            format!("curl -H 'Authorization: Bearer {value}' x"),
            "generic_high_entropy",
            &value,
        ),
        (
            TextKind::LogLine,
            format!("body={{\\\"token\\\":\\\"{value}\\\"}}"),
            "generic_high_entropy",
            &value,
        ),
        (TextKind::LogLine, format!("GET /?access_token={value}&page=2"), "generic_high_entropy", &value),
        (TextKind::Env, format!("AWS_SECRET_ACCESS_KEY={aws}"), "aws_secret_access_key", &aws),
        (TextKind::Json5, format!("\"SecretAccessKey\": \"{aws}\""), "aws_secret_access_key", &aws),
        (TextKind::Env, format!("DATABASE_URL=postgres://app:{value}@db:5432/x"), "url_password", &value),
        (TextKind::LogLine, format!("redis://:{value}@cache"), "url_password", &value),
        (
            TextKind::LogLine,
            "Authorization: Basic Ym9iOmh1bnRlcjJ4OQ==".to_owned(),
            "basic_auth_b64",
            &"Ym9iOmh1bnRlcjJ4OQ==".to_owned(),
        ),
        (
            TextKind::Json5,
            "{\"auth\": \"Ym9iOmh1bnRlcjJ4OQ==\"}".to_owned(),
            "basic_auth_b64",
            &"Ym9iOmh1bnRlcjJ4OQ==".to_owned(),
        ),
    ] {
        assert_eq!(found(kind, &text), [(secret_type, secret.clone())], "{text}");
    }
}

#[test]
fn what_only_looks_like_a_secret_passes() {
    for text in [
        "apiKey: \"${ANTHROPIC_API_KEY}\"",
        "apiKey: sk-ant-api03-xxxxx",
        "apiKey: sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "token: <your-token-here-1234>",
        "API_KEY=your-api-key-goes-here1",
        "token = process.env.GITHUB_TOKEN_2024",
        "password: {{ vault_password_2 }}",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "\"integrity\": \"sha512-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08==\"",
        "session_token: 550e8400-e29b-41d4-a716-446655440000",
        "password_hash: $2b$12$KIXQ4S5QWnY8QO3l9mZb5e0b1Zb6t9l0k3l1m2n3o4p5q6r7s8t9u",
        "max_tokens: 4096",
        "tokenizer: cl100k_base_v2_2024_06",
        "secretName: my-app-database-credentials-v2",
        "keyId: 8a7b6c5d4e3f2a1b0c9d8e7f",
        "nextPageToken: CAUQAA1b2C3d4E5f6G7h8I9j0K",
        "postgres://postgres:postgres@localhost/x",
        "postgres://user:password@localhost/x",
        "new URL('https://abc:xyz@example.com')",
        "https://user:${TOKEN}@host/x",
        "https://example.com:8080/a@b",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END CERTIFICATE-----",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bob@host",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "const password = generatePassword2(length)",
        "if (token == expected_token_value_12) {}",
        "pub const KEY: X509CertificateTemplatePrivateKeyFlag = 1;",
        "let key = u32::from_str_radix(&text[1..], 16)?;",
        "task-list-of-ten-things-to-do-tomorrow-2024",
        "model: claude-sonnet-4-20250514",
        "auth: basic example of a thing",
        "Basic authentication",
        "12:30:45 20261124:x",
    ] {
        for kind in TextKind::ALL {
            assert_eq!(found(kind, text), [], "{} {text}", kind.name());
        }
    }
}

#[test]
fn the_work_is_linear_in_the_text() {
    let work = |text: &[u8]| {
        let before = bytes::looked_at();
        assert!(find(TextKind::LogLine, text).len() <= text.len());
        bytes::looked_at() - before
    };
    for unit in [
        "password=",
        "a:",
        "a.",
        "https://a:a:",
        "Basic ",
        "token: ",
        "eyJ.",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----\nx",
        "SG.",
        "auth=",
        "secret=\"",
        " ",
        "=",
        "e",
        "9:",
        "\\\"",
        "-",
        "AKIA",
        "Bearer x",
    ] {
        let text = |length: usize| unit.bytes().cycle().take(length).collect::<Vec<u8>>();
        let (short, long) = (work(&text(30_000)), work(&text(120_000)));
        // Four times the text is four times the work; quadratic would be sixteen.
        assert!(long < short * 5 + 1_000_000, "{unit}: {short} bytes, then {long}");
    }
}

#[test]
fn kinds_have_names_that_lead_back() {
    for kind in TextKind::ALL {
        assert_eq!(TextKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(TextKind::from_name("yaml"), None);
}

proptest! {
    #[test]
    fn findings_are_in_order_within_the_text_and_never_empty(
        pieces in prop::collection::vec(prop_oneof![
            "[ -~]{0,12}",
            Just("sk-ant-".to_owned()), Just("-----BEGIN PRIVATE KEY-----".to_owned()), Just("-----END ".to_owned()),
            Just("://u:".to_owned()), Just("password=".to_owned()), Just("Basic ".to_owned()), Just("eyJ".to_owned()),
            "[A-Za-z0-9]{8,40}", Just("\u{e9}\0\n".to_owned()), Just("\\\"".to_owned()),
        ], 0..20),
    ) {
        let text = pieces.concat();
        for kind in TextKind::ALL {
            let mut end = 0;
            for finding in find(kind, text.as_bytes()) {
                prop_assert!(finding.span.start >= end && finding.span.start < finding.span.end && finding.span.end <= text.len());
                end = finding.span.end;
            }
        }
    }

    #[test]
    fn any_bytes_do(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for kind in TextKind::ALL {
            prop_assert!(find(kind, &bytes).len() <= bytes.len());
        }
    }
}

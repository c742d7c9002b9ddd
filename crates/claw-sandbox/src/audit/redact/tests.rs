//! What is hidden, and what must stay readable, by table.

use proptest::prelude::*;

use super::{redact_argv, redact_text};

#[test]
fn secrets_in_lines_are_replaced_and_the_rest_stays() {
    for (text, redacted) in [
        ("echo sk-ant-api03-xxxxx done", "echo [redacted] done"),
        ("git clone https://user:hunter2@host/x.git", "git clone https://user:[redacted]@host/x.git"),
        ("git clone https://ghp_abcdefgh12345678@github.com/x", "git clone https://[redacted]@github.com/x"),
        ("ssh://git@github.com/x", "ssh://git@github.com/x"),
        ("curl -H 'Authorization: Bearer abcdef123' x", "curl -H 'Authorization: [redacted]' x"),
        ("curl -H \"X-Api-Key: 12345\" x", "curl -H \"X-Api-Key: [redacted]\" x"),
        ("API_KEY=abc cmd", "API_KEY=[redacted] cmd"),
        ("DB_PASSWORD='a b c' cmd", "DB_PASSWORD='[redacted]' cmd"),
        ("cmd --password hunter2 --verbose", "cmd --password [redacted] --verbose"),
        ("cmd --token=abc --verbose", "cmd --token=[redacted] --verbose"),
        ("x AKIAIOSFODNN7EXAMPLE y", "x [redacted] y"),
        ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_def y", "x [redacted] y"),
        ("curl 'https://x/?api_key=abc&page=2'", "curl 'https://x/?api_key=[redacted]&page=2'"),
        (r#"{"password": "hunter2", "name": "x"}"#, r#"{"password": "[redacted]", "name": "x"}"#),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
            "a -----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA PRIVATE KEY----- b",
        ),
        (
            "https://api.telegram.org/bot123456789:A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r/getMe",
            "https://api.telegram.org/bot[redacted]/getMe",
        ),
        ("x 123456789:A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r y", "x [redacted] y"),
        ("curl -u bob:hunter2 h", "curl -u bob:[redacted] h"),
        ("curl --user 'bob:hunter 2' h", "curl --user 'bob:[redacted]' h"),
        ("curl --user=bob:hunter2; ls", "curl --user=bob:[redacted]; ls"),
        ("sh -c \"curl -u bob:hunter2 h\"", "sh -c \"curl -u bob:[redacted] h\""),
        ("cd x && sudo mysql -phunter2 base", "cd x && sudo mysql -p[redacted] base"),
        ("sshpass -p 'hunter 2' ssh x", "sshpass -p '[redacted]' ssh x"),
        ("docker login -u bob -p hunter2 host", "docker login -u bob -p [redacted] host"),
        ("a | redis-cli -a x", "a | redis-cli -a [redacted]"),
        ("hf_A1b2C3d4E5f6G7h8I9j0 npm_A1b2C3d4E5f6G7h8I9j0", "[redacted] [redacted]"),
        ("PASSWORD=$ecret1 x", "PASSWORD=[redacted] x"),
        ("TOKEN=${X}hunter2 x", "TOKEN=[redacted] x"),
        ("TOKENS=a1b2 x", "TOKENS=[redacted] x"),
        ("MAX_TOKEN=a1b2 x", "MAX_TOKEN=[redacted] x"),
        ("git status --short", "git status --short"),
        ("make keyboard monkey=1 tokens", "make keyboard monkey=1 tokens"),
        ("ls task-list-of-ten-things-to-do-tomorrow", "ls task-list-of-ten-things-to-do-tomorrow"),
    ] {
        assert_eq!(String::from_utf8(redact_text(text.as_bytes())).unwrap(), redacted, "{text}");
    }
}

#[test]
fn secrets_in_arguments_are_replaced_by_the_programs_own_options() {
    for (line, redacted) in [
        ("curl -u user:pass http://x", "curl -u user:[redacted] http://x"),
        ("/usr/bin/curl --user user:pass x", "/usr/bin/curl --user user:[redacted] x"),
        ("sshpass -p hunter2 ssh x", "sshpass -p [redacted] ssh x"),
        ("sshpass -phunter2 ssh x", "sshpass -p[redacted] ssh x"),
        ("mysql -phunter2 base", "mysql -p[redacted] base"),
        ("mysql -p base", "mysql -p base"),
        ("gh auth --with-token abc", "gh auth --with-token [redacted]"),
        ("tool --password --verbose", "tool --password --verbose"),
        ("tool --api-key abc x", "tool --api-key [redacted] x"),
        ("env GITHUB_TOKEN=abc git push", "env GITHUB_TOKEN=[redacted] git push"),
        ("mkdir -p a/b", "mkdir -p a/b"),
        ("git commit -m message", "git commit -m message"),
    ] {
        let argv: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let shown = redact_argv(&argv).join(&b' ');
        assert_eq!(String::from_utf8(shown).unwrap(), redacted, "{line}");
    }
}

#[test]
fn references_and_look_alikes_stay_readable() {
    for text in [
        "git show 3f786850e387550fdab836ed7e6dc881de23001b",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "TOKEN=$TOKEN x",
        "TOKEN=${X} x",
        "TOKEN=\"${github_token}\" x",
        "TOKEN=<your-token> x",
        "TOKEN=*** x",
        "PASSWORD=$(cat file) x",
        "PASSWORD=\"$(cat file)\" x",
        "TOKEN=`cat file` x",
        "curl -H \"Authorization: Bearer $TOKEN\" x",
        "curl -H 'X-Api-Key: ${KEY}' x",
        "curl -u bob:$PASSWORD x",
        "curl -u bob x",
        "git clone https://bob:$TOKEN@host/x",
        "login --password $PASSWORD",
        "login --password - x",
        "login --password-stdin host",
        "run --max-tokens 500",
        "run --token-file /run/token",
        "curl -X POST -d '{\"max_tokens\": 500}' x",
        "docker run -u 1000:1000 -p 8080:80 x",
        "docker exec --user node:node x",
        "echo 12:30:45 20261124:x",
        "npm_config_cache_of_the_project=x",
        "a basic example",
        "mkdir -p mysql && mkdir -p a",
        "mysql -p base",
        "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----",
        "a tokenizer reads tokens",
    ] {
        assert_eq!(String::from_utf8(redact_text(text.as_bytes())).unwrap(), text);
        // As arguments: without the shell's quotes.
        let bytes: Vec<Vec<u8>> =
            text.split(' ').map(|word| word.replace(['"', '\''], "").into_bytes()).collect();
        assert_eq!(redact_argv(&bytes), bytes, "{text}");
    }
}

#[test]
fn an_argument_after_a_telling_option_is_hidden_whole() {
    for (argv, shown) in [
        (["x", "--password", "a b c"], "x|--password|[redacted]"),
        (["x", "--api-key=a b", "c"], "x|--api-key=[redacted]|c"),
        (["x", "API_KEY=a b", "c"], "x|API_KEY=[redacted]|c"),
        (["curl", "-H", "Authorization: Basic a b"], "curl|-H|Authorization: [redacted]"),
        (["curl", "-u", "u:p q"], "curl|-u|u:[redacted]"),
        (["x", "--password", "$PASSWORD"], "x|--password|$PASSWORD"),
    ] {
        let argv = argv.map(|word| word.as_bytes().to_vec());
        assert_eq!(String::from_utf8(redact_argv(&argv).join(&b'|')).unwrap(), shown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_named_secret_never_stays(secret in "[A-Za-z0-9!%][A-Za-z0-9!%^*_+=/-]{7,40}", name in "[A-Z]{0,8}") {
        for text in [format!("{name}_TOKEN={secret} run"), format!("run --password {secret}"), format!("x 'Authorization: Bearer {secret}'")] {
            let shown = String::from_utf8(redact_text(text.as_bytes())).unwrap();
            prop_assert!(!shown.contains(&secret), "{text} became {shown}");
        }
        let argv = ["run", "--secret-key", &secret, &format!("--api-key={secret}")].map(|word| word.as_bytes().to_vec());
        let shown = redact_argv(&argv).join(&b' ');
        prop_assert!(secret.starts_with("--") || !String::from_utf8(shown).unwrap().contains(&secret));
    }

    #[test]
    fn redaction_takes_any_bytes_and_is_done_once(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let once = redact_text(&text);
        prop_assert_eq!(redact_text(&once), once.clone());
    }

    #[test]
    fn what_comes_before_a_command_does_not_hide_its_secret_from_us(words in prop::collection::vec(
        prop::sample::select(vec!["-u", "a:b", "curl", ";", "$(", "-p", "mysql", "docker", "--password", "\u{e4}", "'x y'"]), 0..20)) {
        let line = format!("{}; curl -u me:hunter2 end", words.join(" "));
        let shown = String::from_utf8(redact_text(line.as_bytes())).unwrap();
        prop_assert!(shown.ends_with("; curl -u me:[redacted] end"), "{line} became {shown}");
    }
}

#[test]
fn a_long_line_of_quotes_or_begun_tokens_is_read_in_one_pass() {
    for part in ["'", "\"", "eyJ/", "sk-/", "://", "token ", "-----BEGIN ", "1:", "-u '"] {
        let line = part.repeat(50_000);
        assert!(!redact_text(line.as_bytes()).is_empty());
    }
}

//! What has the form or the neighbours of a secret and is none stays; beside each kind stands a secret that does not.

use shadowlane_redact::{Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

fn stays(texts: &[&str]) {
    let sanitizer = sanitizer();
    for text in texts {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, *text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
}

fn goes(texts: &[(&str, &str)]) {
    let sanitizer = sanitizer();
    for (text, secret) in texts {
        let clean = sanitizer.text(text).0;
        assert!(!clean.contains(secret), "{text} became {clean}");
        assert_eq!(sanitizer.text(&clean).0, clean);
    }
}

#[test]
fn names_in_words_are_no_tokens() {
    stays(&[
        "apiKey: process.env.OPENAI_KEY2",
        "key = \"user:12345:session:v2\"",
        "access_token: \"1.2.3-beta4\"",
        "secret: vault:secret/data/db#pass1",
        "auth_key = settings.services.mail2.key1",
    ]);
    goes(&[
        ("apiKey: process.env.q7Zt3LmP9xKd2VbN", "q7Zt3LmP9xKd2VbN"),
        ("token = \"v2:q7Zt3LmP9xKd2VbN5wRy8HcF\"", "q7Zt3LmP9xKd2VbN5wRy8HcF"),
        ("secret = \"winter2024\"", "winter2024"),
        ("password = \"user:12345:session:v2\"", "12345"),
    ]);
}

#[test]
fn paths_and_times_are_no_tokens() {
    stays(&[
        "secret: \"/run/secrets/db_pass1\"",
        "private_key: \"~/.ssh/id_ed25519\"",
        "secret_key: \"./certs/server1.pem\"",
        "signing_key = \"C:\\keys\\id_rsa2.ppk\"",
        "\"password\": \"/en/server@3.0/auth\"",
        "key=uploads/2024/05/report-v2.pdf",
        "token = 2025-03-04T07:24:52Z",
        "?st=2025-03-04T07:24:52Z&x=1",
    ]);
    goes(&[
        ("secret: \"/q7Zt3LmP9x/Kd2VbN5wRy8HcF\"", "Kd2VbN5wRy8HcF"),
        ("token = \"wJ/q7Zt3LmP9xKd2VbN5w/Ry8HcF\"", "q7Zt3LmP9xKd2VbN5w"),
        ("password=/tr0ub4dor3", "tr0ub4dor3"),
    ]);
}

#[test]
fn what_its_reader_is_to_replace_is_no_token() {
    stays(&[
        "api_key = \"PUT-YOUR-KEY1-HERE\"",
        "api_key = \"REPLACE_ME_123abc\"",
        "token = \"example_key_123abc\"",
        "token = \"paste-token-9f3a1c\"",
        "sk-your-openai-api-key-here-12345678",
        "ghp_XXXXXXXXXXXXXXXXXXXX1234XXXXXXXXXXXX",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx1234",
        "Authorization: Bearer YOUR_ACCESS_TOKEN_1",
        "Authorization: Bearer $TOKEN_1",
        "token = \"1234567890abcdef\"",
        "api_key=zyxwvuts98765432",
        "secret = \"ab12ab12ab12ab12ab12\"",
    ]);
    goes(&[
        ("password = \"replace_me_123abc\"", "replace_me_123abc"),
        ("password = 1234567890", "1234567890"),
        ("token = \"1234567890abcdef1234567890abcdef\"", "1234567890abcdef"),
        ("api_key = \"example7Zt3LmP9xKd2VbN5wRy\"", "7Zt3LmP9xKd2VbN5wRy"),
        ("api_key = \"your_key_q7Zt3LmP9xKd2VbN5wRy\"", "q7Zt3LmP9xKd2VbN5wRy"),
        ("Authorization: Bearer my_q7Zt3LmP9xKd2VbN", "q7Zt3LmP9xKd2VbN"),
        ("Authorization: Bearer $q7Zt3LmP9xKd2VbN", "q7Zt3LmP9xKd2VbN"),
        ("sk-proj-xXq7Zt3LmP9xKd2VbN5wRy8HcF", "q7Zt3LmP9xKd2VbN5wRy8HcF"),
    ]);
}

#[test]
fn what_is_public_is_no_key() {
    stays(&[
        "pk_live_j5krY8XTgIcDaHDb3YrsAfCl",
        "{ key: 'pk_test_q7Zt3LmP9xKd2VbN5wRy8HcF' }",
        "verify_key: \"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\"",
        "auth_key: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3F9kq7Zt3LmP9xKd2VbN5wRy8HcFq7Zt3LmP9x\"",
        "key: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "cache.key_digest: 9f86d081884c7d659a2feaa0c55ad015",
        "key_fingerprint = 9f86d081884c7d659a2feaa0c55ad015",
        "key = \"3fa85f64-5717-4562-b3fc-2c963f66afa6\"",
        "session_id=3fa85f64-5717-4562-b3fc-2c963f66afa6",
    ]);
    goes(&[
        ("sk_live_j5krY8XTgIcDaHDb3YrsAfCl", "j5krY8XTgIcDaHDb3YrsAfCl"),
        ("pk_12345678_Q7ZT3LMP9XKD2VBN5WRY8HCFQ7ZT3LM4", "Q7ZT3LMP9XKD2VBN5WRY8HCFQ7ZT3LM4"),
        ("signing_key: \"MC4CAQAwBQYDK2VwBCIEIGb9ECWmEzf6FQbrBZ9w7lshQhqo\"", "Gb9ECWmEzf6FQbrBZ9w7lshQhqo"),
        ("api_key = \"3fa85f64-5717-4562-b3fc-2c963f66afa6\"", "2c963f66afa6"),
        ("session_id=q7Zt3LmP9xKd2VbN5wRy8HcF", "q7Zt3LmP9xKd2VbN5wRy8HcF"),
    ]);
}

#[test]
fn members_of_json_say_the_same() {
    let sanitizer = sanitizer();
    for text in [
        r#"{"deploy_token": "/run/secrets/db_pass1", "service_apikey": "REPLACE_ME_123abc"}"#,
        r#"{"session_id": "q7Zt3LmP9xKd2VbN5wRy8HcF", "n": 1}"#,
        r#"{"upload_token": "2025-03-04T07:24:52Z", "key": "3fa85f64-5717-4562-b3fc-2c963f66afa6"}"#,
        r#"{"signing_key": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEq7Zt3LmP9xKd2VbN5wRy8HcF", "auth_key": "users:2024:v2"}"#,
    ] {
        assert_eq!(String::from_utf8_lossy(&sanitizer.json(text.as_bytes()).expect("JSON")), text);
    }
    let text = r#"{"deploy_token": "/run/q7Zt3LmP9xKd2VbN", "password": "/run/secrets", "service_apikey": "q7Zt3LmP9xKd2VbN5wRy8HcF"}"#;
    let clean = String::from_utf8(sanitizer.json(text.as_bytes()).expect("JSON")).expect("UTF-8");
    assert_eq!(clean, r#"{"deploy_token": "[SECRET]", "password": "[SECRET]", "service_apikey": "[SECRET]"}"#);
}

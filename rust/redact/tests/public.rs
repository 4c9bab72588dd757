//! What is public by its form stays; beside each kind stands a secret that has most of that form and goes.

use shadowlane_redact::{Options, Sanitizer};

fn check(stay: &[&str], go: &[(&str, &str)]) {
    let sanitizer = Sanitizer::new(&Options::default()).expect("the defaults are right");
    for text in stay {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, *text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
    for (text, secret) in go {
        let clean = sanitizer.text(text).0;
        assert!(!clean.contains(secret), "{text} became {clean}");
        assert_eq!(sanitizer.text(&clean).0, clean);
    }
}

#[test]
fn keys_that_aws_documents_are_no_secrets() {
    check(
        &[
            "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
            "use ASIAI44QH8DHBEXAMPLE as the id",
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_SECRET_ACCESS_KEY=je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
            "aws_key = \"AKIAXXXXXXXXXXXXXXXX\"",
        ],
        &[
            ("aws_access_key_id = AKIAIOSFODNN7EXAMPL2", "AKIAIOSFODNN7EXAMPL2"),
            ("secret = wJalrXUtnFEMI/K7MDENG/bPxRfiCY2EXAMPLEKEY", "wJalrXUtnFEMI"),
            ("password = Tr0ub4dor-EXAMPLE", "Tr0ub4dor"),
            ("password = AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ],
    );
}

#[test]
fn the_alphabet_is_no_key_behind_a_name_or_a_prefix() {
    check(
        &[
            "token = \"abcdefghijklmnopqrstuvwxyz0123456789\"",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "npm_0123456789abcdefghijklmnopqrstuvwxyz",
            "sk-proj-1234567890abcdefghijklmnopqrst",
            "AIzaSyabcdefghijklmnopqrstuvwxyz1234567",
        ],
        &[
            ("token = \"0123456789abcdef0123456789abcdef\"", "89abcdef0123"),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123546789", "abcdefghijklmnop"),
            ("password = abcdefghijklmnopqrstuvwxyz0123456789", "abcdefgh"),
            ("sk-planted-0123456789abcdef", "0123456789abcdef"),
        ],
    );
}

#[test]
fn certificates_images_and_revisions_are_no_keys() {
    check(
        &[
            "key: MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJRTESMBAGA1UEChMJQmFsdGltb3Jl",
            "icon_key: iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
            "key: /9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkI",
            "\"key\": \"commit-4b825dc642cb6eb9a060e54bf8d69288fbee4904\"",
            "token: sha:d41d8cd98f00b204e9800998ecf8427e",
        ],
        &[
            ("key: MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", "AgEAAoIBAQC7VJTUt9Us8cKj"),
            ("key: iVBORw0KGga7VJTUt9Us8cKjMzEfYyjiWA4R4", "VJTUt9Us8cKj"),
            ("key = \"commit-4b825dc642cb6eb9a060e54bf8d69288fbee4904aa\"", "4b825dc642cb"),
            ("token = \"b825dc642cb6eb9a060e54bf8d69288fbee49041\"", "b825dc642cb6"),
        ],
    );
}

#[test]
fn files_shortcuts_versions_and_patterns_are_no_keys() {
    check(
        &[
            "s3_key = \"exports/2024-01-31T12-00-00Z/part-0001.parquet\"",
            "key: \"images/4b825dc642cb6eb9a060e54bf8d69288fbee4904.png\"",
            "key = \"ctrl+shift+alt+F12\"",
            "key = \"v1.2.3-rc4+build.5678\"",
            "token = \"[a-zA-Z0-9]{32}\"",
            "token: ^[A-Za-z0-9_-]{20,}$",
            "api_key: \"not-a-real-key-1a2b3c4d\"",
            "token: \"sample-token-abc123\"",
        ],
        &[
            ("s3_key = \"q7Zt3LmP9xKd2VbN5wRy8HcF.parquet\"", "q7Zt3LmP9xKd"),
            ("key = \"q7Zt3LmP+9xKd2VbN+5wRy8HcF\"", "9xKd2VbN"),
            ("token = \"q7Zt3a-z0-9LmP9xKd2\"", "LmP9xKd2"),
            ("token: \"sample-q7Zt3LmP9xKd2VbN\"", "q7Zt3LmP9xKd2VbN"),
        ],
    );
}

#[test]
fn what_says_where_a_password_is_is_none() {
    check(
        &[
            "password = process.env.DB_PASSWORD2",
            "password = config.db.password1",
            "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256",
            "password: !secret db_password",
            "password=****1234",
            "https://$USER:$TOKEN@example.com/",
            "https://user:pass@example.com/",
            "token: \"@deploy.token2@\"",
        ],
        &[
            ("password = john.smith1", "john.smith1"),
            ("password: !secret1", "!secret1"),
            ("Password: **hunter2**", "hunter2"),
            ("Password: ****hunter2****", "hunter2"),
            ("password=******Tr0ub4dor-3x", "Tr0ub4dor-3x"),
            ("db_password = ****correct.horse1", "horse1"),
            ("https://user:$ecretPass1@example.com/", "$ecretPass1"),
            ("mailto:jane@mail.example", "jane@mail.example"),
            ("http://x:y1 jane.doe@mail.example", "jane.doe@mail.example"),
        ],
    );
}

#[test]
fn tokens_are_found_where_their_issuer_or_their_file_puts_them() {
    check(
        &["GR1348941XXXXXXXXXXXXXXXXXXXX", "ATATTRIBUTES_AND_MORE_OF_THEM_HERE"],
        &[
            ("use ATATThktLkSzzcXixtXtIUgAchVTSwYOqAXqFUe3kd8 here", "hktLkSzzcX"),
            ("nuget push x.nupkg oy2q7zt3lmp9xkd2vbn5wry8hcf4jq7zt3lmp9xkd2vbn5", "q7zt3lmp9"),
            ("GR1348941q7Zt3LmP9xKd2VbN5wRy", "q7Zt3LmP9xKd"),
            ("curl --user kevin:'pRf7vG2h1L8nQkW9' -iX PATCH", "pRf7vG2h1L8nQkW9"),
            ("curl -u \"kevin:pRf7vG2h1L8nQkW9\" x", "pRf7vG2h1L8nQkW9"),
            ("<asanaToken>\n    0617646258347195\n</asanaToken>", "0617646258347195"),
            ("SONAR.LOGIN ?= \"a2b45678cd12f4567890ab12ef12f45678cd12ab\"", "a2b45678"),
            ("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", "d91c558a2ba6"),
            ("CC_TEST_REPORTER_ID: 945dfb58a832d233a3caeb84e3e6d3be212e8c7abcb48117fce63b9adcb43647", "945dfb58a832"),
        ],
    );
}

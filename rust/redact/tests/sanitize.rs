//! The sanitizer's laws, on any input: JSON stays JSON, nothing outside a finding changes, nothing is found twice.

#![allow(clippy::format_collect)] // a test may allocate

use proptest::prelude::*;
use shadowlane_redact::{Body, Findings, Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

fn with(options: &str) -> Sanitizer {
    Sanitizer::new(&Options::from_json(options).expect("options")).expect("they are right")
}

fn body(sanitizer: &Sanitizer, kind: &str, body: &[u8]) -> Vec<u8> {
    match sanitizer.body(Some(kind.as_bytes()), None, body, false, &mut Findings::default()) {
        Body::Clean { body, .. } => body,
        Body::Unreadable(why) => panic!("{kind} is unreadable: {why}"),
    }
}

/// Made up, in the shapes of real ones.
const VALUES: &[(&str, &str)] = &[
    ("email", "jane.doe+tag@mail.example.org"),
    ("payment_card", "4012 8888 8888 1881"),
    ("payment_card", "4012888888881881"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "(415) 555-0132"),
    ("iban", "GB82 WEST 1234 5698 7654 32"),
    ("us_ssn", "536-22-8726"),
    ("ip_address", "203.0.113.77"),
    ("ip_address", "2001:db8::8a2e:370"),
    ("mac_address", "00:1A:2B:3C:4D:5E"),
    ("crypto_address", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
    ("database_url", "postgres://app:s3cr3t@db.internal:5432/prod"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlcGxhbnRlZA"),
    ("aws_key", "AKIAIOSFODNN7EXQMPLE"),
    ("github_token", "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
    ("openai_key", "sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4"),
    ("anthropic_key", "sk-ant-api03-a1B2c3D4e5F6g7H8i9J0k1L2m3N4"),
    ("slack_token", "xoxb-123456789012-abcdefGHIJKL"),
    ("it_fiscal_code", "RSSMRA85T10A562S"),
    ("kr_rrn", "960121-1234561"),
];

/// Text with values, masks and the signs that rules look at, in any order.
fn mess() -> impl Strategy<Value = String> {
    let value = (0..VALUES.len()).prop_map(|index| VALUES[index].1.to_owned());
    let sign = prop::sample::select(vec![
        "@",
        ":",
        "=",
        "-",
        "_",
        ".",
        "+",
        "(",
        ")",
        "[",
        "]",
        " ",
        "\n",
        "\"",
        "\\",
        "%40",
        "%",
        "&#64;",
        "\\u0040",
        "://",
        "password=",
        "token: ",
        "phone ",
        "Bearer ",
        "ssn ",
        "[EMAIL]",
        "[PHONE:0123456789ab]",
        "[SECRET]",
        "{",
        "}",
        ",",
        "card",
        "version ",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----END RSA PRIVATE KEY-----",
        "eyJ",
        "sk-",
        "１２３",
        "\u{200b}",
        "é",
        "😀",
        "0",
        "12",
        "4012",
        "AKIA",
        "::",
        "1.1.1.1",
        "user",
        "**",
        "<b>",
        "<br>",
        "`",
        "\n\t",
        "  ",
        "/",
        " - ",
        "x12",
        " ext. ",
        "fax ",
        "office",
        "nhs",
        "compute ",
        "$",
        "–",
        "дом",
        "\u{202e}",
        "\u{e0041}",
        "\u{34f}",
        "④⓪",
        "%u0040",
        "&amp;#64;",
        "data:text/plain;base64,",
        "amFuZUBleGFtcGxlLm9yZw==",
        "<password>",
        "</",
        "--token ",
        "curl -u a:",
        "my password is ",
        "Authorization: ",
        "Cookie: a=",
        "acme_q7Zt3LmP9xKd2VbN5wRy",
        "(\"token\", \"",
        "name=\"password\" value=\"",
        "$2b$",
        "pass:\n  ",
        "电话",
    ])
    .prop_map(str::to_owned);
    let part = prop_oneof![3 => value, 5 => sign, 1 => "[ -~]{0,12}", 1 => "[0-9A-Z]{1,8}([-+][0-9A-Z]{1,6}){0,3}", 1 => "\\PC{0,4}", 1 => "[0-9]{1,19}"];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// JSON of any shape with such text in names and values.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        mess().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        prop::num::f64::NORMAL.prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
        Just(true.into()),
        Just(4_012_888_888_881_881_i64.into()),
    ];
    let name = prop_oneof![
        mess(),
        prop::sample::select(vec![
            "content", "password", "email", "phone", "name", "value", "key", "token", "pin", "ssn", "id", "drop", "a",
            "messages"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec((name.clone(), inner.clone()), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            inner.prop_map(|inner| serde_json::Value::String(inner.to_string())),
        ]
    })
}

const SAME: &str = r#"{"format": "same"}"#;
const RULES: &str = r#"{"action": "hash", "hash_key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "fields": [{"path": "$..drop", "action": "drop"}, {"path": "$.messages[*].a", "action": "hash", "kind": "email"},
               {"key": "id", "action": "keep_last4"}]}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 400 }, ..ProptestConfig::default() })]

    #[test]
    fn text_is_clean_after_one_time_and_unchanged_elsewhere(text in mess()) {
        for sanitizer in [sanitizer(), with(RULES)] {
            let (clean, found) = sanitizer.text(&text);
            let (again, twice) = sanitizer.text(&clean);
            prop_assert_eq!(&again, &clean, "found again: {:?}", twice.iter().map(|f| &clean[f.start..f.end]).collect::<Vec<_>>());
            let (mut at, mut rest) = (0, clean.as_str());
            for finding in &found {
                prop_assert!(finding.start >= at && finding.end > finding.start);
                // Slicing panics off a character's border.
                let between = &text[at..finding.start];
                prop_assert!(rest.starts_with(between));
                rest = &rest[between.len()..];
                let open = format!("[{}", sanitizer.name(finding.kind).to_ascii_uppercase());
                prop_assert!(rest.starts_with(&open), "{rest:?} does not begin with {open}");
                rest = &rest[rest.find(']').expect("a label closes") + 1..];
                at = finding.end;
                prop_assert!(text.is_char_boundary(at));
            }
            prop_assert_eq!(rest, &text[at..]);
        }
    }

    #[test]
    fn json_stays_json_and_is_clean_after_one_time(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.expect("JSON");
        for sanitizer in [sanitizer(), with(RULES), with(SAME)] {
            let clean = sanitizer.json(text.as_bytes()).expect("it is JSON");
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&clean);
            prop_assert!(parsed.is_ok(), "{} became {}", text, String::from_utf8_lossy(&clean));
            let again = sanitizer.json(&clean).expect("it is JSON");
            prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&clean));
        }
    }

    #[test]
    fn any_bytes_as_any_body_neither_panic_nor_change_twice(bytes in prop::collection::vec(any::<u8>(), 0..200), text in mess(), cut in any::<bool>()) {
        let sanitizer = sanitizer();
        for kind in ["application/json", "text/event-stream", "application/x-ndjson", "text/plain", "",
                     "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", AMAZON] {
            let frames = [frame("chunk", text.as_bytes()), frame(&text, &bytes), bytes.clone()].concat();
            for bytes in [bytes.as_slice(), text.as_bytes(), &frames] {
                let clean = sanitizer.body(Some(kind.as_bytes()), None, bytes, cut, &mut Findings::default());
                if let Body::Clean { body, .. } = clean {
                    let again = sanitizer.body(Some(kind.as_bytes()), None, &body, cut, &mut Findings::default());
                    prop_assert_eq!(again, Body::Clean { body, decoded: false }, "{}", kind);
                }
            }
        }
        sanitizer.target(&bytes, &mut Findings::default());
    }

    #[test]
    fn a_value_is_found_however_its_stream_is_cut(index in 0..VALUES.len(), size in 1_usize..9) {
        let (_, value) = VALUES[index];
        let text = format!("Here it is: {value} and that was all.");
        let characters: Vec<char> = text.chars().collect();
        let stream: String = characters
            .chunks(size)
            .map(|piece| {
                let piece = serde_json::to_string(&piece.iter().collect::<String>()).expect("JSON");
                format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{piece}}}}}]}}\n\n")
            })
            .collect();
        let clean = body(&sanitizer(), "text/event-stream", stream.as_bytes());
        let joined: String = String::from_utf8_lossy(&clean)
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|line| {
                let event: serde_json::Value = serde_json::from_str(line).expect("each event stays JSON");
                event["choices"][0]["delta"]["content"].as_str().expect("a text").to_owned()
            })
            .collect();
        prop_assert!(!joined.contains(value), "{}", joined);
        prop_assert!(joined.starts_with("Here it is: [") && joined.ends_with(" and that was all."), "{}", joined);
    }
}

#[test]
fn what_stands_beside_a_label_is_found_at_once() {
    let sanitizer = sanitizer();
    for (kind, text) in [
        (
            "application/x-www-form-urlencoded",
            "apostgres://app:s3cr3t@db.internal:5432/prod--token /4012 8888 8888 18812001:db8::8a2e:370",
        ),
        ("application/x-www-form-urlencoded", "to=https://jo:s3cr3t@h.example/reset/q7Zt3LmP9xKd2VbN5wRy"),
        ("application/x-www-form-urlencoded", "A:\"\n+44 20 7946 0958jane.doe+tag@mail.example.org"),
        ("application/x-www-form-urlencoded", "0:[1,\n\"x 4012 8888 8888 1881 jane"),
        ("text/plain", "https://jo:s3cr3t@h.example/reset/q7Zt3LmP9xKd2VbN5wRy"),
        ("text/plain", "https://h.example/jane.doe@mail.example/invite/q7Zt3LmP9xKd2VbN5wRy?x=1"),
        ("application/json", "[\"0my password is é\",4012888888881881]"),
        ("application/json", "[\"the passphrase is Ä1\",\"jane.doe@mail.example\"]"),
    ] {
        let clean = body(&sanitizer, kind, text.as_bytes());
        let shown = String::from_utf8_lossy(&clean);
        for part in ["s3cr3t", "q7Zt3", "4012 8888", "4012%", "@mail"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
        assert_eq!(String::from_utf8_lossy(&body(&sanitizer, kind, &clean)), shown);
    }
}

#[test]
fn a_finding_ends_at_a_character_however_far_a_rule_reads() {
    let sanitizer = sanitizer();
    let long = "q7Zt3LmP9xKd2VbN5wRy".repeat(30);
    for name in ["pass:\n  ", "password=", "Authorization: Bearer ", "my password is ", "curl -u a:", "<password>"] {
        for sign in ["🌀", "é", "字"] {
            for length in 240..262 {
                let text = format!("{name}{}{}", &long[..length], sign.repeat(90));
                let value = serde_json::json!({ "content": text }).to_string();
                let clean = sanitizer.json(value.as_bytes()).expect("JSON");
                assert!(
                    serde_json::from_slice::<serde_json::Value>(&clean).is_ok(),
                    "{}",
                    String::from_utf8_lossy(&clean)
                );
            }
        }
    }
}

#[test]
fn every_value_is_found_in_every_place() {
    let sanitizer = sanitizer();
    for (kind, value) in VALUES {
        let (clean, found) = sanitizer.text(&format!("Here: {value}, and more."));
        assert_eq!(found.len(), 1, "{value}: {clean}");
        assert_eq!(sanitizer.name(found[0].kind), *kind, "{value}");
        assert_eq!(clean, format!("Here: [{}], and more.", kind.to_ascii_uppercase()));
        let nested = serde_json::json!({"tool": serde_json::json!({"to": [value]}).to_string(), *value: 1});
        let clean = sanitizer.json(nested.to_string().as_bytes()).expect("JSON");
        assert!(!String::from_utf8_lossy(&clean).contains(value), "{value} in nested JSON");
        let escaped: String = value.chars().map(|sign| format!("\\u{:04x}", u32::from(sign))).collect();
        let clean = sanitizer.json(format!(r#"{{"text": "Here: {escaped} \ud800 \/ end"}}"#).as_bytes()).expect("JSON");
        let wanted = format!(r#"{{"text": "Here: [{}] \ud800 \/ end"}}"#, kind.to_ascii_uppercase());
        assert_eq!(String::from_utf8_lossy(&clean), wanted);
        let wide: String = value
            .chars()
            .map(|sign| {
                if sign.is_ascii_digit() {
                    char::from_u32(u32::from(sign) - 0x30 + 0xff10).unwrap_or(sign)
                } else {
                    sign
                }
            })
            .collect();
        let (clean, _) = sanitizer.text(&format!("Here: {wide} end"));
        assert_eq!(clean, format!("Here: [{}] end", kind.to_ascii_uppercase()), "full-width digits");
        let spaced = value.replace('+', "%2B").replace(' ', "+");
        let (clean, _) = sanitizer.text(&format!("quoted: a=1&text={spaced}&b=2"));
        assert!(!clean.contains(&spaced), "a form in a text: {clean}");
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let clean = body(&sanitizer, "application/x-www-form-urlencoded", format!("a=1&b={encoded}&c=x+y").as_bytes());
        assert_eq!(String::from_utf8_lossy(&clean), format!("a=1&b=%5B{}%5D&c=x+y", kind.to_ascii_uppercase()));
        let target = sanitizer.target(format!("/v1/x?q={encoded}&n=3").as_bytes(), &mut Findings::default());
        assert_eq!(target, format!("/v1/x?q=%5B{}%5D&n=3", kind.to_ascii_uppercase()));
    }
}

#[test]
fn what_only_looks_like_a_value_stays() {
    let sanitizer = sanitizer();
    for text in [
        "id 550e8400-e29b-41d4-a716-446655440000 at 2024-05-01T12:30:00.123456Z, took 1732480000123456 ns",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "version 1.2.3.4 of the library, and v10.0.19041.1; section 1.2.3.4",
        "the ratio is 1:2:3:4 at 12:34:56, costs $1,234,567.89 or 1 234 567",
        "fn main() { std::vec::Vec::<u8>::new(); a::b; } // foo :: Int -> Int",
        "max_tokens=4096, prompt_tokens: 123456, token: str, password: str = None, api_key=os.environ[\"KEY\"]",
        "icon@2x.png, git@github.com:org/repo, @decorator, user@host, npm i left-pad@1.3.0",
        "Bearer of good news; Basic rules apply; the sum of 4012 8888 8888 1882 is wrong",
        "chatcmpl-AbC123dEf456GhI789, msg_01XFDUDYJgAACzvnptvVoYEL, gpt-4o-2024-08-06, call_a1B2c3D4e5F6",
        "order 1234567890, created 1732480000, 130692544 items of 234567701",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "https://example.org:8080/path?x=1#frag and mailto: nobody",
        "sum 999999+999n, 850101+123A and 850101-12",
        "x[0::2], a[1::3], b[::2] and c[10::], pkg==1.2.3.4, other>=1.2.3.4 and '^1.2.3.4' or '~1.2.3.4'",
        "the license key is ABCD1234, license plate KA01AB1234, driver version 535.129.03",
        "compute 734-245-3000, 734-245-3000 = ? and 12 + 734-245-3000",
        "123456789",
        "id 4012888888881881, order #4012888888881881, trace_id=4012888888881881",
        "the sk-learn package, ghp_ prefixes and xoxb- tokens are documented; hf_hub_download(repo_id)",
    ] {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
}

#[test]
fn field_rules_mask_hash_drop_and_keep() {
    let sanitizer = with(RULES);
    let clean = |text: &str| String::from_utf8(sanitizer.json(text.as_bytes()).expect("JSON")).expect("UTF-8");
    assert_eq!(clean(r#"{"drop": 1, "b": 2}"#), r#"{ "b": 2}"#);
    assert_eq!(clean(r#"{"b": 2, "drop": {"x": [1]}}"#), r#"{"b": 2}"#);
    assert_eq!(clean(r#"{"drop": 1, "x": {"drop": "a@b.example"}, "drop": 2}"#), r#"{ "x": {}}"#);
    assert_eq!(clean(r#"{"a":1,"drop":1,"drop":2,"c":3}"#), r#"{"a":1,"c":3}"#);
    assert_eq!(clean(r#"{"drop":1,"drop":2}"#), "{}");
    let second = with(r#"{"fields": [{"path": "$[1]", "action": "drop"}]}"#);
    assert_eq!(second.json(b"[1, 2, 3]").expect("JSON"), b"[1, 3]");
    assert_eq!(clean(r#"{"Id": "customer-12345678"}"#), r#"{"Id": "[FIELD:*5678]"}"#);
    let masked =
        clean(r#"{"messages": [{"a": "Jane"}, {"a": "Jane"}, {"a": "John"}], "mail": "A@b.example a@B.example"}"#);
    let value: serde_json::Value = serde_json::from_str(&masked).expect("JSON");
    let of = |index: usize| value["messages"][index]["a"].as_str().expect("a token").to_owned();
    assert_eq!(of(0), of(1));
    assert_ne!(of(0), of(2));
    let mails: Vec<&str> = value["mail"].as_str().expect("text").split(' ').collect();
    assert_eq!(mails[0], mails[1], "an address's case does not count");
    assert_eq!(mails[0].len(), "[EMAIL:]".len() + 12);
    // Request and answer, two sanitizers of one key: one token.
    assert_eq!(with(RULES).text("a@b.example").0, mails[0]);
    let drop = body(&sanitizer, "application/x-www-form-urlencoded", b"a=1&drop=2&id=12345678901");
    assert_eq!(String::from_utf8_lossy(&drop), "a=1&id=%5BFIELD%3A%2A8901%5D");
}

#[test]
fn a_secret_name_hides_scalars_and_leaves_schemas() {
    let sanitizer = sanitizer();
    let text = r#"{"password": "x", "apiKey": ["one", "two"], "cvv": 123, "client_secret": null,
        "properties": {"password": {"type": "string", "description": "the user's"}}, "max_tokens": 5}"#;
    let wanted = r#"{"password": "[SECRET]", "apiKey": ["[SECRET]", "[SECRET]"], "cvv": "[SECRET]", "client_secret": null,
        "properties": {"password": {"type": "string", "description": "the user's"}}, "max_tokens": 5}"#;
    assert_eq!(String::from_utf8_lossy(&sanitizer.json(text.as_bytes()).expect("JSON")), wanted);
}

#[test]
fn numbers_keep_their_form_where_a_schema_wants_it() {
    let sanitizer =
        with(r#"{"format": "same", "fields": [{"key": "score", "action": "mask"}, {"key": "ok", "action": "hash"}]}"#);
    let text = r#"{"n": 4012888888881881, "phone": 4155550132, "cvv": 123, "score": -12.50e3, "ok": true, "id": 42, "s": "x@y.example"}"#;
    let wanted = r#"{"n": 1111111111111111, "phone": 1111111111, "cvv": 111, "score": -11.11e3, "ok": false, "id": 42, "s": "[EMAIL]"}"#;
    let clean = sanitizer.json(text.as_bytes()).expect("JSON");
    assert_eq!(String::from_utf8_lossy(&clean), wanted);
    assert_eq!(sanitizer.json(&clean).expect("JSON"), clean);
}

#[test]
fn a_number_called_an_id_or_a_version_stays() {
    let sanitizer = sanitizer();
    let text = r#"{"id": 4012888888881881, "trace_id": "4012888888881881", "order": 4012888888881881, "version": "1.2.3.4", "user_id": 536228726}"#;
    assert_eq!(String::from_utf8_lossy(&sanitizer.json(text.as_bytes()).expect("JSON")), text);
    let named = r#"{"card_id": 4012888888881881, "ssn": 536228726}"#;
    assert_eq!(
        String::from_utf8_lossy(&sanitizer.json(named.as_bytes()).expect("JSON")),
        r#"{"card_id": "[PAYMENT_CARD]", "ssn": "[SECRET]"}"#
    );
}

#[test]
fn bad_options_are_refused_by_name() {
    for (options, wanted) in [
        (r#"{"rules": [{"kind": "x", "pattern": "(a"}]}"#, "sanitize.rules"),
        (r#"{"rules": [{"kind": "x", "pattern": "a*"}]}"#, "empty text"),
        (r#"{"rules": [{"kind": "X y", "pattern": "ab"}]}"#, "kind"),
        (r#"{"rules": [{"kind": "x", "pattern": "ab", "validator": "nope"}]}"#, "luhn"),
        (r#"{"fields": [{"path": "messages", "action": "mask"}]}"#, "begins with '$'"),
        (r#"{"fields": [{"path": "$.a[x]", "action": "mask"}]}"#, "brackets"),
        (r#"{"fields": [{"action": "mask"}]}"#, "path or a key"),
        (r#"{"disable": ["emial"]}"#, "emial"),
        (r#"{"actions": {"emial": "hash"}}"#, "emial"),
        (r#"{"hash_key": "abc"}"#, "64 hexadecimal"),
        (r#"{"allow_headers": ["Cookie"]}"#, "never passes"),
        (r#"{"allow_patterns": ["["]}"#, "allow_patterns"),
        (r#"{"min_confidence": 2}"#, "between 0 and 1"),
        (r#"{"nope": 2}"#, "nope"),
    ] {
        let error = Options::from_json(options).and_then(|options| Sanitizer::new(&options)).expect_err(options);
        assert!(error.to_string().contains(wanted), "{options}: {error}");
    }
}

#[test]
fn rules_and_allow_lists_of_the_user() {
    let sanitizer = with(
        r#"{"rules": [{"kind": "employee", "pattern": "\\bE-(?P<value>\\d{6})\\b", "context": ["employee"]},
                      {"kind": "part", "pattern": "\\b\\d{16}\\b", "validator": "luhn", "action": "hash"}],
            "allow_values": ["Support@Example.org"], "allow_patterns": [".*@test\\.example"], "disable": ["payment_card"]}"#,
    );
    assert_eq!(sanitizer.text("employee E-123456, not E-123456789").0, "employee E-[EMPLOYEE], not E-123456789");
    assert_eq!(sanitizer.text("the part E-123456").0, "the part E-123456");
    assert_eq!(
        sanitizer.text("support@example.org me@test.example x@y.example").0,
        "support@example.org me@test.example [EMAIL]"
    );
    let (clean, _) = sanitizer.text("4012888888881881 and 4012888888881882");
    assert!(clean.starts_with("[PART:") && clean.ends_with("] and 4012888888881882"), "{clean}");
    // A rule's window moves over the text without losing a value at its border.
    for shift in 8150..8220 {
        let text = format!("{} employee E-123456.", "x".repeat(shift));
        assert!(sanitizer.text(&text).0.ends_with("E-[EMPLOYEE]."), "{shift}");
    }
}

#[test]
fn codings_are_undone_or_refused() {
    use std::io::Write;
    let plain = br#"{"mail": "jane@example.org"}"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain).expect("memory");
    let zstd = ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest);
    for (coding, bytes) in [("gzip", gzip.finish().expect("memory")), ("zstd", zstd)] {
        let clean = sanitizer().body(
            Some(b"application/json"),
            Some(coding.as_bytes()),
            &bytes,
            false,
            &mut Findings::default(),
        );
        let wanted = Body::Clean { body: br#"{"mail": "[EMAIL]"}"#.to_vec(), decoded: true };
        assert_eq!(clean, wanted, "{coding}");
        let broken = &bytes[..bytes.len() / 2];
        let clean = sanitizer().body(
            Some(b"application/json"),
            Some(coding.as_bytes()),
            broken,
            false,
            &mut Findings::default(),
        );
        assert_eq!(clean, Body::Unreadable("encoding"), "{coding}");
    }
    let clean = sanitizer().body(None, Some(b"compress"), plain, false, &mut Findings::default());
    assert_eq!(clean, Body::Unreadable("encoding"));
    let clean = sanitizer().body(Some(b"image/png"), None, b"\x89PNG", false, &mut Findings::default());
    assert_eq!(clean, Body::Unreadable("binary"));
}

#[test]
fn multipart_keeps_text_and_drops_files() {
    let form = b"--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nmail jane@example.org\r\n--x\r\n\
        Content-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nsecret file\r\n--x--\r\n";
    let clean = body(&sanitizer(), "multipart/form-data; boundary=x", form);
    let clean = String::from_utf8_lossy(&clean);
    assert!(clean.contains("mail [EMAIL]") && clean.contains("[SECRET]"), "{clean}");
    assert!(!clean.contains("secret file") && !clean.contains("hunter2"), "{clean}");
}

const AMAZON: &str = "application/vnd.amazon.eventstream";

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

/// A frame of Amazon's event stream with the headers of a JSON event.
fn frame(event: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":event-type", event), (":message-type", "event"), ("x-own", "jane@example.org")] {
        headers.push(name.len() as u8);
        headers.extend(name.bytes().chain([7]).chain((value.len() as u16).to_be_bytes()).chain(value.bytes()));
    }
    let mut out = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    out.extend((headers.len() as u32).to_be_bytes());
    out.extend(crc32(&out));
    out.extend(headers.iter().chain(payload));
    out.extend(crc32(&out));
    out
}

/// The payloads of frames, each of which is right.
fn payloads(stream: &[u8]) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let word = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes")) as usize;
        let (total, headers) = (word(0), word(4));
        let (frame, left) = rest.split_at(total);
        assert_eq!(crc32(&frame[..8]), frame[8..12], "the prelude's checksum");
        assert_eq!(crc32(&frame[..total - 4]), frame[total - 4..], "the frame's checksum");
        assert!(!String::from_utf8_lossy(&frame[12..12 + headers]).contains("x-own"), "no headers of others");
        all.push(String::from_utf8(frame[12 + headers..total - 4].to_vec()).expect("UTF-8"));
        rest = left;
    }
    all
}

#[test]
fn amazons_event_stream_is_cleaned_in_its_frames() {
    let sanitizer = sanitizer();
    let stream: Vec<u8> = [
        r#"{"contentBlockIndex":0,"delta":{"text":"Write to jane@ex"},"p":"ab"}"#,
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"to\": \"+44 20 79"}}}"#,
        r#"{"contentBlockIndex":0,"delta":{"text":"ample.org, or john@example.org."},"p":"abcd"}"#,
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"46 0958\"}"}}}"#,
        r#"{"stopReason":"tool_use"}"#,
    ]
    .iter()
    .flat_map(|payload| frame("contentBlockDelta", payload.as_bytes()))
    .collect();
    let wanted = [
        r#"{"contentBlockIndex":0,"delta":{"text":"Write to [EMAIL]"},"p":"ab"}"#,
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"to\": \"[PHONE]"}}}"#,
        r#"{"contentBlockIndex":0,"delta":{"text":", or [EMAIL]."},"p":"abcd"}"#,
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"\"}"}}}"#,
        r#"{"stopReason":"tool_use"}"#,
    ];
    assert_eq!(payloads(&body(&sanitizer, AMAZON, &stream)), wanted);
    // A model's own event, `{"type":"content_block_delta","delta":{"text":"jane@example.org"}}`, in base 64.
    let own = "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJqYW5lQGV4YW1wbGUub3JnIn19";
    let clean = "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJbRU1BSUxdIn19";
    let stream = frame("chunk", format!(r#"{{"bytes":"{own}","p":"ab"}}"#).as_bytes());
    assert_eq!(payloads(&body(&sanitizer, AMAZON, &stream)), [format!(r#"{{"bytes":"{clean}"}}"#)]);
}

#[test]
fn what_masks_bring_together_over_frames_is_found_at_once() {
    let sanitizer = sanitizer();
    for (first, rest) in [
        (" a   AA00 acme_q7Zt3LmP9xKd2VbN5wRyaA0AA@+44 20 7946 095800000000", b"\0CC\0".as_slice()),
        ("AA00 acme_q7Zt3LmP9xKd2VbN5wRyaA0AA@+44 20 7946 095800000000", b"CC1"),
        ("x acme_q7Zt3LmP9xKd2VbN5wRyaA0AA@(415) 555-01320000", b"\0AB\0"),
    ] {
        let frames = [frame("chunk", first.as_bytes()), frame("chunk", rest)].concat();
        let clean = body(&sanitizer, AMAZON, &frames);
        assert_eq!(payloads(&body(&sanitizer, AMAZON, &clean)), payloads(&clean), "{first}");
    }
}

#[test]
fn what_is_wrong_with_an_event_stream_stays_wrong_and_takes_nothing_along() {
    let sanitizer = sanitizer();
    let (good, bad) = (frame("a", br#"{"text":"one"}"#), frame("b", br#"{"text":"jane@example.org"}"#));
    let kept = body(&sanitizer, AMAZON, &good);
    for cut in 1..bad.len() {
        let clean = body(&sanitizer, AMAZON, &[good.as_slice(), &bad[..cut]].concat());
        let (first, rest) = clean.split_at(kept.len());
        assert_eq!((first, rest.len()), (kept.as_slice(), cut.min(12)), "cut {cut}");
        // A prelude that says how much is missing, or a piece of one.
        assert!(if cut < 12 { rest.iter().all(|byte| *byte == 0) } else { rest == &bad[..12] }, "cut {cut}");
    }
    for index in 0..bad.len() {
        let mut damaged = bad.clone();
        damaged[index] ^= 0x20;
        let clean = body(&sanitizer, AMAZON, &[good.as_slice(), &damaged, &good].concat());
        let rest = clean.strip_prefix(kept.as_slice()).expect("what came before");
        if index < 12 {
            assert_eq!(rest, [0; 12], "index {index}: where the next frame begins is not known");
            assert_ne!(crc32(&[0; 8]), [0; 4]);
        } else {
            let (wrong, after) = rest.split_at(16);
            assert_eq!(after, kept, "index {index}");
            assert_eq!(crc32(&wrong[..8]), wrong[8..12]);
            assert_ne!(crc32(&wrong[..12]), wrong[12..], "index {index}: its checksum fails");
        }
    }
}

/// Not a time: what is counted is that all of it comes back, for inputs that make a careless look-back quadratic. At
/// these sizes such a one would take hours (`make redact-adversarial`: 10 MiB; without optimisation less).
#[test]
#[cfg_attr(miri, ignore = "megabytes")]
fn adversarial_inputs_take_linear_time_and_leak_nothing() {
    let sanitizer = sanitizer();
    let size = if cfg!(debug_assertions) { 64 * 1024 } else { 10 * 1024 * 1024 };
    for unit in [
        "a@",
        "eyJ",
        "eyJaaaaaaaaaa.",
        "eyJaaaaaaaaaa-",
        "AKIA",
        "7",
        "1234567890 ",
        "-----BEGIN RSA ",
        "-----BEGIN ",
        "sk-",
        "sk-a1",
        "://",
        "a://b:c/",
        "::",
        "a:",
        "password=",
        "%40",
        "PuTTY-User-Key-File-",
        "[EMAIL",
        "[",
        "Bearer ",
        "+1",
        "(0",
        "0a:",
        "1.1.1.",
        "a1b2c3d4-",
        "\\u0040",
        "&#",
        "１",
        "[EMAIL]",
        "phone ",
        "x=",
        "A",
        "\u{200b}",
        "\u{202e}a",
        "\u{e0041}",
        "<b>1",
        "data:;base64,amFuZUBl",
        "amFuZUBl",
        "\"password\": ",
        "key is ",
        "-p",
        "a:1:b:c:",
        "&amp;",
    ] {
        let text = unit.repeat(size / unit.len());
        sanitizer.text(&text);
        sanitizer.body(Some(b"text/event-stream"), None, text.as_bytes(), false, &mut Findings::default());
    }
    let deep = [vec![b'['; size / 2], vec![b']'; size / 2]].concat();
    assert_eq!(sanitizer.json(&deep).expect("JSON"), deep);
    // Many values in one string, and values that reach over many pieces of one line.
    let string = format!("\"{}\"", "a@b.example, 1.1.1.1, ".repeat(size / 22));
    assert!(!String::from_utf8_lossy(&sanitizer.json(string.as_bytes()).expect("JSON")).contains("a@b"));
    let line = format!("data: [{}0]\n\n", r#"{"text":" a@"},{"text":"b.example "},"#.repeat(size / 40));
    let clean = body(&sanitizer, "text/event-stream", line.as_bytes());
    assert!(!String::from_utf8_lossy(&clean).contains("b.example"));
    let hidden = format!("{}jane@example.org{}", "a@".repeat(size / 4), " b@".repeat(size / 6));
    assert!(!sanitizer.text(&hidden).0.contains("jane@example.org"));
}

#[test]
fn invalid_utf8_and_duplicate_names_are_looked_through() {
    let sanitizer = sanitizer();
    let clean = sanitizer
        .json(b"{\"a\": \"\xff jane@example.org \xfe\", \"a\": \"john@example.org\", \"a\": \"\\ud83d x@y.example\"}");
    let wanted = b"{\"a\": \"\xff [EMAIL] \xfe\", \"a\": \"[EMAIL]\", \"a\": \"\\ud83d [EMAIL]\"}".to_vec();
    assert_eq!(clean.expect("JSON in all but its bytes"), wanted);
    assert_eq!(
        sanitizer
            .json(br#"{"n": 4012888888881881, "phone": 4155550132, "id": 4155550132, "t": 1732480000}"#)
            .expect("JSON"),
        br#"{"n": "[PAYMENT_CARD]", "phone": "[PHONE]", "id": 4155550132, "t": 1732480000}"#,
    );
    for text in ["{", "[1,]", "{\"a\" 1}", "{\"a\":1,}", "1 2", "01", "\"", "tru", "{]", ""] {
        assert!(sanitizer.json(text.as_bytes()).is_err(), "{text}");
    }
}

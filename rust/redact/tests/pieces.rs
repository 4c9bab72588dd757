//! A value that is cut over the pieces of a stream or of one body: found, whatever frames the pieces, whatever they are
//! called, whatever is declared.

#![allow(clippy::format_collect)] // a test may allocate

use proptest::prelude::*;
use serde_json::{Value, json};
use shadowlane_redact::{Body, Findings, Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

fn clean(sanitizer: &Sanitizer, kind: Option<&str>, body: &[u8]) -> (Vec<u8>, Findings) {
    let mut findings = Findings::default();
    match sanitizer.body(kind.map(str::as_bytes), None, body, false, &mut findings) {
        Body::Clean { body, .. } => (body, findings),
        Body::Unreadable(why) => panic!("{kind:?} is unreadable: {why}"),
    }
}

const VALUES: &[(&str, &str)] = &[
    ("email", "carol.jones88@mail.example"),
    ("payment_card", "4012 8888 8888 1881"),
    ("payment_card", "4012888888881881"),
    ("github_token", "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
    ("anthropic_key", "sk-ant-api03-a1B2c3D4e5F6g7H8i9J0k1L2m3N4"),
    ("us_ssn", "536-22-8726"),
    ("iban", "GB82 WEST 1234 5698 7654 32"),
];

/// Those of known services, those of none, and some that nobody has.
const FIELDS: &[&str] = &[
    "answer",
    "chunk",
    "data",
    "message",
    "output",
    "piece",
    "reply",
    "result",
    "summary",
    "translation",
    "delta",
    "text",
    "content",
    "tok",
    "v",
    "x-fragment",
    "Ausgabe",
    "t1",
    "名",
];

/// How pieces are framed: a name, and the body of pieces under a field.
type Frame = (&'static str, fn(&str, &[String]) -> String);

const FRAMES: &[Frame] = &[
    ("events", |field, pieces| pieces.iter().map(|piece| format!("data: {}\n\n", json!({field: piece}))).collect()),
    ("events of CR LF", |field, pieces| {
        pieces
            .iter()
            .map(|piece| format!("event: x\r\nid: 1\r\ndata:{}\r\n\r\n", json!({"id": 1, field: piece})))
            .collect()
    }),
    ("events over two lines", |field, pieces| {
        pieces
            .iter()
            .map(|piece| {
                format!(
                    "data: {{\"a\": 1,\ndata: {}}}\n\n",
                    &json!({field: piece}).to_string()[1..].trim_end_matches('}')
                )
            })
            .collect()
    }),
    ("lines", |field, pieces| pieces.iter().map(|piece| format!("{}\n", json!({field: piece}))).collect()),
    ("records", |field, pieces| pieces.iter().map(|piece| format!("\u{1e}{}\n", json!({field: piece}))).collect()),
    ("one after the other", |field, pieces| {
        pieces.iter().map(|piece| json!({"n": 3, field: piece}).to_string()).collect()
    }),
    ("array", |field, pieces| {
        Value::from(pieces.iter().map(|piece| json!({field: piece})).collect::<Vec<_>>()).to_string()
    }),
    ("pretty array", |field, pieces| {
        serde_json::to_string_pretty(
            &pieces.iter().map(|piece| json!({"candidates": [{"content": {field: piece}}]})).collect::<Vec<_>>(),
        )
        .expect("JSON")
    }),
    ("parts", |field, pieces| {
        json!({"id": "one", "parts": pieces.iter().map(|piece| json!({"type": "text", field: piece})).collect::<Vec<_>>()}).to_string()
    }),
    ("parts of a message", |field, pieces| {
        json!({"messages": [{"role": "user", "content": pieces.iter().map(|piece| json!({field: {"value": piece}})).collect::<Vec<_>>()}]}).to_string()
    }),
    ("list", |field, pieces| json!({"model": "m", field: pieces}).to_string()),
    ("numbered", |field, pieces| {
        Value::Object(
            pieces
                .iter()
                .enumerate()
                .map(|(number, piece)| (format!("{field}{:04}", number + 100), json!(piece)))
                .collect(),
        )
        .to_string()
    }),
    ("strings in events", |_, pieces| pieces.iter().map(|piece| format!("data: {}\n\n", json!(piece))).collect()),
    ("strings", |_, pieces| pieces.iter().map(|piece| format!("{}\n", json!(piece))).collect()),
    ("coded lines", |_, pieces| pieces.iter().map(|piece| format!("0:{}\n", json!(piece))).collect()),
    ("in a string", |field, pieces| {
        json!({"log": pieces.iter().map(|piece| json!({field: piece}).to_string()).collect::<Vec<_>>().join("\n")})
            .to_string()
    }),
    ("events in a string", |field, pieces| {
        json!([{"log": pieces.iter().map(|piece| format!("data: {}\n\n", json!({field: piece}))).collect::<String>()}])
            .to_string()
    }),
];

const KINDS: &[Option<&str>] = &[
    Some("application/json"),
    Some("text/event-stream"),
    Some("application/x-ndjson"),
    Some("text/plain; charset=utf-8"),
    Some("application/octet-stream"),
    Some("application/x-www-form-urlencoded"),
    Some("text/html"),
    None,
];

/// The strings under a field, in their order.
fn gather(value: &Value, field: &str, under: bool, found: &mut String) {
    match value {
        Value::String(text) if text.starts_with("data:") || (text.starts_with('{') && !under) => {
            found.push_str(&strings(field, text));
        }
        Value::String(text) if under => found.push_str(text),
        Value::Array(list) => list.iter().for_each(|one| gather(one, field, under, found)),
        Value::Object(members) => members.iter().for_each(|(name, one)| {
            gather(
                one,
                field,
                (under && name != "type")
                    || name.trim_end_matches(|sign: char| sign.is_ascii_digit())
                        == field.trim_end_matches(|sign: char| sign.is_ascii_digit()),
                found,
            );
        }),
        _ => {}
    }
}

/// All strings that stand in a body under a field, in their order, as a reader that knows the frame joins them.
fn strings(field: &str, body: &str) -> String {
    let mut found = String::new();
    let body = body.trim_start_matches('\u{feff}').replace('\r', "");
    let texts: Vec<String> = if body.contains("data:") && !body.starts_with(['{', '[']) {
        let data = |event: &str| {
            event.split('\n').filter_map(|line| line.strip_prefix("data:")).collect::<Vec<_>>().join("\n")
        };
        body.split("\n\n").map(data).collect()
    } else if body.starts_with("0:\"") {
        body.lines().map(|line| line.trim_start_matches("0:").to_owned()).collect()
    } else {
        vec![body]
    };
    for text in texts {
        let text = text.replace('\u{1e}', " ");
        for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            gather(
                &value.unwrap_or_else(|error| panic!("{text:?} is no JSON: {error}")),
                field,
                value_is_bare(&text),
                &mut found,
            );
        }
    }
    found
}

fn value_is_bare(text: &str) -> bool {
    text.trim_start().starts_with('"')
}

fn cut_at(text: &str, sizes: &[usize]) -> Vec<String> {
    let mut sizes = sizes.iter().cycle();
    let mut rest: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let left = rest.split_off((*sizes.next().expect("a cycle")).clamp(1, rest.len()));
        pieces.push(rest.into_iter().collect());
        rest = left;
    }
    pieces
}

#[test]
fn a_value_cut_anywhere_is_found_in_every_frame_under_every_name_and_type() {
    let sanitizer = sanitizer();
    for (kind, value) in VALUES {
        let text = format!("It is {value}, she said.");
        let wanted = format!("It is [{}], she said.", kind.to_ascii_uppercase());
        for (number, frame) in FRAMES.iter().enumerate() {
            for cut in 6..6 + value.len() {
                // All of them in turn, and each with each over the whole.
                let field = FIELDS[(cut + number) % FIELDS.len()];
                let declared = KINDS[(cut + number / 2) % KINDS.len()];
                let pieces = [text[..cut].to_owned(), text[cut..].to_owned()];
                check(&sanitizer, frame, field, declared, &pieces, &wanted);
            }
            for field in FIELDS {
                for declared in KINDS {
                    check(&sanitizer, frame, field, *declared, &cut_at(&text, &[5]), &wanted);
                }
            }
        }
    }
}

fn check(
    sanitizer: &Sanitizer,
    (name, frame): &Frame,
    field: &str,
    declared: Option<&str>,
    pieces: &[String],
    wanted: &str,
) {
    for mark in ["", "\u{feff}"] {
        let body = format!("{mark}{}", frame(field, pieces));
        let (out, findings) = clean(sanitizer, declared, body.as_bytes());
        let out = String::from_utf8(out).expect("UTF-8");
        assert_eq!(strings(field, &out), wanted, "{name}, {field}, {declared:?}: {body:?} became {out:?}");
        assert_eq!(findings.iter().map(|(_, count)| count).sum::<u64>(), 1, "{name}: {body:?} became {out:?}");
        let (again, none) = clean(sanitizer, declared, out.as_bytes());
        assert_eq!((String::from_utf8_lossy(&again).as_ref(), none.is_empty()), (out.as_str(), true), "{name}");
    }
}

#[test]
fn choices_and_blocks_in_turns_are_told_apart_wherever_their_number_stands() {
    let sanitizer = sanitizer();
    let (one, two) =
        (cut_at("I am carol.jones88@mail.example.", &[4]), cut_at("Pay 4012 8888 8888 1881 at once.", &[4]));
    let event = |number: usize, text: &str| -> Vec<Value> {
        vec![
            json!({"choices": [{"delta": {"content": text}, "index": number}]}),
            json!({"delta": {"text": text}, "output_index": number, "type": "response.output_text.delta"}),
            json!({"piece": text, "which": if number == 0 { "left" } else { "right" }, "z": 0}),
            json!({"a": {"b": [{"c": {"t": text}, "no": number + 7}]}, "at": 1}),
        ]
    };
    for shape in 0..4 {
        let lines: String = one
            .iter()
            .zip(&two)
            .flat_map(|(left, right)| [event(0, left)[shape].to_string(), event(1, right)[shape].to_string()])
            .map(|line| format!("data: {line}\n\n"))
            .collect();
        let (out, _) = clean(&sanitizer, Some("text/plain"), lines.as_bytes());
        let out = String::from_utf8(out).expect("UTF-8");
        for part in ["jone", "s88@", "mail", "8888", "1881"] {
            assert!(!out.contains(part), "{shape}: {part} in {out}");
        }
        assert!(out.contains("[EMAIL]") && out.contains("[PAYMENT_CARD]"), "{shape}: {out}");
    }
    // Two choices in each event, by their position alone.
    let both: String = one
        .iter()
        .zip(&two)
        .map(|(left, right)| format!("{}\n", json!({"choices": [{"t": left}, {"t": right}]})))
        .collect();
    let (out, _) = clean(&sanitizer, None, both.as_bytes());
    let out = String::from_utf8(out).expect("UTF-8");
    assert!(!out.contains("s88@") && !out.contains("8888"), "{out}");
    // Two choices with two calls each.
    let mut calls = String::new();
    for round in 0..one.len().max(two.len()) {
        for choice in 0..2 {
            for call in 0..2 {
                let pieces = if (choice + call) % 2 == 0 { &one } else { &two };
                if let Some(piece) = pieces.get(round) {
                    let line = format!(
                        "data: {}\n\n",
                        json!({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": piece}, "index": call}]}, "index": choice}]})
                    );
                    calls.push_str(&line);
                }
            }
        }
    }
    let (out, _) = clean(&sanitizer, Some("text/event-stream"), calls.as_bytes());
    let out = String::from_utf8(out).expect("UTF-8");
    assert!(!out.contains("s88@") && !out.contains("8888"), "{out}");
    assert_eq!((out.matches("[EMAIL]").count(), out.matches("[PAYMENT_CARD]").count()), (2, 2), "{out}");
}

#[test]
fn tool_arguments_in_pieces_are_read_as_the_json_that_they_are() {
    let sanitizer = sanitizer();
    let arguments = json!({"to": "carol.jones88@mail.example", "password": "hunter22", "n": 4}).to_string();
    for size in 1..9 {
        for field in ["arguments", "partial_json", "whatever"] {
            let stream: String = cut_at(&arguments, &[size])
                .iter()
                .map(|piece| format!("data: {}\n\n", json!({"delta": {"type": "input", field: piece}, "index": 2})))
                .collect();
            let (out, _) = clean(&sanitizer, None, stream.as_bytes());
            let joined = strings(field, &String::from_utf8(out).expect("UTF-8"));
            let wanted = json!({"to": "[EMAIL]", "password": "[SECRET]", "n": 4});
            assert_eq!(serde_json::from_str::<Value>(&joined).expect("JSON"), wanted, "{size}");
        }
    }
}

#[test]
fn a_value_over_a_cut_wins_over_what_its_halves_look_like() {
    let sanitizer = sanitizer();
    for (label, pieces) in [
        ("PAYMENT_CARD", ["\\\"😀  is ", "4012 8888 8", "888 1881", ", 😀é"].as_slice()),
        ("PAYMENT_CARD", &["it is ", "4012888888", "881881", ", so"]),
        ("PAYMENT_CARD", &["it is ", "4012-8888-", "8888-1881", ", so"]),
        ("US_SSN", &["a  is ", "536-22-8726", ", so"]),
    ] {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
        let wanted = format!("{first}[{label}]{last}");
        for frame in FRAMES {
            for field in ["message", "content", "text", "desk"] {
                check(&sanitizer, frame, field, Some("application/json"), &pieces, &wanted);
            }
        }
    }
    // Numbers side by side that are none together stay numbers of their own.
    let body = json!({"message": ["(415) 555-0132", "(415) 555-0178"]}).to_string();
    let (out, _) = clean(&sanitizer, None, body.as_bytes());
    assert_eq!(String::from_utf8_lossy(&out), r#"{"message":["[PHONE]","[PHONE]"]}"#);
}

#[test]
fn a_sign_that_comes_again_is_no_text_that_grows() {
    let sanitizer = sanitizer();
    for (label, pieces) in [
        ("PAYMENT_CARD", ["😀\n\\ is ", "401288", "8", "8", "88", "881881", ", 😀"].as_slice()),
        ("PAYMENT_CARD", &["a ", "is ", "40", "1", "2", "8", "88", "888", "88", "1", "881", " ", "so"]),
        ("EMAIL", &["x is ", "b", "bb", "bbb", "o", "oo", "@mail.", "example", ", so"]),
    ] {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let text = pieces.concat();
        let start = text.find("is ").map_or(0, |at| at + 3);
        let end = text.rfind([',', ' ']).filter(|end| *end > start).unwrap_or(text.len());
        let end = text[..end].trim_end_matches([',', ' ']).len();
        let wanted = format!("{}[{label}]{}", &text[..start], &text[end..]);
        for frame in FRAMES {
            check(&sanitizer, frame, "answer", None, &pieces, &wanted);
        }
    }
}

#[test]
fn a_text_that_grows_event_by_event_shows_nothing_before_it_is_whole() {
    let text = "I am carol.jones88@mail.example, she said.";
    for step in 1..9 {
        let lines: String = (1..=text.len())
            .step_by(step)
            .chain([text.len()])
            .map(|end| json!({"output": {"t": &text[..end]}}).to_string() + "\n")
            .collect();
        let (out, _) = clean(&sanitizer(), None, lines.as_bytes());
        let out = String::from_utf8(out).expect("UTF-8");
        for part in ["caro", "jones", "88@", "mail"] {
            assert!(!out.contains(part), "{step}: {part} in {out}");
        }
        assert!(out.contains("I am [EMAIL], she said."), "{out}");
        let (again, none) = clean(&sanitizer(), None, out.as_bytes());
        assert_eq!((String::from_utf8_lossy(&again).as_ref(), none.is_empty()), (out.as_str(), true));
    }
}

#[test]
fn a_forms_values_of_one_name_are_looked_at_together() {
    let form = |parts: &[&str]| parts.iter().map(|part| format!("text={part}")).collect::<Vec<_>>().join("&");
    for (parts, wanted) in [
        (vec!["I+am+carol.jo", "nes88%40mail.ex", "ample+now"], "text=I%20am%20%5BEMAIL%5D&text=&text=%20now"),
        (vec!["4012+8888", "8888+1881"], "text=%5BPAYMENT_CARD%5D&text="),
        (vec!["one", "two+3"], "text=one&text=two+3"),
    ] {
        let kind = Some("application/x-www-form-urlencoded");
        let (out, _) = clean(&sanitizer(), kind, form(&parts).as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), wanted);
        assert_eq!(clean(&sanitizer(), kind, &out).0, out);
        let target = sanitizer().target(format!("/x?n=1&{}", form(&parts)).as_bytes(), &mut Findings::default());
        assert_eq!(target, format!("/x?n=1&{wanted}"));
    }
}

#[test]
fn a_piece_of_json_is_no_list_of_strings() {
    let whole = r#"{"to": "carol.jones88@mail.example"}"#;
    for cut in 1..8 {
        let stream: String =
            [&whole[..cut], &whole[cut..]].iter().map(|piece| json!({"i": piece}).to_string() + "\n").collect();
        let (out, _) = clean(&sanitizer(), None, stream.as_bytes());
        assert_eq!(strings("i", &String::from_utf8(out).expect("UTF-8")), r#"{"to": "[EMAIL]"}"#, "{cut}");
    }
}

#[test]
fn a_fields_first_piece_may_have_another_path() {
    let lines = [
        json!({"type": "content_block_start", "content_block": {"type": "text", "text": "I am carol.jo"}, "index": 0}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "nes88@m"}, "index": 0}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ail.example"}, "index": 0}),
    ];
    let stream: String = lines.iter().map(|line| format!("event: x\ndata: {line}\n\n")).collect();
    let (out, findings) = clean(&sanitizer(), Some("text/event-stream"), stream.as_bytes());
    let out = String::from_utf8(out).expect("UTF-8");
    assert!(out.contains("I am [EMAIL]") && !out.contains("nes88") && !out.contains("ail.ex"), "{out}");
    assert_eq!(findings.iter().collect::<Vec<_>>(), [("email", 1)]);
}

#[test]
fn tokens_and_bytes_of_a_masked_text_are_masked_too() {
    let sanitizer = sanitizer();
    let pieces = cut_at("I am carol.jones88@mail.example.", &[3]);
    let token = |piece: &String| {
        let bytes = piece.as_bytes();
        json!({"token": piece, "logprob": -0.25, "bytes": bytes,
            "top_logprobs": [{"token": piece, "logprob": -0.25, "bytes": bytes}, {"token": "jon", "logprob": -9.5, "bytes": [106, 111, 110]}]})
    };
    let whole = json!({"choices": [{"index": 0, "message": {"content": pieces.concat()},
        "logprobs": {"content": pieces.iter().map(token).collect::<Vec<_>>()}}],
        "token_ids": [[5, 6, 7]], "usage": {"prompt_tokens": 12, "total_tokens": 20}});
    let stream: String = pieces
        .iter()
        .map(|piece| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": piece}, "logprobs": {"content": [token(piece)]}, "index": 0, "token_ids": [77]}]})))
        .collect();
    let old = json!({"choices": [{"text": pieces.concat(), "logprobs": {"tokens": pieces, "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [{" carol": -0.5, " Carol": -2.25}], "text_offset": [0, 4]}}]});
    for (kind, body) in
        [("application/json", whole.to_string()), ("text/event-stream", stream), ("application/json", old.to_string())]
    {
        let (out, _) = clean(&sanitizer, Some(kind), body.as_bytes());
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(out.contains("[EMAIL]"), "{out}");
        for part in ["rol", "jon", "88@", "mai", "arol", "[106", ",111", "[5,", "77]"] {
            assert!(!out.contains(part), "{part} in {out}");
        }
        assert_eq!(out.contains("\"prompt_tokens\":12"), body.contains("\"prompt_tokens\":12"), "counts are no tokens");
        assert_eq!(out.matches("0.25").count(), body.matches("0.25").count(), "probabilities stay");
        let (again, none) = clean(&sanitizer, Some(kind), out.as_bytes());
        assert_eq!((String::from_utf8_lossy(&again).as_ref(), none.is_empty()), (out.as_str(), true));
    }
    // Bytes alone, in one list and over several.
    let bytes = "I am carol.jones88@mail.example.".as_bytes();
    let alone = json!({"utf8": bytes, "n": [1, 2, 3]}).to_string();
    let over: String = bytes.chunks(5).map(|some| json!({"raw": some}).to_string() + "\n").collect();
    for body in [alone, over] {
        let (out, _) = clean(&sanitizer, None, body.as_bytes());
        let values: Vec<Value> =
            serde_json::Deserializer::from_slice(&out).into_iter().collect::<Result<_, _>>().expect("JSON");
        let list =
            |value: &Value| value.get("utf8").or(value.get("raw")).and_then(Value::as_array).cloned().expect("a list");
        let joined: Vec<u8> = values.iter().flat_map(list).map(|one| one.as_u64().expect("a byte") as u8).collect();
        assert_eq!(String::from_utf8_lossy(&joined), "I am [EMAIL].");
    }
    // Nothing masked: nothing emptied.
    let plain = json!({"text": "hello", "tokens": [1, 2], "logprobs": {"tokens": ["hel", "lo"]}}).to_string();
    assert_eq!(clean(&sanitizer, None, plain.as_bytes()).0, plain.as_bytes());
}

#[test]
fn a_long_value_over_a_list_is_masked_though_pieces_of_it_look_like_keys_of_their_own() {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = 11_usize;
    let mut piece = |length: usize| -> String {
        std::iter::repeat_with(|| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            char::from(letters[(state >> 16) % letters.len()])
        })
        .take(length)
        .collect()
    };
    let mut pieces: Vec<String> = (0..60).map(|_| piece(20)).collect();
    for at in [45, 52] {
        pieces[at] = format!("wh-{}", pieces[at]);
    }
    let secret = pieces.clone();
    pieces.insert(0, "refreshToken: \"".to_owned());
    pieces.push("\", next".to_owned());
    let body = json!({"x": pieces}).to_string();
    let (clean, _) = clean(&sanitizer(), None, body.as_bytes());
    let clean = String::from_utf8(clean).expect("it stays text");
    for piece in &secret {
        assert!(!clean.contains(piece.as_str()), "{piece} in {clean}");
    }
    assert!(clean.contains("refreshToken: ") && clean.contains(", next"), "{clean}");
}

#[test]
fn what_is_no_piece_stays() {
    let sanitizer = sanitizer();
    let rows = json!({"rows": [["Bob", "bob@x.example", "Berlin"], ["Ann", "ann@x.example", "Bonn"]], "to": ["a@b.example", "c@d.example"]});
    let wanted =
        json!({"rows": [["Bob", "[EMAIL]", "Berlin"], ["Ann", "[EMAIL]", "Bonn"]], "to": ["[EMAIL]", "[EMAIL]"]});
    let (out, _) = clean(&sanitizer, Some("application/json"), rows.to_string().as_bytes());
    assert_eq!(serde_json::from_slice::<Value>(&out).expect("JSON"), wanted);
    for body in [
        json!({"ids": ["doc-a1B2c3D4e5", "doc-f6G7h8I9j0", "doc-k1L2m3N4o5"], "dates": ["2024-05-01", "2024-05-02"]}),
        json!({"messages": [{"role": "user", "content": "How much is 12"}, {"role": "assistant", "content": "34 euros"}, {"role": "user", "content": "And 5?"}]}),
        json!({"versions": ["1.2.3", "1.2.4"], "sizes": ["1024", "2048"], "names": ["@alice", "bob"], "urls": ["https://a.example/x", "https://b.example/y"]}),
        json!([{"id": 1, "name": "Ann Lee", "city": "Bonn"}, {"id": 2, "name": "Bob Ray", "city": "Rome"}]),
    ] {
        let text = body.to_string();
        assert_eq!(String::from_utf8_lossy(&clean(&sanitizer, None, text.as_bytes()).0), text);
    }
}

#[test]
fn a_row_with_one_value_keeps_its_other_cells() {
    let sanitizer = sanitizer();
    for (body, wanted) in [
        (json!(["Bob", "b@x.example", "Berlin"]), json!(["Bob", "[EMAIL]", "Berlin"])),
        (json!([["7", "b@x.example", "Berlin"]]), json!([["7", "[EMAIL]", "Berlin"]])),
        (json!({"row": ["Zoë", "b@x.example", "Rome", "9"]}), json!({"row": ["Zoë", "[EMAIL]", "Rome", "9"]})),
        (json!(["b@x.example", "Berlin"]), json!(["[EMAIL]", "Berlin"])),
        // And pieces of one value are still one.
        (json!(["carol", ".jones88@m", "ail.example"]), json!(["[EMAIL]", "", ""])),
        (json!(["carol.jo", "nes88@mail.example"]), json!(["[EMAIL]", ""])),
        (json!(["I am carol", "jones88@mail.example"]), json!(["I am [EMAIL]", ""])),
    ] {
        let (out, _) = clean(&sanitizer, Some("application/json"), body.to_string().as_bytes());
        assert_eq!(serde_json::from_slice::<Value>(&out).expect("JSON"), wanted, "{body}");
        assert_eq!(clean(&sanitizer, Some("application/json"), &out).0, out, "{body}");
    }
}

#[test]
fn bodies_that_are_broken_or_cut_are_put_together_too() {
    let sanitizer = sanitizer();
    for body in [
        "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"I am carol.jo\"}]}}]},\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"nes88@mail.example\"}]}}]},\n{\"candi",
        "{\"answer\":\"I am carol.jo\"}\n{broken\n{\"answer\":\"nes88@mail.example\"}\n",
        "Starting\n{\"answer\":\"I am carol.jo\"}\n{\"answer\":\"nes88@mail.example\"}\ndone\n",
        "data: I am carol.jo\n\ndata: nes88@mail.exam\n\ndata: ple\n\n",
        "data: \"I am carol.jo\n\ndata: nes88@mail.example\n\n",
        "data: [1] I am carol.jo\n\ndata: nes88@mail.example\n\n",
        ": hello\n\ndata: {\"answer\":\"I am carol.jo\"}\n\nwhat is this\ndata: {\"answer\":\"nes88@mail.example\"}\n\n",
        "data: {\"answer\":\"I am carol.jo\"}\r\rdata: {\"answer\":\"nes88@mail.example\"}\r\r",
    ] {
        for kind in [Some("text/event-stream"), Some("application/json"), Some("text/plain"), None] {
            for cut in [false, true] {
                let mut findings = Findings::default();
                let Body::Clean { body: out, .. } =
                    sanitizer.body(kind.map(str::as_bytes), None, body.as_bytes(), cut, &mut findings)
                else {
                    panic!("unreadable: {body}");
                };
                let out = String::from_utf8_lossy(&out);
                assert!(!out.contains("carol") && !out.contains("nes88"), "{kind:?} {cut}: {body:?} became {out:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 300 }, ..ProptestConfig::default() })]

    #[test]
    fn however_often_it_is_cut_a_value_is_found_once_and_all_else_stays(
        value in 0..VALUES.len(), frame in 0..FRAMES.len(), field in 0..FIELDS.len(), kind in 0..KINDS.len(),
        sizes in prop::collection::vec(1_usize..12, 1..6), before in "[a-zé😀\"\\\\ \n]{0,12}", after in "[a-zé😀\"\\\\ \n]{0,12}",
    ) {
        let (label, value) = VALUES[value];
        let text = format!("{before} is {value}, {after}");
        let wanted = format!("{before} is [{}], {after}", label.to_ascii_uppercase());
        let frame = &FRAMES[frame];
        check(&sanitizer(), frame, FIELDS[field], KINDS[kind], &cut_at(&text, &sizes), &wanted);
    }
}

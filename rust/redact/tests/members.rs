//! What the members of an object say of each other: which of them names a value, which describe one, which prove a list of
//! tokens.

use serde_json::{Value, json};
use shadowlane_redact::{Body, Findings, Options, Sanitizer};

fn clean(body: &str) -> (String, Findings) {
    let sanitizer = Sanitizer::new(&Options::default()).expect("the defaults are right");
    let mut findings = Findings::default();
    match sanitizer.body(Some(b"application/json"), None, body.as_bytes(), false, &mut findings) {
        Body::Clean { body, .. } => (String::from_utf8(body).expect("UTF-8"), findings),
        Body::Unreadable(why) => panic!("{body} is unreadable: {why}"),
    }
}

#[test]
fn a_schema_beside_a_secret_object_does_not_speak_for_it() {
    let tools =
        json!([{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]).to_string();
    for body in [
        r#"{"password":{"value":"hunter2x"},"tool":{"type":"object"}}"#.to_owned(),
        r#"{"secret":{"value":"hunter2x-a8Kd93jQ"},"properties":{"a":{"type":"string"}}}"#.to_owned(),
        format!(r#"{{"model":"m","password":{{"value":"hunter2x"}},"tools":{tools}}}"#),
        r#"{"db_password":{"sensitive":true,"type":"string","value":"hunter2x"}}"#.to_owned(),
        r#"{"password":{"type":"string","description":"the user's","default":"hunter2x"}}"#.to_owned(),
        r#"{"password":{"inner":{"type":"string"},"plain":"hunter2x"}}"#.to_owned(),
        r#"{"password":{"note":"\"type\": \"object\"","v":"hunter2x"}}"#.to_owned(),
        r#"{"credentials":{"password":{"anyOf":"x","data":["hunter2x"]}}}"#.to_owned(),
        r#"{"password":{"type":["string","null"],"data":{"v":"hunter2x"}}}"#.to_owned(),
        format!(r#"{{"password":{{"type":"string","description":"{}","value":"hunter2x"}}}}"#, "long ".repeat(200)),
    ] {
        let (out, _) = clean(&body);
        assert!(!out.contains("hunter2x"), "{body} became {out}");
        assert_eq!(clean(&out).0, out);
        assert!(serde_json::from_str::<Value>(&out).is_ok(), "{out}");
    }
}

#[test]
fn a_schema_under_a_secret_name_stays() {
    let long = "what it is for, and more of it. ".repeat(40);
    for body in [
        json!({"properties": {"password": {"type": "string", "description": long, "minLength": 128, "default": null}}}),
        json!({"properties": {"password": {"description": long, "anyOf": [{"type": "string"}, {"type": "null"}], "title": "Password"}}}),
        json!({"password": {"type": ["string", "null"], "format": "password"}}),
        json!({"password": {"$ref": "#/definitions/words"}}),
        json!({"password": {"type": "object", "properties": {"value": {"type": "string", "description": "the words"}}, "required": ["value"]}}),
        json!({"parameter_definitions": {"password": {"description": "the words", "type": "str", "required": true}}}),
    ] {
        let text = body.to_string();
        assert_eq!(clean(&text).0, text);
    }
}

#[test]
fn a_name_speaks_for_its_value_wherever_it_stands_beside_it() {
    for body in [
        r#"{"value":"hunter2x","type":"text","name":"password"}"#,
        r#"{"value":"hunter2x","tags":["a",{"name":"colour"}],"n":7,"key":"DB_PASSWORD"}"#,
        r#"{"data":["hunter2x","hunter2x"],"at":{"x":{"y":1}},"field":"passwd"}"#,
        r#"{"id":"f1","value":"hunter2x","label":"Password"}"#,
        r#"{"name":"p\u0061ssword","type":"text","value":"hunter2x"}"#,
        r#"[{"value":"plain words","name":"note"},{"value":"hunter2x","required":true,"name":"password"}]"#,
    ] {
        let (out, _) = clean(body);
        assert!(!out.contains("hunter2x") && out.contains("[SECRET]"), "{body} became {out}");
        assert_eq!(clean(&out).0, out);
    }
    let (out, _) = clean(r#"{"value":4821,"type":"number","name":"pin"}"#);
    assert!(!out.contains("4821"), "{out}");
    for body in [
        r#"{"value":"blue7lamp","of":{"name":"password"},"name":"colour"}"#,
        r#"{"fields":[{"value":"blue7lamp","name":"colour"},{"value":"","name":"password"}]}"#,
    ] {
        assert_eq!(clean(body).0, body, "another object's name");
    }
}

#[test]
fn what_only_is_called_like_tokens_stays() {
    for (body, wanted) in [
        (json!({"ids": [101, 102], "email": "a@b.example"}), json!({"ids": [101, 102], "email": "[EMAIL]"})),
        (json!({"sequences": [[3, 4]], "to": "a@b.example"}), json!({"sequences": [[3, 4]], "to": "[EMAIL]"})),
        (json!({"context": [7, 8], "to": "a@b.example"}), json!({"context": [7, 8], "to": "[EMAIL]"})),
        (
            json!({"token": {"count": 12, "type": "bpe"}, "to": "a@b.example"}),
            json!({"token": {"count": 12, "type": "bpe"}, "to": "[EMAIL]"}),
        ),
        (json!({"prefill": {"name": "Jo"}, "to": "a@b.example"}), json!({"prefill": {"name": "Jo"}, "to": "[EMAIL]"})),
        (
            json!({"logprobs": null, "ids": [101], "text": ["x", "a@b.example"]}),
            json!({"logprobs": null, "ids": [101], "text": ["x", "[EMAIL]"]}),
        ),
    ] {
        let (out, findings) = clean(&body.to_string());
        assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), wanted);
        assert_eq!(findings.iter().collect::<Vec<_>>(), [("email", 1)]);
    }
}

#[test]
fn lists_of_tokens_are_emptied_and_counted() {
    let to = "a@b.example";
    for (body, wanted, lists) in [
        (
            json!({"ids": [101, 102], "logprobs": [-0.5, -0.25], "to": to}),
            json!({"ids": [0, 0], "logprobs": [-0.5, -0.25], "to": "[EMAIL]"}),
            1,
        ),
        (
            json!({"to": to, "ids": [101, 102], "text": ["he", "llo"]}),
            json!({"to": "[EMAIL]", "ids": [0, 0], "text": ["he", "llo"]}),
            1,
        ),
        (
            json!({"token": {"id": 5, "text": "rol", "logprob": -0.25, "special": false}, "to": to}),
            json!({"token": {"id": 0, "text": "", "logprob": -0.25, "special": false}, "to": "[EMAIL]"}),
            1,
        ),
        (
            json!({"prefill": [{"id": 5, "text": "rol", "logprob": null}, {"id": 6, "text": "x", "logprob": -1.5}], "to": to}),
            json!({"prefill": [{"id": 0, "text": "", "logprob": null}, {"id": 0, "text": "", "logprob": -1.5}], "to": "[EMAIL]"}),
            1,
        ),
        (
            json!({"prefill": [{"id": 5, "text": "rol", "logprob": -1.5}], "to": to}),
            json!({"prefill": [{"id": 0, "text": "", "logprob": -1.5}], "to": "[EMAIL]"}),
            1,
        ),
        (
            json!({"generated_text": to, "details": {"tokens": [{"id": 5, "text": "rol", "logprob": -1.5, "special": false}]}}),
            json!({"generated_text": "[EMAIL]", "details": {"tokens": [{"id": 0, "text": "", "logprob": -1.5, "special": false}]}}),
            1,
        ),
        (
            json!({"to": to, "tokens": [{"id": 5, "text": "a rolling stone"}]}),
            json!({"to": "[EMAIL]", "tokens": [{"id": 5, "text": "a rolling stone"}]}),
            0,
        ),
        (
            json!({"response": to, "context": [12, 13], "eval_count": 3}),
            json!({"response": "[EMAIL]", "context": [0, 0], "eval_count": 3}),
            1,
        ),
    ] {
        let (out, findings) = clean(&body.to_string());
        assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), wanted);
        let count = findings.iter().find(|(kind, _)| *kind == "token_list").map_or(0, |(_, count)| count);
        assert_eq!(count, lists, "{body}");
        assert!(clean(&out).1.is_empty(), "{out}");
    }
}

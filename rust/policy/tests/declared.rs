//! Bodies on routes that the user declared reads: what they ask a provider to keep or to do, wherever it stands.

use serde_json::{Value, json};
use shadowlane_policy::{Hints, Options, Policy, PolicyOptions, Request, Verdict, normalise_llm_body};

fn asked(target: &str, media: &str, body: &str) -> Verdict {
    let read = ["POST /ask*".to_owned(), "POST /search".to_owned()];
    let policy = Policy::new(PolicyOptions { read: read.to_vec(), ..PolicyOptions::default() }).expect("a policy");
    let headers = [(&b"content-type"[..], media.as_bytes())];
    let request = Request { method: b"POST", target: target.as_bytes(), headers: &headers, body: body.as_bytes() };
    policy.classify(&request, &Hints::default())
}

fn json_post(body: &Value) -> Verdict {
    asked("/ask", "application/json", &body.to_string())
}

#[test]
fn a_request_to_a_model_below_the_top_is_a_write() {
    let asks = json!({"model": "m", "input": "x", "store": true, "background": true, "previous_response_id": "r"});
    for body in [
        json!([asks]),
        json!([{"question": "x"}, {"model": "m", "messages": []}]),
        json!({"request": {"model": "m", "input": "x", "tools": [{"type": "mcp", "server_url": "https://x"}]}}),
        json!({"requests": [{"model": "m", "prompt": "x"}]}),
        json!({"a": [{"b": {"c": {"Model": "m", "Messages": []}}}]}),
        json!({"then": {"messages": [{"role": "user"}], "inferenceConfig": {}}}),
        json!({"Model": "m", "input": "x"}),
    ] {
        let verdict = json_post(&body);
        assert!(!verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
        let line = format!("{{\"question\":\"x\"}}\n{body}\n");
        for media in ["application/x-ndjson", "application/jsonl", "text/plain", "application/octet-stream"] {
            assert!(!asked("/ask", media, &line).effect.is_read(), "{media}: {line}");
        }
        let records = format!("\u{1e}{{\"question\":\"x\"}}\n\u{1e}{body}\n");
        let printed = format!("{{\"question\":\"x\"}} {body:#}");
        for text in [records, printed] {
            assert!(!asked("/ask", "application/json-seq", &text).effect.is_read(), "{text}");
        }
    }
    for media in ["application/x-ndjson", "application/jsonlines"] {
        assert!(!asked("/ask", media, "{\"question\":\"x\"}\nnot json\n").effect.is_read(), "{media}");
        assert!(asked("/ask", media, "{\"question\":\"x\"}\n{\"question\":\"y\"}\n").effect.is_read(), "{media}");
    }
}

#[test]
fn what_only_a_lenient_parser_reads_is_a_write() {
    for body in [
        "{\"model\":\"m\",\"input\":\"x\",\"background\":true,\"n\":NaN}",
        "{\"question\":\"x\",\"store\":false,\"store\":true}",
        " [{\"model\":\"m\",\"input\":\"x\",\"background\":true,},]",
        "{\"question\":\"x\"}\n{\"background\":true,'a':1}\n",
    ] {
        for media in ["application/json", "text/plain", "application/octet-stream", "application/x-ndjson"] {
            assert!(!asked("/ask", media, body).effect.is_read(), "{media}: {body}");
        }
    }
    for text in ["[1] How do I open an account?", "What does {a} mean?", "42", "a\nb"] {
        assert!(asked("/ask", "text/plain", text).effect.is_read(), "{text}");
    }
}

#[test]
fn what_a_provider_keeps_or_does_is_a_write_at_any_depth_and_in_any_case() {
    for part in [
        json!({"store": true}),
        json!({"Store": true, "Background": true}),
        json!({"background": "true"}),
        json!({"previous_response_id": "r"}),
        json!({"PREVIOUS_RESPONSE_ID": "r"}),
        json!({"assistant_id": "a"}),
        json!({"plugins": ["p"]}),
        json!({"connectors": [{"id": "web-search"}]}),
        json!({"container": "c"}),
        json!({"enable_search": true}),
        json!({"search_parameters": {"mode": "on"}}),
        json!({"web_search_options": {"a": 1}}),
        json!({"mcp_servers": [{"url": "https://x"}]}),
        json!({"api_base": "http://127.0.0.1:1"}),
        json!({"callbacks": ["x"]}),
        json!({"webhook_url": "https://x"}),
        json!({"prompt": {"id": "pmpt_1"}, "input": "hi"}),
        json!({"tools": [{"type": "code_interpreter"}]}),
        json!({"Tools": [{"google_search": {}}]}),
        json!({"tools": [{"function_declarations": [], "google_search": {}}]}),
        json!({"input": [{"type": "mcp_approval_response", "approve": true}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]}),
    ] {
        for body in [
            part.clone(),
            json!([part]),
            json!({"question": "x", "options": part}),
            json!({"a": [{"b": [{"question": "x"}, part]}]}),
        ] {
            let verdict = json_post(&body);
            assert!(!verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
        }
    }
    for form in
        ["question=x&background=true", "q=x&Store=true", "q=x&tools=[{\"type\":\"mcp\"}]", "q=x&webhook=https://x"]
    {
        let verdict = asked("/ask", "application/x-www-form-urlencoded", form);
        assert!(!verdict.effect.is_read(), "{form}: {}", verdict.effect.reason);
    }
    let parts = "--b\r\nContent-Disposition: form-data; name=\"store\"\r\n\r\ntrue\r\n--b--\r\n";
    assert!(!asked("/ask", "multipart/form-data; boundary=b", parts).effect.is_read());
    // A part that is JSON is looked at whole, however long it is and however it is printed.
    let long = json!({"question": "x".repeat(4000), "options": {"background": true}});
    let lines = json!({"question": "x"});
    for (part, read) in
        [(format!("{long:#}"), false), (format!("{lines}\n{long}"), false), (format!("{lines:#}"), true)]
    {
        let head = "Content-Disposition: form-data; name=\"request\"\r\nContent-Type: application/json";
        let parts = format!("--b\r\n{head}\r\n\r\n{part}\r\n--b--\r\n");
        assert_eq!(asked("/ask", "multipart/form-data; boundary=b", &parts).effect.is_read(), read, "{part:.60}");
    }
}

#[test]
fn names_that_mean_something_else_are_reads() {
    for body in [
        json!({"question": "x", "background": "I run a shop", "store": "Berlin", "thread_id": "t", "conversation": "c"}),
        json!({"question": "x", "plugins": [], "container": null, "enable_search": false}),
        json!({"query": {"bool": {"filter": [{"term": {"store": true}}, {"term": {"container": "glass"}}]}}}),
        json!({"query": "x", "filters": {"container": "glass", "model": "T4"}, "facets": {"container": {"size": 3}}}),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {
            "type": "object", "properties": {"container": {"type": "string"}, "store": {"type": "boolean"}}}}}]}),
        json!({"tools": [{"name": "lookup", "enabled": true, "config": {"a": 1}}]}),
        json!({"input": {"question": "x", "model": "Model T"}, "prompt": {"text": "y"}}),
        json!([{"question": "a"}, {"question": "b", "store": false}]),
    ] {
        let verdict = json_post(&body);
        assert!(verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
    }
    let form = asked("/ask", "application/x-www-form-urlencoded", "question=x&background=I+run+a+shop&store=false");
    assert!(form.effect.is_read(), "{}", form.effect.reason);
}

#[test]
fn a_response_is_not_stored_because_it_looks_like_an_embedding() {
    for (target, body) in [
        ("/ask-classified", json!({"model": "m", "input": "x"})),
        ("/ask/tokens", json!({"model": "m", "input": "x"})),
        ("/ask/embedded-help", json!({"model": "m", "input": "x"})),
        ("/ask", json!({"model": "m", "input": "x", "query": "y"})),
        ("/ask", json!({"model": "m", "input": "x", "dimensions": 3})),
        ("/ask", json!({"model": "m", "input": "x", "messages": []})),
    ] {
        let verdict = asked(target, "application/json", &body.to_string());
        assert!(verdict.effect.is_read() && verdict.inference, "{target} {body}: {}", verdict.effect.reason);
        let text = body.to_string();
        let copy = normalise_llm_body(&verdict.preset, target.as_bytes(), text.as_bytes(), &Options::default());
        let left: Value = serde_json::from_slice(&copy.expect("a copy").body).expect("JSON");
        assert_eq!(left["store"], json!(false), "{target} {body}");
        // It may have been one: how to embed is still said.
        assert_eq!(left.get("dimensions"), body.get("dimensions"), "{target}");
    }
    for target in ["/ask/embeddings", "/ask/rerank", "/ask/moderations"] {
        let body = br#"{"model":"m","input":"x","dimensions":3}"#;
        let copy = normalise_llm_body("openai", target.as_bytes(), body, &Options::default()).expect("a copy");
        assert_eq!(copy.body, body, "{target}");
    }
}

#[test]
fn json_in_a_text_is_looked_into() {
    // One text deep, two, and as a list or a text of its own.
    let texts = |value: &Value| {
        let once = Value::String(value.to_string());
        let twice = Value::String(json!({"data": once}).to_string());
        let quoted = Value::String(once.to_string());
        [once.clone(), twice, quoted, json!([once])]
    };
    for act in [
        json!({"sql": "DROP TABLE t"}),
        json!({"query": "DELETE FROM t"}),
        json!([{"statement": "update t set a = 1"}]),
        json!({"query": "mutation { a }"}),
        json!({"document": "query Q { a } mutation M { b }"}),
        json!({"tool": "delete_user"}),
        json!({"name": "charge_card", "arguments": {}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}),
        json!({"method": "DELETE", "path": "/users/1"}),
        json!({"model": "m", "input": "x", "background": true}),
        json!({"tools": [{"type": "code_interpreter"}]}),
    ] {
        for text in texts(&act) {
            for name in ["payload", "arguments", "body", "variables", "input"] {
                let body = json!({"question": "x", name: text});
                let verdict = json_post(&body);
                assert!(!verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
            }
        }
        for field in ["payload", "params"] {
            let form = format!("{field}={}", act.to_string().replace('%', "%25").replace(' ', "+").replace('&', "%26"));
            assert!(!asked("/ask", "application/x-www-form-urlencoded", &form).effect.is_read(), "{form}");
        }
    }
    for read in [
        json!({"filters": {"type": "delete"}, "top_k": 3}),
        json!({"query": {"bool": {"must": [{"term": {"action": "delete"}}]}}}),
        json!({"sql": "SELECT 1"}),
        json!({"query": "{ a }"}),
        json!({"tool": "search_docs", "arguments": {"q": "x"}}),
        json!(["red shoes", "blue shoes"]),
    ] {
        for text in texts(&read) {
            let body = json!({"question": "x", "payload": text});
            let verdict = json_post(&body);
            assert!(verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
        }
    }
}

#[test]
fn json_in_a_text_with_two_readings_or_too_deep_is_a_write() {
    for text in [r#"{"a":1,"a":{"sql":"DROP TABLE t"}}"#, r#"{"sql":"SELECT 1","n":NaN}"#, "{'a': 1}", r#"[{"a":1,}]"#]
    {
        assert!(!json_post(&json!({"payload": text})).effect.is_read(), "{text}");
    }
    for text in ["{name} and [1]", "{ me { name } }", "[1] How do I open an account?", "{\"a\": 1} is JSON", "{}"] {
        assert!(json_post(&json!({"payload": text})).effect.is_read(), "{text}");
    }
    let mut body = json!({"sql": "SELECT 1"});
    for deep in 1..8 {
        body = json!({"payload": body.to_string()});
        assert_eq!(json_post(&body).effect.is_read(), deep <= 4, "{deep} texts deep");
    }
}

#[test]
fn a_parameter_that_is_json_is_looked_into() {
    let gets = |query: &str| {
        let target = format!("/x?{query}");
        let request = Request { method: b"GET", target: target.as_bytes(), headers: &[], body: b"" };
        Policy::new(PolicyOptions::default()).expect("a policy").classify(&request, &Hints::default()).effect.is_read()
    };
    for query in [
        "body={%22sql%22:%22DROP+TABLE+t%22}",
        "batch=[{%22method%22:%22DELETE%22,%22relative_url%22:%22me%22}]",
        "call={%22tool%22:%22delete_user%22,%22arguments%22:{}}",
        "p={%22q%22:%22{\\%22sql\\%22:\\%22DROP+TABLE+t\\%22}%22}",
        "p={%22a%22:1,%22a%22:2}",
    ] {
        assert!(!gets(query), "{query}");
    }
    for query in ["filter={%22action%22:%22delete%22}", "where={%22id%22:7}", "ids=[1,2]", "q={a}", "sort=[%22name%22]"]
    {
        assert!(gets(query), "{query}");
    }
}

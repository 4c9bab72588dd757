//! What acts although its route or method says that it reads: bodies of declared routes, members of inference requests,
//! statements behind a semicolon, GETs by name.

use serde_json::{Value, json};
use shadowlane_policy::{
    Hints, Options, Policy, PolicyOptions, Request, Verdict, classify_request, normalise_llm_body,
};

fn policy(options: PolicyOptions) -> Policy {
    let read = ["POST /ask*", "POST /search", "POST /llm openai", "POST /llm/* openai", "GET /logout-stats"];
    let read = read.iter().map(|text| (*text).to_owned()).collect();
    Policy::new(PolicyOptions { read, ..options }).expect("a policy")
}

fn asked(method: &str, target: &str, headers: &[(&[u8], &[u8])], body: &[u8]) -> Verdict {
    let request = Request { method: method.as_bytes(), target: target.as_bytes(), headers, body };
    policy(PolicyOptions::default()).classify(&request, &Hints::default())
}

fn json_post(target: &str, body: &Value) -> Verdict {
    asked("POST", target, &[(b"content-type", b"application/json")], body.to_string().as_bytes())
}

/// The copy that would leave, and what was changed.
fn copy(preset: &str, target: &str, body: &Value) -> (Value, Vec<String>) {
    let copy = normalise_llm_body(preset, target.as_bytes(), body.to_string().as_bytes(), &Options::default())
        .expect("the body can be normalised");
    (serde_json::from_slice(&copy.body).expect("the copy is JSON"), copy.changes)
}

#[test]
fn an_inference_body_on_a_declared_route_is_one() {
    for (body, preset) in [
        (json!({"model": "m", "input": "x", "store": true}), "openai"),
        (json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "user": "u"}), "openai"),
        (json!({"model": "m", "input": "x", "tools": [{"type": "mcp", "server_url": "https://x"}]}), "openai"),
        (json!({"model": "m", "messages": [], "max_tokens": 9, "mcp_servers": [{"url": "https://x"}]}), "anthropic"),
        (json!({"messages": [{"role": "user"}], "inferenceConfig": {}}), "bedrock"),
    ] {
        let verdict = json_post("/ask/today", &body);
        assert!(verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
        assert!(verdict.inference, "{body}");
        assert_eq!(verdict.preset, preset, "{body}");
        let (left, _) = copy(&verdict.preset, "/ask/today", &body);
        for name in ["user", "mcp_servers", "tools"] {
            assert_eq!(left.get(name), None, "{body}");
        }
        assert_ne!(left.get("store"), Some(&json!(true)), "{body}");
    }
    // Stored unless told otherwise: said on a route that nobody knows, too, and not to an embedding.
    let (left, _) = copy("openai", "/llm", &json!({"model": "m", "input": "x"}));
    assert_eq!(left["store"], json!(false));
    let (left, _) = copy("openai", "/llm/embeddings", &json!({"model": "m", "input": "x"}));
    assert_eq!(left.get("store"), None);
}

#[test]
fn state_on_a_declared_route_is_a_write() {
    for body in [
        json!({"model": "m", "input": "x", "background": true}),
        json!({"model": "m", "input": "x", "previous_response_id": "r"}),
        json!({"model": "m", "messages": [], "conversation": "c"}),
        json!({"question": "x", "store": true}),
        json!({"question": "x", "background": true}),
        json!({"question": "x", "previous_response_id": "r"}),
        json!({"question": "x", "mcp_servers": [{"url": "https://x"}]}),
        json!({"question": "x", "tools": [{"type": "mcp", "server_url": "https://x"}]}),
        json!({"question": "x", "tools": [{"google_search": {}}]}),
        json!({"input": [{"type": "mcp_approval_response", "approve": true}]}),
        json!({"model": "m", "messages": [], "sql": "DROP TABLE t"}),
        json!({"model": "m", "messages": [], "then": {"method": "DELETE"}}),
    ] {
        let verdict = json_post("/ask", &body);
        assert!(!verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
    }
    for body in [
        json!({"question": "x", "store": false, "background": "I run a shop", "conversation_id": "c"}),
        json!({"messages": [{"role": "user", "content": "DELETE FROM t"}], "top_k": 3}),
        json!({"model": "m", "messages": [{"role": "user", "content": "DROP TABLE t; what is it?"}]}),
    ] {
        let verdict = json_post("/ask", &body);
        assert!(verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
    }
}

#[test]
fn a_body_that_is_not_json_says_what_it_is_too() {
    let soap = br#"<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Body><GetUser/></s:Body></s:Envelope>"#;
    let rpc = b"<?xml version='1.0'?><methodCall><methodName>wipe</methodName></methodCall>";
    let bulk = b"{\"index\":{\"_index\":\"a\"}}\n{\"x\":1}\n{\"delete\":{\"_index\":\"a\",\"_id\":\"1\"}}\n";
    let marked = b"\xef\xbb\xbf{\"sql\":\"DROP TABLE t\"}";
    let cases: &[(&[u8], &[u8])] = &[
        (b"text/xml", soap),
        (b"application/soap+xml; charset=utf-8", b"<x/>"),
        (b"text/plain", soap),
        (b"text/xml", rpc),
        (b"application/x-ndjson", bulk),
        (b"application/octet-stream", bulk),
        (b"application/json", marked),
        (b"text/plain", b"OPTIMIZE TABLE t FINAL"),
        (b"text/plain", b"MATCH (n) DETACH DELETE n"),
        (b"multipart/mixed; boundary=b", b"--b\r\n\r\nDELETE /x HTTP/1.1\r\n--b--"),
    ];
    for (media, body) in cases {
        let verdict = asked("POST", "/search", &[(b"content-type", media)], body);
        assert!(!verdict.effect.is_read(), "{}: {}", String::from_utf8_lossy(body), verdict.effect.reason);
    }
    assert!(!asked("POST", "/search", &[(b"SOAPAction", b"\"urn:Get\"")], b"<x/>").effect.is_read());
    for (media, body) in [
        (&b"text/xml"[..], &b"<query><text>red shoes</text></query>"[..]),
        (b"application/x-ndjson", b"{\"question\":\"a\"}\n{\"question\":\"b\"}\n"),
        (b"text/plain", b"how do I drop a table?"),
    ] {
        let verdict = asked("POST", "/search", &[(b"content-type", media)], body);
        assert!(verdict.effect.is_read(), "{}: {}", String::from_utf8_lossy(body), verdict.effect.reason);
    }
}

#[test]
fn a_search_box_takes_words() {
    for body in [
        json!({"q": "drop table lamp"}),
        json!({"query": "delete from cart", "limit": 3}),
        json!({"queries": ["insert into slot", "truncate table saw"]}),
        json!({"query": {"text": "drop table lamp"}}),
    ] {
        let verdict = json_post("/search", &body);
        assert!(verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
        assert!(!json_post("/ask", &body).effect.is_read(), "no path of searches: {body}");
    }
    for body in [
        json!({"sql": "drop table lamp"}),
        json!({"statement": "drop table lamp"}),
        json!({"query": {"sql": "drop table lamp"}}),
        json!({"q": "DROP TABLE lamp"}),
        json!({"q": "drop table order_items"}),
        json!({"queries": ["insert into slot", "drop table t"]}),
    ] {
        let verdict = json_post("/search", &body);
        assert!(!verdict.effect.is_read(), "{body}: {}", verdict.effect.reason);
    }
}

#[test]
fn a_mark_or_half_a_pair_is_no_write() {
    let chat = |body: &[u8]| {
        let headers = [(&b"content-type"[..], &b"application/json"[..])];
        let effect = classify_request(b"POST", b"/v1/chat/completions", &headers, body, "openai");
        let copy = shadowlane_policy::normalise_llm_body("openai", b"/v1/chat/completions", body, &Options::default());
        (effect.is_read(), copy.map(|copy| String::from_utf8(copy.body).expect("UTF-8")))
    };
    let prompt = |text: &[u8]| {
        [&br#"{"model":"m","store":true,"messages":[{"role":"user","content":""#[..], text, b"\"}]}"].concat()
    };
    for body in [
        [&b"\xef\xbb\xbf"[..], &prompt(b"hi")].concat(),
        prompt(br"half a \ud83d smile"),
        prompt(br"the other \ude00 half"),
        prompt(b"as bytes \xed\xa0\xbd"),
    ] {
        let (read, copy) = chat(&body);
        let copy = copy.expect("a copy");
        assert!(read && copy.contains(r#""store":false"#) && copy.starts_with('{'), "{copy}");
    }
    assert!(
        chat(&prompt(br"half a \ud83d smile")).1.expect("a copy").contains(r"half a \ud83d smile"),
        "its bytes stay"
    );
    for body in [prompt(b"\xff"), prompt(br"\ud8"), [&b"\xff\xfe"[..], &prompt(b"hi")].concat()] {
        assert!(!chat(&body).0, "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn a_semicolon_and_an_unknown_verb_hide_nothing() {
    for target in [
        "/search?q=SELECT+1;DROP+TABLE+t",
        "/search?q=SELECT+1%3BDROP+TABLE+t",
        "/search?q=SELECT+1%253BDROP+TABLE+t",
        "/search?q=SELECT+1;DROP+SERIES+FROM+cpu",
        "/search?a=1;q=DROP+TABLE+t",
        "/search?DROP+TABLE+t",
        "/search?q=DROP+SERIES+FROM+cpu",
        "/search?query=SYSTEM+SHUTDOWN",
        "/search?sql=OPTIMIZE+TABLE+t",
        "/search?q=optimize+table+t",
        "/search?q=drop+table+order_items",
        "/search?q=drop+table+if+exists+lamp",
        "/search?q=drop+table+lamp%3B",
        "/search?sql=drop+table+lamp",
        "/search?statement=drop+table+lamp",
        "/db?q=drop+table+lamp",
        "/search?q=FROBNICATE+TABLE+t",
        "/search?cypher=MATCH+(n)+DELETE+n",
        "/search?x=INSERT+INTO+t+VALUES+(1)",
        "/search?a=1;_method=DELETE",
    ] {
        let effect = classify_request(b"GET", target.as_bytes(), &[], b"", "openai");
        assert!(!effect.is_read(), "{target}: {}", effect.reason);
        assert!(!asked("GET", target, &[], b"").effect.is_read(), "{target}");
    }
    for target in [
        "/search?q=drop+table+lamp",
        "/products?query=delete+from+cart",
        "/api/find?term=Insert+into+slot,+black",
        "/search?q=drop+shipping;page=2",
        "/search?q=how+do+I+DROP+a+TABLE",
        "/search?q=USB+CABLE",
        "/search?q=SELECT+1;",
        "/search?q=SHOW+TABLES",
        "/search?title=Update+on+tables",
    ] {
        let verdict = asked("GET", target, &[], b"");
        assert!(verdict.effect.is_read(), "{target}: {}", verdict.effect.reason);
    }
    let sql = |target: &str| classify_request(b"GET", target.as_bytes(), &[], b"", "sql:postgres").is_read();
    assert!(sql("/?q=SELECT+1") && !sql("/?q=SELECT+1;DELETE+FROM+t"));
}

#[test]
fn members_that_no_preset_knows_do_not_leave() {
    let body = json!({
        "model": "vendor/m:online", "messages": [{"role": "user", "content": "x"}], "temperature": 0.5,
        "service_tier": "priority", "extra_body": {"store": true}, "api_base": "https://x", "callbacks": ["x"],
        "compound_custom": {}, "agents": [], "web_search": true, "jane@x.example": 1,
        "tools": [{"google_search": {}}, {"type": "function", "function": {"name": "$web_search"}},
                  {"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "allowed_tools", "tools": [{"name": "$web_search"}]},
    });
    let (left, changes) = copy("openai", "/v1/chat/completions", &body);
    let expected = json!({
        "model": "vendor/m", "messages": [{"role": "user", "content": "x"}], "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "f"}}],
    });
    assert_eq!(left, expected);
    for name in ["service_tier", "extra_body", "api_base", "callbacks", "compound_custom", "agents", "web_search"] {
        assert!(changes.iter().any(|line| line.starts_with(&format!("{name}: "))), "{name}: {changes:?}");
    }
    // Kept by name, and nothing else.
    let kept = Options { keep_members: vec!["service_tier".to_owned()], ..Options::default() };
    let text = json!({"model": "m", "messages": [], "service_tier": "flex", "agents": []}).to_string();
    let copy = normalise_llm_body("openai", b"/v1/chat/completions", text.as_bytes(), &kept).expect("a copy");
    let left: Value = serde_json::from_slice(&copy.body).expect("JSON");
    assert_eq!(left, json!({"model": "m", "messages": [], "service_tier": "flex"}));
}

#[test]
fn parts_of_a_conversation_that_act_do_not_leave() {
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "x"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": true},
        {"type": "item_reference", "id": "i"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ], "prompt": {"id": "p"}});
    let (left, changes) = copy("openai", "/v1/responses", &body);
    let kept =
        json!([{"role": "user", "content": "x"}, {"type": "function_call_output", "call_id": "c", "output": "1"}]);
    assert_eq!(left, json!({"model": "m", "input": kept, "store": false}));
    assert!(changes.contains(&"input: 2 not known to only ask, removed".to_owned()), "{changes:?}");
    for (target, body) in [
        ("/v1/responses", json!({"model": "m", "prompt": {"id": "p"}})),
        ("/v1/responses", json!({"model": "m", "input": [{"type": "mcp_approval_response", "approve": true}]})),
        ("/v1/chat/completions", json!({"model": "groq/compound", "messages": []})),
        ("/v1/responses", json!({"model": "o3-deep-research-2025", "input": "x"})),
    ] {
        let text = body.to_string();
        let refused = normalise_llm_body("openai", target.as_bytes(), text.as_bytes(), &Options::default());
        assert!(refused.is_err(), "{body}");
    }
}

#[test]
fn gets_that_act_are_not_mirrored_unless_the_user_says_so() {
    let gets = |options: PolicyOptions, target: &str| {
        let request = Request { method: b"GET", target: target.as_bytes(), headers: &[], body: b"" };
        policy(options).classify(&request, &Hints::default()).effect.is_read()
    };
    for target in ["/logout", "/a/unsubscribe?u=1", "/users/7/delete", "/solr/c/select?stream.body=x", "/x?sleep=3"] {
        assert!(!gets(PolicyOptions::default(), target), "{target}");
        assert!(!classify_request(b"GET", target.as_bytes(), &[], b"", "openai").is_read(), "{target}");
        let none = PolicyOptions { acting_gets: Some(Vec::new()), ..PolicyOptions::default() };
        assert!(gets(none, target), "{target}");
    }
    // Named by hand in `routes.read`.
    assert!(gets(PolicyOptions::default(), "/logout-stats"));
    // A star names none of them.
    let starred = |target: &str| {
        let read = ["GET /api/*", "HEAD *", "GET /*/logout", "GET /users/7/delete", "GET /db/* sql:sqlite"];
        let read = read.map(str::to_owned).to_vec();
        let policy = Policy::new(PolicyOptions { read, ..PolicyOptions::default() }).expect("a policy");
        let request = Request { method: b"GET", target: target.as_bytes(), headers: &[], body: b"" };
        policy.classify(&request, &Hints::default()).effect.is_read()
    };
    for target in ["/api/logout", "/api/users/7/delete", "/x/logout", "/api/x?stream.body=y", "/db/flush?q=SELECT+1"] {
        assert!(!starred(target), "{target}");
    }
    for target in ["/api/users/7", "/users/7/delete", "/db/x?q=SELECT+1"] {
        assert!(starred(target), "{target}");
    }
    // A path that is named in full may be called what it likes; what a parameter says is no part of a route.
    for target in [
        "/users/7/delete?_method=DELETE",
        "/users/7/delete?action=delete",
        "/users/7/delete?cmd=restart",
        "/users/7/delete?op=drop",
        "/users/7/delete?operation=flush",
        "/users/7/delete?command[]=shutdown",
        "/users/7/delete?form.action=removeAll",
        "/users/7/delete?_action=del",
        "/users/7/delete?action=%2564elete",
        "/users/7/delete?purge=1",
        "/users/7/delete?delete[0]=7",
        "/users/7/delete?stream.body=x",
        "/users/7/delete?q=DROP+TABLE+t",
        "/users/7/delete?tool=delete_user",
    ] {
        assert!(!starred(target), "{target}");
    }
    for target in ["?action=list", "?cmd=status", "?purge=false", "?_method=GET", "?q=how+do+I+restart", "?page=delete"]
    {
        let target = format!("/users/7/delete{target}");
        assert!(starred(&target), "{target}");
    }
    let own = || PolicyOptions { acting_gets: Some(vec!["launch*".to_owned()]), ..PolicyOptions::default() };
    assert!(!gets(own(), "/launch") && gets(own(), "/logout"));
    assert!(
        Policy::new(PolicyOptions { acting_gets: Some(vec!["a b".to_owned()]), ..PolicyOptions::default() }).is_err()
    );
}

#[test]
fn a_copy_made_of_the_parsed_body_is_that_made_of_its_bytes() {
    let policy = policy(PolicyOptions::default());
    for (target, body) in [
        ("/llm", r#"{"model":"m","messages":[{"role":"user","content":"x"}],"user":"u","n":1.50e1}"#),
        ("/llm/chat/completions", "\u{feff}{\"model\":\"m:online\",\"messages\":[{\"content\":\"\\ud83d\"}],\"a\":1}"),
        ("/ask", r#"{"model":"m","input":[{"role":"user","content":"x"},{"type":"item_reference","id":"i"}]}"#),
        ("/ask/embeddings", r#"{"model":"m","input":"x","store":true}"#),
        ("/llm", r#"{"model":"m","prompt":{"id":"p"}}"#),
    ] {
        let headers = [(&b"content-type"[..], &b"application/json"[..])];
        let request = Request { method: b"POST", target: target.as_bytes(), headers: &headers, body: body.as_bytes() };
        let verdict = policy.classify(&request, &Hints::default());
        assert!(verdict.effect.is_read() && verdict.inference, "{target}: {}", verdict.effect.reason);
        let bytes = normalise_llm_body(&verdict.preset, target.as_bytes(), body.as_bytes(), &Options::default());
        assert_eq!(policy.normalise(verdict, target.as_bytes(), body.as_bytes()), bytes, "{target} {body}");
    }
}

//! HTTP requests and inference bodies: what is a read under each preset, and what a copy looks like.

use proptest::prelude::*;
use serde_json::{Value, json};
use shadowlane_policy::{Options, PRESET_NAMES, ToolMode, classify_request, normalise_llm_body, rewrite_model};

fn read_with(method: &str, target: &str, headers: &[(&str, &str)], body: &str, preset: &str) -> bool {
    let headers: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    classify_request(method.as_bytes(), target.as_bytes(), &headers, body.as_bytes(), preset).is_read()
}

fn post(target: &str, body: &str, preset: &str) -> bool {
    read_with("POST", target, &[("content-type", "application/json")], body, preset)
}

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn safe_methods_are_reads_and_others_are_not() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert!(read_with(method, "/x?y=1", &[("host", "h")], "", "openai"), "{method}");
    }
    for method in ["PUT", "PATCH", "DELETE", "CONNECT", "PROPPATCH", "get", "Get", "", "G ET", "POST"] {
        assert!(!read_with(method, "/x", &[], "", "openai"), "{method}");
    }
    assert!(!read_with("GET", "/x", &[], "", "nosuchpreset"));
}

#[test]
fn a_get_that_says_otherwise_is_a_write() {
    let headers: &[&[(&str, &str)]] = &[
        &[("X-HTTP-Method-Override", "DELETE")],
        &[("x_http_method_override", "put")],
        &[("x-method-override", " PATCH ")],
        &[("x-http-method", "MERGE")],
        &[("x-http-method-override", "GET"), ("x-http-method-override", "DELETE")],
        &[("upgrade", "websocket"), ("connection", "upgrade")],
        &[("connection", "keep-alive, Upgrade")],
        &[("content-length", "1"), ("content-length", "2")],
        &[("content-length", "1"), ("transfer-encoding", "chunked")],
        &[("transfer-encoding", "chunked, identity")],
        &[("transfer-encoding", "xchunked")],
        &[("content-length", "+1")],
        &[("x", "a\r\nDELETE / HTTP/1.1")],
        &[("content-length ", "1")],
        &[("", "1")],
        &[("host", "a"), ("host", "b")],
    ];
    for headers in headers {
        assert!(!read_with("GET", "/x", headers, "", "openai"), "{headers:?}");
    }
    for target in [
        "/x?_method=DELETE",
        "/x?a=1&_METHOD=put",
        "/x?a=1;_method=patch",
        "/x?%5Fmethod=%44ELETE",
        "/x?method=delete",
        "/page?do=delete",
        "/page?action=removeAll",
        "/x HTTP/1.1\r\nDELETE /y",
        "/x y",
        "/x\0",
        "*",
        "x",
        "",
        "/graphql?query=mutation%7Ba%7D",
        "/graphql?query=%7Ba%7D&query=mutation%7Ba%7D",
        "/graphql?extensions=%7B%22persistedQuery%22%3A1%7D",
    ] {
        assert!(!read_with("GET", target, &[], "", "openai"), "{target:?}");
    }
    assert!(!read_with("GET", "/x", &[], "body", "openai"));
    for target in
        ["/x?method=GET", "/x?do=view", "/x?action=list", "/graphql?query=%7Ba%7D", "http://h/x", "/a%2Fb/../c"]
    {
        assert!(read_with("GET", target, &[("x-http-method-override", "GET")], "", "openai"), "{target}");
    }
}

#[test]
fn inference_routes_are_reads_under_their_preset_only() {
    for (preset, target) in [
        ("openai", "/v1/chat/completions"),
        ("openai", "/chat/completions"),
        ("openai", "/team-a/v1/responses?x=1"),
        ("openai", "/openai/deployments/gpt-4o/chat/completions?api-version=2024-02-01"),
        ("openai", "/openai/v1/embeddings"),
        ("openai", "https://api.openai.com/v1/moderations"),
        ("anthropic", "/v1/messages?beta=true"),
        ("anthropic", "/v1/messages/count_tokens"),
        ("ollama", "/api/chat"),
        ("cohere", "/v2/rerank"),
        ("mistral", "/v1/fim/completions"),
        ("bedrock", "/model/anthropic.claude-v2%3A1/invoke"),
        ("bedrock", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse-stream"),
        ("search", "/logs-*/_search"),
        ("search", "/collections/c/points/query"),
        ("search", "/v2/vectordb/entities/search"),
    ] {
        assert!(post(target, CHAT, preset), "{preset} {target}");
        assert!(!post(target, CHAT, "graphql"), "{target}");
    }
    for target in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/chat/completions/chatcmpl-1",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/%2e%2e/chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/chat/completions;a=b",
        "/v1/chat\\completions",
        "/v1/Chat/Completions",
        "/v1/chat/completions%00",
        "/v1/files",
        "/v1/batches",
        "/v1/assistants",
        "/v1/threads/t/runs",
        "/v1/threads/t/messages",
        "/v1/fine_tuning/jobs",
        "/v1/responses/r/cancel",
        "/v1/conversations",
        "/v1/vector_stores/v/search",
        "/v1/images/generations",
        "/responses",
        "/messages",
        "/survey/responses",
        "/chat/v1/messages",
        "/model/a%2F..%2Fb/invoke",
        "/model/m/async-invoke",
        "/v1/messages/batches",
        "/api/pull",
        "/api/delete",
        "/_bulk",
        "/i/_doc",
        "/i/_update/1",
        "/_search/scroll",
        "/i/_delete_by_query",
        "/collections/c/points/delete",
        "/v2/vectordb/entities/insert",
        "/vectors/upsert",
    ] {
        for preset in PRESET_NAMES {
            assert!(!post(target, CHAT, preset), "{preset} {target}");
        }
    }
}

#[test]
fn bodies_that_keep_state_are_writes() {
    for body in [
        r#"{"previous_response_id":"r"}"#,
        r#"{"background":true}"#,
        r#"{"conversation":"c"}"#,
        r#"{"conversation":{"id":"c"}}"#,
        r#"{"thread_id":"t"}"#,
        r#"{"assistant_id":"a"}"#,
        r#"{"Background":true}"#,
        r#"{"background":false,"background":true}"#,
        "[]",
        "",
        "model=m",
    ] {
        assert!(!post("/v1/responses", body, "openai"), "{body}");
    }
    for body in [
        r#"{"input":"x"}"#,
        r#"{"store":true}"#,
        r#"{"previous_response_id":null,"background":false}"#,
        r#"{"tools":[{"type":"web_search"}]}"#,
    ] {
        assert!(post("/v1/responses", body, "openai"), "{body}");
    }
    assert!(!post("/v1/chat", r#"{"message":"x","conversation_id":"c"}"#, "cohere"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert!(!read_with("POST", "/v1/chat/completions", &form, CHAT, "openai"));
    let charset = [("content-type", "application/json; charset=utf-7")];
    assert!(!read_with("POST", "/v1/chat/completions", &charset, CHAT, "openai"));
    let over = [("x-http-method-override", "DELETE")];
    assert!(!read_with("POST", "/v1/chat/completions", &over, CHAT, "openai"));
}

#[test]
fn searches_that_open_something_are_writes() {
    assert!(post("/i/_search?size=3", r#"{"query":{"match_all":{}}}"#, "search"));
    assert!(post("/_msearch", "{}\n{\"query\":{}}\n", "search"));
    assert!(read_with("GET", "/i/_search", &[], r#"{"query":{}}"#, "search"));
    assert!(!post("/i/_search?scroll=1m", "{}", "search"));
    assert!(!read_with("GET", "/i/_search?scroll=1m", &[], "{}", "search"));
    assert!(!read_with("GET", "/i/_delete_by_query", &[], "{}", "search"));
}

#[test]
fn documents_messages_and_statements_decide_on_their_routes() {
    assert!(post("/api/graphql", r#"{"query":"{ a }"}"#, "graphql"));
    assert!(!post("/api/graphql", r#"{"query":"mutation { a }"}"#, "graphql"));
    assert!(!post("/graphql?query=%7Ba%7D", r#"{"query":"{ a }"}"#, "graphql"));
    let graphql = [("content-type", "application/graphql")];
    assert!(read_with("POST", "/graphql", &graphql, "{ a }", "graphql"));
    assert!(!read_with("POST", "/graphql", &graphql, "mutation { a }", "graphql"));
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert!(post("/mcp", list, "mcp"));
    assert!(post("/rpc", list, "jsonrpc"));
    assert!(!post("/mcp", &list.replace("list", "call"), "mcp"));
    assert!(!read_with("GET", "/mcp", &[("accept", "text/event-stream")], "", "mcp"));
    assert!(post("/sql", r#"{"query":"SELECT 1","params":[1]}"#, "sql:postgres"));
    assert!(!post("/sql", r#"{"query":"SELECT 1","after":"DELETE FROM t"}"#, "sql:postgres"));
    assert!(!post("/sql", r#"{"query":"SELECT 1","sql":"DELETE FROM t"}"#, "sql"));
    assert!(!post("/sql?query=DELETE", r#"{"query":"SELECT 1"}"#, "sql"));
    assert!(!post("/sql", r#"{"query":"SELECT 1"}"#, "sql:nosuchdialect"));
    assert!(read_with("POST", "/", &[("content-type", "text/plain")], "SELECT 1", "sql:clickhouse"));
    assert!(!read_with("GET", "/?query=DROP%20TABLE%20t", &[], "", "sql:clickhouse"));
}

fn normalised(preset: &str, target: &str, body: &Value, options: &Options) -> (Value, Vec<String>) {
    let copy = normalise_llm_body(preset, target.as_bytes(), body.to_string().as_bytes(), options)
        .expect("the body can be normalised");
    (serde_json::from_slice(&copy.body).expect("the copy is JSON"), copy.changes)
}

#[test]
fn state_labels_and_acting_tools_are_taken_away() {
    let body = json!({
        "model": "m", "input": "x", "store": true, "user": "u", "metadata": {"a": "b"}, "safety_identifier": "s",
        "background": false, "web_search_options": {},
        "tools": [{"type": "web_search"}, {"type": "function", "name": "f"}, {"type": "mcp", "server_url": "https://x"}],
        "tool_choice": {"type": "web_search"},
    });
    let (copy, changes) = normalised("openai", "/v1/responses", &body, &Options::default());
    assert_eq!(copy, json!({"model": "m", "input": "x", "store": false, "tools": [{"type": "function", "name": "f"}]}));
    assert_eq!(
        changes,
        [
            "store: false",
            "background: dropped",
            "user: dropped",
            "metadata: dropped",
            "safety_identifier: dropped",
            "web_search_options: dropped",
            "tools: 2 of the provider removed",
            "tool_choice: dropped with its tool",
        ]
    );
    // Stored by default, so it is said even where the request was silent; embeddings know no `store`.
    let (copy, _) = normalised("openai", "/v1/responses", &json!({"input": "x"}), &Options::default());
    assert_eq!(copy, json!({"input": "x", "store": false}));
    let (copy, changes) = normalised("openai", "/v1/embeddings", &json!({"input": "x"}), &Options::default());
    assert_eq!((copy, changes.len()), (json!({"input": "x"}), 0));
}

#[test]
fn definitions_are_known_by_every_member() {
    let kept = json!([
        {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "function", "function": {"name": "g", "parameters": {"properties": {"google_search": {}}}}, "google_search": null},
        {"function_declarations": [{"name": "h"}]},
        {"type": "file_search", "vector_store_ids": ["v"], "filters": {"a": 1}},
        {"type": "custom", "name": "c", "format": {"type": "text"}, "defer_loading": true},
    ]);
    let mut tools = kept.as_array().expect("an array").clone();
    tools.extend([
        json!({"function_declarations": [], "google_search": {}}),
        json!({"function_declarations": [{"name": "h"}], "url_context": {}}),
        json!({"name": "f", "input_schema": {}, "code_execution": true}),
        json!({"type": "function", "function": {"name": "g"}, "server_url": "https://x"}),
        json!({"googleSearchRetrieval": {"dynamicRetrievalConfig": {}}}),
    ]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": tools});
    let (copy, changes) = normalised("openai", "/v1/chat/completions", &body, &Options::default());
    assert_eq!((&copy["tools"], changes), (&kept, vec!["tools: 5 of the provider removed".to_owned()]));
}

#[test]
fn members_that_keep_call_bill_or_route_are_taken_away_unless_the_user_keeps_them() {
    for (preset, target, member) in [
        ("openai", "/v1/chat/completions", json!({"logits_processors": ["os.system"]})),
        ("openai", "/v1/chat/completions", json!({"provider": {"order": ["a"]}})),
        ("anthropic", "/v1/messages", json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}})),
        ("anthropic", "/v1/messages", json!({"inference_geo": "us"})),
        ("bedrock", "/model/m/converse", json!({"performanceConfig": {"latency": "optimized"}})),
        ("cohere", "/v1/chat", json!({"preset": "mine", "message": "x"})),
    ] {
        let mut body = json!({"messages": [{"role": "user", "content": "x"}]});
        let members = body.as_object_mut().expect("an object");
        members.extend(member.as_object().expect("an object").clone());
        let name = member.as_object().and_then(|member| member.keys().find(|name| *name != "message")).expect("a name");
        let (copy, changes) = normalised(preset, target, &body, &Options::default());
        assert_eq!((copy.get(name), changes), (None, vec![format!("{name}: not known to only ask, removed")]));
        let keep = Options { keep_members: vec![name.clone()], ..Options::default() };
        assert_eq!(normalised(preset, target, &body, &keep).0, body);
    }
}

#[test]
fn parts_inside_a_tools_result_are_looked_at() {
    let upload = json!({"type": "container_upload", "file_id": "f"});
    let result = json!({"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "x"}, upload]});
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "x"}, {"role": "user", "content": [result]},
    ]});
    let (copy, changes) = normalised("anthropic", "/v1/messages", &body, &Options::default());
    assert_eq!(copy["messages"], json!([{"role": "user", "content": "x"}]));
    assert_eq!(changes, ["messages: 1 not known to only ask, removed"]);
    let output =
        json!({"type": "function_call_output", "call_id": "1", "output": [{"type": "item_reference", "id": "i"}]});
    let body = json!({"model": "m", "input": [{"role": "user", "content": "x"}, output], "store": false});
    let (copy, _) = normalised("openai", "/v1/responses", &body, &Options::default());
    assert_eq!(copy["input"], json!([{"role": "user", "content": "x"}]));
}

#[test]
fn untouched_members_keep_their_bytes() {
    let body = br#"{ "seed" : 1.50e1, "max_tokens":12345678901234567890123, "user":"u", "messages":[ {"content":"\u00e9\ud83d\ude00"} ] }"#;
    let copy = normalise_llm_body("openai", b"/v1/chat/completions", body, &Options::default()).expect("a copy");
    let expected =
        r#"{"seed":1.50e1,"max_tokens":12345678901234567890123,"messages":[ {"content":"\u00e9\ud83d\ude00"} ]}"#;
    assert_eq!(String::from_utf8_lossy(&copy.body), expected);
    assert_eq!(copy.changes, ["user: dropped"]);
}

#[test]
fn tools_follow_the_mode() {
    let function = json!([{"type": "function", "function": {"name": "f"}}]);
    let body = json!({"messages": [], "tools": function, "tool_choice": "auto", "parallel_tool_calls": true});
    let mode = |tool_mode| Options { tool_mode, ..Options::default() };
    let (copy, _) = normalised("openai", "/v1/chat/completions", &body, &mode(ToolMode::Strip));
    assert_eq!(copy, json!({"messages": []}));
    let (copy, changes) = normalised("openai", "/v1/chat/completions", &body, &mode(ToolMode::None));
    assert_eq!((&copy["tool_choice"], &copy["tools"]), (&json!("none"), &function));
    assert_eq!(changes, ["tool_choice: none"]);
    let (copy, changes) = normalised("openai", "/v1/chat/completions", &body, &mode(ToolMode::Stub));
    assert_eq!((copy, changes.len()), (body, 0));
    let used = json!({
        "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]}],
        "tools": [{"name": "f", "input_schema": {}}],
    });
    let (copy, _) = normalised("anthropic", "/v1/messages", &used, &mode(ToolMode::Strip));
    assert_eq!(copy["tools"], used["tools"]);
    let (copy, _) = normalised("anthropic", "/v1/messages", &used, &mode(ToolMode::None));
    assert_eq!(copy["tool_choice"], json!({"type": "none"}));
}

#[test]
fn options_align_the_copy() {
    let options = Options {
        tool_mode: ToolMode::Stub,
        stream: Some(false),
        model: Some("candidate".to_owned()),
        temperature: Some(0.0),
        seed: Some(7),
        ..Options::default()
    };
    let body = json!({"model": "m", "messages": [], "stream": true, "stream_options": {"include_usage": true}});
    let (copy, _) = normalised("openai", "/v1/chat/completions", &body, &options);
    let expected = json!({"model": "candidate", "messages": [], "stream": false, "temperature": 0.0, "seed": 7});
    assert_eq!(copy, expected);
    let (copy, _) = normalised("mistral", "/v1/chat/completions", &body, &options);
    assert_eq!((&copy["random_seed"], copy.get("seed")), (&json!(7), None));
    let (copy, _) = normalised("anthropic", "/v1/messages", &body, &options);
    assert_eq!(copy.get("seed"), None);
    let (copy, _) = normalised("ollama", "/api/chat", &json!({"options": {"top_k": 1}}), &options);
    assert_eq!(copy["options"], json!({"top_k": 1, "temperature": 0.0, "seed": 7}));
    let (copy, _) = normalised("openai", "/v1/embeddings", &json!({"input": "x"}), &options);
    assert_eq!(copy, json!({"input": "x", "model": "candidate"}));
    let copy =
        normalise_llm_body("bedrock", b"/model/m/invoke?a=b", br#"{ "prompt": "x" }"#, &options).expect("a copy");
    assert_eq!(String::from_utf8_lossy(&copy.body), r#"{ "prompt": "x" }"#, "nothing in it changes, so no byte does");
    assert_eq!(copy.target.as_deref(), Some("/model/candidate/invoke?a=b"));
    assert_eq!(copy.changes, ["path: model rewritten"]);
}

#[test]
fn the_model_is_rewritten_where_the_api_has_it() {
    let rewritten = |preset, target: &str, body: &str| {
        let copy = rewrite_model(preset, target.as_bytes(), body.as_bytes(), "eu.new:1/x").expect("a copy");
        (String::from_utf8(copy.body).expect("text"), copy.target, copy.changes.len())
    };
    let azure = "/openai/deployments/gpt-4o/chat/completions?api-version=1";
    let (body, target, _) = rewritten("openai", azure, r#"{"messages":[]}"#);
    assert_eq!(body, r#"{"messages":[],"model":"eu.new:1/x"}"#);
    assert_eq!(target.as_deref(), Some("/openai/deployments/eu.new%3A1%2Fx/chat/completions?api-version=1"));
    let (body, target, _) = rewritten("bedrock", "/model/a/converse-stream", r#"{"messages":[],"system":[]}"#);
    assert_eq!(
        (body.as_str(), target.as_deref()),
        (r#"{"messages":[],"system":[]}"#, Some("/model/eu.new%3A1%2Fx/converse-stream"))
    );
    // Not inference: only a model that is there is another one, and a path is only a path.
    assert_eq!(rewritten("", "/model/a/b", r#"{"q": 1}"#), (r#"{"q": 1}"#.to_owned(), None, 0));
    assert_eq!(rewritten("", "/ask", r#"{"model": "a", "q": 1}"#).0, r#"{"model":"eu.new:1/x","q":1}"#);
    assert_eq!(
        rewritten("", "/ask", r#"{"model":"a","model":"b"}"#).0,
        r#"{"model":"eu.new:1/x","model":"eu.new:1/x"}"#
    );
    for body in ["", "[1]", "not json", r#"{"model":"a"} more"#] {
        assert_eq!(rewritten("", "/ask", body), (body.to_owned(), None, 0));
    }
}

#[test]
fn bedrocks_own_tools_are_taken_away() {
    let body = json!({
        "messages": [], "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        "additionalModelRequestFields": {"tools": [{"type": "computer_20241022"}]}, "requestMetadata": {"a": "b"},
    });
    let (copy, changes) = normalised("bedrock", "/model/m/converse", &body, &Options::default());
    assert_eq!(copy, json!({"messages": []}));
    assert_eq!(changes.len(), 3);
    let kept = json!({"messages": [], "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}});
    assert_eq!(normalised("bedrock", "/model/m/converse", &kept, &Options::default()).0, kept);
    let (copy, _) = normalised("ollama", "/api/generate", &json!({"model": "m", "keep_alive": 0}), &Options::default());
    assert_eq!(copy, json!({"model": "m"}));
}

#[test]
fn a_body_that_cannot_be_made_stateless_has_no_copy() {
    for body in [r#"{"previous_response_id":"r"}"#, r#"{"background":true}"#, "[]", "{", r#"{"a":1,"a":2}"#] {
        let copy = normalise_llm_body("openai", b"/v1/responses", body.as_bytes(), &Options::default());
        assert!(copy.is_err(), "{body}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z_\"\\\\é]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let names = prop_oneof![
            "[a-z]{1,4}",
            proptest::sample::select(vec![
                "tools", "type", "store", "user", "messages", "model", "options", "metadata"
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(names, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_request_gets_a_verdict(
        method in "[A-Z]{0,7}",
        target in proptest::collection::vec(any::<u8>(), 0..60),
        name in proptest::collection::vec(any::<u8>(), 0..20),
        value in proptest::collection::vec(any::<u8>(), 0..20),
        body in proptest::collection::vec(any::<u8>(), 0..100),
        preset in proptest::sample::select(PRESET_NAMES),
    ) {
        let headers: [(&[u8], &[u8]); 1] = [(&name, &value)];
        let effect = classify_request(method.as_bytes(), &target, &headers, &body, preset);
        prop_assert!(!effect.is_read() || matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "POST"));
    }

    /// Normalising twice changes nothing more, and the copy is a read of the same route.
    #[test]
    fn normalising_is_idempotent(value in json_value(), preset in proptest::sample::select(vec!["openai", "anthropic", "ollama"])) {
        let target = match preset {
            "openai" => "/v1/responses",
            "anthropic" => "/v1/messages",
            _ => "/api/chat",
        };
        let options = Options { temperature: Some(0.5), stream: Some(true), ..Options::default() };
        if let Ok(once) = normalise_llm_body(preset, target.as_bytes(), value.to_string().as_bytes(), &options) {
            let twice = normalise_llm_body(preset, target.as_bytes(), &once.body, &options).expect("a copy of a copy");
            prop_assert_eq!(&twice.body, &once.body);
            prop_assert!(twice.changes.is_empty(), "{:?}", twice.changes);
            prop_assert!(post(target, &String::from_utf8_lossy(&once.body), preset));
        }
    }
}

//! GraphQL, JSON-RPC, MCP and tool definitions: disguised writes, recognised reads, and no panic on any input.

use proptest::prelude::*;
use shadowlane_policy::{
    classify_graphql, classify_graphql_request, classify_jsonrpc, classify_mcp, classify_tool_json,
};

const NO_TOOLS: &[&str] = &[];

#[test]
fn the_selected_operation_decides() {
    let document = "query Q { a } mutation M { b } subscription S { c } fragment F on T { d }";
    assert!(classify_graphql(document, Some("Q")).is_read());
    for name in [Some("M"), Some("S"), Some("F"), Some("X"), Some(""), None] {
        assert!(!classify_graphql(document, name).is_read(), "{name:?}");
    }
    assert!(!classify_graphql("query A { a } query A { b }", Some("A")).is_read());
    assert!(!classify_graphql("query A { a } query B { b }", None).is_read());
}

#[test]
fn graphql_reads_are_recognised() {
    for document in [
        "{ a }",
        "\u{feff}{ a }",
        "query($x: Int = 1) @live { a(b: {c: [1, $x]}) @include(if: true) { ...F ... on T { d } } } fragment F on T { e }",
        "# mutation { b }\n{ a }",
        "{ a(text: \"\"\"mutation { b }\"\"\") }",
        "{ mutation subscription: delete }",
        "query mutation { a }",
    ] {
        let effect = classify_graphql(document, None);
        assert!(effect.is_read(), "{document}: {}", effect.reason);
    }
}

#[test]
fn graphql_writes_in_disguise_are_writes() {
    for document in [
        "mutation { a }",
        "subscription { a }",
        "#\rmutation\n{ a }",
        "# query\nmutation{a}",
        ",,,mutation,,{a}",
        "fragment F on T { a } mutation { ...F }",
        "{ a } mutation { b }",
        "{ a } }",
        "{ a ",
        "{ }",
        "",
        "# nothing",
        "fragment F on T { a }",
        "type T { a: Int }",
        "query { a(b: \"\n\") }",
        "{ a \u{0} }",
        "{ a; b }",
    ] {
        assert!(!classify_graphql(document, None).is_read(), "{document:?}");
    }
}

#[test]
fn graphql_bodies_are_classified_as_a_server_reads_them() {
    let read = |body: &str| classify_graphql_request(body.as_bytes()).is_read();
    assert!(read(r#"{"query":"{ a }"}"#));
    assert!(read(r#"{"query":"query A {a} mutation B {b}","operationName":"A","variables":{"x":1}}"#));
    assert!(read(r#"[{"query":"{ a }"},{"query":"{ b }","operationName":null}]"#));
    assert!(read(r#"{"query":"\u007b a }"}"#));
    for body in [
        r#"{"query":"mutation { a }"}"#,
        r#"{"query":"{ a }","query":"mutation { b }"}"#,
        r#"{"query":"{ a }","\u0071uery":"mutation { b }"}"#,
        r#"{"query":"{ a }","Query":"mutation { b }"}"#,
        r#"{"query":"query A {a} mutation B {b}","operationName":"A","operationname":"B"}"#,
        r#"{"query":"query A {a} mutation B {b}"}"#,
        r#"{"query":"query A {a} mutation B {b}","operationName":1}"#,
        r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#,
        r#"{"query":"{ a }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#,
        r#"{"query":"{ a }","id":"abc"}"#,
        r#"[{"query":"{ a }"},{"query":"mutation { b }"}]"#,
        r#"[[{"query":"{ a }"}]]"#,
        r#"{"query":["{ a }"]}"#,
        "[]",
        "{}",
        "null",
        "{ a }",
        "",
    ] {
        assert!(!read(body), "{body}");
    }
}

#[test]
fn json_rpc_reads_are_the_listed_methods() {
    let read = |body: &str| classify_jsonrpc(body.as_bytes(), NO_TOOLS).is_read();
    for method in ["tools/list", "resources/read", "prompts/get", "ping", "completion/complete", "rpc.discover"] {
        assert!(read(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#)), "{method}");
    }
    for method in [
        "initialize",
        "tools/call",
        "resources/subscribe",
        "logging/setLevel",
        "sampling/createMessage",
        "notifications/initialized",
        "notifications/cancelled",
        "tasks/cancel",
        "eth_sendTransaction",
        "Tools/list",
        "tools/list ",
        "",
    ] {
        assert!(!read(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#)), "{method}");
    }
}

#[test]
fn json_rpc_writes_in_disguise_are_writes() {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get"}}"#;
    let read = |body: &str| classify_jsonrpc(body.as_bytes(), &["get"]).is_read();
    assert!(read(list));
    assert!(read(call));
    assert!(read(&format!("[{list},{call}]")));
    for body in [
        &format!("[{list},{}]", call.replace("\"get\"", "\"put\"")),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","name":"put"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","Name":"put"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"GET"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","task":{"ttl":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["get"]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#,
        r#"{"id":1,"method":"tools/list"}"#,
        "[]",
        "[[]]",
        "null",
        "",
    ] {
        assert!(!read(body), "{body}");
    }
    assert!(!classify_mcp(br#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#, NO_TOOLS).is_read());
}

#[test]
fn a_tool_reads_only_on_evidence() {
    let read = |definition: &str| classify_tool_json(definition.as_bytes()).is_read();
    for definition in [
        r#"{"name":"get_issue"}"#,
        r#"{"name":"searchDocuments","description":"Searches documents."}"#,
        r#"{"name":"projects_list"}"#,
        r#"{"name":"anything","annotations":{"readOnlyHint":true}}"#,
        r#"{"name":"get_release_by_tag","description":"Get a release by its tag."}"#,
        r#"{"type":"function","function":{"name":"get_weather","description":"Get the weather","parameters":{}}}"#,
        r#"{"type":"custom","name":"list_files","input_schema":{"type":"object"}}"#,
        r#"{"toolSpec":{"name":"find_user","inputSchema":{"json":{}}}}"#,
        r#"{"name":"list_x","description":"Lists x. It does not modify anything and never writes."}"#,
    ] {
        assert!(read(definition), "{definition}");
    }
    for definition in [
        r#"{"name":"weather"}"#,
        r#"{"name":"get_and_delete_issue"}"#,
        r#"{"name":"getOrCreateUser"}"#,
        r#"{"name":"get_issue","annotations":{"readOnlyHint":false}}"#,
        r#"{"name":"get_issue","annotations":{"readOnlyHint":"true"}}"#,
        r#"{"name":"get_issue","annotations":{"readOnlyHint":true,"destructiveHint":true}}"#,
        r#"{"name":"get_issue","annotations":{"readOnlyHint":true,"ReadOnlyHint":false}}"#,
        r#"{"name":"delete_issue","annotations":{"readOnlyHint":true}}"#,
        r#"{"name":"issue","description":"Creates an issue.","annotations":{"readOnlyHint":true}}"#,
        r#"{"name":"get_token","description":"Creates a token and returns it."}"#,
        r#"{"name":"get_user","description":"Find a user, creating it if absent."}"#,
        r#"{"name":"get_job","description":"Gets the next job and marks it as taken."}"#,
        r#"{"name":"read_file","inputSchema":{"properties":{"action":{"enum":["read","write"]}}}}"#,
        r#"{"name":"query"}"#,
        r#"{"name":"query_database","description":"Runs any statement."}"#,
        r#"{"type":"web_search_20250305","name":"web_search"}"#,
        r#"{"type":"code_interpreter","container":{"type":"auto"}}"#,
        r#"{"type":"mcp","server_label":"x","server_url":"https://x","name":"get_x"}"#,
        r#"{"type":"bash_20250124","name":"read_bash"}"#,
        r#"{"type":"text_editor_20250124","name":"get_text"}"#,
        r#"{"type":1,"name":"get_x"}"#,
        r#"{"description":"Get x"}"#,
        r#"{"name":"get_x","name":"delete_x"}"#,
        "[]",
        "",
    ] {
        assert!(!read(definition), "{definition}");
    }
}

#[test]
fn depth_ends_in_a_verdict() {
    for depth in [150, 1_000, 100_000] {
        let selection = format!("{}a{}", "{a".repeat(depth), "}".repeat(depth));
        assert!(!classify_graphql(&selection, None).is_read() || depth < 200);
        let list = format!("{{ a(b: {}1{}) }}", "[".repeat(depth), "]".repeat(depth));
        assert!(!classify_graphql(&list, None).is_read() || depth < 200);
        let kind = format!("query($a: {}Int{}) {{ a }}", "[".repeat(depth), "]".repeat(depth));
        assert!(!classify_graphql(&kind, None).is_read() || depth < 200);
        let body = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!classify_jsonrpc(body.as_bytes(), NO_TOOLS).is_read());
        assert!(!classify_graphql_request(body.as_bytes()).is_read());
        assert!(!classify_tool_json(body.as_bytes()).is_read());
    }
}

proptest! {
    #[test]
    fn any_bytes_get_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!classify_jsonrpc(&bytes, NO_TOOLS).is_read());
        prop_assert!(!classify_tool_json(&bytes).is_read());
        prop_assert!(!classify_graphql_request(&bytes).is_read());
        classify_graphql(&String::from_utf8_lossy(&bytes), None);
    }

    /// Ignored characters and comments (spec §2.1) around the keyword do not hide a mutation.
    #[test]
    fn a_mutation_is_never_hidden(
        ignored in proptest::collection::vec(
            proptest::sample::select(vec![" ", "\t", "\n", "\r", ",", "\u{feff}", "#x\n", "#{a}\r", "# query\r\n"]), 0..8),
        name in proptest::option::of("[_A-Za-z][_0-9A-Za-z]{0,8}"),
    ) {
        let gap = ignored.concat();
        let document = format!("{gap}mutation{gap} {}{gap}{{{gap}a{gap}}}{gap}", name.clone().unwrap_or_default());
        prop_assert!(!classify_graphql(&document, None).is_read());
        prop_assert!(!classify_graphql(&document, name.as_deref()).is_read());
        let query = document.replacen("mutation", "query", 1);
        prop_assert!(classify_graphql(&query, name.as_deref()).is_read(), "{query:?}");
    }
}

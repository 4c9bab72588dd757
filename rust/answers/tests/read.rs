//! Whole bodies and streams; that they are read as in Python is held by the Python tests.

use proptest::prelude::*;
use shadowlane_answers::{Answer, Citation, Reader, SHAPES, UsageNames};

fn reader() -> Reader {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let usage = UsageNames {
        input: names(&["prompt_tokens"]),
        output: names(&["completion_tokens"]),
        total: names(&["total_tokens"]),
        cached: names(&["cached_tokens"]),
        cache_write: Vec::new(),
        details: names(&["prompt_tokens_details"]),
    };
    Reader::new(usage, 1 << 20)
}

fn read(body: &str) -> Option<Answer> {
    reader().read(body.as_bytes(), false)
}

#[test]
fn a_chat_whole_and_streamed_says_the_same() {
    let whole = read(
        r#"{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"content":"Oslo er kald."},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,
        "prompt_tokens_details":{"cached_tokens":4}}}"#,
    );
    let streamed = read(
        "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Oslo er \"}}]}\n\n\
         data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"kald.\"},\"finish_reason\":\"stop\"}]}\n\n\
         data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\
         \"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n",
    );
    let expected = Answer {
        text: "Oslo er kald.".to_owned(),
        finish_reason: "stop".to_owned(),
        usage: vec![("input_tokens", 7), ("output_tokens", 3), ("total_tokens", 10)],
        cached: vec![("cached_tokens", 4)],
        model: "m".to_owned(),
        kind: "openai.chat",
        ..Answer::default()
    };
    assert_eq!(whole, Some(expected.clone()));
    assert_eq!(streamed, Some(expected));
}

#[test]
fn the_json_of_some_api_is_read_with_its_citations() {
    let read = read(
        r#"{"answer":"Oslo [1].","citations":[1],"sources":[{"url":"https://a.example"},{"url":"https://b.example"}],
        "index_hash":"i1"}"#,
    )
    .unwrap();
    assert_eq!((read.kind, read.text.as_str(), read.index_hash.as_str()), ("json", "Oslo [1].", "i1"));
    assert_eq!(read.citations, [Citation { source_url: "https://a.example".to_owned(), ..Citation::default() }]);
}

#[test]
fn what_is_not_certain_is_left() {
    for body in [
        "",
        "{}",
        "plain text",
        r#"{"data":[{"embedding":[0.5]}]}"#,
        r#"{"error":{"message":"overloaded"},"choices":[{"message":{"content":"a"}}]}"#,
        r#"{"choices":[{"message":{"content":"<|channel|>final<|message|>b"}}]}"#,
        r#"{"choices":[{"message":{"content":"\ud800"}}]}"#,
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"del\n\n",
    ] {
        assert_eq!(read(body), None, "{body}");
    }
}

#[test]
fn shapes_that_are_only_recognised_have_no_reader() {
    let left: Vec<&str> = SHAPES.iter().filter(|shape| !shape.is_read()).map(|shape| shape.module).collect();
    assert_eq!(
        left,
        ["openai.threads", "vercel", "dify", "a2a", "jsonrpc", "replicate", "vertex", "vertex", "embeddings"]
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200), declared in any::<bool>()) {
        let reader = reader();
        reader.read(&body, declared);
        reader.read(&[b"data: ".as_slice(), &body].concat(), declared);
    }
}

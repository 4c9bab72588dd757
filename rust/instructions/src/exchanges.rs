//! The exchanges that are counted: a chat request of a given size, and prod's answer as JSON or as a stream of events.
//!
//! Invariant: a size gives the same bytes on every machine, for ever: other inputs would be other counts.

use shadowlane_ring::frame::Exchange;

/// What a chat client and a server in front of it send along.
pub const HEADERS: &[(&[u8], &[u8])] = &[
    (b"host", b"gateway.example:8000"),
    (b"user-agent", b"python-httpx/0.28.1"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"content-type", b"application/json"),
    (b"authorization", b"Bearer 0123456789abcdef"),
    (b"x-request-id", b"0190f3c2-7c1e-7d44-9f3a-0d5c0a1b2c3d"),
    (b"connection", b"keep-alive"),
];
/// The route of every request.
pub const TARGET: &[u8] = b"/v1/chat/completions";

const JSON_HEADERS: &[(&[u8], &[u8])] = &[(b"content-type", b"application/json"), (b"server", b"uvicorn")];
const STREAM_HEADERS: &[(&[u8], &[u8])] =
    &[(b"content-type", b"text/event-stream; charset=utf-8"), (b"server", b"uvicorn")];
const WORDS: &[&str] = &[
    "the",
    "lamp",
    "on",
    "dock",
    "turns",
    "white",
    "when",
    "ride",
    "has",
    "ended",
    "and",
    "deposit",
    "returns",
    "within",
    "12",
    "days",
    "after",
    "2026-03-01",
    "please",
    "write",
    "to",
    "support",
    "team",
    "about",
    "invoice",
    "4711",
    "or",
    "call",
    "before",
    "noon",
    "fees",
    "are",
    "3.50",
    "euros",
    "a",
    "month",
];
/// One sentence in eight carries something that is masked.
const PERSONAL: &[&str] =
    &["My address is jo.doe@example.com.", "Call me at +49 30 901820.", "Card 4111 1111 1111 1111."];

/// Bytes of a request and of its answer.
pub struct Bodies {
    request: Vec<u8>,
    answer: Vec<u8>,
    streamed: bool,
}

impl Bodies {
    /// A request of about `bytes` bytes, and an answer of as many.
    pub fn new(bytes: usize, streamed: bool) -> Self {
        let request = format!(
            r#"{{"model":"gpt-4o","stream":{streamed},"temperature":0.2,"messages":[{{"role":"system","content":"Answer from the handbook."}},{{"role":"user","content":"{}"}}]}}"#,
            prose(bytes.saturating_sub(150), 1)
        );
        let text = prose(bytes.saturating_sub(200), 2);
        let answer = if streamed { events(bytes, &text) } else { completion(&text) };
        Self { request: request.into_bytes(), answer: answer.into_bytes(), streamed }
    }

    /// Hands on the finished exchange: its pieces live no longer than the call.
    pub fn with<R>(&self, use_it: impl FnOnce(Exchange<'_>) -> R) -> R {
        use_it(Exchange {
            ttfb_ns: 1_000_000,
            status: 200,
            target: TARGET,
            headers: HEADERS,
            body: &[&self.request],
            response_headers: if self.streamed { STREAM_HEADERS } else { JSON_HEADERS },
            response_body: &[&self.answer],
            ..Exchange::default()
        })
    }
}

fn completion(text: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":200,"completion_tokens":160,"total_tokens":360}}}}"#
    )
}

/// A word an event, as language models stream, until the stream has its size.
fn events(bytes: usize, text: &str) -> String {
    const HEAD: &str =
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
    let mut stream = String::new();
    for word in text.split_inclusive(' ') {
        if stream.len() >= bytes {
            break;
        }
        stream += HEAD;
        stream += word;
        stream += "\"}}]}\n\n";
    }
    stream + "data: [DONE]\n\n"
}

/// Sentences of eight words, from a fixed sequence.
fn prose(bytes: usize, seed: u32) -> String {
    let mut text = String::new();
    let mut state = seed;
    let mut sentence = 0_usize;
    while text.len() < bytes {
        for _ in 0..8 {
            // Knuth's multiplier: any fixed sequence without a short period does.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text += WORDS.get((state >> 16) as usize % WORDS.len()).copied().unwrap_or_default();
            text.push(' ');
        }
        text += ". ";
        if sentence % 8 == 3 {
            text += PERSONAL.get(sentence / 8 % PERSONAL.len()).copied().unwrap_or_default();
            text.push(' ');
        }
        sentence += 1;
    }
    text
}

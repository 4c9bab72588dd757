//! The shapes of answers: a file a provider.
//!
//! Invariant: [`SHAPES`] are the shapes of `shadowlane.providers.registry`, in its order, so that the first one that
//! matches is the same there and here. A shape without a reader is left to its Python module, which may match less.

use super::draft::Draft;
use super::json::Object;

mod a2a;
mod anthropic;
pub mod bedrock;
mod bedrock_invoke;
mod cohere;
mod cohere_v1;
mod dify;
mod embeddings;
mod gemini;
mod grounding;
mod huggingface;
mod jsonrpc;
mod ollama;
mod openai_chat;
mod openai_responses;
mod openai_threads;
mod replicate;
mod vercel;
mod vertex;
mod watsonx;

type Matches = fn(&Object<'_>) -> bool;
type Read = fn(&Object<'_>, &mut Draft<'_>);

/// One shape of answers: of whole ones, of the events of their streams, or of both.
pub struct Shape {
    /// The Python module that has the same.
    pub module: &'static str,
    /// Whether an object has this shape.
    matches: Matches,
    /// Writes what such an object says into the draft; none for a shape that is only recognised.
    pub(super) read: Option<Read>,
}

impl Shape {
    const fn read(module: &'static str, matches: Matches, read: Read) -> Self {
        Self { module, matches, read: Some(read) }
    }

    const fn left(module: &'static str, matches: Matches) -> Self {
        Self { module, matches, read: None }
    }

    /// Whether an object has this shape.
    pub fn matches(&self, object: &Object<'_>) -> bool {
        (self.matches)(object)
    }

    /// Whether it is read here; else it is only recognised.
    pub fn is_read(&self) -> bool {
        self.read.is_some()
    }
}

/// In the order in which they are tried. The last one is none of the registry's; it is tried behind them there, too.
pub static SHAPES: [Shape; 19] = [
    Shape::read("openai.responses", openai_responses::matches, openai_responses::read),
    Shape::read("openai.chat", openai_chat::matches, openai_chat::read),
    Shape::left("openai.threads", openai_threads::matches),
    Shape::left("vercel", vercel::matches),
    Shape::left("dify", dify::matches),
    Shape::left("a2a", a2a::matches),
    Shape::left("jsonrpc", jsonrpc::matches),
    Shape::left("replicate", replicate::matches),
    Shape::read("anthropic", anthropic::matches, anthropic::read),
    Shape::read("cohere", cohere::matches, cohere::read),
    Shape::read("gemini", gemini::matches, gemini::read),
    Shape::read("ollama", ollama::matches, ollama::read),
    Shape::read("watsonx", watsonx::matches, watsonx::read),
    Shape::read("bedrock", bedrock::matches, bedrock::read),
    Shape::read("bedrock", bedrock_invoke::matches, bedrock_invoke::read),
    Shape::read("huggingface", huggingface::matches, huggingface::read),
    Shape::left("vertex", vertex::is_search),
    Shape::left("vertex", vertex::is_predictions),
    Shape::left("embeddings", embeddings::may_be),
];

/// Take a text that is not empty in place of what was there.
fn take(name: &str, from: &Object<'_>, to: &mut String) {
    let text = from.str(name);
    if !text.is_empty() {
        text.clone_into(to);
    }
}

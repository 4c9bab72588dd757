//! An answer, as `shadowlane.types` has it.

/// One citation. Offsets of -1 were sent and cannot be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The snippet's identifier.
    pub snippet_id: String,
    /// The section of its source.
    pub section_id: String,
    /// Where it stands.
    pub source_url: String,
    /// A span of the source, in characters.
    pub offsets: Option<(i64, i64)>,
    /// How many tokens it has.
    pub tokens: Option<u64>,
    /// How well it fits.
    pub score: Option<f64>,
    /// The index that it was found in.
    pub index_hash: String,
    /// What the index was analysed with.
    pub analyzer: String,
    /// What it says, or what of the answer it supports.
    pub text: String,
}

/// One tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// JSON as it was sent.
    pub arguments: String,
    /// The service's identifier.
    pub id: String,
}

/// What a response says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The visible text.
    pub text: String,
    /// What it cites, each once.
    pub citations: Vec<Citation>,
    /// The tools that it asks for.
    pub calls: Vec<Call>,
    /// Why it ended.
    pub finish_reason: String,
    /// Token counts by their name, in the order in which they were first read.
    pub usage: Vec<(&'static str, u64)>,
    /// Counts of cached tokens.
    pub cached: Vec<(&'static str, u64)>,
    /// Whether it is a refusal.
    pub refusal: bool,
    /// The model that it names.
    pub model: String,
    /// The model's revision.
    pub model_rev: String,
    /// The index that it was answered from.
    pub index_hash: String,
    /// The shape that was recognised.
    pub kind: &'static str,
    /// Empty, `cut` or `error`.
    pub incomplete: &'static str,
    /// Why the text is empty or not whole.
    pub note: String,
}

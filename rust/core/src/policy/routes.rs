//! The POST routes that only read, by preset.
//!
//! Invariant: a route matches segment by segment, to the end. `{}` is exactly one segment. A leading `~` lets a gateway's
//! or provider's prefix stand before it: segments without a word of `STATEFUL`; `~~` also asks for a version
//! (`v1`, `v1beta`) or `openai` directly before the route, because the route's own words are too common.

/// The presets that `classify_request` knows.
pub const PRESET_NAMES: &[&str] =
    &["openai", "anthropic", "ollama", "cohere", "mistral", "bedrock", "search", "graphql", "jsonrpc", "mcp", "sql"];

/// How the body of a matched route is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// An inference request: no state may be asked for that `normalise_llm_body` cannot turn off.
    Llm,
    /// A search: any JSON body is a read.
    Search,
    /// A GraphQL request.
    GraphQl,
}

// Chat, completions, responses, embeddings and moderations answer and, with `store: false`, keep nothing.
const OPENAI: &[&str] = &[
    "~/chat/completions",
    "~~/completions",
    "~~/responses",
    "~~/responses/input_tokens",
    "~~/embeddings",
    "~~/moderations",
    "~~/rerank",
    "~~/engines/{}/completions",
    "~~/engines/{}/embeddings",
    "~/openai/deployments/{}/chat/completions",
    "~/openai/deployments/{}/completions",
    "~/openai/deployments/{}/embeddings",
    "~/deployments/{}/chat/completions",
];
const ANTHROPIC: &[&str] = &["~~/messages", "~~/messages/count_tokens", "~~/complete"];
const OLLAMA: &[&str] = &[
    "~/api/chat",
    "~/api/generate",
    "~/api/embed",
    "~/api/embeddings",
    "~/api/show",
    "~~/chat/completions",
    "~~/completions",
    "~~/embeddings",
];
const COHERE: &[&str] = &[
    "~~/chat",
    "~~/generate",
    "~~/embed",
    "~~/rerank",
    "~~/classify",
    "~~/summarize",
    "~~/tokenize",
    "~~/detokenize",
    "~~/check-api-key",
];
const MISTRAL: &[&str] = &[
    "~~/chat/completions",
    "~~/fim/completions",
    "~~/agents/completions",
    "~~/embeddings",
    "~~/moderations",
    "~~/chat/moderations",
    "~~/classifications",
    "~~/chat/classifications",
];
const BEDROCK: &[&str] = &[
    "~/model/{}/invoke",
    "~/model/{}/invoke-with-response-stream",
    "~/model/{}/converse",
    "~/model/{}/converse-stream",
    "~/model/{}/count-tokens",
    "~/guardrail/{}/version/{}/apply",
    "~/knowledgebases/{}/retrieve",
];
// Elasticsearch and OpenSearch; Qdrant; Pinecone; Chroma; Milvus; Weaviate; Meilisearch, Marqo and Algolia.
const SEARCH: &[&str] = &[
    "/_search",
    "/{}/_search",
    "/_count",
    "/{}/_count",
    "/_msearch",
    "/{}/_msearch",
    "/_mget",
    "/{}/_mget",
    "/_field_caps",
    "/{}/_field_caps",
    "/_validate/query",
    "/{}/_validate/query",
    "/{}/_explain/{}",
    "/{}/_termvectors",
    "/{}/_termvectors/{}",
    "/_mtermvectors",
    "/{}/_mtermvectors",
    "/_search/template",
    "/{}/_search/template",
    "/_msearch/template",
    "/{}/_msearch/template",
    "/_render/template",
    "/_rank_eval",
    "/{}/_rank_eval",
    "/{}/_terms_enum",
    "/{}/_knn_search",
    "/_analyze",
    "/{}/_analyze",
    "/_search_shards",
    "/{}/_search_shards",
    "/collections/{}/points",
    "/collections/{}/points/search",
    "/collections/{}/points/search/batch",
    "/collections/{}/points/search/groups",
    "/collections/{}/points/search/matrix/pairs",
    "/collections/{}/points/search/matrix/offsets",
    "/collections/{}/points/query",
    "/collections/{}/points/query/batch",
    "/collections/{}/points/query/groups",
    "/collections/{}/points/recommend",
    "/collections/{}/points/recommend/batch",
    "/collections/{}/points/recommend/groups",
    "/collections/{}/points/discover",
    "/collections/{}/points/discover/batch",
    "/collections/{}/points/scroll",
    "/collections/{}/points/count",
    "/collections/{}/facet",
    "/query",
    "/describe_index_stats",
    "/records/namespaces/{}/search",
    "/api/v1/collections/{}/query",
    "/api/v1/collections/{}/get",
    "/api/v2/tenants/{}/databases/{}/collections/{}/query",
    "/api/v2/tenants/{}/databases/{}/collections/{}/get",
    "/api/v2/tenants/{}/databases/{}/collections/{}/search",
    "/v2/vectordb/entities/query",
    "/v2/vectordb/entities/search",
    "/v2/vectordb/entities/get",
    "/v2/vectordb/entities/hybrid_search",
    "/v2/vectordb/entities/advanced_search",
    "/v2/vectordb/collections/describe",
    "/v2/vectordb/collections/list",
    "/v2/vectordb/collections/has",
    "/v2/vectordb/collections/get_stats",
    "/v2/vectordb/collections/get_load_state",
    "/v2/vectordb/partitions/list",
    "/v2/vectordb/partitions/has",
    "/v2/vectordb/partitions/get_stats",
    "/v2/vectordb/indexes/list",
    "/v2/vectordb/indexes/describe",
    "/v2/vectordb/aliases/list",
    "/v2/vectordb/aliases/describe",
    "/v1/vector/query",
    "/v1/vector/search",
    "/v1/vector/get",
    "/indexes/{}/search",
    "/indexes/{}/facet-search",
    "/indexes/{}/similar",
    "/multi-search",
    "/multi_search",
    "/1/indexes/{}/query",
    "/1/indexes/{}/queries",
    "/indexes/{}/docs/search",
    "/indexes/{}/docs/suggest",
    "/indexes/{}/docs/autocomplete",
];
const SEARCH_GRAPHQL: &[&str] = &["/v1/graphql", "/v1/graphql/batch"];
const GRAPHQL: &[&str] = &["~/graphql", "~/gql"];

/// Words that name stored things; a path through one of them is never inference.
const STATEFUL: &[&str] = &[
    "admin",
    "agents",
    "assistants",
    "batch",
    "batches",
    "chat",
    "containers",
    "conversations",
    "evals",
    "files",
    "fine-tunes",
    "fine-tuning",
    "fine_tuning",
    "messages",
    "model",
    "models",
    "organization",
    "projects",
    "responses",
    "threads",
    "uploads",
    "users",
    "vector_stores",
];
const MAX_PREFIX: usize = 6;

/// How the body of a POST to `segments` is judged under `preset`; none if the route is not one of its reads.
pub fn find(preset: &str, segments: &[&str]) -> Option<Body> {
    let listed = |patterns: &[&str], body| patterns.iter().any(|pattern| matches(pattern, segments)).then_some(body);
    match preset {
        "openai" => listed(OPENAI, Body::Llm),
        "anthropic" => listed(ANTHROPIC, Body::Llm),
        "ollama" => listed(OLLAMA, Body::Llm),
        "cohere" => listed(COHERE, Body::Llm),
        "mistral" => listed(MISTRAL, Body::Llm),
        "bedrock" => listed(BEDROCK, Body::Llm),
        "search" => listed(SEARCH, Body::Search).or_else(|| listed(SEARCH_GRAPHQL, Body::GraphQl)),
        "graphql" => listed(GRAPHQL, Body::GraphQl),
        _ => None,
    }
}

/// Whether a path is that of a GraphQL endpoint, whatever the preset: its GET requests carry documents.
pub fn is_graphql(segments: &[&str]) -> bool {
    segments.iter().any(|segment| segment.eq_ignore_ascii_case("graphql") || segment.eq_ignore_ascii_case("gql"))
}

fn matches(pattern: &str, segments: &[&str]) -> bool {
    let (prefixed, versioned, route) = if let Some(route) = pattern.strip_prefix("~~/") {
        (true, true, route)
    } else if let Some(route) = pattern.strip_prefix("~/") {
        (true, false, route)
    } else {
        (false, false, pattern.trim_start_matches('/'))
    };
    let wanted = route.split('/').count();
    let Some(prefix) = segments.len().checked_sub(wanted) else {
        return false;
    };
    let fits = route
        .split('/')
        .zip(&segments[prefix..])
        .all(|(want, have)| want == "{}" && !have.starts_with('_') || want == *have);
    if !fits {
        return false;
    }
    let prefix = &segments[..prefix];
    if !prefixed {
        return prefix.is_empty();
    }
    let stateless = prefix.len() <= MAX_PREFIX
        && prefix
            .iter()
            .all(|segment| !segment.contains('%') && !STATEFUL.contains(&segment.to_ascii_lowercase().as_str()));
    stateless && (!versioned || prefix.last().is_some_and(|last| is_version(last) || *last == "openai"))
}

/// `v1`, `v2beta`, `v1-beta`, `v1beta1`.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else {
        return false;
    };
    let tail = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if tail.len() == rest.len() {
        return false;
    }
    let tail = tail.trim_start_matches('-');
    let tail = tail.strip_prefix("alpha").or_else(|| tail.strip_prefix("beta")).unwrap_or(tail);
    tail.chars().all(|c| c.is_ascii_digit())
}

//! GraphQL: the operation that would run decides (spec September 2025, §6.1 GetOperation), and only a query is a read.
//!
//! Invariant: a read was parsed without a single error and selects exactly one operation, a `query`.
//! The parser is bounded in depth and tokens, so nesting cannot exhaust the stack.

use apollo_parser::cst::{Definition, OperationDefinition};
use apollo_parser::{Lexer, Parser, TokenKind};

use super::effect::{Effect, shown};
use super::json::Json;

const MAX_BYTES: usize = 1 << 20;
const MAX_TOKENS: usize = 100_000;
// Each level costs a few stack frames of the parser; servers refuse far less (graphql-java: 50 by default).
const MAX_DEPTH: usize = 200;
const FIELDS: &[&str] = &["query", "operationName", "variables", "extensions", "id", "documentId", "doc_id", "queryId"];

/// What `document` does when the operation named `operation_name` is run.
///
/// Without a name the document must hold exactly one operation. Mutations, subscriptions, unparsable
/// documents, and names that select nothing or two operations are writes.
pub fn classify_graphql(document: &str, operation_name: Option<&str>) -> Effect {
    if document.len() > MAX_BYTES {
        return Effect::write("the document is over 1 MiB");
    }
    if broken_string(document) {
        return Effect::write("a string with a line break in it");
    }
    let tree = Parser::new(document).recursion_limit(MAX_DEPTH).token_limit(MAX_TOKENS).parse();
    if tree.errors().next().is_some() {
        return Effect::write("the document does not parse");
    }
    let mut operations: Vec<OperationDefinition> = Vec::new();
    for definition in tree.document().definitions() {
        // Fragments run only as part of an operation, and schema definitions not at all (§5.1.1).
        if let Definition::OperationDefinition(operation) = definition {
            operations.push(operation);
        }
    }
    // Some servers take "" for "no name"; the spec does not. Both readings have to agree, so it stands for no name
    // and a single operation.
    let name = operation_name.filter(|name| !name.is_empty());
    let selected = match name {
        None => match operations.as_slice() {
            [only] => only,
            [] => return Effect::write("the document has no operation"),
            _ => return Effect::write("several operations and no operationName"),
        },
        Some(name) => {
            let mut named = operations.iter().filter(|operation| operation.name().is_some_and(|n| n.text() == name));
            match (named.next(), named.next()) {
                (Some(only), None) => only,
                (None, _) => return Effect::write("operationName selects no operation"),
                (Some(_), Some(_)) => return Effect::write("operationName selects two operations"),
            }
        }
    };
    match selected.operation_type() {
        None => Effect::read("GraphQL query"),
        Some(kind) if kind.query_token().is_some() => Effect::read("GraphQL query"),
        Some(kind) if kind.mutation_token().is_some() => Effect::write("GraphQL mutation"),
        Some(_) => Effect::write("GraphQL subscription"),
    }
}

/// Whether a quoted string runs over a line's end: no string by the spec (§2.9.4), though the parser takes it for one.
fn broken_string(document: &str) -> bool {
    Lexer::new(document).with_limit(MAX_TOKENS).filter_map(Result::ok).any(|token| {
        let text = token.data();
        token.kind() == TokenKind::StringValue && !text.starts_with("\"\"\"") && text.contains(['\n', '\r'])
    })
}

/// Whether a text is a GraphQL document with an operation in braces; a bare word is not.
pub fn is_document(text: &str) -> bool {
    if !text.contains('{') || text.len() > MAX_BYTES {
        return false;
    }
    let tree = Parser::new(text).recursion_limit(MAX_DEPTH).token_limit(MAX_TOKENS).parse();
    tree.errors().next().is_none()
        && tree.document().definitions().any(|definition| matches!(definition, Definition::OperationDefinition(_)))
}

/// Whether a text holds a mutation or subscription, parsed as far as it can be.
pub fn holds_mutation(text: &str) -> bool {
    if !text.contains('{') || !(text.contains("mutation") || text.contains("subscription")) {
        return false;
    }
    if text.len() > MAX_BYTES {
        return true;
    }
    let tree = Parser::new(text).recursion_limit(MAX_DEPTH).token_limit(MAX_TOKENS).parse();
    tree.document().definitions().any(|definition| match definition {
        Definition::OperationDefinition(operation) => {
            operation.selection_set().is_some()
                && operation.operation_type().is_some_and(|kind| kind.query_token().is_none())
        }
        _ => false,
    })
}

/// What a GraphQL-over-HTTP JSON body does: one request, or a batch, which reads only if every member does.
pub fn classify_graphql_request(body: &[u8]) -> Effect {
    Json::parse(body)
        .map_or_else(|_| Effect::write("the body is not one unambiguous JSON text"), |parsed| classify_parsed(&parsed))
}

/// As [`classify_graphql_request`], for a body that is parsed.
pub fn classify_parsed(body: &Json) -> Effect {
    match body {
        Json::Array(members) if members.is_empty() => Effect::write("an empty batch"),
        Json::Array(members) => members
            .iter()
            .map(request)
            .find(|effect| !effect.is_read())
            .unwrap_or_else(|| Effect::read("a batch of GraphQL queries")),
        single => request(single),
    }
}

/// A request without its document is a persisted one; the document that its hash stands for is not known here.
fn request(request: &Json) -> Effect {
    if let Some(name) = request.misspelt(FIELDS) {
        return Effect::write(format!("ambiguous member {}", shown(name)));
    }
    let name = match request.get("operationName") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) => Some(name.as_str()),
        Some(_) => return Effect::write("operationName is not a string"),
    };
    // A server with a registry may run what the id stands for, and not the text beside it.
    if FIELDS.iter().skip(4).any(|id| request.get(id).is_some_and(Json::is_set)) {
        return Effect::write("a persisted document by id");
    }
    // With its hash beside it, the document is registered under it.
    let extensions = request.get("extensions");
    if extensions.is_some_and(|extensions| extensions.get("persistedQuery").is_some_and(Json::is_set)) {
        return Effect::write("a persisted query, or the registration of one");
    }
    match request.get("query") {
        Some(Json::String(document)) => classify_graphql(document, name),
        None | Some(Json::Null) => Effect::write("a persisted query whose document is unknown"),
        Some(_) => Effect::write("query is not a string"),
    }
}

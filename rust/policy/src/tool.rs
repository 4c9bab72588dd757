//! Tool definitions (MCP, OpenAI, Anthropic, Bedrock): whether calling the tool only reads.
//!
//! Invariant: a read needs evidence (`readOnlyHint: true`, or a reading verb in the name) and no contradiction in the
//! annotations, the name, the description or the choices of an `action` parameter. Hints come from the tool's author
//! and are not to be trusted beyond that (MCP specification, "Tool annotations").

use super::effect::{Effect, shown};
use super::json::Json;

const READING: &[&str] = &[
    "browse", "count", "describe", "fetch", "find", "get", "inspect", "list", "lookup", "preview", "query", "read",
    "retrieve", "search", "show", "view",
];

/// Verbs that write wherever they stand in a name.
const WRITING: &[&str] = &[
    "abort",
    "accept",
    "acquire",
    "activate",
    "add",
    "append",
    "apply",
    "approve",
    "archive",
    "assign",
    "attach",
    "ban",
    "bind",
    "book",
    "buy",
    "cancel",
    "clear",
    "close",
    "commit",
    "complete",
    "configure",
    "confirm",
    "connect",
    "consume",
    "convert",
    "copy",
    "create",
    "deactivate",
    "decline",
    "delete",
    "deploy",
    "dequeue",
    "destroy",
    "detach",
    "disable",
    "disconnect",
    "dismiss",
    "dispatch",
    "drop",
    "edit",
    "emit",
    "enable",
    "enqueue",
    "erase",
    "exec",
    "execute",
    "fill",
    "follow",
    "grant",
    "import",
    "increment",
    "ingest",
    "insert",
    "install",
    "invite",
    "invoke",
    "kill",
    "launch",
    "leave",
    "lock",
    "login",
    "logout",
    "manage",
    "mark",
    "merge",
    "migrate",
    "modify",
    "move",
    "mutate",
    "notify",
    "order",
    "overwrite",
    "pay",
    "persist",
    "pop",
    "provision",
    "publish",
    "purchase",
    "purge",
    "push",
    "put",
    "reassign",
    "reboot",
    "record",
    "refund",
    "register",
    "reject",
    "remove",
    "rename",
    "reopen",
    "replace",
    "reply",
    "reset",
    "resolve",
    "restart",
    "restore",
    "resume",
    "revert",
    "revoke",
    "rollback",
    "rotate",
    "save",
    "send",
    "set",
    "share",
    "shutdown",
    "start",
    "stop",
    "submit",
    "subscribe",
    "sync",
    "terminate",
    "toggle",
    "transfer",
    "truncate",
    "unassign",
    "undo",
    "uninstall",
    "unlock",
    "unmark",
    "unresolve",
    "unset",
    "unsubscribe",
    "update",
    "upload",
    "upsert",
    "vote",
    "wipe",
    "withdraw",
    "write",
];

/// Words that are nouns in `get_release_by_tag`, and verbs where a name or a sentence begins with them.
const WRITING_FIRST: &[&str] = &[
    "ask", "block", "branch", "build", "call", "charge", "checkout", "click", "comment", "control", "download",
    "draft", "export", "fork", "generate", "hide", "label", "like", "link", "log", "make", "operate", "patch",
    "perform", "pin", "post", "process", "pull", "rebase", "release", "request", "rerun", "retry", "review", "run",
    "schedule", "star", "stage", "store", "tag", "tool", "trigger", "tweet", "type", "unfollow", "unstar", "use",
    "watch",
];

/// Whether a word or compound (`delete`, `delete_all`, `bulkDelete`) asks for a write.
pub fn writes(text: &str) -> bool {
    let words = words(text);
    words.iter().any(|word| WRITING.contains(&word.as_str()))
        || words.first().is_some_and(|word| WRITING_FIRST.contains(&word.as_str()))
}

/// Whether its first word asks for a write wherever it stands; stricter than [`writes`], for words out of their usual position.
pub fn plainly_writes(text: &str) -> bool {
    words(text).first().is_some_and(|word| WRITING.contains(&word.as_str()))
}

/// Verbs that are no nouns: they write wherever they stand in an identifier (`user.delete`, `get_or_create`).
const ALWAYS_WRITING: &[&str] = &[
    "create",
    "deactivate",
    "delete",
    "destroy",
    "disable",
    "drop",
    "erase",
    "insert",
    "overwrite",
    "purge",
    "remove",
    "revoke",
    "shutdown",
    "terminate",
    "truncate",
    "unsubscribe",
    "update",
    "upsert",
    "wipe",
    "write",
];

/// Whether an identifier that selects what is done (`delete_user`, `users.delete`, `bulkInsert`) asks for a write. Of a
/// sentence only the first word counts.
pub fn asks_write(text: &str) -> bool {
    plainly_writes(text) || names_write(text)
}

/// Whether an identifier holds a verb that is nothing but a write.
pub fn names_write(text: &str) -> bool {
    !text.trim().contains(char::is_whitespace) && words(text).iter().any(|word| ALWAYS_WRITING.contains(&word.as_str()))
}

/// Whether a tool's name is evidence that it only reads.
pub fn reads_by_name(name: &str) -> bool {
    words(name).first().is_some_and(|word| READING.contains(&word.as_str())) && !writes(name)
}

/// What calling the tool does. `definition` is a JSON object of one of the four shapes.
pub fn classify_tool_json(definition: &[u8]) -> Effect {
    match Json::parse(definition) {
        Ok(definition @ Json::Object(_)) => classify(&definition),
        _ => Effect::write("not one unambiguous JSON object"),
    }
}

/// The name of a tool of a listing, and whether its own hint says that it only reads and nothing contradicts that.
pub fn hinted(definition: &Json) -> Option<(&str, bool)> {
    let name = definition.get("name").and_then(Json::as_str)?;
    let effect = classify(definition);
    Some((name, effect.is_read() && effect.reason == HINT))
}

const HINT: &str = "readOnlyHint";

fn classify(definition: &Json) -> Effect {
    let kind = definition.get("type").and_then(Json::as_str);
    if definition.get("type").is_some() && !matches!(kind, Some("function" | "custom" | "tool")) {
        return Effect::write(format!("a tool of the provider: {}", shown(kind.unwrap_or("?"))));
    }
    let inner = definition.get("function").or_else(|| definition.get("toolSpec")).unwrap_or(definition);
    let Some(name) = inner.get("name").and_then(Json::as_str) else {
        return Effect::write("a tool without a name");
    };
    let description = inner.get("description").and_then(Json::as_str).unwrap_or_default();
    let annotations = [definition, inner].into_iter().find_map(|object| object.get("annotations"));
    let hint = |name: &str| annotations.and_then(|hints| hints.get(name));
    if let Some(name) = annotations.and_then(|hints| hints.misspelt(&["readOnlyHint", "destructiveHint"])) {
        return Effect::write(format!("ambiguous annotation {}", shown(name)));
    }
    match hint("destructiveHint") {
        None | Some(Json::Bool(false) | Json::Null) => {}
        Some(_) => return Effect::write("destructiveHint"),
    }
    let hinted = match hint("readOnlyHint") {
        None | Some(Json::Null) => false,
        Some(Json::Bool(true)) => true,
        Some(_) => return Effect::write("readOnlyHint is not true"),
    };
    if let Some(verb) = writing_verb(name) {
        return Effect::write(format!("the name says {}", shown(&verb)));
    }
    if let Some(verb) = leading_write(description) {
        return Effect::write(format!("the description says {}", shown(&verb)));
    }
    if let Some(verb) = hint("title").and_then(Json::as_str).and_then(leading_write) {
        return Effect::write(format!("the title says {}", shown(&verb)));
    }
    if let Some(choice) = writing_choice(inner) {
        return Effect::write(format!("a parameter offers {}", shown(&choice)));
    }
    if hinted {
        return Effect::read(HINT);
    }
    let words = words(name);
    let reads = |word: Option<&String>| word.is_some_and(|word| READING.contains(&word.as_str()));
    if !description_says_read_free(description) {
        return Effect::write("the description mentions a write");
    }
    // `get_issue`, or the object first, as in `projects_list`. `query` alone may be any statement.
    match words.first().map(String::as_str) {
        Some("query") => Effect::write("query may be any statement"),
        _ if reads(words.first()) || (words.len() > 1 && reads(words.last())) => {
            Effect::read("the name is a reading verb")
        }
        _ => Effect::write("no evidence that the tool only reads"),
    }
}

/// The words of a name or sentence in lower case: cut at non-letters and at camelCase humps.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_uppercase() && lower_before && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        lower_before = c.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn writing_verb(name: &str) -> Option<String> {
    let words = words(name);
    words.iter().enumerate().find_map(|(at, word)| {
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        let verb_place = before.is_none_or(|before| matches!(before.as_str(), "and" | "or" | "then"));
        let writes = WRITING.contains(&word.as_str()) || (verb_place && WRITING_FIRST.contains(&word.as_str()));
        writes.then(|| word.clone())
    })
}

/// The first word of a sentence, if it writes; third person (`Creates a …`, `Applies …`) included.
fn leading_write(sentence: &str) -> Option<String> {
    let first = words(sentence).into_iter().next()?;
    let known =
        |word: &str| WRITING.contains(&word) || (WRITING_FIRST.contains(&word) && !matches!(word, "use" | "tool"));
    let writes = known(&first)
        || first.strip_suffix('s').is_some_and(known)
        || first.strip_suffix("es").is_some_and(known)
        || first.strip_suffix("ies").is_some_and(|stem| known(&format!("{stem}y")));
    writes.then_some(first)
}

/// Without a hint the whole description must not speak of writing: `Find a user, creating it if absent`.
fn description_says_read_free(description: &str) -> bool {
    const SPEAKING: &[&str] = &[
        "creates",
        "creating",
        "deletes",
        "deleting",
        "updates the",
        "updating",
        "writes",
        "removes",
        "removing",
        "inserts",
        "modifies",
        "overwrites",
        "side effect",
        "and mark",
        "marks",
        "marking",
        "and delete",
        "and remove",
        "and update",
        "and create",
        "and send",
        "sends",
        "and store",
        "stores",
        "and save",
        "saves",
        "consumes",
        "dequeues",
        "destructive",
        "and set",
        "and reset",
        "resets",
        "if it does not exist",
        "if not exists",
        "executes",
        "arbitrary",
    ];
    let text = description.to_lowercase();
    // `does not modify` and `never writes` are the opposite.
    let text = text
        .replace("does not ", "does_not_")
        .replace("do not ", "do_not_")
        .replace("doesn't ", "does_not_")
        .replace("never ", "never_")
        .replace("without ", "without_");
    !SPEAKING.iter().any(|phrase| {
        text.match_indices(phrase).any(|(at, _)| {
            !text[..at].ends_with('_') && !text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
        })
    })
}

/// A choice that writes, in a parameter that selects what the tool does.
fn writing_choice(tool: &Json) -> Option<String> {
    let schema = ["inputSchema", "input_schema", "parameters"].iter().find_map(|name| tool.get(name))?;
    let schema = schema.get("json").unwrap_or(schema);
    let Some(Json::Object(properties)) = schema.get("properties") else {
        return None;
    };
    properties
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "method" | "action" | "operation" | "command" | "mode" | "op"))
        .filter_map(|(_, property)| property.get("enum").and_then(Json::as_array))
        .flatten()
        .filter_map(Json::as_str)
        .find(|choice| {
            words(choice)
                .first()
                .is_some_and(|word| WRITING.contains(&word.as_str()) || WRITING_FIRST.contains(&word.as_str()))
        })
        .map(str::to_owned)
}

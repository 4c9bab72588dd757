//! Writes in query languages other than SQL: Cypher, SPARQL Update, Gremlin, the shell of MongoDB, AQL, Kusto.
//!
//! Invariant: this only ever turns a read into a write, and asks for a form that prose does not have: a verb directly
//! before a pattern's parenthesis, a method of a traversal, a verb before `DATA {`.

use super::statement_words::words;

/// Why a text is a statement that writes in one of these languages; none if it is none that is known to.
pub fn writes(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let found = [
        (gremlin as fn(&str) -> bool, "a Gremlin traversal that writes"),
        (mongo, "a MongoDB command that writes"),
        (kusto, "a management command"),
        (cypher, "a Cypher statement that writes"),
        (sparql, "a SPARQL update"),
        (aql, "an AQL statement that writes"),
    ];
    found.into_iter().find_map(|(is, why)| is(text).then_some(why))
}

fn gremlin(text: &str) -> bool {
    const STEPS: &[&str] = &[".drop(", ".addV(", ".addE(", ".property(", ".mergeV(", ".mergeE(", ".iterate("];
    text.starts_with("g.") && STEPS.iter().any(|step| text.contains(step))
}

fn mongo(text: &str) -> bool {
    const READS: &[&str] = &["find", "findOne", "count", "countDocuments", "estimatedDocumentCount", "distinct"];
    let Some(rest) = text.strip_prefix("db.") else { return false };
    let Some((names, _)) = rest.split_once('(') else { return false };
    let method = names.rsplit('.').next().unwrap_or_default().trim();
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '-');
    let is_call = !names.is_empty() && names.trim_end().chars().all(name);
    let aggregates = method == "aggregate" && !text.contains("$out") && !text.contains("$merge");
    is_call && !aggregates && !READS.contains(&method)
}

/// `.drop table t`: management commands begin with a dot, and only `.show` reads.
fn kusto(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('.') else { return false };
    let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
    let verb = rest.get(..end).unwrap_or_default();
    let next = rest.get(end..).unwrap_or_default();
    let administers = ["add", "alter", "append", "clear", "create", "delete", "disable", "drop", "enable", "execute"];
    let more = ["export", "ingest", "move", "purge", "rename", "replace", "set", "undo"];
    let first = verb.split('-').next().unwrap_or_default();
    next.starts_with(' ') && (administers.contains(&first) || more.contains(&first))
}

/// openCypher: a pattern clause (`MATCH (`, `CREATE (`, `MERGE (`) says what it is, and a writing clause what it does.
fn cypher(text: &str) -> bool {
    if !text.contains('(') && !text.contains("://") {
        return false;
    }
    let text = unquoted(text);
    let clause = |wanted: &str| {
        clause_before(&text, wanted, |rest| {
            let path = rest.split_once('=').is_some_and(|(name, after)| {
                name.trim().chars().all(|c| c.is_alphanumeric() || c == '_') && after.trim_start().starts_with('(')
            });
            rest.starts_with('(') || path
        })
    };
    if clause("CREATE") || clause("MERGE") {
        return true;
    }
    // An arrow (`-->`) is a comment of SQL.
    let parts = || text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let has = |wanted: &[&str]| parts().any(|word| wanted.iter().any(|want| word.eq_ignore_ascii_case(want)));
    let first = words(&text).next().unwrap_or_default();
    let procedure = first.eq_ignore_ascii_case("CALL")
        && text.split_once('(').is_some_and(|(name, _)| name.contains('.') && words(name).count() <= 6);
    let loads =
        first.eq_ignore_ascii_case("LOAD") && words(&text).nth(1).is_some_and(|w| w.eq_ignore_ascii_case("CSV"));
    let each = first.eq_ignore_ascii_case("FOREACH") && text.contains('(');
    procedure || loads || each || (clause("MATCH") && has(&["DELETE", "SET", "REMOVE", "FOREACH", "DROP", "LOAD"]))
}

/// SPARQL 1.1 Update, perhaps after its prologue.
fn sparql(text: &str) -> bool {
    let first = words(text).next().unwrap_or_default();
    let capitals = first.chars().all(char::is_uppercase);
    if !text.contains(['{', '<']) && !capitals {
        return false;
    }
    let text = unquoted(text);
    let form = |verb: &str, signs: &[&str]| {
        clause_before(&text, verb, |rest| {
            signs.iter().any(|sign| rest.get(..sign.len()).is_some_and(|start| start.eq_ignore_ascii_case(sign)))
        })
    };
    let graphs = ["GRAPH ", "ALL", "DEFAULT", "NAMED", "SILENT ", "<"];
    let braced = text.contains('{');
    (braced && (form("INSERT", &["DATA", "{"]) || form("DELETE", &["DATA", "WHERE", "{"])))
        || ["CLEAR", "DROP", "ADD", "MOVE", "COPY", "LOAD", "CREATE"].iter().any(|verb| {
            let opens = first.eq_ignore_ascii_case(verb) || first.eq_ignore_ascii_case("PREFIX");
            let graph = if matches!(*verb, "CLEAR" | "DROP") { &graphs[..] } else { &["GRAPH <", "<", "SILENT <"][..] };
            opens && form(verb, graph) && (text.contains('<') || capitals)
        })
}

/// ArangoDB: `FOR u IN users REMOVE u IN users`, in capitals as its manual writes it.
fn aql(text: &str) -> bool {
    let mut all = words(text);
    let loops = all.next() == Some("FOR") && words(text).any(|word| word == "IN");
    loops && words(text).any(|word| matches!(word, "REMOVE" | "INSERT" | "UPDATE" | "REPLACE" | "UPSERT"))
}

/// Whether `verb` stands in a text in capitals as a word of its own before something that `follows`.
fn clause_before(text: &str, verb: &str, follows: impl Fn(&str) -> bool) -> bool {
    text.match_indices(verb).any(|(at, _)| {
        let after = at + verb.len();
        let before = text.get(..at).and_then(|start| start.chars().next_back());
        let alone = before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
        let rest = text.get(after..).unwrap_or_default();
        alone && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') && follows(rest.trim_start())
    })
}

/// The text in capitals, without what its quotes hold.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut escaped = false;
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => {
                quote = None;
                out.push(c);
            }
            Some(_) => {}
            None => {
                if matches!(c, '\'' | '"' | '`') {
                    quote = Some(c);
                }
                out.push(c.to_ascii_uppercase());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::writes;

    #[test]
    fn writes_of_other_languages_are_told_from_their_reads() {
        for text in [
            "MATCH (n) DETACH DELETE n",
            "match (n:User {id: 1}) set n.name = 'x'",
            "CREATE (n:User {name: 'a'})",
            "MERGE (a)-[:KNOWS]->(b)",
            "UNWIND $rows AS row MERGE (n {id: row.id})",
            "MATCH p = (a)-->(b) REMOVE a.x",
            "CALL apoc.periodic.iterate('MATCH (n) RETURN n', 'DELETE n', {})",
            "LOAD CSV FROM 'file:///x' AS row RETURN row",
            "PREFIX x: <http://x/> INSERT DATA { x:a x:b x:c }",
            "delete where { ?s ?p ?o }",
            "CLEAR ALL",
            "DROP GRAPH <http://x>",
            "g.V().has('id', 1).drop()",
            "g.addV('person')",
            "db.users.deleteMany({})",
            "db.users.aggregate([{$out: 'x'}])",
            ".drop table T",
            ".set-or-append T <| range x from 1 to 2 step 1",
            "FOR u IN users REMOVE u IN users",
        ] {
            assert!(writes(text).is_some(), "{text}");
        }
        for text in [
            "MATCH (n:User) WHERE n.note = 'please delete' RETURN n",
            "match my set of plates",
            "SELECT MATCH(a) AGAINST ('x') FROM t",
            "SELECT * WHERE { ?s ?p ?o }",
            "g.V().count()",
            "db.users.find({})",
            "db.users.aggregate([{$match: {}}])",
            ".show tables",
            ".NET core",
            "create a poem (short)",
            "clear all my doubts",
            "for users in Paris",
            "insert a picture in Word",
        ] {
            assert_eq!(writes(text), None, "{text}");
        }
    }
}

//! Leading verbs of statements that no parser here knows: `DROP SERIES`, `SYSTEM SHUTDOWN`, `OPTIMIZE TABLE`.
//!
//! Invariant: this only ever turns a read into a write. A verb that is not on a list is one when the text is written as
//! statements are (capitals, and the name of a kind of object beside it); in small letters only known pairs are.

use super::statement_words::{OBJECTS, words};

/// Verbs of administration: with any word after them, when both are in capitals.
const VERBS: &[&str] = &[
    "ABORT",
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BACKUP",
    "BEGIN",
    "CACHE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "COMMIT",
    "COMPACT",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DETACH",
    "DISCARD",
    "DROP",
    "EXCHANGE",
    "EXEC",
    "EXECUTE",
    "FLUSH",
    "GRANT",
    "HANDLER",
    "INSERT",
    "INSTALL",
    "INVALIDATE",
    "KILL",
    "LOCK",
    "MERGE",
    "MSCK",
    "NOTIFY",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "REASSIGN",
    "REBUILD",
    "RECONFIGURE",
    "REFRESH",
    "REINDEX",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RESTORE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SHUTDOWN",
    "SYSTEM",
    "TRUNCATE",
    "UNCACHE",
    "UNDROP",
    "UNLISTEN",
    "UNLOAD",
    "UNLOCK",
    "UPDATE",
    "UPSERT",
    "VACUUM",
];

/// Verbs that need nothing after them.
const ALONE: &[&str] = &["CHECKPOINT", "FLUSHALL", "FLUSHDB", "RECONFIGURE", "ROLLBACK", "SHUTDOWN", "VACUUM"];

/// What follows a verb in statements of administration, and hardly in prose; beside the kinds of object of SQL.
const KINDS: &[&str] = &[
    "BUCKET",
    "CACHE",
    "CLUSTER",
    "CONTINUOUS",
    "DATABASE",
    "DATABASES",
    "DICTIONARY",
    "INDEXES",
    "KEYSPACE",
    "LOGS",
    "MATERIALIZED",
    "MEASUREMENT",
    "MERGES",
    "MUTATION",
    "PARTITION",
    "PARTITIONS",
    "PRIVILEGES",
    "QUERY",
    "REPLICA",
    "RETENTION",
    "SCHEMA",
    "SERIES",
    "SHARD",
    "SHUTDOWN",
    "STATISTICS",
    "TABLE",
    "TABLES",
    "TABLESPACE",
    "TTL",
    "WAREHOUSE",
];

/// Openings that read, whatever follows; another check looks at those.
const READS: &[&str] =
    &["DESC", "DESCRIBE", "EXPLAIN", "FROM", "LIST", "MATCH", "PRAGMA", "SELECT", "SHOW", "TABLE", "VALUES", "WITH"];

/// Words of sentences and questions, also of those in capitals.
const PROSE: &[&str] = &[
    "A", "AN", "AND", "ARE", "CAN", "DO", "DOES", "FOR", "HOW", "I", "IN", "IS", "MY", "OF", "PLEASE", "SHOULD", "THE",
    "WE", "WHAT", "WHEN", "WHERE", "WHICH", "WHO", "WHY", "WILL", "YOU", "YOUR",
];

fn listed(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn capitals(word: &str) -> bool {
    word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The verb, if the text has the form of a statement that is led by one which does not read.
pub fn leading(piece: &str) -> Option<&str> {
    let mut following = words(piece);
    let first = following.next()?;
    let (second, third) = (following.next().unwrap_or_default(), following.next().unwrap_or_default());
    if listed(READS, first) || listed(PROSE, first) {
        return None;
    }
    let known = listed(VERBS, first);
    let kind = |word: &str| listed(KINDS, word) || listed(OBJECTS, word);
    if capitals(first) {
        let alone = second.is_empty() && listed(ALONE, first);
        let typed = capitals(second) || (known && (piece.trim_end().ends_with(';') || has_sign(piece)));
        let named = (capitals(second) && kind(second)) || (capitals(third) && listed(KINDS, third));
        let unknown = named || (has_sign(piece) && words(piece).any(|word| matches!(word, "FROM" | "INTO" | "SET")));
        return (alone || (known && !second.is_empty() && (typed || kind(second))) || unknown).then_some(first);
    }
    let few = words(piece).take(13).count() <= 12;
    let prose = words(piece).any(|word| listed(PROSE, word) || word.eq_ignore_ascii_case("on"));
    let pair = known && (listed(KINDS, second) || (kind(second) && has_sign(piece)));
    (few && !prose && pair).then_some(first)
}

/// Whether a text in a member called `sql` or so is no query: every verb counts but those that read.
pub fn no_query(text: &str) -> Option<&str> {
    words(text)
        .next()
        .filter(|first| !listed(READS, first) && !listed(&["RETURN", "OPTIONAL", "UNWIND", "PROFILE"], first))
}

/// Signs that statements have and sentences do not: an assignment, a quoted or dotted name, a call.
fn has_sign(piece: &str) -> bool {
    let dotted = piece.as_bytes().windows(3).any(
        |three| matches!(three, [before, b'.', after] if before.is_ascii_lowercase() && after.is_ascii_lowercase()),
    );
    piece.contains(['=', '`', '"', '(']) || dotted
}

#[cfg(test)]
mod tests {
    use super::leading;

    #[test]
    fn unknown_verbs_are_told_by_their_form() {
        for text in [
            "DROP SERIES FROM cpu",
            "drop series",
            "SYSTEM SHUTDOWN",
            "system shutdown",
            "OPTIMIZE TABLE t FINAL",
            "optimize table t",
            "KILL QUERY 36",
            "FLUSH PRIVILEGES",
            "RESET MASTER",
            "FROBNICATE TABLE t",
            "ZAP THE SERIES",
            "SHUTDOWN",
            "MSCK REPAIR TABLE t",
            "DELETE SERIES FROM \"cpu\"",
            "EJECT FROM shop.orders",
        ] {
            assert!(leading(text).is_some(), "{text}");
        }
        for text in [
            "USB CABLE",
            "HOW DO I DROP TABLE IN SQL",
            "how do I optimize table scans",
            "optimize table layout for the kitchen",
            "SHOW TABLES",
            "system of a down",
            "drop shipping",
            "update my address",
            "flush toilet",
            "NASA budget",
            "kill bill",
            "reset password",
            "",
        ] {
            assert_eq!(leading(text), None, "{text}");
        }
    }
}

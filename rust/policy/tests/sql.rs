//! SQL: writes in every disguise that the policy promises to see, reads that it promises to recognise, and no panic.

use proptest::prelude::*;
use shadowlane_policy::{SQL_DIALECTS, classify_sql};

/// (dialect, statement): each of these writes, locks, changes the session or runs something unknown.
const WRITES: &[(&str, &str)] = &[
    ("postgres", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"),
    ("postgres", "WITH a AS (SELECT 1), b AS (UPDATE t SET x = 1 RETURNING x) SELECT * FROM a, b"),
    ("postgres", "WITH d AS MATERIALIZED (INSERT INTO t VALUES (1) RETURNING *) TABLE d"),
    ("postgres", "SELECT * INTO u FROM t"),
    ("postgres", "SELECT * FROM t FOR UPDATE"),
    ("postgres", "SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED"),
    ("postgres", "SELECT * FROM t FOR KEY SHARE"),
    ("postgres", "SELECT * FROM (SELECT * FROM t FOR SHARE) s"),
    ("postgres", "SELECT nextval('s')"),
    ("postgres", "SELECT pg_catalog.setval('s', 1)"),
    ("postgres", "SELECT 1 FROM generate_series(1, nextval('s'))"),
    ("postgres", "SELECT pg_advisory_lock(1)"),
    ("postgres", "SELECT pg_terminate_backend(1)"),
    ("postgres", "SELECT pg_notify('c', 'x')"),
    ("postgres", "SELECT set_config('a.b', 'c', false)"),
    ("postgres", "SELECT lo_create(1)"),
    ("postgres", "SELECT * FROM dblink('host=x', 'DROP TABLE t') AS d(a int)"),
    ("postgres", "SELECT query_to_xml('DELETE FROM t', true, true, '')"),
    ("postgres", "SELECT my_function(1)"),
    ("postgres", "SELECT myschema.count(1)"),
    ("postgres", "SELECT count(*) FILTER (WHERE my_function(x)) FROM t"),
    ("postgres", "SELECT 1 ORDER BY my_function(1)"),
    ("postgres", "SELECT 1 LIMIT my_function(1)"),
    ("postgres", "SELECT 1 WHERE EXISTS (SELECT nextval('s'))"),
    ("postgres", "SELECT sum(x) OVER (PARTITION BY my_function(y)) FROM t"),
    ("postgres", "SELECT a OPERATOR(public.@!@) b FROM t"),
    ("postgres", "VALUES (nextval('s'))"),
    ("postgres", "EXPLAIN ANALYZE DELETE FROM t"),
    ("postgres", "EXPLAIN (ANALYZE, VERBOSE) INSERT INTO t VALUES (1)"),
    ("postgres", "EXPLAIN ANALYZE EXECUTE p"),
    ("postgres", "EXPLAIN ANALYZE CREATE TABLE u AS SELECT 1"),
    ("postgres", "COPY t TO PROGRAM 'sh'"),
    ("postgres", "COPY (SELECT 1) TO '/tmp/x'"),
    ("postgres", "DO $$ BEGIN DELETE FROM t; END $$"),
    ("postgres", "CALL p()"),
    ("postgres", "SELECT 1; DELETE FROM t"),
    ("postgres", "SELECT 1 -- x\rDELETE FROM t"),
    ("postgres", "SELECT 1 /* /* */ ; DELETE FROM t; -- */ */"),
    ("postgres", "SELECT '\\'; DELETE FROM t; --'"),
    ("postgres", "SELECT a$$ ; DELETE FROM t; SELECT $$ FROM t"),
    ("postgres", "SET ROLE admin"),
    ("postgres", "BEGIN"),
    ("postgres", "LISTEN c"),
    ("postgres", "REFRESH MATERIALIZED VIEW v"),
    ("postgres", "PREPARE p AS DELETE FROM t"),
    ("postgres", "SELECT txid_current()"),
    ("mysql", "SELECT /*!50000 1 INTO OUTFILE '/tmp/x' */ 1"),
    ("mysql", "/*! DELETE FROM t */"),
    ("mariadb", "SELECT 1 /*M!100000 INTO OUTFILE '/tmp/x' */"),
    ("mysql", "SELECT 1 INTO @a"),
    ("mysql", "SELECT * FROM t INTO DUMPFILE '/tmp/x'"),
    ("mysql", "SELECT * FROM t LOCK IN SHARE MODE"),
    ("mysql", "SELECT GET_LOCK('a', 1)"),
    ("mysql", "SELECT SLEEP(10)"),
    ("mysql", "SELECT @a := 1"),
    ("mysql", "SELECT 1--1 ; DELETE FROM t"),
    ("mysql", "SELECT $$ ; DELETE FROM t; SELECT $$"),
    ("mysql", "SELECT '\\'; DELETE FROM t; -- '"),
    ("mysql", "REPLACE t VALUES (1)"),
    ("mysql", "HANDLER t OPEN"),
    ("mysql", "SHOW TABLES WHERE my_function(1)"),
    ("mysql", "SET @@GLOBAL.x = 1"),
    ("mysql", "DESC UPDATE t SET a = 1"),
    ("tsql", "SELECT 1 DELETE FROM t"),
    ("tsql", "SELECT 1 EXEC xp_cmdshell 'dir'"),
    ("tsql", "SELECT $1DELETE FROM t"),
    ("tsql", "SELECT 1eDELETE FROM t"),
    ("tsql", "SELECT 0xINSERT t VALUES (1)"),
    ("tsql", "SELECT * INTO #u FROM t"),
    ("tsql", "SELECT * FROM t WITH (UPDLOCK)"),
    ("tsql", "SELECT * FROM OPENROWSET('SQLNCLI', 'x', 'DELETE FROM t')"),
    ("tsql", "SELECT NEXT VALUE FOR s"),
    ("tsql", "xp_cmdshell 'dir'"),
    ("tsql", "SELECT dbo.f(1)"),
    ("tsql", "WITH c AS (SELECT 1 a) DELETE FROM c"),
    ("snowflake", "SELECT s.NEXTVAL"),
    ("snowflake", "SELECT SYSTEM$CANCEL_ALL_QUERIES(1)"),
    ("snowflake", "SELECT * FROM TABLE(my_procedure())"),
    ("snowflake", "SELECT IDENTIFIER('my_function')(1)"),
    ("snowflake", "PUT file:///x @stage"),
    ("snowflake", "COPY INTO t FROM @s"),
    ("oracle", "SELECT s.nextval FROM dual"),
    ("oracle", "EXPLAIN PLAN FOR SELECT 1 FROM dual"),
    ("oracle", "SELECT pkg.proc(1) FROM dual"),
    ("oracle", "SELECT * FROM t FOR UPDATE NOWAIT"),
    ("oracle", "WITH FUNCTION f RETURN NUMBER IS BEGIN p; RETURN 1; END; SELECT f FROM dual"),
    ("bigquery", "SELECT * FROM EXTERNAL_QUERY('c', 'DELETE FROM t')"),
    ("bigquery", "EXPORT DATA OPTIONS(uri='gs://x') AS SELECT 1"),
    ("bigquery", "SELECT `p.d.f`(1)"),
    ("duckdb", "SELECT * FROM query('DROP TABLE t')"),
    ("duckdb", "COPY t TO 'x.csv'"),
    ("duckdb", "INSTALL httpfs"),
    ("sqlite", "PRAGMA journal_mode = WAL"),
    ("sqlite", "PRAGMA journal_mode(WAL)"),
    ("sqlite", "PRAGMA table_info = x"),
    ("sqlite", "SELECT load_extension('x')"),
    ("sqlite", "SELECT writefile('x', 'y')"),
    ("sqlite", "ATTACH 'x' AS y"),
    ("redshift", "UNLOAD ('SELECT 1') TO 's3://x'"),
    ("hive", "FROM src SELECT TRANSFORM (a) USING 'sh' AS b"),
    ("hive", "SELECT TRANSFORM (a) USING 'sh' AS b FROM src"),
    ("hive", "FROM t INSERT OVERWRITE TABLE u SELECT *"),
    ("clickhouse", "SELECT * FROM url('http://x', CSV)"),
    ("clickhouse", "SELECT 1 SETTINGS readonly = 0"),
    ("clickhouse", "SELECT 1 INTO OUTFILE 'x'"),
    ("generic", "SELECT 1; SELECT 2"),
    ("ansi", ""),
    ("ansi", ";"),
    ("ansi", "-- only a comment"),
    ("ansi", "SELEC 1"),
    ("ansi", "SELECT * FROM"),
    ("ansi", "SELECT FROM WHERE"),
    ("ansi", "SELECT (1"),
    ("ansi", "SELECT 'abc"),
    ("ansi", "SELECT 1\0"),
    ("ansi", "this is not SQL"),
    ("nosuchdialect", "SELECT 1"),
];

/// (dialect, statement): each of these only reads.
const READS: &[(&str, &str)] = &[
    ("ansi", "SELECT 1"),
    ("ansi", "((SELECT a FROM t)) ;"),
    ("ansi", "select delete_flag, \"update\", t.insert from t where note = 'DELETE FROM x; --'"),
    ("postgres", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r"),
    ("postgres", "SELECT count(*), now(), pg_catalog.lower(x) FROM t GROUP BY 3"),
    ("postgres", "SELECT id FROM docs ORDER BY embedding <=> '[1,2]' LIMIT 5"),
    ("postgres", "SELECT id FROM docs ORDER BY embedding OPERATOR(extensions.<->) '[1,2]'"),
    ("postgres", "SELECT $$DELETE FROM t; --$$"),
    ("postgres", "EXPLAIN SELECT * FROM t"),
    ("postgres", "EXPLAIN (ANALYZE) SELECT * FROM t"),
    ("postgres", "SHOW search_path"),
    ("postgres", "VALUES (1), (2)"),
    ("postgres", "TABLE t"),
    ("postgres", "SELECT * FROM jsonb_array_elements('[1]') AS e(x) -- DELETE\n"),
    ("mysql", "SELECT * FROM `t` WHERE a = 'it\\'s' # comment\n"),
    ("mysql", "SHOW CREATE TABLE t"),
    ("mysql", "DESCRIBE t"),
    ("mysql", "SELECT REPLACE(a, 'b', 'c'), INSERT('abc', 1, 1, 'd') FROM t"),
    ("sqlite", "PRAGMA table_info(t)"),
    ("tsql", "SELECT TOP (5) [delete], GETDATE() FROM dbo.t WITH (NOLOCK) WHERE a = @a"),
    ("tsql", "SELECT x.value('(/a)[1]', 'int') FROM t CROSS APPLY t.c.nodes('/b') AS n(x)"),
    ("snowflake", "SELECT $1 FROM @stage (FILE_FORMAT => f)"),
    ("snowflake", "DESCRIBE PROCEDURE p(NUMBER)"),
    ("snowflake", "SHOW WAREHOUSES LIKE 'x%'"),
    ("snowflake", "SELECT s.currval"),
    ("bigquery", "SELECT * EXCEPT (a) REPLACE (1 AS b) FROM `p.d.t`"),
    ("bigquery", "SELECT SAFE.PARSE_DATE('%F', x), NET.HOST(u) FROM t"),
    ("duckdb", "FROM 'file.parquet' SELECT a"),
    ("duckdb", "PIVOT c ON y USING sum(p)"),
    ("oracle", "SELECT a.x FROM a, b WHERE a.id = b.id (+)"),
    ("redshift", "SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY a) FROM t"),
    ("clickhouse", "SELECT quantile(0.9)(x), toStartOfDay(t) FROM s GROUP BY 2"),
];

#[test]
fn no_write_is_called_a_read() {
    let missed: Vec<_> = WRITES.iter().filter(|(dialect, text)| classify_sql(text, dialect).is_read()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn reads_are_recognised() {
    let missed: Vec<_> = READS
        .iter()
        .map(|(dialect, text)| (dialect, text, classify_sql(text, dialect)))
        .filter(|(_, _, effect)| !effect.is_read())
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn nesting_and_chains_of_any_depth_end_without_overflow() {
    for depth in [100, 8_000, 20_000] {
        let nested = format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
        let queries = format!("{}SELECT 1{}", "(".repeat(depth), ")".repeat(depth));
        let chain = format!("SELECT 1{}", " OR 1".repeat(depth));
        let casts = format!("SELECT 1{}", "::int".repeat(depth));
        let unions = format!("SELECT 1{}", " UNION SELECT 1".repeat(depth));
        let choices = format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(depth), " END".repeat(depth));
        let not = format!("SELECT {}1", "NOT ".repeat(depth));
        for text in [nested, queries, chain, casts, unions, choices, not] {
            for dialect in ["postgres", "mysql", "snowflake"] {
                classify_sql(&text, dialect);
            }
        }
    }
    // A long list is wide and not deep: it stays a read.
    let list = format!("SELECT * FROM t WHERE id IN ({}0)", "1, ".repeat(10_000));
    assert!(classify_sql(&list, "postgres").is_read());
    let chain = format!("SELECT 1{}", " OR 1".repeat(12_000));
    assert!(classify_sql(&chain, "postgres").is_read());
}

fn dialects() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(SQL_DIALECTS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_gets_a_verdict(text in "\\PC{0,200}", dialect in dialects()) {
        classify_sql(&text, dialect);
    }

    #[test]
    fn any_mix_of_sql_words_gets_a_verdict(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "SELECT", "FROM", "WHERE", "(", ")", ",", "t", "1", "'x'", "WITH", "AS", "UNION", "*", "=", "--", "/*", "*/", "$$",
            "'", "\"", "`", "[", "]", "{", "}", "@", "#", "::", "->", "CASE", "END", "IN", "VALUES", "EXPLAIN", "SHOW", "\\", "\n",
        ]), 0..40),
        dialect in dialects(),
    ) {
        classify_sql(&words.join(" "), dialect);
    }

    /// A write stays one, whatever stands around it.
    #[test]
    fn a_second_statement_is_never_hidden(
        before in "[ -~\\n]{0,40}",
        comment in "[ -~]{0,20}",
        dialect in dialects(),
    ) {
        let text = format!("SELECT 1 /*{comment}*/ ; DELETE FROM t");
        prop_assert!(!classify_sql(&text, dialect).is_read(), "{text}");
        let text = format!("DELETE FROM t WHERE a = 1 {before}");
        prop_assert!(!classify_sql(&text, dialect).is_read(), "{text}");
    }
}

#[test]
fn a_query_that_asks_another_host_is_no_read() {
    for (dialect, statement) in [
        ("duckdb", "SELECT * FROM read_csv('http://x.example/a.csv')"),
        ("duckdb", "from read_parquet(['a.parquet', 's3://b/c.parquet'], union_by_name = true)"),
        ("duckdb", "SELECT * FROM read_json('ht' || 'tp://x.example/a')"),
        ("duckdb", "SELECT * FROM t, read_text(t.name)"),
        ("duckdb", "SELECT (SELECT count(*) FROM sniff_csv(getvariable('x')))"),
        ("duckdb", "SELECT * FROM glob($1)"),
        ("duckdb", "SELECT * FROM 'https://x.example/a.csv'"),
        ("duckdb", "SELECT * FROM t, 'gcs://b/a.csv'"),
        ("duckdb", "SELECT * FROM t JOIN \"hf://datasets/a.csv\" USING (a)"),
        ("duckdb", "WITH a AS (FROM 's3://b/a.csv') SELECT * FROM a"),
        ("duckdb", "SELECT * FROM '//host/share/a.csv'"),
        ("duckdb", "SUMMARIZE 'http://x.example/a.csv'"),
        ("duckdb", "DESCRIBE 'http://x.example/a.csv'"),
        ("duckdb", "PIVOT 'http://x.example/a.csv' ON a USING sum(b)"),
        ("duckdb", "COPY t TO 's3://b/a.csv'"),
        ("duckdb", "ATTACH 'http://x.example/a.db'"),
        ("duckdb", "INSTALL httpfs"),
        ("duckdb", "LOAD httpfs"),
        ("duckdb", "SELECT * FROM postgres_scan('host=x', 'a', 'b')"),
        ("postgres", "SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)"),
        ("clickhouse", "SELECT * FROM url('http://x.example', 'CSV')"),
        ("clickhouse", "SELECT * FROM s3('http://x.example/a', 'CSV')"),
        ("clickhouse", "SELECT * FROM remote('host', db.t)"),
        ("databricks", "SELECT * FROM csv.`s3://b/a.csv`"),
        ("oracle", "SELECT * FROM orders@branch"),
        ("oracle", "SELECT o.a FROM hr.orders@branch.example o"),
        ("tsql", "SELECT * FROM server1.db.dbo.orders"),
        ("bigquery", "SELECT * FROM EXTERNAL_QUERY('c', 'SELECT 1')"),
        ("mysql", "SELECT LOAD_FILE('//host/share/a')"),
    ] {
        let effect = classify_sql(statement, dialect);
        assert!(!effect.is_read(), "{dialect}: {statement}: {}", effect.reason);
    }
    for (dialect, statement) in [
        ("duckdb", "SELECT * FROM read_csv('a.csv')"),
        ("duckdb", "SELECT * FROM read_csv(['data/a.csv', 'data/b.csv'], header = true, columns = {'a': 'INTEGER'})"),
        ("duckdb", "SELECT * FROM 'data/a.parquet'"),
        ("duckdb", "SELECT * FROM pages WHERE url = 'https://x.example/a'"),
        ("duckdb", "SELECT 'a', 'https://x.example/a'"),
        ("duckdb", "SELECT * FROM pages WHERE url IN ('http://a', 'http://b')"),
        ("postgres", "SELECT * FROM pages WHERE url LIKE 'https://%'"),
        ("clickhouse", "SELECT domain('http://x.example/a')"),
        ("oracle", "SELECT a FROM orders WHERE mail = 'a@b.example'"),
        ("tsql", "SELECT * FROM db.dbo.orders"),
    ] {
        let effect = classify_sql(statement, dialect);
        assert!(effect.is_read(), "{dialect}: {statement}: {}", effect.reason);
    }
}

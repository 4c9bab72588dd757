//! The SQL products that are distinguished.

/// Dialects that share lexical rules and built-in functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// No product in particular.
    Ansi,
    /// PostgreSQL.
    Postgres,
    /// Amazon Redshift.
    Redshift,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
    /// Microsoft SQL Server.
    TSql,
    /// Snowflake.
    Snowflake,
    /// Google BigQuery.
    BigQuery,
    /// DuckDB.
    DuckDb,
    /// Oracle Database.
    Oracle,
    /// ClickHouse.
    ClickHouse,
}

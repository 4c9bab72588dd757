//! The syntax tree of one statement, walked for anything that is not a read.
//!
//! Invariant: a statement kind, lock, clause, operator or function that is not listed here or in `sql_functions` ends the
//! walk with "write".

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart, Query,
    Select, Statement, TableFactor, Visit, Visitor,
};

use super::effect::{Effect, shown};
use super::sql_addresses::is_address;
use super::sql_family::Family;
use super::sql_functions::is_pure;

/// The verdict on a parsed statement.
pub fn classify(statement: &Statement, family: Family) -> Effect {
    let mut walk = Walk { family, indexes: Vec::new() };
    match statement.visit(&mut walk) {
        ControlFlow::Continue(()) => Effect::read("a statement that only reads"),
        ControlFlow::Break(reason) => Effect::write(reason),
    }
}

struct Walk {
    family: Family,
    /// T-SQL: what looks like calls within `FORCESEEK (index (column))`.
    indexes: Vec<String>,
}

type Step = ControlFlow<String>;

fn stop(reason: &str) -> Step {
    ControlFlow::Break(reason.to_owned())
}

impl Walk {
    fn call(&self, name: &ObjectName) -> Step {
        match dotted(name) {
            // Snowflake reads a stage: FROM @stage (file_format => …).
            Some(name) if name.starts_with('@') && self.family == Family::Snowflake => ControlFlow::Continue(()),
            Some(name) if pure(self.family, &name) || self.indexes.contains(&name) => ControlFlow::Continue(()),
            Some(name) => ControlFlow::Break(format!("calls {}(), which is not known to be read-only", shown(&name))),
            None => stop("calls a function whose name is computed"),
        }
    }
}

impl Visitor for Walk {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Step {
        match statement {
            Statement::Query(_) | Statement::Explain { .. } | Statement::ExplainTable { .. } => {
                ControlFlow::Continue(())
            }
            _ => stop("not a SELECT, VALUES, TABLE or EXPLAIN of one"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Step {
        if !query.locks.is_empty() {
            return stop("locks rows (FOR UPDATE or FOR SHARE)");
        }
        if query.settings.is_some() {
            return stop("changes settings");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Step {
        if select.into.is_some() {
            return stop("SELECT … INTO");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Step {
        match factor {
            TableFactor::Table { name, .. } if elsewhere(name, self.family) => stop("reads from another host"),
            TableFactor::Table { name, args: Some(args), .. } => {
                if args.settings.is_some() {
                    return stop("changes settings");
                }
                self.call(name)
            }
            TableFactor::Function { name, .. } => self.call(name),
            TableFactor::Table { with_hints, .. } if self.family == Family::TSql => {
                self.indexes = with_hints.iter().flat_map(hinted_indexes).collect();
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Step {
        match expr {
            Expr::Function(Function { name, .. }) => self.call(name),
            Expr::BinaryOp { op, .. } => operator(op),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether a table's name is an address (a file in DuckDB, Databricks and Spark), or that of a linked server in T-SQL.
fn elsewhere(name: &ObjectName, family: Family) -> bool {
    let address = |part: &ObjectNamePart| matches!(part, ObjectNamePart::Identifier(one) if is_address(&one.value));
    name.0.iter().any(address) || (family == Family::TSql && name.0.len() > 3)
}

/// The names of the indexes in `FORCESEEK (index (column))`.
fn hinted_indexes(hint: &Expr) -> Vec<String> {
    let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = hint else {
        return Vec::new();
    };
    list.args
        .iter()
        .filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(index))) => dotted(&index.name),
            _ => None,
        })
        .collect()
}

/// An operator that a user may have defined runs a function that nobody has looked at.
fn operator(op: &BinaryOperator) -> Step {
    let known = match op {
        // pgvector, pg_trgm and PostGIS distances; full text and range operators.
        BinaryOperator::Custom(sign) => KNOWN_OPERATORS.contains(&sign.as_str()),
        // OPERATOR(schema.sign): the schema is no more telling than the search path.
        BinaryOperator::PGCustomBinaryOperator(parts) => parts.last().is_some_and(|sign| {
            STANDARD_OPERATORS.contains(&sign.as_str()) || KNOWN_OPERATORS.contains(&sign.as_str())
        }),
        _ => true,
    };
    if known { ControlFlow::Continue(()) } else { stop("an operator that is not known to be read-only") }
}

const STANDARD_OPERATORS: &[&str] = &[
    "=", "<>", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "^", "||", "~", "~*", "!~", "!~*", "&", "|", "#",
    "<<", ">>", "&&", "->", "->>", "#>", "#>>",
];

const KNOWN_OPERATORS: &[&str] = &[
    "<->", "<#>", "<=>", "<+>", "<~>", "<%>", "<<->", "<->>", "<<<->", "<->>>", "<%", "%>", "<<%", "%>>", "&&&", "@@@",
    "@@", "?", "?|", "?&", "-|-", "&<", "&>", "<<|", "|>>", "&<|", "|&>", "~=", "~~", "!~~", "~~*", "!~~*", "<@", "@>",
    "^@", "||/", "|/", "@-@", "##", "#-", "#=", "%%", "%#", "!!", "<<=", ">>=", "~<~", "~>~", "~<=~", "~>=~",
];

/// The name in lower case, its parts joined by dots; none if a part is computed.
fn dotted(name: &ObjectName) -> Option<String> {
    let mut text = String::new();
    for part in &name.0 {
        let ObjectNamePart::Identifier(ident) = part else {
            return None;
        };
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&ident.value.to_lowercase());
    }
    Some(text)
}

/// Whether a call of that dotted lower-case name is a pure built-in.
pub fn pure(family: Family, name: &str) -> bool {
    if is_pure(family, name) {
        return true;
    }
    let Some((schema, last)) = name.rsplit_once('.') else {
        return false;
    };
    match family {
        Family::Postgres | Family::Redshift | Family::DuckDb => schema == "pg_catalog" && is_pure(family, last),
        Family::BigQuery => match schema.strip_prefix("safe.").or((schema == "safe").then_some("")) {
            Some("") => is_pure(family, last),
            Some(rest) => is_pure(family, &format!("{rest}.{last}")),
            None => false,
        },
        // A method of the xml or geometry type: `column.value('…')`. T-SQL functions of users cannot write rows.
        Family::TSql => TSQL_METHODS.contains(&last) || (schema == "sys" && is_pure(family, last)),
        Family::Snowflake => name.find("information_schema.").is_some_and(|at| is_pure(family, &name[at..])),
        Family::Oracle => (schema == "sys" || schema == "sys.standard") && is_pure(family, last),
        _ => false,
    }
}

const TSQL_METHODS: &[&str] = &[
    "value",
    "query",
    "nodes",
    "exist",
    "stastext",
    "stasbinary",
    "starea",
    "stbuffer",
    "stcentroid",
    "stcontains",
    "stdistance",
    "stintersects",
    "stintersection",
    "stlength",
    "stwithin",
    "stunion",
    "stequals",
    "stisvalid",
    "stnumpoints",
    "stpointn",
    "tostring",
    "getancestor",
    "getlevel",
    "getdescendant",
    "isdescendantof",
];

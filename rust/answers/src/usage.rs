//! Token counts under the names of every provider.

use super::draft::Draft;
use super::json::{Object, Value};

/// The names of token counts, best first; given by the registry of providers, which alone knows them.
#[derive(Clone, Debug, Default)]
pub struct UsageNames {
    /// Tokens in.
    pub input: Vec<String>,
    /// Tokens out.
    pub output: Vec<String>,
    /// Both.
    pub total: Vec<String>,
    /// Tokens in that were cached.
    pub cached: Vec<String>,
    /// Tokens in that are cached now.
    pub cache_write: Vec<String>,
    /// Objects beside the counts that hold counts of cached tokens.
    pub details: Vec<String>,
}

fn first_count(usage: &Object<'_>, names: &[String]) -> Option<u64> {
    names.iter().find_map(|name| usage.count(name))
}

/// Set a count; one that is there keeps its position.
pub fn set(counts: &mut Vec<(&'static str, u64)>, name: &'static str, count: u64) {
    match counts.iter_mut().find(|(own, _)| *own == name) {
        Some(found) => found.1 = count,
        None => counts.push((name, count)),
    }
}

impl Draft<'_> {
    /// Reads token counts under any provider's names; later counts replace earlier ones. `extra` names counts that the
    /// provider keeps out of the tokens in.
    pub fn count_tokens(&mut self, usage: &Object<'_>, extra: &[&str]) {
        if usage.is_empty() {
            return;
        }
        let names = self.names;
        for (target, names, extra) in [
            ("input_tokens", &names.input, extra),
            ("output_tokens", &names.output, &[]),
            ("total_tokens", &names.total, &[]),
        ] {
            if let Some(count) = first_count(usage, names) {
                let more: u64 = extra.iter().filter_map(|name| usage.count(name)).sum();
                set(&mut self.usage, target, count + more);
            }
        }
        for (kind, wanted) in [("cached_tokens", &names.cached), ("cache_write_tokens", &names.cache_write)] {
            let found = wanted.iter().find_map(|name| {
                // What stands beside the counts themselves hides what stands in their details.
                let inner = || names.details.iter().rev().find_map(|part| usage.object(part).get(name));
                usage.get(name).or_else(inner).and_then(Value::count)
            });
            if let Some(count) = found.filter(|count| *count > 0) {
                set(&mut self.cached, kind, count);
            }
        }
    }
}

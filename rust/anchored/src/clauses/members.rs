//! JSON and tables: the same member or cell with another number or truth value, and values that changed places.
//!
//! Invariant: members are compared by their JSON pointer, cells by the names of their row and column; a text member in
//! other words is no finding; JSON beside prose, or a table beside prose, has nothing to compare.

use std::ops::Range;

use crate::Component;
use crate::edits::Finding;
use crate::lexicon::WordMap;

/// So many members and cells of a text are compared.
const MOST: usize = 256;
/// So deep may JSON be nested.
const DEEPEST: usize = 32;

/// A member or a cell.
#[derive(Clone, Debug, PartialEq)]
struct Member {
    pointer: String,
    span: Range<usize>,
    /// Its value is a number, `true`, `false` or `null`.
    exact: bool,
}

/// Members and cells that contradict.
pub(crate) fn contradictions(low_a: &str, low_b: &str, found: &mut Vec<Finding>) {
    for read in [json as fn(&str) -> Vec<Member>, cells] {
        let (a, b) = (read(low_a), read(low_b));
        if a.is_empty() || b.is_empty() {
            continue;
        }
        let positions: WordMap<&str, &Member> = b.iter().map(|member| (member.pointer.as_str(), member)).collect();
        let value = |text: &'_ str, member: &Member| text.get(member.span.clone()).unwrap_or("").trim().to_owned();
        let differ: Vec<(&Member, &Member)> = a
            .iter()
            .filter_map(|mine| Some((mine, *positions.get(mine.pointer.as_str())?)))
            .filter(|(mine, theirs)| value(low_a, mine) != value(low_b, theirs))
            .collect();
        for (position, (mine, theirs)) in differ.iter().enumerate() {
            let swapped = differ.iter().skip(position + 1).any(|(other, back)| {
                value(low_a, mine) == value(low_b, back) && value(low_a, other) == value(low_b, theirs)
            });
            let number = |text: &str, member: &Member| value(text, member).replace(',', "").parse::<f64>().ok();
            let exact = mine.exact
                && theirs.exact
                && match (number(low_a, mine), number(low_b, theirs)) {
                    (Some(one), Some(other)) => (one - other).abs() > f64::EPSILON * one.abs(),
                    _ => true,
                };
            if (swapped || exact) && !mine.span.is_empty() && !theirs.span.is_empty() {
                let (a, b) = ((mine.span.start, mine.span.end), (theirs.span.start, theirs.span.end));
                found.push(Finding { kind: "member", component: Component::Entities, a, b });
            }
        }
    }
}

/// The members of a text that is JSON, in a fence or not; none when it is not.
fn json(text: &str) -> Vec<Member> {
    let mut body = text.trim();
    if let Some(inside) = body.strip_prefix("```")
        && let Some((_, inside)) = inside.split_once('\n')
    {
        body = inside.trim_end().trim_end_matches('`').trim();
    }
    if !body.starts_with(['{', '[']) {
        return Vec::new();
    }
    // Where `body` lies in `text`: both are one allocation.
    let from = body.as_ptr() as usize - text.as_ptr() as usize;
    let mut scan = Json { text, at: from, end: from + body.len(), members: Vec::new() };
    let whole = scan.value(&mut String::new(), 0).is_some();
    scan.spaces();
    if whole && scan.at == scan.end { scan.members } else { Vec::new() }
}

/// A scan over JSON that keeps where its values stand.
struct Json<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    members: Vec<Member>,
}

impl Json<'_> {
    fn byte(&self) -> Option<u8> {
        if self.at < self.end { self.text.as_bytes().get(self.at).copied() } else { None }
    }

    fn spaces(&mut self) {
        while self.byte().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.spaces();
        (self.byte() == Some(byte)).then(|| self.at += 1)
    }

    fn value(&mut self, pointer: &mut String, depth: usize) -> Option<()> {
        if depth > DEEPEST || self.members.len() >= MOST {
            return None;
        }
        self.spaces();
        match self.byte()? {
            b'{' => self.items(pointer, depth, b'}'),
            b'[' => self.items(pointer, depth, b']'),
            b'"' => {
                let span = self.string()?;
                self.members.push(Member { pointer: pointer.clone(), span, exact: false });
                Some(())
            }
            _ => {
                let start = self.at;
                while self.byte().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.at += 1;
                }
                let word = self.text.get(start..self.at)?;
                let known = matches!(word, "true" | "false" | "null") || word.parse::<f64>().is_ok();
                self.members.push(Member { pointer: pointer.clone(), span: start..self.at, exact: true });
                known.then_some(())
            }
        }
    }

    fn items(&mut self, pointer: &mut String, depth: usize, close: u8) -> Option<()> {
        self.at += 1;
        let size = pointer.len();
        let mut count = 0_usize;
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            pointer.push('/');
            if close == b'}' {
                self.spaces();
                let name = self.string()?;
                pointer.push_str(self.text.get(name)?);
                self.take(b':')?;
            } else {
                pointer.push_str(&count.to_string());
            }
            self.value(pointer, depth + 1)?;
            pointer.truncate(size);
            count += 1;
            if self.take(close).is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    /// What stands between two quotation marks.
    fn string(&mut self) -> Option<Range<usize>> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(start..self.at - 1)
    }
}

/// The cells of a text's tables: `/row/column` by the names in the first column and the first row.
fn cells(text: &str) -> Vec<Member> {
    let mut found = Vec::new();
    let mut heads: Vec<String> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let body = line.trim();
        if !body.starts_with('|') {
            heads.clear();
            continue;
        }
        if body.trim_matches(['|', '-', ':', ' ', '\t']).is_empty() {
            continue;
        }
        let mut position = start + line.find('|').unwrap_or(0) + 1;
        let mut row: Vec<(String, Range<usize>)> = Vec::new();
        for cell in body.trim_matches('|').split('|') {
            let trimmed = cell.trim();
            let from = position + (cell.len() - cell.trim_start().len());
            row.push((trimmed.trim_matches(['*', '`', '_']).to_owned(), from..from + trimmed.len()));
            position += cell.len() + 1;
        }
        if heads.is_empty() {
            heads = row.into_iter().map(|(name, _)| name).collect();
            continue;
        }
        let name = row.first().map(|(name, _)| name.clone()).unwrap_or_default();
        for ((value, span), head) in row.into_iter().zip(&heads).skip(1) {
            if found.len() < MOST && !value.is_empty() {
                let exact = value.replace(',', "").parse::<f64>().is_ok();
                found.push(Member { pointer: format!("/{name}/{head}"), span, exact });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, members: &[Member]) -> Vec<(String, String)> {
        members.iter().map(|member| (member.pointer.clone(), text[member.span.clone()].to_owned())).collect()
    }

    #[test]
    fn members_and_cells_with_where_they_stand() {
        let text = "```json\n{\"a\": {\"b\": [1, true]}, \"c\": \"x \\\" y\"}\n```";
        let expected = [("/a/b/0", "1"), ("/a/b/1", "true"), ("/c", "x \\\" y")];
        assert_eq!(values(text, &json(text)), expected.map(|(one, other)| (one.to_owned(), other.to_owned())));
        assert_eq!(json("{\"a\": 1} and more"), []);
        assert_eq!(json("{\"a\": "), []);
        let table = "| plan | price |\n|---|---|\n| basic | 5 |\n| pro | **9** |\n";
        let expected = [("/basic/price", "5"), ("/pro/price", "**9**")];
        assert_eq!(values(table, &cells(table)), expected.map(|(one, other)| (one.to_owned(), other.to_owned())));
    }
}

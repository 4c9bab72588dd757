//! Reasoning that open models write into their answer, before it.
//!
//! Invariant: the same as `shadowlane.providers.reading.thinking`; channels of OpenAI's open models are left to it.

use super::words::{is_space, strip};

/// What begins and what ends it.
const PAIRS: [(&str, &str); 12] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<unused94>thought", "<unused95>"),
    ("<|channel>thought", "<channel|>"),
];
const CHANNELS: [&str; 2] = ["<|channel|>", "<|start|>"];
const WRAPPERS: [(&str, &str); 4] = [
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
];

/// Whether a text may hold reasoning: a mark of it stands anywhere.
pub fn may_think(text: &str) -> bool {
    marks(text).any(|rest| {
        let marked = |mark: &str| rest.starts_with(mark);
        PAIRS.iter().any(|(opens, closes)| marked(opens) || marked(closes)) || CHANNELS.into_iter().any(marked)
    })
}

/// What stands from each place on where a mark may begin: 0xe2 is the first byte of ◁.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    memchr::memchr3_iter(b'<', b'[', 0xe2, text.as_bytes()).filter_map(|at| text.get(at..))
}

/// The text behind the reasoning at its head; the text itself when there is none. `None` when it is left to others.
pub fn without_thinking(text: String) -> Option<String> {
    if !may_think(&text) {
        return Some(text);
    }
    let begins = text.trim_start_matches(is_space);
    if CHANNELS.iter().any(|mark| begins.starts_with(mark)) {
        return None;
    }
    let mut rest = text.as_str();
    let mut found = false;
    while let Some((behind, closes)) = opened(rest) {
        found = true;
        let Some((_, answer)) = behind.split_once(closes) else { return Some(String::new()) };
        rest = answer;
    }
    let answer = if found { Some(rest) } else { behind_lone_end(&text) };
    Some(answer.map_or_else(|| text.clone(), |answer| unwrapped(strip(answer)).to_owned()))
}

/// What follows the mark at the head of a text, and the mark that ends it.
fn opened(text: &str) -> Option<(&str, &'static str)> {
    let begins = text.trim_start_matches(is_space);
    PAIRS.iter().find_map(|(opens, closes)| begins.strip_prefix(opens).map(|behind| (behind, *closes)))
}

/// What follows an end mark without a beginning: where the prompt's template wrote the beginning.
fn behind_lone_end(text: &str) -> Option<&str> {
    let (rest, closes) = marks(text)
        .find_map(|rest| PAIRS.iter().find(|(_, closes)| rest.starts_with(closes)).map(|(_, closes)| (rest, closes)))?;
    let (before, behind) = (text.strip_suffix(rest)?, rest.strip_prefix(closes)?);
    let opens = PAIRS.iter().any(|(opens, _)| before.contains(opens));
    let in_code = before.contains("```") || before.rsplit_once('`').is_some_and(|(_, line)| !line.contains('\n'));
    // Else it is within a sentence that names the mark.
    let ends = behind.is_empty() || behind.starts_with(['\n', ' ', '\r', '<']);
    (!opens && !in_code && ends).then_some(behind)
}

fn unwrapped(text: &str) -> &str {
    let wrapped = WRAPPERS.iter().find_map(|(opens, closes)| text.strip_prefix(opens).map(|inner| (inner, *closes)));
    wrapped.map_or(text, |(inner, closes)| strip(inner.strip_suffix(closes).unwrap_or(inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_seen_wherever_it_stands() {
        for mark in PAIRS.into_iter().flat_map(|(opens, closes)| [opens, closes]).chain(CHANNELS) {
            assert!(may_think(mark) && may_think(&format!("a < b [1] ◁ {mark} c")), "{mark}");
        }
        assert!(!may_think("a < b, [1], <b>bold</b>, think ◁ ▷"));
    }

    #[test]
    fn reasoning_at_the_head_is_taken_off() {
        for (text, answer) in [
            ("<think>a</think>b", "b"),
            (" [THINK]a[/THINK]\n<thought>c</thought> b ", "b"),
            ("<think>a", ""),
            ("a</think>\n<answer>b</answer>", "b"),
            ("the mark </think>. b", "the mark </think>. b"),
            ("`a </think> b", "`a </think> b"),
            ("b <think>a</think>", "b <think>a</think>"),
        ] {
            assert_eq!(without_thinking(text.to_owned()).as_deref(), Some(answer), "{text}");
        }
        assert_eq!(without_thinking("<|channel|>final<|message|>b".to_owned()), None);
    }
}

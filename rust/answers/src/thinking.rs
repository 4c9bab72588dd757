//! Reasoning that open models write into their answer.

/// What begins or ends it, or a channel of OpenAI's open models; see `shadowlane.providers.reading.thinking`.
const MARKS: [&str; 26] = [
    "<think>",
    "</think>",
    "<thinking>",
    "</thinking>",
    "<thought>",
    "</thought>",
    "<reasoning>",
    "</reasoning>",
    "<reflection>",
    "</reflection>",
    "<seed:think>",
    "</seed:think>",
    "[THINK]",
    "[/THINK]",
    "◁think▷",
    "◁/think▷",
    "<|begin_of_thought|>",
    "<|end_of_thought|>",
    "<|START_THINKING|>",
    "<|END_THINKING|>",
    "<unused94>thought",
    "<unused95>",
    "<|channel>thought",
    "<channel|>",
    "<|channel|>",
    "<|start|>",
];

/// Whether a text may hold reasoning: a mark of it stands anywhere.
pub fn may_think(text: &str) -> bool {
    // The first bytes of all marks: 0xe2 is that of ◁.
    memchr::memchr3_iter(b'<', b'[', 0xe2, text.as_bytes())
        .any(|at| text.get(at..).is_some_and(|rest| MARKS.iter().any(|mark| rest.starts_with(mark))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_seen_wherever_it_stands() {
        for mark in MARKS {
            assert!(may_think(mark) && may_think(&format!("a < b [1] ◁ {mark} c")), "{mark}");
        }
        assert!(!may_think("a < b, [1], <b>bold</b>, think ◁ ▷"));
    }
}

//! Whether a share went up or down: `rose 8 percent`, `nach einem Verlust von 11 %`, `下降了5%`.
//!
//! Invariant: only the few words right before a value are read, up to the value before it, and the one behind it; a word
//! that says neither leaves it open.

use std::sync::LazyLock;

use super::tokens::is_sign;
use crate::lexicon::{WordMap, mark};

/// Which way a value says that something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trend {
    Open,
    Up,
    Down,
}

/// So many words before a value are read.
const WORDS: usize = 4;

const UP: &str = "gain gained gains rose rise rises risen rising grew grow grows grown growing increase increased \
    increases up climbed climb returned growth stieg stiegen steigt steigen gestiegen anstieg wuchs \
    wächst gewachsen zuwachs zulegte gewann gewinn augmenté augmentée augmentées augmentés augmente augmentation hausse progressé \
    progression gagné subió subieron sube suben aumentó aumentaron aumenta aumento creció crecieron crece ganó";
const DOWN: &str = "lost lose loses losing loss losses fell fall falls fallen falling drop dropped drops decline \
    declined declines down decrease decreased decreases shrank shrunk minus fiel fielen fällt gefallen \
    sank sanken sinkt sinken gesunken rückgang verlor verloren verlust abnahme baissé baisse reculé \
    recul perdu perte chute chuté bajó bajaron baja cayó cayeron cae perdió pérdida disminuyó disminuyeron disminución descendió descendieron \
    descenso";
const UP_SIGNS: [&str; 8] = ["增长", "上升", "上涨", "增加", "提高", "增加し", "上昇し", "増加し"];
const DOWN_SIGNS: [&str; 8] = ["下降", "下跌", "减少", "降低", "亏损", "減少し", "下落し", "低下し"];

static TRENDS: LazyLock<WordMap<u64, Trend>> = LazyLock::new(|| {
    let of = |list: &'static str, trend: Trend| list.split_whitespace().map(move |word| (mark(word), trend));
    of(UP, Trend::Up).chain(of(DOWN, Trend::Down)).collect()
});

/// What the text right before a value says of it; else the word right behind it, as in `um 2 % sanken`.
pub(crate) fn trend(before: &str, behind: &str) -> Trend {
    let words = before.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    let last = words.rev().take(WORDS).find_map(|word| TRENDS.get(&mark(word)));
    if let Some(known) = last {
        return *known;
    }
    if !before.chars().rev().take(WORDS).any(is_sign) {
        let next = behind.trim_start().split(|letter: char| !letter.is_alphabetic()).next().unwrap_or("");
        let known = TRENDS.get(&mark(next)).copied();
        return known.or_else(|| compared(next, behind)).unwrap_or(Trend::Open);
    }
    let near = |sign: &&str| before.trim_end().trim_end_matches(['了', '约', '至']).ends_with(*sign);
    if UP_SIGNS.iter().any(near) {
        Trend::Up
    } else if DOWN_SIGNS.iter().any(near) {
        Trend::Down
    } else {
        Trend::Open
    }
}

/// `un 9 % más`, `8 % de moins`, `5 Prozent weniger`: more or less than before, where nothing says than what.
fn compared(next: &str, behind: &str) -> Option<Trend> {
    let word = if next == "de" { behind.split_whitespace().nth(1).unwrap_or("") } else { next };
    let word = word.trim_end_matches(|letter: char| !letter.is_alphabetic());
    let rest = behind.split_once(word).map_or("", |(_, rest)| rest.trim_start());
    let closed = rest.is_empty() || rest.starts_with([',', '.', ';', ')']);
    match word {
        "más" | "plus" | "mehr" | "more" | "higher" if closed => Some(Trend::Up),
        "menos" | "moins" | "weniger" | "less" | "lower" if closed => Some(Trend::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_says_which_way() {
        for (before, expected) in [
            ("revenue rose by ", Trend::Up),
            ("after losing ", Trend::Down),
            ("following a loss of ", Trend::Down),
            ("the fee is ", Trend::Open),
            ("der umsatz sank um ", Trend::Down),
            ("les ventes ont augmenté de ", Trend::Up),
            ("销售额下降了", Trend::Down),
            ("rose in the first quarter of the year to ", Trend::Open),
        ] {
            assert_eq!(trend(before, ""), expected, "{before}");
        }
    }
}

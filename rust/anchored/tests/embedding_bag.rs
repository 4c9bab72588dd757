//! The embedding bag: means against a plain computation over whole texts, and what is asked of the tokenizer.

use std::convert::Infallible;

use proptest::prelude::*;
use shadowlane_anchored::embedding_bag::EmbeddingBag;

const DIM: usize = 40;
const ROWS: usize = 50;
const MARK: &str = "<s>";

fn table() -> Vec<f32> {
    (0..ROWS * DIM).map(|place| (place * 37 % 101) as f32 - 50.0).collect()
}

fn bag() -> EmbeddingBag {
    EmbeddingBag::new(table().into_iter(), DIM, Some(vec![MARK.into()])).unwrap()
}

/// A tokenizer that never reaches over the space before a word: one token a character, the space in front included. As
/// tokenizers do, it cuts at a mark, which is one token without that space.
fn tokens(text: &str) -> Vec<u32> {
    let spaced = format!(" {text}").replace(MARK, "\u{1}");
    spaced.chars().map(|one| one as u32 % (ROWS as u32 + 5)).collect()
}

fn plain_mean(text: &str) -> Vec<f32> {
    let (ids, table) = (tokens(text), table());
    (0..DIM)
        .map(|column| {
            let rows = ids.iter().map(|id| (*id as usize).min(ROWS - 1));
            let sum: f64 = rows.map(|row| f64::from(table[row * DIM + column])).sum();
            (sum / ids.len() as f64) as f32
        })
        .collect()
}

/// The rows of the texts, and the words that were tokenized for them.
fn means(bag: &mut EmbeddingBag, texts: &[String]) -> (Vec<f32>, Vec<String>) {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut asked = Vec::new();
    let rows = bag.means(&texts, |words| {
        asked.extend(words.iter().map(ToString::to_string));
        Ok::<_, Infallible>(words.iter().map(|word| tokens(word)).collect())
    });
    (rows.unwrap(), asked)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof!["[a-c]{0,3}", "\\PC{0,4}", Just("x".repeat(65)), Just(MARK.to_string()), Just("\n".into())];
    prop::collection::vec(prop::collection::vec(word, 0..12).prop_map(|words| words.join(" ")), 0..6)
}

proptest! {
    #[test]
    fn rows_are_the_means_over_whole_texts(calls in prop::collection::vec(texts(), 1..4)) {
        let mut bag = bag();
        for texts in calls {
            let (rows, asked) = means(&mut bag, &texts);
            for (text, row) in texts.iter().zip(rows.chunks_exact(DIM)) {
                for (ours, theirs) in row.iter().zip(plain_mean(text)) {
                    prop_assert!((ours - theirs).abs() < 1e-4, "{text:?}: {row:?}");
                }
            }
            let mut once = asked.clone();
            once.sort();
            once.dedup();
            prop_assert_eq!(once.len(), asked.len());
            // The second time, only what is too long to keep is asked for.
            let (again, asked) = means(&mut bag, &texts);
            prop_assert_eq!(again, rows);
            prop_assert!(asked.iter().all(|word| word.len() > 64), "{:?}", asked);
        }
    }
}

#[test]
fn a_text_with_a_mark_and_every_text_without_marks_given_goes_whole() {
    let texts = ["one two".to_string(), "one <s> two".to_string()];
    assert_eq!(means(&mut bag(), &texts).1, ["one", "two", "one <s> two"]);
    let mut whole = EmbeddingBag::new(table().into_iter(), DIM, None).unwrap();
    assert_eq!(means(&mut whole, &texts).1, ["one two", "one <s> two"]);
}

#[test]
fn a_tokenizer_that_fails_fails_the_call_and_leaves_the_bag_as_it_was() {
    let mut bag = bag();
    assert_eq!(bag.means(&["one two"], |_| Err("no")), Err("no"));
    assert_eq!(means(&mut bag, &["two".to_string()]).1, ["two"]);
}

#[test]
fn a_text_without_tokens_has_a_row_of_zeros() {
    let rows = bag().means(&["one"], |words| Ok::<_, Infallible>(vec![Vec::new(); words.len()])).unwrap();
    assert_eq!(rows, [0.0; DIM]);
}

#[test]
fn tables_without_whole_rows_are_refused() {
    for (numbers, dim) in [(0, 3), (4, 3), (3, 0)] {
        let error = EmbeddingBag::new(vec![0.0; numbers].into_iter(), dim, None).err().unwrap();
        assert!(error.to_string().starts_with("table: "), "{error}");
    }
}

#[test]
fn the_words_kept_are_bounded() {
    let mut bag = bag();
    for call in 0..101 {
        let texts = [(0..1000).map(|word| format!("{call}-{word}")).collect::<Vec<_>>().join(" ")];
        assert_eq!(means(&mut bag, &texts).1.len(), 1000);
    }
    // The first hundred calls filled it, so the last one began anew: what was known before is asked for again.
    assert_eq!(means(&mut bag, &["0-0".into()]).1, ["0-0"]);
    assert_eq!(means(&mut bag, &["100-0".into()]).1, Vec::<String>::new());
}

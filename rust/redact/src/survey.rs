//! Which kinds of bytes a text holds, read once: so that what needs one of them is not asked where none stands. Most texts
//! of a body are short and plain.
//!
//! Invariant: a kind that is left out stands nowhere in the text; one that is named need not.

use super::triggers;

/// A byte beyond ASCII.
const BEYOND: u8 = 1;
/// What marks up: `<`, `*`, a backtick.
const MARKUP: u8 = 2;
/// What encodes: `%`, `&`, a backslash.
const ENCODED: u8 = 4;
/// A space.
const SPACE: u8 = 8;
/// A trigger of the scan that says something in a short word too.
const TRIGGER: u8 = 16;
/// An underscore or a capital: what it begins has a digit, a sign or more than `WORD` bytes.
const LETTER: u8 = 32;

/// Texts up to this length are read byte by byte: a search for each kind takes longer to begin.
const SHORT: usize = 96;
/// No key without a digit and no base 64 is shorter: AWS's identifiers have 20 letters, a text in base 64 has 16.
const WORD: usize = 16;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            0x80.. => BEYOND,
            b'<' | b'*' | b'`' => MARKUP,
            b'%' | b'&' | b'\\' => ENCODED,
            b' ' => SPACE,
            b'_' | b'A' | b'B' | b'J' => LETTER,
            _ if triggers::is_trigger(byte as u8) => TRIGGER,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// The kinds of bytes of one text.
#[derive(Clone, Copy)]
pub(super) struct Survey {
    kinds: u8,
    length: usize,
}

impl Survey {
    pub(super) fn of(text: &[u8]) -> Self {
        let kinds = if text.len() <= SHORT {
            text.iter().fold(0, |kinds, byte| kinds | KINDS.get(usize::from(*byte)).copied().unwrap_or(u8::MAX))
        } else {
            let kind = |stands: bool, kind: u8| if stands { kind } else { 0 };
            TRIGGER
                | LETTER
                | kind(!text.is_ascii(), BEYOND)
                | kind(memchr::memchr3(b'<', b'*', b'`', text).is_some(), MARKUP)
                | kind(memchr::memchr3(b'%', b'&', b'\\', text).is_some(), ENCODED)
                | kind(memchr::memchr(b' ', text).is_some(), SPACE)
        };
        Self { kinds, length: text.len() }
    }

    /// Nothing that is built in finds a value in such a text.
    pub(super) fn is_plain(self) -> bool {
        self.length < WORD && self.kinds & !LETTER == 0
    }

    pub(super) fn beyond_ascii(self) -> bool {
        self.kinds & BEYOND != 0
    }

    pub(super) fn markup(self) -> bool {
        self.kinds & MARKUP != 0
    }

    pub(super) fn encoded(self) -> bool {
        self.kinds & ENCODED != 0
    }

    pub(super) fn space(self) -> bool {
        self.kinds & SPACE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_has_the_kinds_of_a_short_one() {
        for byte in 0..=255_u8 {
            for shift in [0, 50, SHORT] {
                let mut text = vec![b'x'; SHORT + 1];
                text[shift] = byte;
                let (long, short) = (Survey::of(&text), Survey::of(&[byte]));
                let asked = |survey: Survey| (survey.beyond_ascii(), survey.markup(), survey.encoded(), survey.space());
                assert_eq!(asked(long), asked(short), "byte {byte} at {shift}");
            }
        }
    }

    #[test]
    fn every_trigger_makes_a_text_one_to_be_scanned() {
        for byte in 0..=255_u8 {
            let trigger = triggers::Triggers::new(&[byte]).next().is_some();
            let letter = matches!(byte, b'_' | b'A' | b'B' | b'J');
            assert!(!trigger || letter || !Survey::of(&[b'x', byte]).is_plain(), "byte {byte}");
        }
        assert!(Survey::of(b"assistant_Joe").is_plain() && !Survey::of(b"assistant_Joe_and_more").is_plain());
    }
}

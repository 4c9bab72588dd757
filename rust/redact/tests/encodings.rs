//! A value in another dress: other scripts' digits, characters that show nothing, references, escapes, base 64.

#![allow(clippy::format_collect)] // a test may allocate

use shadowlane_redact::{Findings, Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

const MAIL: &str = "jane.doe@example.org";
const CARD: &str = "4012888888881881";

fn base64(bytes: &[u8], url: bool, pad: bool) -> String {
    let last: [char; 2] = if url { ['-', '_'] } else { ['+', '/'] };
    let signs: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last).collect();
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            out.push(signs[bits >> (18 - 6 * place) & 63]);
        }
        if pad {
            out.extend(std::iter::repeat_n('=', 3 - three.len()));
        }
    }
    out
}

/// The text with each digit, or each letter and digit, as another character.
fn dressed(text: &str, of: impl Fn(char) -> Option<u32>) -> String {
    text.chars().map(|sign| of(sign).and_then(char::from_u32).unwrap_or(sign)).collect()
}

fn digit(zero: u32, one: u32) -> impl Fn(char) -> Option<u32> {
    move |sign| sign.to_digit(10).map(|digit| if digit == 0 { zero } else { one + digit - 1 })
}

#[test]
fn digits_and_letters_of_other_dresses() {
    let sanitizer = sanitizer();
    let superscript = |sign: char| {
        sign.to_digit(10)
            .map(|digit| [0x2070, 0xb9, 0xb2, 0xb3, 0x2074, 0x2075, 0x2076, 0x2077, 0x2078, 0x2079][digit as usize])
    };
    for card in [
        dressed(CARD, digit(0x24ea, 0x2460)),
        dressed(CARD, digit(0x24ff, 0x2776)),
        dressed(CARD, digit(0x2080, 0x2081)),
        dressed(CARD, digit(0xff10, 0xff11)),
        dressed(CARD, digit(0x660, 0x661)),
        dressed(CARD, digit(0x1d7ce, 0x1d7cf)),
        dressed(CARD, superscript),
        CARD.chars().map(|sign| format!("{sign}\u{fe0f}\u{20e3}")).collect(),
    ] {
        assert_eq!(sanitizer.text(&format!("card {card} end")).0, "card [PAYMENT_CARD] end", "{card}");
    }
    let circled = dressed(MAIL, |sign| sign.is_ascii_lowercase().then(|| sign as u32 - 0x61 + 0x24d0));
    let bold = dressed(MAIL, |sign| sign.is_ascii_lowercase().then(|| sign as u32 - 0x61 + 0x1d41a));
    let wide = dressed(MAIL, |sign| Some(sign as u32 - 0x21 + 0xff01));
    for mail in [circled, bold, wide] {
        assert_eq!(sanitizer.text(&format!("to {mail} end")).0, "to [EMAIL] end", "{mail}");
    }
}

#[test]
fn characters_that_show_nothing() {
    let sanitizer = sanitizer();
    for sign in [
        '\u{200b}',
        '\u{200d}',
        '\u{34f}',
        '\u{3164}',
        '\u{115f}',
        '\u{2060}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{2063}',
        '\u{202a}',
        '\u{ffa0}',
    ] {
        for (value, label) in [(MAIL, "[EMAIL]"), (CARD, "[PAYMENT_CARD]")] {
            let split: String = value.chars().flat_map(|letter| [letter, sign]).collect();
            let clean = sanitizer.text(&format!("to {split} end")).0;
            assert!(clean.contains(label) && !clean.contains("881") && !clean.contains("exa"), "{sign:?}: {clean}");
        }
    }
}

#[test]
fn text_that_is_shown_otherwise() {
    let sanitizer = sanitizer();
    let reversed: String = MAIL.chars().rev().collect();
    let card: String = CARD.chars().rev().collect();
    for text in [
        format!("to \u{202e}{reversed}\u{202c} end"),
        format!("to \u{202e}{reversed}"),
        format!("card \u{202e}{card}\n end"),
        format!(
            "see {} end",
            MAIL.chars().filter_map(|sign| char::from_u32(0xe0000 + sign as u32)).collect::<String>()
        ),
    ] {
        let (clean, found) = sanitizer.text(&text);
        assert_eq!(found.len(), 1, "{clean}");
        assert_eq!(sanitizer.text(&clean), (clean.clone(), vec![]));
    }
}

#[test]
fn signs_beside_an_address() {
    let sanitizer = sanitizer();
    for (before, after) in [
        ("\u{2014}", "\u{2014}"),
        ("\u{201c}", "\u{201d}"),
        ("\u{ab}", "\u{bb}"),
        ("\u{2026}", "\u{2026}"),
        ("\u{1f4e7}", "\u{1f4e7}"),
        ("\u{90ae}\u{7bb1}", "\u{3067}\u{3059}"),
        ("\u{2022}", "\u{2019}s"),
        ("\u{ff08}", "\u{ff09}"),
    ] {
        let (clean, _) = sanitizer.text(&format!("x {before}{MAIL}{after}and"));
        assert_eq!(clean, format!("x {before}[EMAIL]{after}and"));
    }
    assert_eq!(sanitizer.text("an j\u{fc}rgen@m\u{fc}ller.example").0, "an [EMAIL]");
}

#[test]
fn references_and_escapes_once_and_twice() {
    let sanitizer = sanitizer();
    for at in [
        "%40",
        "%2540",
        "%252540",
        "&#64;",
        "&#x40;",
        "&amp;#64;",
        "&amp;#x40;",
        "&commat;",
        "%u0040",
        "\\u0040",
        "\\x40",
        "&amp;commat;",
        "%26%2364%3B",
    ] {
        let text = format!("to jane.doe{at}example.org end");
        let clean = sanitizer.text(&text).0;
        assert!(!clean.contains("example"), "{text} became {clean}");
    }
}

#[test]
fn base_64_that_is_text() {
    let sanitizer = sanitizer();
    let plain = format!("Write to {MAIL} about {CARD}, please. Gr\u{fc}\u{df}e");
    for (url, pad) in [(false, true), (false, false), (true, true), (true, false)] {
        for cut in [plain.len(), plain.len() - 1, plain.len() - 2] {
            let Some(text) = plain.get(..cut) else { continue };
            let encoded = base64(text.as_bytes(), url, pad);
            for body in [
                serde_json::json!({"data": encoded}).to_string(),
                serde_json::json!({"a": [{"file": format!(" {encoded}\n")}]}).to_string(),
                serde_json::json!({"url": format!("data:text/plain;base64,{encoded}")}).to_string(),
                serde_json::json!({"text": format!("see data:text/csv;charset=utf-8;base64,{encoded} and")})
                    .to_string(),
            ] {
                let clean = String::from_utf8(sanitizer.json(body.as_bytes()).expect("JSON")).expect("UTF-8");
                assert!(!clean.contains(&encoded), "{body} became {clean}");
                assert_eq!(sanitizer.json(clean.as_bytes()).expect("JSON"), clean.as_bytes());
            }
            let headers = sanitizer.headers(&[(b"accept", encoded.as_bytes())], false, &mut Findings::default());
            assert!(headers.iter().all(|(_, value)| value != encoded.as_bytes()));
        }
    }
    for stays in [
        base64(b"nothing in this text that anybody would mind at all", false, true),
        base64(&[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 1, 2, 3, 4, 5, 6, 7, 8], false, true),
        "internationalization".to_owned(),
    ] {
        let body = serde_json::json!({"data": stays}).to_string();
        assert_eq!(sanitizer.json(body.as_bytes()).expect("JSON"), body.as_bytes());
    }
}

#[test]
fn reversed_text_goes_on_over_dashes_and_quotes() {
    let sanitizer = sanitizer();
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    for said in [
        "019-90-9192 \u{2014} my SSN is",
        "\u{201c}jane.doe@example.org\u{201d} \u{2026} it is",
        "4012\u{2009}8888\u{2009}8888\u{2009}1881",
    ] {
        let text = format!("so \u{202e}{}", reversed(said));
        let (clean, _) = sanitizer.text(&text);
        for part in ["9192", "2919", "jane", "enaj", "1881"] {
            assert!(!clean.contains(part), "{text} became {clean}");
        }
        assert_ne!(clean, text);
    }
    // A mark of direction ends the part, of either block.
    for mark in ["\u{202c}", "\u{202d}", "\u{2069}", "\u{2066}"] {
        let text = format!("\u{202e}{}{mark} and more \u{2014} here", reversed("my SSN is 536-22-8726"));
        let (clean, _) = sanitizer.text(&text);
        assert!(clean.ends_with(" and more \u{2014} here") && !clean.contains("6278"), "{clean}");
    }
    // A label beside it is read as it is written, and a long line is read to its end.
    let text = format!("{{\"phone\": \"\u{202e}[PHONE:921976149912] {}\"}}", reversed("415-555-0132"));
    let clean = sanitizer.json(text.as_bytes()).expect("JSON");
    assert_eq!(String::from_utf8_lossy(&clean), "{\"phone\": \"\u{202e}[PHONE:921976149912] [PHONE]\"}");
    let text = format!("\u{202e}{}{}", "nothing at all, ".repeat(100), reversed("my SSN is 536-22-8726"));
    let (clean, _) = sanitizer.text(&text);
    assert!(clean.contains("[US_SSN]") && !clean.contains("6278"), "{clean}");
}

//! What stands beside a value, and between its groups, does not hide it: a matrix of values and neighbours.

use shadowlane_redact::{Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

/// Made up, in the shapes of real ones.
const VALUES: &[&str] = &[
    "jane.doe+tag@mail.example.org",
    "4012 8888 8888 1881",
    "4012-8888-8888-1881",
    "4012888888881881",
    "378282246310005",
    "+44 20 7946 0958",
    "(415) 555-0132",
    "415-555-0132",
    "GB82 WEST 1234 5698 7654 32",
    "DE89370400440532013000",
    "536-22-8726",
    "219-09-9192",
    "203.0.113.77",
    "2001:db8::8a2e:370",
    "00:1A:2B:3C:4D:5E",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlcGxhbnRlZA",
    "AKIAIOSFODNN7EXQMPLE",
    "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4",
    "xoxb-123456789012-abcdefGHIJKL",
    "RSSMRA85T10A562S",
    "960121-1234561",
    "529.982.247-25",
];

const NEIGHBOURS: &[&str] = &[
    ",", ".", "#", "$", "_", "[", "]", "(", ")", "|", ";", "=", "/", "*", "\t", "\n", ":", "\"", "'", "`", "<", ">",
    "{", "}", "~", "!", "?", "&", "\u{2014}", "\u{2013}", "\u{ab}", "\u{201c}", "\u{3002}", "\u{a0}", "\r\n", "**",
    "__", ", ", "\u{e9}",
];

#[test]
fn no_neighbour_hides_a_value() {
    let sanitizer = sanitizer();
    let mut leaks = Vec::new();
    for value in VALUES {
        for sign in NEIGHBOURS {
            for text in [
                format!("{sign}{value}{sign}"),
                format!("{sign}{value}"),
                format!("{value}{sign}"),
                format!("row {sign}{value}{sign} end"),
                format!("Bob{sign}{value} end"),
                format!("row {value}{sign}Bob"),
            ] {
                // Signs that can be part of what begins or ends with letters: `pkg-1.2.3.4`, `a/b@c`.
                let joined =
                    matches!(*sign, "." | "_" | "__" | "=" | "/" | ":" | "&" | "\u{2013}" | "\u{3002}" | "\u{e9}")
                        && (text.starts_with("Bob") || text.ends_with("Bob"));
                if !joined && sanitizer.text(&text).0.contains(value) {
                    leaks.push(text);
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leak: {leaks:#?}", leaks.len());
}

#[test]
fn two_colons_before_a_number_make_no_address_of_its_first_group() {
    let sanitizer = sanitizer();
    for (text, wanted) in [
        ("::4012 8888 8888 1881", "::[PAYMENT_CARD]"),
        ("x ::4012-8888-8888-1881 y", "x ::[PAYMENT_CARD] y"),
        ("Pay ::4012 8888 8888 1881, ::536-22-8726", "Pay ::[PAYMENT_CARD], ::[US_SSN]"),
        ("from ::ffff:203.0.113.77 and ::8a2e 12", "from [IP_ADDRESS] and [IP_ADDRESS] 12"),
    ] {
        assert_eq!(sanitizer.text(text).0, wanted);
    }
}

#[test]
fn the_cells_of_a_table_are_looked_at() {
    let sanitizer = sanitizer();
    let mut leaks = Vec::new();
    for value in VALUES {
        for sign in [",", ";", "\t", "|", ", ", " | ", "\n"] {
            let row = ["1", "Bob", value, "12/27", "3"].join(sign);
            for text in [row.clone(), format!("7{sign}{value}{sign}123"), format!("x\n{value}{sign}9\n1{sign}{value}")]
            {
                if sanitizer.text(&text).0.contains(value) {
                    leaks.push(text);
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leak: {leaks:#?}", leaks.len());
}

#[test]
fn letters_of_prose_do_not_hide_a_number_that_they_name() {
    let sanitizer = sanitizer();
    for (word, value) in [
        ("Karte", "4012888888881881"),
        ("card", "4012 8888 8888 1881"),
        ("SSN", "219-09-9192"),
        ("ssn", "219099192"),
        ("Tel", "+44 20 7946 0958"),
        ("tel", "4155550132"),
        ("phone", "(415) 555-0132"),
        ("mobile", "415.555.0132"),
    ] {
        for text in [format!("{word}{value}"), format!("my {word}{value}und mehr"), format!("{word}_{value}_x")] {
            let clean = sanitizer.text(&text).0;
            assert!(!clean.contains(value), "{text} became {clean}");
        }
    }
}

#[test]
fn separators_within_a_number_do_not_hide_it() {
    let sanitizer = sanitizer();
    let signs = ["\n", "\t", "  ", ".", "/", "-", " - ", "\r\n", " \n", "\u{a0}", "\u{2009}", "\u{2013}", " / "];
    let forms: &[(&str, &[&str])] = &[
        ("card", &["4012", "8888", "8888", "1881"]),
        ("card", &["3782", "822463", "10005"]),
        ("the", &["5555", "5555", "5555", "4444"]),
        ("ssn", &["219", "09", "9192"]),
        ("phone", &["415", "555", "0132"]),
        ("NHS", &["943", "476", "5919"]),
    ];
    let mut leaks = Vec::new();
    for (word, groups) in forms {
        for one in signs {
            for two in signs {
                let value = groups.iter().enumerate().fold(String::new(), |value, (index, group)| {
                    value
                        + if index == 0 {
                            ""
                        } else if index % 2 == 1 {
                            one
                        } else {
                            two
                        }
                        + group
                });
                let clean = sanitizer.text(&format!("my {word} {value} is it")).0;
                if groups.iter().any(|group| clean.contains(group)) {
                    leaks.push((value, clean));
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leak: {leaks:#?}", leaks.len());
}

#[test]
fn markup_between_groups_does_not_hide_a_number() {
    let sanitizer = sanitizer();
    for text in [
        "card 4012 **8888** 8888 1881 end",
        "card **4012** **8888** **8888** **1881** end",
        "card <b>4012</b> <b>8888</b> 8888 1881 end",
        "card 4012<br/>8888<br>8888<br />1881 end",
        "card 4012&nbsp;8888&#160;8888&nbsp;1881 end",
        "ssn <td>219</td>-<td>09</td>-9192 end",
        "ssn `219`-`09`-`9192` end",
        "phone <span class=\"a\">415</span>-555-<i>0132</i> end",
        "mail jane<wbr>@<b>example</b>.org end",
    ] {
        let clean = sanitizer.text(text).0;
        for part in ["8888", "1881", "9192", "0132", "example"] {
            assert!(!clean.contains(part), "{text} became {clean}");
        }
        assert!(clean.ends_with(" end"), "{clean}");
    }
}

#[test]
fn what_is_part_of_something_else_stays() {
    let sanitizer = sanitizer();
    for text in [
        "it costs $1,234,567,890.12 or 1,219,099,192 in all",
        "the id 550e8400-e29b-41d4-a716-446655440000 and 12345678-1234-1234-1234-123456789012 of the phone",
        "pi is 3.141592653589793238 and e 2.718281828459045",
        "hash d2c4012888888881881ff and 0x4012888888881881",
        "on 2024-05-01, 01.05.2024 or 2024 05 01 we call",
        "10GB of 1234567 rows, 100px, 2024x1080 and 7680x4320",
        "lines 4012 5021 6013 7044 of the table",
    ] {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
}

#[test]
fn a_plus_before_a_dash_makes_no_telephone_number_of_what_is_behind_it() {
    let sanitizer = Sanitizer::new(&Options::default()).expect("the defaults are right");
    for (text, clean) in [
        ("+ \u{2013} 203.0.113.77", "+ \u{2013} [IP_ADDRESS]"),
        ("+ - 4012 8888 8888 1881", "+ - [PAYMENT_CARD]"),
        ("+ 44 20 7946 0958", "[PHONE]"),
    ] {
        assert_eq!(sanitizer.text(text).0, clean);
    }
}

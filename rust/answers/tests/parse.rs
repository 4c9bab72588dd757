//! The parser of bodies beside serde_json's: what it takes, serde_json takes too, with the same value.

use proptest::prelude::*;
use serde_json::Value as Other;
use shadowlane_answers::{Value, parse};

fn same(mine: &Value<'_>, other: &Other) -> bool {
    match (mine, other) {
        (Value::Null, Other::Null) => true,
        (Value::Bool(a), Other::Bool(b)) => a == b,
        (Value::Number(spelt), Other::Number(number)) => {
            // Integers exactly; serde_json may be off by the last bit of a fraction.
            let (a, b) = (spelt.parse::<f64>().unwrap(), number.as_f64().unwrap());
            number.as_i128().is_none_or(|number| spelt.parse() == Ok(number) || *spelt == "-0")
                && (a - b).abs() <= a.abs() * 1e-15
        }
        (Value::Text(a), Other::String(b)) => a.as_ref() == b,
        (Value::Array(a), Other::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Other::Object(b)) => {
            a.0.len() == b.len() && a.0.iter().all(|(name, a)| b.get(name.as_ref()).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

fn check(text: &str) -> bool {
    let Some(mine) = parse(text) else { return false };
    let other: Other = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text:?} is taken: {error}"));
    assert!(same(&mine, &other), "{text:?}: {mine:?} is not {other:?}");
    true
}

fn values() -> impl Strategy<Value = Other> {
    let leaf = prop_oneof![
        Just(Other::Null),
        any::<bool>().prop_map(Other::from),
        any::<i64>().prop_map(Other::from),
        (-1e9..1e9_f64).prop_map(Other::from),
        ".{0,8}".prop_map(Other::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Other::from),
            prop::collection::hash_map("[a-d\"\\\\é]{0,3}", inner, 0..5)
                .prop_map(|members| Other::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_taken(value in values()) {
        // -0.0 is left to others.
        prop_assume!(!value.to_string().contains("-0.0"));
        prop_assert!(check(&value.to_string()));
        prop_assert!(check(&serde_json::to_string_pretty(&value).unwrap()));
    }

    #[test]
    fn nothing_else_is_taken(value in values(), at in any::<prop::sample::Index>(), put in ".{0,3}", cut in 0_usize..4) {
        let text = value.to_string();
        let at = (0..=at.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (before, after) = text.split_at(at);
        check(&format!("{before}{put}{}", after.chars().skip(cut).collect::<String>()));
    }

    #[test]
    fn escapes_are_undone(units in prop::collection::vec(any::<u16>(), 0..6)) {
        let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let expected = String::from_utf16(&units).ok().map(|text| Value::Text(text.into()));
        let text = format!("\"{}\"", escapes.concat());
        prop_assert_eq!(parse(&text), expected);
    }
}

#[test]
fn what_parsers_do_not_agree_on_is_left() {
    let nested = format!("{}{}", "[".repeat(101), "]".repeat(101));
    let long = "1".repeat(301);
    for text in [r#"{"a":1,"a":2}"#, "1e400", "-0.0", "-0e5", r#""\ud800""#, "\u{feff}1", "NaN", &nested, &long] {
        assert_eq!(parse(text), None, "{text}");
    }
    let names = |count: usize| (0..count).map(|at| format!("\"{at}\":1")).collect::<Vec<_>>().join(",");
    assert!(parse(&format!("{{{}}}", names(100))).is_some());
    assert_eq!(parse(&format!("{{{},\"7\":2}}", names(100))), None);
}

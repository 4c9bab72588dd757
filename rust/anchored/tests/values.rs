//! Values that are one in two forms, and such that are not: what must contradict, and what must not.

use shadowlane_anchored::anchor;

/// The kinds of contradiction found between two texts.
fn kinds(a: &str, b: &str) -> Vec<&'static str> {
    anchor(a, b, 0.1).evidence.iter().map(|found| found.kind).collect()
}

#[track_caller]
fn contradict(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        assert!(!kinds(a, b).is_empty(), "nothing found:\n{a}\n{b}");
        assert!(!kinds(b, a).is_empty(), "nothing found the other way round:\n{b}\n{a}");
    }
}

#[track_caller]
fn agree(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "\n{a}\n{b}");
        assert_eq!(kinds(b, a), Vec::<&str>::new(), "\n{b}\n{a}");
    }
}

#[test]
fn a_range_of_times_has_its_half_of_the_day_once() {
    agree(&[
        ("The course runs from 3:30 to 5 p.m. on Monday.", "On Monday the course runs 15:30–17:00."),
        ("Rehearsals last from seven to half past nine in the evening.", "Rehearsals last from 19:00 to 21:30."),
        ("The desk is open from 9 am to 5 pm.", "The desk is open from 9:00 to 17:00."),
    ]);
    contradict(&[
        ("The course runs from 3:30 to 5 p.m. on Monday.", "On Monday the course runs 14:30–17:00."),
        ("The desk is open from 9 am to 5 pm.", "The desk is open from 9:00 to 18:00."),
    ]);
}

#[test]
fn what_two_values_make_is_no_other_value() {
    agree(&[
        (
            "The child weighed 3.4 kg at birth and has gained 1.6 kg since.",
            "The child weighed 3.4 kg at birth and weighs 5.0 kg now.",
        ),
        (
            "The rent is 800 euros, and 150 euros of charges come on top.",
            "The rent is 800 euros, together with the charges 950 euros.",
        ),
        ("It takes 28 minutes to charge from 10 to 80 percent.", "It takes 28 minutes to charge 70 percent."),
    ]);
    contradict(&[
        (
            "The child weighed 3.4 kg at birth and weighs 5.2 kg now.",
            "The child weighed 3.4 kg at birth and weighs 5.0 kg now.",
        ),
        (
            "It takes 28 minutes to charge from 10 to 80 percent.",
            "It takes 28 minutes to charge from 10 to 90 percent.",
        ),
    ]);
}

#[test]
fn the_two_ends_of_a_range_are_two_values() {
    agree(&[(
        "Total assets were 1.25 billion dollars, against 1.1 billion dollars the year before.",
        "Total assets grew from $1,100m to $1,250m, of which $500m is equity.",
    )]);
    contradict(&[(
        "Total assets were 1.25 billion dollars, against 1.1 billion dollars the year before.",
        "Total assets grew from $1,100m to $1,350m.",
    )]);
}

#[test]
fn fractions_weeks_and_halves_in_words() {
    agree(&[
        ("The population grew by one tenth.", "The population grew by 10 percent."),
        ("Equity is two fifths of the total.", "Equity is 40 percent of the total."),
        ("The refund takes ten working days.", "The refund takes two working weeks."),
        ("一般人需要三个半小时。", "一般人需要210分钟。"),
        ("鸡蛋煮6分半钟。", "鸡蛋煮390秒。"),
        ("会员可享八成退款。", "会员可享80%退款。"),
        ("Kinder unter sechs Jahren zahlen nichts.", "Kinder bis einschließlich 5 Jahre zahlen nichts."),
    ]);
    contradict(&[
        ("The population grew by one tenth.", "The population grew by 20 percent."),
        ("The refund takes ten working days.", "The refund takes three working weeks."),
        ("一般人需要三个半小时。", "一般人需要270分钟。"),
    ]);
}

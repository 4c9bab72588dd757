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
fn units_of_two_systems_are_rounded() {
    agree(&[
        ("One bag of up to 23 kg is free.", "One bag of up to 50 lb is free."),
        ("The crate weighs 12 kg.", "The crate weighs 26 pounds."),
        ("Bake the bread at 200 °C.", "Bake the bread at 400 °F."),
        ("Roast the nuts at 160 °C.", "Roast the nuts at 325 °F."),
        ("The limit is 4 GB.", "The limit is 4,096 MB."),
        ("The disk has 1 TB.", "The disk has 1,024 GB."),
        ("Las ventas del segundo trimestre fueron altas.", "Las ventas del T2 fueron altas."),
    ]);
    contradict(&[
        ("One bag of up to 23 kg is free.", "One bag of up to 70 lb is free."),
        ("Bake the bread at 200 °C.", "Bake the bread at 350 °F."),
        ("Store the syrup below 25 °C.", "Store the syrup below 86 °F."),
        ("The limit is 4 GB.", "The limit is 4,400 MB."),
        ("Las ventas del T2 subieron un 9 %.", "Las ventas del T3 subieron un 9 %."),
        ("Debt fell to $1.2 billion.", "Debt increased to $1.2bn."),
    ]);
}

#[test]
fn rates_and_pressures_are_known_in_another_unit() {
    agree(&[
        ("The gym costs 30 euros a month.", "The gym is 360 euros a year."),
        ("Fill the tyres to 2.5 bar.", "The tyres need 36 psi."),
        ("The engine delivers 110 kW.", "The engine has 148 hp."),
        ("One serving has 840 kJ.", "A serving contains 200 kcal."),
        ("The course lasts 12 weeks.", "The course takes three months."),
        ("Let it simmer for 40 minutes.", "It simmers for two thirds of an hour."),
        ("Le délai est de quinze jours.", "Le délai est de deux semaines."),
        ("El plazo es de quince días.", "El plazo es de dos semanas."),
        ("Der Kuchen backt 90 Minuten.", "Der Kuchen backt anderthalb Stunden."),
    ]);
    contradict(&[
        ("The gym costs 30 euros a month.", "The gym is 300 euros a year."),
        ("Fill the tyres to 2.5 bar.", "The tyres need 46 psi."),
        ("The course lasts 12 weeks.", "The course takes four months."),
        ("Le délai est de quinze jours.", "Le délai est de trois semaines."),
    ]);
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

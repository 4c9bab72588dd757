//! Two versions of one answer, sentence for sentence in other words: labelled by hand before the rules were run.

use shadowlane_anchored::anchor;

#[track_caller]
fn contradicts(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        for (one, other) in [(a, b), (b, a)] {
            assert!(!anchor(one, other, 0.1).evidence.is_empty(), "nothing found:\n{one}\n{other}");
        }
    }
}

#[track_caller]
fn agrees(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        for (one, other) in [(a, b), (b, a)] {
            let found = anchor(one, other, 0.1).evidence;
            assert!(found.is_empty(), "{found:?}\n{one}\n{other}");
        }
    }
}

const POOL: &str = "The pool opens at seven in the morning. Children under 12 need an adult. A day ticket costs 6 euros. \
    Lockers take a coin of one euro.";

#[test]
fn one_value_of_a_sentence_is_another_one() {
    contradicts(&[
        (
            POOL,
            "You can swim from 7 a.m. Kids below the age of 12 have to come with an adult. You pay 9 euros for the day. Put a coin of one euro in the locker.",
        ),
        (
            POOL,
            "You can swim from 7 a.m. Kids below the age of 10 have to come with an adult. You pay 6 euros for the day. Put a coin of one euro in the locker.",
        ),
        (
            "Der Kurs dauert acht Wochen. Er kostet 120 Euro. Bringen Sie ein Handtuch mit.",
            "Acht Wochen lang läuft der Kurs. Zu zahlen sind dafür 210 Euro. Ein Handtuch ist mitzubringen.",
        ),
        (
            "Le bail dure trois ans. Le dépôt est d'un mois de loyer. Les animaux sont admis.",
            "Il s'agit d'un bail de trois ans, avec un dépôt de deux mois de loyer. Les animaux sont admis.",
        ),
        (
            "El curso dura 6 semanas. Cuesta 80 euros. Hay 12 plazas.",
            "Son seis semanas de curso. El precio es de 90 euros. Quedan 12 plazas.",
        ),
    ]);
    agrees(&[
        (
            POOL,
            "You can swim from 7 a.m. Kids below the age of 12 have to come with an adult. You pay 6 euros for the day. Put a coin of one euro in the locker.",
        ),
        (
            "Der Kurs dauert acht Wochen. Er kostet 120 Euro. Bringen Sie ein Handtuch mit.",
            "120 Euro kostet der Kurs. Er läuft acht Wochen lang. Ein Handtuch ist mitzubringen.",
        ),
        (
            "Le bail dure trois ans. Le dépôt est d'un mois de loyer. Les animaux sont admis.",
            "Il s'agit d'un bail de trois ans, avec un dépôt d'un mois de loyer. Les animaux sont admis.",
        ),
    ]);
}

#[test]
fn two_things_that_took_each_others_values() {
    let phones = "The Alto has a screen of 6 inches and 128 GB. The Basso has a screen of 7 inches and 256 GB.";
    contradicts(&[(
        phones,
        "On the Alto you get 256 GB and a screen of 6 inches. The Basso comes with 128 GB and 7 inches.",
    )]);
    agrees(&[(
        phones,
        "On the Alto you get 128 GB and a screen of 6 inches. The Basso comes with 256 GB and 7 inches.",
    )]);
}

#[test]
fn a_word_that_excludes_one_of_the_partner_sentence() {
    contradicts(&[
        (
            "Turn the valve clockwise. The pump starts by itself. Check the gauge after a minute.",
            "First the valve is turned counterclockwise. The pump will start on its own. Look at the gauge a minute later.",
        ),
        (
            "Sie bekommen eine Bestätigung per Post. Der Vertrag ist befristet. Eine Verlängerung ist möglich.",
            "Eine Bestätigung kommt per Post. Es handelt sich um einen Vertrag, der unbefristet ist. Verlängert werden kann er.",
        ),
        (
            "La notice est en trois langues. L'inscription doit être écrite. Le cours commence lundi.",
            "Il y a une notice en trois langues. L'inscription est orale. Le cours débute lundi.",
        ),
    ]);
    agrees(&[
        ("Water is denser than ice. That is why ice floats.", "Ice is less dense than water. That is why ice floats."),
        (
            "The first route is longer than the second one. Both end at the lake.",
            "The second route is shorter than the first one. They both lead to the lake.",
        ),
    ]);
}

#[test]
fn a_partner_sentence_that_permits_what_is_denied() {
    contradicts(&[
        (
            "Store the paint in a dry room. Never mix it with bleach. Wash the brushes with water.",
            "Keep the paint somewhere dry. Mixing it with bleach is also fine. Brushes are washed with water.",
        ),
        (
            "Die Karte gilt ein Jahr. Sie ist nicht auf andere übertragbar. Bei Verlust hilft das Büro.",
            "Ein Jahr lang gilt die Karte. Auf andere übertragbar ist sie ebenfalls. Das Büro hilft, wenn sie verloren geht.",
        ),
    ]);
    agrees(&[
        (
            "Die Gebühr darf höchstens 20 Euro betragen. Sie ist sofort fällig.",
            "Mehr als 20 Euro darf die Gebühr nicht betragen. Fällig ist sie sofort.",
        ),
        (
            "Never share links that were sent to you. Ask the team for a new one.",
            "1. Never share links sent to you\n2. Ask the team for a new one",
        ),
    ]);
}

#[test]
fn which_way_a_share_went() {
    contradicts(&[
        ("Sales rose by 8 percent in May.", "In May, sales went down by 8 percent."),
        (
            "Die Mieten sind um 4 % gestiegen, nachdem die Preise um 2 % stiegen.",
            "Nachdem die Preise um 2 % sanken, sind die Mieten um 4 % gestiegen.",
        ),
    ]);
    agrees(&[(
        "The index lost 3.5 percent in 2020. In 2021 it gained 9 percent.",
        "| Year | Return |\n|---|---|\n| 2020 | -3.5 % |\n| 2021 | +9 % |",
    )]);
}

#[test]
fn another_option_of_the_same_command() {
    contradicts(&[
        ("To undo it, run `git merge --abort`.", "`git merge --quit` lets you undo it."),
        ("Delete it with `rm -r old`.", "Use `rm -i old` to delete it."),
    ]);
    agrees(&[("Commit with `git commit -m text`.", "Use `git commit --message text` to commit.")]);
}

#[test]
fn passages_of_one_text_that_share_a_sentence() {
    let shared = "A new station needs a permit, which takes about fourteen weeks.";
    let others = [
        "When every dock is taken, riders get fifteen free minutes to reach another station.",
        "Solar stations need four hours of direct sun in December.",
        "A refund of up to 15 euros can be granted at once.",
        "Riders of a full station earn a bonus of one euro.",
        "At most forty batteries may be charged in one room.",
        "A battery is retired after 700 cycles.",
        "A bike is free of charge for two minutes.",
        "A bike must stop from twenty kilometres an hour within 4.5 metres on a dry road.",
        "Electric bikes support the rider up to twenty-five kilometres an hour.",
        "A bike is retired when a repair would cost more than 180 euros.",
        "Other retired bikes are sold twice a year at the depot, for 60 to 140 euros.",
    ];
    for one in others {
        for other in others.iter().filter(|other| **other != one) {
            agrees(&[(&format!("{shared} {one}"), &format!("{other} {shared}"))]);
        }
    }
    // A value that is another one in a sentence that is repeated otherwise stays one.
    contradicts(&[(&format!("{shared} {}", others[5]), &format!("{shared} A battery is retired after 900 cycles."))]);
}

#[test]
fn what_is_left_out_behind_without_is_not_denied() {
    agrees(&[
        (
            "The pass can be returned at the desk within two weeks without a fee.",
            "The pass can be returned at the desk within two weeks.",
        ),
        (
            "Die Karte kann binnen zwei Wochen am Schalter ohne Gebühr zurückgegeben werden.",
            "Die Karte kann binnen zwei Wochen am Schalter zurückgegeben werden.",
        ),
    ]);
    contradicts(&[(
        "The pass can be returned at the desk within two weeks with a receipt.",
        "The pass can be returned at the desk within two weeks without a receipt.",
    )]);
}

#[test]
fn texts_about_different_things_have_no_partner_sentences() {
    agrees(&[
        (
            "Look left and right. Wait for a gap. Do not run. Stay alert while you cross.",
            "Use a crosswalk where there is one. Press the button. You can cross when the light is green. Make sure drivers see you.",
        ),
        (
            "The museum has 40 rooms and costs 12 euros.",
            "The old town has 9 churches. A guide takes 30 euros for an afternoon.",
        ),
    ]);
}

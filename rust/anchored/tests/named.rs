//! Who and what is named: countries and their people, cities, offices, other names in the same place.

use shadowlane_anchored::anchor;

fn kinds(a: &str, b: &str) -> Vec<&'static str> {
    let (there, back) = (anchor(a, b, 0.2).evidence, anchor(b, a, 0.2).evidence);
    assert_eq!(there.is_empty(), back.is_empty(), "{a} / {b}");
    there.iter().map(|one| one.kind).collect()
}

#[track_caller]
fn each_is(kind: &str, cases: &[(&str, &str)]) {
    for (a, b) in cases {
        assert!(kinds(a, b).contains(&kind), "{:?}: {a} / {b}", kinds(a, b));
    }
}

#[track_caller]
fn agree(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "{a} / {b}");
    }
}

#[test]
fn another_people() {
    each_is(
        "name",
        &[
            (
                "US citizens may stay for 60 days. The fee for the permit is 40 euros.",
                "For 60 days, Kenyan citizens may stay in the country. You pay 40 euros for the permit.",
            ),
            (
                "Icelandic students pay no tuition. Books are not included.",
                "No tuition is charged to students from Estonia. Books are not included in this.",
            ),
            (
                "Der Bus fährt stündlich. Norwegische Gäste brauchen keinen Adapter.",
                "Stündlich fährt ein Bus. Gäste aus Portugal brauchen keinen Adapter.",
            ),
            (
                "Le pont ferme à 22 h. Les camions polonais paient 12 euros.",
                "À 22 h le pont est fermé. Pour les camions croates, le prix est de 12 euros.",
            ),
            (
                "El museo cierra los lunes. Los grupos chilenos entran gratis.",
                "Los lunes el museo está cerrado. Entran gratis los grupos peruanos.",
            ),
            ("图书馆九点开门。越南学生可以免费借书。", "图书馆在九点开门。泰国学生可以免费借书。"),
            (
                "図書館は九時に開きます。ベトナムの学生は無料で借りられます。",
                "九時に図書館が開きます。エジプトの学生は無料で借りられます。",
            ),
        ],
    );
}

#[test]
fn one_country_by_several_names() {
    agree(&[
        (
            "US citizens may stay for 60 days. The fee for the permit is 40 euros.",
            "For 60 days, American citizens may stay in the country. You pay 40 euros for the permit.",
        ),
        (
            "British drivers need a sticker. It costs 8 euros.",
            "Drivers from the UK need a sticker, which costs 8 euros.",
        ),
        (
            "Der Bus fährt stündlich. Schweizer Gäste brauchen keinen Adapter.",
            "Stündlich fährt ein Bus. Gäste aus der Schweiz brauchen keinen Adapter.",
        ),
        ("They told us to wait. The visa takes 5 days.", "The visa takes 5 days, and they told everybody to wait."),
    ]);
}

#[test]
fn another_city_company_or_person() {
    each_is(
        "name",
        &[
            (
                "The ferry leaves from Oslo at 6:30 and takes 5 hours. Bicycles are free.",
                "At 6:30 the ferry departs from Riga; the trip takes 5 hours. Bicycles cost nothing.",
            ),
            (
                "The board of Kestrel approved the merger on 4 May. Staff keep their contracts.",
                "On 4 May the board of Halvorsen gave its approval to the merger. Staff keep their contracts.",
            ),
            (
                "Please send the form to Agnes Morel by Friday. Copies are not accepted.",
                "The form has to reach Peter Quint by Friday. No copies are accepted.",
            ),
            (
                "Reports are exported as CSV. They are kept for a year.",
                "Reports come as PDF. They are kept for one year.",
            ),
        ],
    );
}

#[test]
fn names_that_are_left_out_or_said_otherwise() {
    agree(&[
        (
            "Please send the form to Agnes Morel by Friday. Copies are not accepted.",
            "The form has to be sent by Friday. Copies are not accepted.",
        ),
        (
            "The World Health Organization advises two doses. The second follows after a month.",
            "Two doses are advised by the WHO, the second one after a month.",
        ),
        (
            "The ferry leaves from Port Alder at 6:30. Bicycles are free.",
            "At 6:30 the ferry departs from Alder. Bicycles are free.",
        ),
        ("# Major Providers\n\nThree of them offer a trial.", "# Leading Providers\n\nThree of them offer a trial."),
    ]);
}

#[test]
fn another_office_organ_or_means() {
    each_is(
        "name",
        &[
            (
                "Report the loss within 2 days. Tell your doctor if you feel dizzy.",
                "The loss is to be reported within 2 days. If you feel dizzy, tell your employer.",
            ),
            (
                "Lunch is served at noon. The sauce contains sesame and milk.",
                "At noon lunch is served. There are peanuts and milk in the sauce.",
            ),
            (
                "Das Formular geht an die Behörde. Die Antwort dauert 3 Wochen.",
                "An die Bank geht das Formular. Es dauert 3 Wochen bis zur Antwort.",
            ),
            (
                "Présentez votre passeport à l'entrée. La visite dure 2 heures.",
                "À l'entrée, présentez votre carte d'identité. La visite dure 2 heures.",
            ),
        ],
    );
}

#[test]
fn before_and_after_beside_a_number() {
    each_is(
        "order",
        &[
            (
                "Seats can be chosen 48 hours before departure. Meals cost extra.",
                "You can choose seats 48 hours after take-off. Meals cost extra.",
            ),
            (
                "休暇は5日前までに申請してください。申請書は上司に渡します。",
                "休みの申請は5日後までです。申請書は上司に渡してください。",
            ),
        ],
    );
    agree(&[(
        "Cancel until 14 days after delivery. Returns are free.",
        "You can cancel within 14 days after delivery. Returns are free.",
    )]);
}

#[test]
fn what_one_denies_and_the_other_adds() {
    each_is(
        "negation",
        &[
            (
                "The pass covers trams. Ferries are not covered by the pass.",
                "Trams are covered by the pass. The pass also applies to ferries.",
            ),
            (
                "Les chiens ne sont pas admis au restaurant. Le petit-déjeuner est à 8 h.",
                "Le petit-déjeuner est à 8 h. Le restaurant accueille aussi les chiens.",
            ),
            (
                "El margen bajó al 12 %. La empresa no repartirá dividendo. El consejo se reúne en mayo.",
                "Al 12 % bajó el margen. Habrá dividendo. En mayo se reúne el consejo.",
            ),
        ],
    );
    each_is(
        "quantifier",
        &[(
            "Only pharmacists may open the safe. It stands in room 3.",
            "The safe may be opened by anyone. It stands in room 3.",
        )],
    );
}

//! How much is demanded, of how many, and of whom: `must` against `recommended`, `all` against `most`, parts exchanged.

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

#[test]
fn what_one_demands_and_the_other_leaves_free() {
    each_is(
        "modality",
        &[
            (
                "The ferry leaves at nine. All passengers must wear a life jacket.",
                "At nine the ferry leaves. Wearing a life jacket is recommended for all passengers.",
            ),
            (
                "Visitors have to sign the book. The tour is free.",
                "The tour is free. It is recommended that visitors sign the book.",
            ),
            (
                "Members may bring the key back on Monday. The office closes at five.",
                "It is mandatory that members bring the key back on Monday. The office closes at five.",
            ),
            (
                "Alle Gäste müssen eine Schwimmbrille tragen. Das Bad öffnet um neun.",
                "Das Bad öffnet um neun. Eine Schwimmbrille wird allen Gästen empfohlen.",
            ),
            (
                "Alle Gäste müssen Badeschuhe tragen. Das Bad öffnet um neun.",
                "Das Bad öffnet um neun. Die Gäste können, wenn sie möchten, Badeschuhe tragen.",
            ),
            (
                "Les visiteurs doivent porter un casque. Le musée ouvre à neuf heures.",
                "Le musée ouvre à neuf heures. Le port du casque est recommandé aux visiteurs.",
            ),
            (
                "Los visitantes deben llevar casco. El museo abre a las nueve.",
                "El museo abre a las nueve. Se recomienda que los visitantes lleven casco.",
            ),
            (
                "Los socios deben llevar casco. El club abre a las nueve.",
                "El club abre a las nueve. Los socios llevan casco, si lo desean.",
            ),
            ("游客必须佩戴头盔。博物馆九点开门。", "建议游客佩戴头盔。博物馆九点开门。"),
            ("学员必须填写表格。课程十点开始。", "学员可自行决定填写表格。课程十点开始。"),
            (
                "受講者は名札の着用が必須です。講座は10時に始まります。",
                "受講者の名札の着用は任意です。講座は10時に始まります。",
            ),
        ],
    );
}

#[test]
fn all_against_most() {
    each_is(
        "quantifier",
        &[
            (
                "Each lodger has a key to the cellar. The bin is emptied on Friday.",
                "Many lodgers have a key to the cellar. The bin is emptied on Friday.",
            ),
            ("All rooms have a balcony. The lift is broken.", "Most rooms have a balcony. The lift is broken."),
            (
                "Alle Zimmer haben einen Balkon. Der Aufzug ist kaputt.",
                "Die meisten Zimmer haben einen Balkon. Der Aufzug ist kaputt.",
            ),
            (
                "Toutes les chambres ont un balcon. L'ascenseur est en panne.",
                "La plupart des chambres ont un balcon. L'ascenseur est en panne.",
            ),
            (
                "Todas las habitaciones tienen balcón. El ascensor no funciona.",
                "La mayoría de las habitaciones tienen balcón. El ascensor no funciona.",
            ),
            (
                "すべての部屋にバルコニーがあります。エレベーターは故障中です。",
                "ほとんどの部屋にバルコニーがあります。エレベーターは故障中です。",
            ),
            ("所有房间都有阳台。电梯坏了。", "大多数房间有阳台。电梯坏了。"),
        ],
    );
}

#[test]
fn two_sides_that_took_each_others_part() {
    each_is(
        "direction",
        &[
            (
                "The lender pays the survey. The borrower pays the stamp duty.",
                "It is the borrower who pays the survey, while the lender bears the stamp duty.",
            ),
            (
                "The employer chooses the hotel and the employee books the train.",
                "The employee chooses the hotel and the employer books the train.",
            ),
            (
                "Der Käufer bezahlt das Gutachten, der Verkäufer trägt die Gebühr. Der Termin ist im Mai.",
                "Das Gutachten bezahlt der Verkäufer, die Gebühr trägt der Käufer. Der Termin ist im Mai.",
            ),
            (
                "Le vendeur paie l'expertise et l'acheteur paie la taxe. La visite est en mai.",
                "L'expertise est payée par l'acheteur et la taxe par le vendeur. La visite est en mai.",
            ),
            (
                "El vendedor paga el informe y el comprador paga el impuesto. La visita es en mayo.",
                "El informe lo paga el comprador y el impuesto lo paga el vendedor. La visita es en mayo.",
            ),
            ("买家支付检测费，卖家支付过户费。看房在五月。", "卖家支付检测费，买家支付过户费。看房在五月。"),
        ],
    );
}

#[test]
fn what_is_said_and_denied_in_one_breath() {
    each_is(
        "direction",
        &[
            (
                "Send the form to the bank, not to the notary. It costs nothing.",
                "The form goes to the notary, not to the bank. It costs nothing.",
            ),
            (
                "Schicken Sie das Formular an die Bank, nicht an den Notar.",
                "Das Formular geht an den Notar, nicht an die Bank.",
            ),
            (
                "Das Formular geht nicht an die Bank, sondern an den Notar.",
                "Das Formular geht nicht an den Notar, sondern an die Bank.",
            ),
            ("Envoyez le dossier à la banque, pas au notaire.", "Le dossier va au notaire, pas à la banque."),
            (
                "El formulario no se envía al banco, sino al notario.",
                "El formulario no se envía al notario, sino al banco.",
            ),
            ("表格不是交给银行，而是交给公证处。", "表格不是交给公证处，而是交给银行。"),
        ],
    );
}

#[test]
fn the_same_sum_in_another_currency() {
    each_is(
        "number",
        &[
            (
                "The deposit is 40 euros. You get it back in May.",
                "The deposit is 40 Swiss francs. You get it back in May.",
            ),
            (
                "Die Kaution beträgt 40 Euro. Sie kommt im Mai zurück.",
                "Die Kaution beträgt 40 Schweizer Franken. Sie kommt im Mai zurück.",
            ),
        ],
    );
}

#[test]
fn a_thing_that_replaces_another_and_a_shift_in_time() {
    each_is(
        "name",
        &[
            ("Froth the oat milk slowly. Serve at once.", "Froth the almond milk slowly. Serve at once."),
            ("Die Pfanne ist aus Gusseisen. Sie ist schwer.", "Die Pfanne ist aus Edelstahl. Sie ist schwer."),
        ],
    );
    each_is(
        "antonym",
        &[
            ("会议提前一小时。地点不变。", "会议推迟一小时。地点不变。"),
            ("In autumn you set the clock back. Mind the date.", "In autumn you set the clock forward. Mind the date."),
        ],
    );
}

#[test]
fn parts_of_a_mixture_that_took_each_others_number() {
    each_is(
        "direction",
        &[
            (
                "Mix two parts of chalk with five parts of lime. Add water.",
                "The mix is five parts chalk and two parts lime. Pour in water.",
            ),
            (
                "Nehmen Sie drei Teile Lehm mit sechs Teilen Stroh. Gut rühren.",
                "Nehmen Sie sechs Teile Lehm und drei Teile Stroh. Gut rühren.",
            ),
        ],
    );
}

#[test]
fn the_same_in_other_words_is_no_finding() {
    for (a, b) in [
        ("Mix two parts of chalk with five parts of lime.", "The mix is two parts chalk and five parts lime."),
        ("You may take the bus. The train is recommended.", "The train is recommended. You may take the bus."),
        (
            "If you like to cancel, you must write to us. The office opens at nine.",
            "You must write to us to cancel. The office opens at nine.",
        ),
        (
            "Most guests must pay a deposit; all guests get a key.",
            "All guests get a key, and most guests must pay a deposit.",
        ),
        ("Send the form to the bank, not to the notary.", "Do not send the form to the notary but to the bank."),
        (
            "The buyer pays the survey, the seller the stamp duty.",
            "It is the seller who pays the stamp duty; the survey is paid by the buyer.",
        ),
        (
            "Even if you feel better, take the tablets for a week.",
            "Take the tablets for a week, even if you feel better.",
        ),
        ("Alle Gäste müssen Badeschuhe tragen.", "Badeschuhe sind Pflicht für alle Gäste."),
        ("You should wear a helmet. The tour is free.", "A helmet is recommended. The tour is free."),
        ("The deposit is 40 Swiss francs.", "You pay a deposit of CHF 40."),
    ] {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "{a} / {b}");
    }
}

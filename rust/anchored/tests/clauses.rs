//! Pairs of answers in six languages, labelled by hand: what must contradict, and what must not.

use shadowlane_anchored::anchor;

/// The kinds of contradiction found between two texts.
fn kinds(a: &str, b: &str) -> Vec<&'static str> {
    anchor(a, b, 0.1).evidence.iter().map(|found| found.kind).collect()
}

#[track_caller]
fn contradicts(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        assert!(!kinds(a, b).is_empty(), "nothing found:\n{a}\n{b}");
        assert!(!kinds(b, a).is_empty(), "nothing found the other way round:\n{b}\n{a}");
    }
}

#[track_caller]
fn agrees(cases: &[(&str, &str)]) {
    for (a, b) in cases {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "\n{a}\n{b}");
        assert_eq!(kinds(b, a), Vec::<&str>::new(), "\n{b}\n{a}");
    }
}

#[test]
fn one_sentence_of_many_is_denied_in_other_words() {
    contradicts(&[
        (
            "The warranty runs for two years. Water damage is not covered. Keep the receipt.",
            "You have a warranty of two years; hold on to the receipt. It also covers water damage.",
        ),
        (
            "Die Garantie läuft zwei Jahre. Wasserschäden sind nicht abgedeckt. Bewahren Sie den Beleg auf.",
            "Sie haben zwei Jahre Garantie; heben Sie den Beleg auf. Auch Wasserschäden sind abgedeckt.",
        ),
        (
            "La garantie dure deux ans. Les dégâts des eaux ne sont pas couverts. Gardez le reçu.",
            "Vous avez deux ans de garantie. Gardez bien le reçu. Les dégâts des eaux sont aussi couverts.",
        ),
        (
            "La garantía dura dos años. Los daños por agua no están cubiertos. Guarde el recibo.",
            "Tiene dos años de garantía y debe guardar el recibo. Los daños por agua también están cubiertos.",
        ),
        ("会员卡有效期一年。会员卡不可以转让。", "会员卡有效期为一年，会员卡可以转让给他人。"),
        ("会員証の有効期間は一年です。会員証は譲渡できません。", "会員証は一年間有効です。会員証は譲渡できます。"),
    ]);
    agrees(&[
        (
            "The warranty runs for two years. Water damage is not covered. Keep the receipt.",
            "You have a warranty of two years; hold on to the receipt. It does not cover water damage.",
        ),
        (
            "Die Garantie läuft zwei Jahre. Wasserschäden sind nicht abgedeckt.",
            "Sie haben zwei Jahre Garantie. Keine Deckung gibt es bei Wasserschäden.",
        ),
        (
            "La garantie dure deux ans. Les dégâts des eaux ne sont pas couverts.",
            "Vous avez deux ans de garantie, sans couverture des dégâts des eaux.",
        ),
        ("会员卡有效期一年。会员卡不可以转让。", "会员卡一年内有效，不得转让。"),
        ("会員証は譲渡できません。", "会員証の譲渡は不可です。"),
    ]);
}

#[test]
fn a_negator_that_negates_nothing_is_none() {
    agrees(&[
        ("The fee is due no later than Friday.", "The fee is due by Friday."),
        ("The service is not only fast but also cheap.", "The service is fast and also cheap."),
        ("Der Betrag ist nicht später als Freitag fällig.", "Der Betrag ist spätestens Freitag fällig."),
        ("Le service est non seulement rapide mais aussi simple.", "Le service est rapide et simple."),
        ("El servicio no solo es rápido sino también barato.", "El servicio es rápido y también barato."),
        ("该服务不仅快速而且便宜。", "该服务快速而且便宜。"),
    ]);
}

#[test]
fn must_is_not_may() {
    contradicts(&[
        ("Managers must record overtime every week.", "Overtime may be recorded by managers every week."),
        ("Der Mieter muss schriftlich kündigen.", "Der Mieter kann schriftlich kündigen."),
        ("Le locataire doit prévenir par écrit.", "Le locataire peut prévenir par écrit."),
        ("El inquilino debe avisar por escrito.", "El inquilino puede avisar por escrito."),
        ("员工必须每周登记加班。", "员工可以每周登记加班。"),
        ("従業員は毎週報告しなければなりません。", "従業員は毎週報告できます。"),
    ]);
    agrees(&[
        ("Keys must be hashable.", "Only hashable objects may be keys."),
        ("Managers must record overtime every week.", "Overtime is to be recorded by managers every week."),
        ("Der Mieter muss schriftlich kündigen.", "Der Mieter ist verpflichtet, schriftlich zu kündigen."),
    ]);
}

#[test]
fn all_is_not_some() {
    contradicts(&[
        ("All tenants are liable for the rent.", "Some tenants are liable for the rent."),
        ("Every room has a balcony, and breakfast is free.", "Breakfast is free and some rooms have a balcony."),
        ("Alle Zimmer haben einen Balkon.", "Einige Zimmer haben einen Balkon."),
        ("Toutes les chambres ont un balcon.", "Certaines chambres ont un balcon."),
        ("Todas las habitaciones tienen balcón.", "Algunas habitaciones tienen balcón."),
        ("所有房间都有阳台。", "部分房间都有阳台。"),
        ("すべての部屋にバルコニーがあります。", "一部の部屋にバルコニーがあります。"),
    ]);
    agrees(&[
        ("All tenants are liable for the rent.", "Every tenant is liable for the rent."),
        ("Alle Zimmer haben einen Balkon.", "Jedes Zimmer hat einen Balkon."),
        ("Toutes les chambres ont un balcon.", "Chaque chambre a un balcon."),
        ("所有房间都有阳台。", "全部房间都有阳台。"),
    ]);
}

#[test]
fn words_that_exclude_each_other() {
    contradicts(&[
        ("Der Eintritt ist am Montag kostenlos.", "Der Eintritt ist am Montag kostenpflichtig."),
        ("Le musée est ouvert le lundi.", "Le musée est fermé le lundi."),
        ("La tienda está abierta el lunes.", "La tienda está cerrada el lunes."),
        ("药片应在饭前服用。", "药片应在饭后服用。"),
        ("薬は食前に飲んでください。", "薬は食後に飲んでください。"),
        ("Der Mieter trägt die Kosten.", "Der Vermieter trägt die Kosten."),
        ("房东支付维修费用。", "租客支付维修费用。"),
    ]);
}

#[test]
fn words_that_took_each_others_places() {
    contradicts(&[
        ("Der Zug fährt von Bremen nach Kassel.", "Der Zug fährt von Kassel nach Bremen."),
        ("Le bus va de Nantes à Rennes.", "Le bus va de Rennes à Nantes."),
        ("El autobús va de Cádiz a Huelva.", "El autobús va de Huelva a Cádiz."),
        ("列车从苏州开往杭州。", "列车从杭州开往苏州。"),
    ]);
    agrees(&[
        ("Der Kurs ist offen für Anna und Peter.", "Der Kurs ist offen für Peter und Anna."),
        ("Le menu propose thé et café.", "Le menu propose café et thé."),
        ("店里有咖啡和茶。", "店里有茶和咖啡。"),
    ]);
}

#[test]
fn what_only_one_text_says_is_missing_or_extra_and_no_contradiction() {
    let whole = "Unplug the device first. Remove the four screws. Lift the cover carefully.";
    let part = "Remove the four screws. Lift the cover carefully.";
    let found = anchor(whole, part, 0.1);
    assert!(found.evidence.is_empty());
    assert!((found.missing.share - 1.0 / 3.0).abs() < 1e-9 && found.extra.share == 0.0, "{found:?}");
    assert_eq!(found.missing.spans, [(0, 24)]);
    let back = anchor(part, whole, 0.1);
    assert_eq!((&back.missing, &back.extra), (&found.extra, &found.missing));
    for (whole, part) in [
        ("Ziehen Sie den Stecker. Entfernen Sie vier Schrauben.", "Entfernen Sie vier Schrauben."),
        ("先拔掉电源插头。然后拧下四颗螺丝。", "然后拧下四颗螺丝。"),
        ("電源プラグを抜きます。ネジを四本外します。", "ネジを四本外します。"),
    ] {
        let found = anchor(whole, part, 0.1);
        assert!((found.missing.share - 0.5).abs() < 1e-9, "{found:?}");
    }
    assert!(anchor("Thanks for your question! The fee is low.", "The fee is low.", 0.1).missing.share < 1e-9);
}

#[test]
fn a_language_that_is_not_known_is_named() {
    assert!(anchor("Il treno non parte alle otto.", "Il treno parte alle nove.", 0.1).foreign);
    assert!(anchor("Поезд отправляется в восемь часов.", "Поезд не отправляется.", 0.1).foreign);
    assert!(anchor("Der Zug fährt um acht Uhr ab.", "The train leaves at eight.", 0.1).foreign);
    assert!(!anchor("Der Zug fährt um acht Uhr ab.", "Um acht Uhr fährt der Zug ab.", 0.1).foreign);
}

#[test]
fn who_does_what_over_sentences_and_where_from_and_where_to() {
    contradicts(&[
        (
            "The seller must deliver the goods. The buyer may cancel the order within a week.",
            "The buyer must deliver the goods. The seller may cancel the order within a week.",
        ),
        (
            "Der Käufer muss die Ware prüfen. Der Verkäufer darf den Vertrag kündigen.",
            "Der Verkäufer muss die Ware prüfen. Der Käufer darf den Vertrag kündigen.",
        ),
        (
            "According to Ann the bridge is safe. Bob says that the tunnel needs repairs.",
            "According to Bob the bridge is safe. Ann says that the tunnel needs repairs.",
        ),
        ("The bus goes from Porto to Braga in an hour.", "In an hour the bus takes you to Porto from Braga."),
        ("El tren va de Madrid a Toledo en una hora.", "En una hora va el tren desde Toledo hasta Madrid."),
        ("列车从苏州到杭州要两小时。", "从杭州到苏州，列车要两小时。"),
    ]);
    agrees(&[
        ("The bus goes from Porto to Braga in an hour.", "In an hour the bus takes you to Braga from Porto."),
        ("El tren va de Madrid a Toledo en una hora.", "En una hora va el tren hasta Toledo desde Madrid."),
        ("Norway borders Sweden.", "Sweden borders Norway."),
        ("Ann is the twin of Eve.", "Eve is the twin of Ann."),
        ("Tom is married to Kim.", "Kim is married to Tom."),
        ("Max is a sibling of Lea.", "Lea is a sibling of Max."),
    ]);
}

#[test]
fn cause_against_effect() {
    contradicts(&[
        ("Prices rose because demand was strong.", "Demand was strong because prices rose."),
        ("Die Preise stiegen, weil die Nachfrage wuchs.", "Die Nachfrage wuchs, weil die Preise stiegen."),
        (
            "Les prix ont monté parce que la demande était forte.",
            "La demande était forte parce que les prix ont monté.",
        ),
    ]);
    agrees(&[
        ("Prices rose because demand was strong.", "Demand was strong, therefore prices rose."),
        ("Prices rose because demand was strong.", "Because demand was strong, prices rose."),
    ]);
}

#[test]
fn the_order_of_steps() {
    contradicts(&[
        (
            "First unplug the printer. Then open the cover. Finally replace the cartridge.",
            "First open the cover. Then unplug the printer. Finally replace the cartridge.",
        ),
        (
            "1. Unplug the printer.\n2. Open the front cover.\n3. Replace the cartridge.",
            "1. Open the front cover.\n2. Unplug the printer.\n3. Replace the cartridge.",
        ),
        ("Take the tablet before meals with water.", "With water, take the tablet after meals."),
        ("Nehmen Sie die Tablette vor dem Essen ein.", "Die Tablette nehmen Sie nach dem Essen ein."),
        ("Prenez le comprimé avant le repas.", "Le comprimé se prend après le repas."),
        ("请在开机前充电。", "请在开机后充电。"),
    ]);
    agrees(&[
        ("- Unplug the printer.\n- Open the front cover.", "- Open the front cover.\n- Unplug the printer."),
        ("Wash your hands before you eat.", "Before you eat, wash your hands."),
        ("First unplug the printer. Then open the cover.", "Unplug the printer, then open the cover."),
    ]);
}

#[test]
fn conditions_in_code() {
    contradicts(&[
        ("Run `find . -mtime +30 -delete` daily.", "Run `find . -mtime -30 -delete` daily."),
        (
            "```sql\nSELECT * FROM t WHERE a < 5 ORDER BY b ASC;\n```",
            "```sql\nSELECT * FROM t WHERE a < 5 ORDER BY b DESC;\n```",
        ),
        ("```\nif x == y and z:\n    stop()\n```", "```\nif x != y and z:\n    stop()\n```"),
        ("Use `WHERE a = 1 AND b = 2` here.", "Use `WHERE a = 1 OR b = 2` here."),
        ("```\nconnect(host, verify=true)\n```", "```\nconnect(host, verify=false)\n```"),
        ("Verwenden Sie `a INNER JOIN b ON a.id`.", "Verwenden Sie `a LEFT JOIN b ON a.id`."),
        ("```py\nif not ready(x):\n    wait()\n```", "```py\nif ready(x):\n    wait()\n```"),
    ]);
    agrees(&[
        ("```py\nfor item in items:\n    print(item)\n```", "```python\nfor item in items:\n    print(item)\n```"),
        ("```json\n{\"a\": 1, \"b\": true}\n```", "{\"a\": 1, \"b\": true}"),
    ]);
}

#[test]
fn members_and_cells_that_took_each_others_values() {
    contradicts(&[
        ("{\"from\": \"rome\", \"to\": \"oslo\"}", "{\"from\": \"oslo\", \"to\": \"rome\"}"),
        ("```json\n{\"active\": true, \"n\": 3}\n```", "{\"n\": 3, \"active\": false}"),
        (
            "| plan | price |\n|---|---|\n| basic | low |\n| pro | high |",
            "| plan | price |\n|---|---|\n| basic | high |\n| pro | low |",
        ),
    ]);
    agrees(&[
        ("{\"from\": \"rome\", \"to\": \"oslo\"}", "{\"to\": \"oslo\", \"from\": \"rome\"}"),
        ("{\"n\": 1000.0, \"note\": \"all is well\"}", "{\"n\": 1000, \"note\": \"everything is fine\"}"),
        (
            "| plan | price |\n|---|---|\n| basic | 5 |\n| pro | 9 |",
            "The basic plan has a price of 5, the pro plan of 9.",
        ),
    ]);
}

#[test]
fn what_one_lets_in_and_the_other_shuts_out() {
    contradicts(&[
        (
            "All rooms are heated, except those on the top floor.",
            "All rooms are heated, including those on the top floor.",
        ),
        ("Alle Räume sind geheizt, außer dem Keller.", "Alle Räume sind geheizt, einschließlich dem Keller."),
        ("Do not drink alcohol during the treatment.", "Alcohol is fine while you are being treated."),
        (
            "Children under 12 must not take this medicine.",
            "The medicine is also suitable for children younger than twelve.",
        ),
        ("US citizens do not need a visa.", "US citizens can enter only with a visa."),
    ]);
    agrees(&[
        ("**Anzahlung:** keine", "Eine Anzahlung ist nicht nötig."),
        ("- Deposit: none", "There is no deposit."),
        ("Do not drink alcohol during the treatment.", "Avoid alcohol while you are being treated."),
    ]);
}

#[test]
fn steps_within_one_sentence() {
    contradicts(&[(
        "First pull the changes, then create the commit, and finally push the branch.",
        "First create the commit, then push the branch, and finally pull the changes.",
    )]);
    agrees(&[(
        "First pull the changes, then create the commit, and finally push the branch.",
        "Pull the changes first; then create the commit. Finally push the branch.",
    )]);
}

#[test]
fn two_negators_of_one_clause_negate_it_once() {
    contradicts(&[
        ("Puede borrar su cuenta en cualquier momento.", "No puede borrar su cuenta en ningún momento."),
        ("Il est possible d'annuler la commande.", "Il n'est jamais possible d'annuler aucune commande."),
    ]);
    agrees(&[("No puede borrar su cuenta nunca.", "Nunca puede borrar su cuenta.")]);
}

#[test]
fn an_order_against_its_opposite() {
    contradicts(&[
        ("Drain the pasta. Do not rinse the pasta.", "Drain the pasta, please. Rinse the pasta with cold water."),
        (
            "The policy covers staff. Interns are excluded from the policy.",
            "Staff is covered. The policy also applies to interns.",
        ),
    ]);
    agrees(&[("Do not rinse the pasta. Drain it.", "Drain it, and never rinse the pasta.")]);
}

#[test]
fn another_name_in_a_list() {
    contradicts(&[(
        "The policy applies to all employees in Germany and France from January.",
        "From January the policy covers every employee in France and Spain.",
    )]);
    agrees(&[(
        "The policy applies to all employees in Germany and France from January.",
        "From January the policy covers every employee in France and Germany.",
    )]);
}

#[test]
fn quotations_that_differ_in_what_decides() {
    contradicts(&[
        ("The sign says \"visitors must pay\" at the gate.", "The sign says \"visitors may pay\" at the gate."),
        ("The rule reads \"you may not park here\" today.", "The rule reads \"you may park here\" today."),
    ]);
    agrees(&[(
        "The sign says \"the visitors must pay\" at the gate.",
        "The sign says \"visitors must pay\" at the gate.",
    )]);
}

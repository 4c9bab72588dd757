//! Negators that deny nothing of what the other text says, and things of one sort that stand in each other's place.

use shadowlane_anchored::anchor;

fn kinds(a: &str, b: &str) -> Vec<&'static str> {
    let (there, back) = (anchor(a, b, 0.2).evidence, anchor(b, a, 0.2).evidence);
    assert_eq!(there.is_empty(), back.is_empty(), "{a} / {b}");
    there.iter().map(|one| one.kind).collect()
}

#[test]
fn a_negator_with_a_bound_a_contrast_or_a_denial_in_other_words_contradicts_nothing() {
    for (a, b) in [
        (
            "The traditional opening is Easter, although some hotels do not open until April.",
            "Some hotels open in April.",
        ),
        ("Their concept of time is circular, not linear.", "They have a circular concept of time."),
        ("He is not a director but a manager of the company.", "He is a manager, and the company has a director."),
        ("We cannot identify the owner of the account.", "The owner of the account is unknown to us."),
        ("Pictures may be taken with the flash off.", "You may take pictures without flash."),
        ("Donations will not be accepted after July.", "Donations are accepted in July."),
        ("I do not think that the surgery helps.", "The surgery does not help, I think."),
        ("Das Büro wird nicht vor Montag geöffnet.", "Am Montag wird das Büro geöffnet."),
        ("El horario es fijo, no flexible.", "El horario es fijo."),
    ] {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "{a} / {b}");
    }
}

#[test]
fn a_negator_that_denies_what_the_other_text_says_still_contradicts() {
    for (a, b) in [
        ("The account cannot be closed online.", "The account can be closed online."),
        ("Do not take the tablets after meals.", "Take the tablets after meals."),
        ("Refunds are not possible for opened software.", "Refunds are possible for opened software."),
        ("Die Kündigung ist nicht per Mail möglich.", "Die Kündigung ist per Mail möglich."),
        ("No se admiten perros en el hotel.", "Se admiten perros en el hotel."),
    ] {
        assert!(!kinds(a, b).is_empty() && kinds(a, b).iter().all(|kind| *kind == "negation"), "{a} / {b}");
    }
}

#[test]
fn another_thing_of_one_sort_in_the_same_sentence_is_a_flip() {
    for (a, b) in [
        (
            "Managers record overtime every week. Overtime above ten hours needs the approval of the works council.",
            "Overtime is recorded weekly by managers. More than 10 hours of overtime require approval by the chief executive.",
        ),
        ("Ask your pharmacist before you take the syrup.", "Before taking the syrup, ask your dentist."),
        ("The ferry to the island leaves every morning.", "Every morning a bus leaves for the island."),
        ("Das Formular geht an den Betriebsrat.", "Das Formular geht an die Buchhaltung."),
        ("Le locataire remet la facture au notaire.", "Le locataire remet la facture au pharmacien."),
        ("La receta lleva leche caliente y harina.", "La receta lleva mantequilla caliente y harina."),
        ("请把表格交给人事部。", "请把表格交给财务部。"),
        ("申請書は人事部に提出してください。", "申請書は経理部に提出してください。"),
    ] {
        assert_eq!(kinds(a, b), ["name"], "{a} / {b}");
    }
}

#[test]
fn the_same_thing_in_another_word_or_one_more_of_its_sort_is_no_flip() {
    for (a, b) in [
        ("Ask your doctor before you take the syrup.", "Before taking the syrup, ask your physician."),
        ("Ask your doctor before you take the syrup.", "Before taking the syrup, ask your doctor or a pharmacist."),
        ("Your supervisor approves the training.", "The training is approved by your manager."),
        ("The recipe needs milk and flour.", "You need flour for the recipe. Milk or butter is fine."),
        ("Der Vermieter zahlt die Reparatur.", "Die Reparatur zahlt der Vermieter, nicht der Mieter."),
    ] {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "{a} / {b}");
    }
}

#[test]
fn an_exception_or_an_opposite_that_is_denied_contradicts_nothing() {
    for (a, b) in [
        (
            "Le renouvellement est gratuit, sauf en cas de perte, où il coûte 25 €.",
            "Le renouvellement ne coûte rien, à moins que la carte n'ait été perdue : il coûte alors 25 €.",
        ),
        (
            "Part-time work during the leave is not counted as absence.",
            "Part-time work during the leave is counted as presence.",
        ),
        ("荷物は無料でお預かりします。", "お荷物は料金なしでお預かりします。"),
        ("母子手帳を忘れずにお持ちください。", "母子手帳をお持ちください。"),
        (
            "The usual reasons: the DNS server does not answer, or the clock is wrong.",
            "The usual reasons: a wrong clock, and the DNS server, which might not be responding.",
        ),
        (
            "Die Fahrt von Hamburg nach München dauert sechs Stunden.",
            "Von Hamburg bis München dauert die Fahrt sechs Stunden.",
        ),
    ] {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "\n{a}\n{b}");
        assert_eq!(kinds(b, a), Vec::<&str>::new(), "\n{b}\n{a}");
    }
}

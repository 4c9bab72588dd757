//! Answers that say the same in other words, which no rule may take for a contradiction, each beside one that is one.

use shadowlane_anchored::anchor;

fn kinds(a: &str, b: &str) -> Vec<&'static str> {
    let (there, back) = (anchor(a, b, 0.2).evidence, anchor(b, a, 0.2).evidence);
    assert_eq!(there.is_empty(), back.is_empty(), "{a} / {b}");
    there.iter().map(|one| one.kind).collect()
}

fn agree(pairs: &[(&str, &str)]) {
    for (a, b) in pairs {
        assert_eq!(kinds(a, b), Vec::<&str>::new(), "{a} / {b}");
    }
}

fn contradict(pairs: &[(&str, &str)]) {
    for (a, b) in pairs {
        assert!(!kinds(a, b).is_empty(), "{a} / {b}");
    }
}

#[test]
fn a_word_that_says_which_orders_nothing() {
    agree(&[
        (
            "Unused vouchers move to the next month, but they end in June.",
            "Vouchers that are unused in June end, and others move to the following month.",
        ),
        (
            "A refund is possible after 14 days for a fee of two euros.",
            "Once fourteen days have passed you may get a refund, for which a fee of 2 euros is charged.",
        ),
        ("届出は開始日の前後2週間に行ってください。", "届出は開始日の2週間前から2週間後までに行ってください。"),
        (
            "受付は午前9時から、返却は午後5時までです。駐輪場は無料です。",
            "- 受付：9時以降\n- 返却：17時まで\n- 駐輪場：無料",
        ),
    ]);
    contradict(&[
        ("Take the tablet before breakfast.", "Take the tablet after breakfast."),
        ("届出は開始日の2週間前に行ってください。", "届出は開始日の2週間後に行ってください。"),
    ]);
}

#[test]
fn halves_and_tenths_in_words() {
    agree(&[
        ("Shake the bottle for 30 seconds.", "Shake the bottle for half a minute."),
        ("The plants stand 50 cm apart.", "The plants stand half a metre apart."),
        ("Die Pause dauert 30 Sekunden.", "Die Pause dauert eine halbe Minute."),
        ("Der Abstand beträgt 50 cm.", "Der Abstand beträgt einen halben Meter."),
        ("L'attente dure 30 minutes.", "L'attente dure une demi-heure."),
        ("Ajoutez 50 cl de lait.", "Ajoutez un demi-litre de lait."),
        ("La pausa dura 30 segundos.", "La pausa dura medio minuto."),
        ("Añada 500 g de harina.", "Añada medio kilo de harina."),
        ("请等待30秒。", "请等待半分钟。"),
        ("需要500克面粉。", "需要半公斤面粉。"),
        ("身高1.3米以下的儿童免费。", "身高一米三以下的儿童免费。"),
        ("桌子长1.75米。", "桌子长一米七五。"),
        ("所要時間は30分です。", "所要時間は半時間です。"),
        ("Store it between 5 and 10 °C.", "Store it between 41 and 50 °F."),
        ("The rug measures 2.10 by 1.40 metres.", "The rug measures 210 × 140 cm."),
        ("La alfombra mide 2,5 por 1,2 metros.", "La alfombra mide 250 × 120 cm."),
        ("Der Teppich misst 2,1 mal 1,4 Meter.", "Der Teppich misst 210 × 140 cm."),
    ]);
    contradict(&[
        ("Shake the bottle for 30 seconds.", "Shake the bottle for half an hour."),
        ("Die Pause dauert 30 Sekunden.", "Die Pause dauert eine halbe Stunde."),
        ("身高1.3米以下的儿童免费。", "身高一米五以下的儿童免费。"),
        ("Store it between 5 and 10 °C.", "Store it between 51 and 60 °F."),
        ("The rug measures 2.10 by 1.40 metres.", "The rug measures 310 × 140 cm."),
    ]);
}

#[test]
fn what_is_denied_is_not_when_or_where_it_is_denied() {
    agree(&[
        (
            "You do not need a reservation on Sunday evenings. Bring cash.",
            "On Sunday evenings you can just come by. Bring cash.",
        ),
        (
            "Spray the paint on the wood, never over the hinges.",
            "- **Spraying:** paint on the wood, keep the hinges clean",
        ),
        ("Stop at the kerb. Don't walk while you read.", "These are the basic walks. Stop at the kerb."),
    ]);
    contradict(&[
        ("You do not need a reservation on Sunday evenings.", "You need a reservation on Sunday evenings."),
        ("Never walk over the lawn.", "Walk over the lawn."),
    ]);
}

#[test]
fn a_double_negation_and_a_second_denial_are_none() {
    agree(&[
        ("Rain in May is not unusual.", "Rain in May is usual."),
        ("It is a misconception that you may not freeze mushrooms.", "Mushrooms may be frozen."),
        (
            "The soup keeps in the fridge for three days and should not be frozen.",
            "Keeps in the fridge for three days; do not freeze.",
        ),
        ("Junctions with signals are safe. At junctions without signals: wait.", "Use junctions with signals."),
        ("队伍全长5公里，沿途补水点间隔500米。", "补水点间隔0.5公里，全程5000米。"),
    ]);
    contradict(&[
        ("The soup should not be frozen.", "The soup should be frozen."),
        ("You may not freeze mushrooms.", "You may freeze mushrooms."),
    ]);
}

#[test]
fn a_denial_in_a_verb_of_its_own_is_one() {
    agree(&[
        ("The tenant does not have to pay during the repair.", "The repair releases the tenant from paying."),
        ("Students do not have to pay the fee.", "Students are excused from paying the fee."),
        ("Keep the tablets out of reach of pets.", "Pets should not be able to reach the tablets."),
        ("Der Mieter muss in dieser Zeit nicht zahlen.", "Der Mieter ist in dieser Zeit vom Zahlen befreit."),
        ("一度に3錠を飲まないでください。", "一度に3錠を飲むのもおやめください。"),
        ("上海分店周日不开放。", "上海分店周日关闭。"),
        ("It is a myth that you may not wash wool with silk.", "You may wash wool with silk."),
    ]);
    contradict(&[
        ("The tenant does not have to pay during the repair.", "The tenant has to pay during the repair."),
        ("上海分店周日开放。", "上海分店周日关闭。"),
    ]);
}

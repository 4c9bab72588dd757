//! What may be, must be or need not be, said in other words; things that took each other's part.

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
fn what_one_forbids_and_the_other_permits() {
    each_is(
        "negation",
        &[
            (
                "Rooms are ready at three. Animals are prohibited in the rooms.",
                "At three the rooms are ready. Pets are welcome in the rooms.",
            ),
            (
                "Breakfast costs extra. Smoking is allowed on the balcony.",
                "You pay extra for breakfast. On the balcony smoking is off limits.",
            ),
            ("服药期间禁止饮酒。孕妇必须先咨询医生。", "服药期间可以喝酒。孕妇一定要先咨询医生。"),
            (
                "車の運転は避けてください。妊娠中の方は医師に相談してください。",
                "車の運転をしてもかまいません。妊娠中の方は医師に相談してください。",
            ),
        ],
    );
}

#[test]
fn what_one_demands_and_the_other_spares() {
    each_is(
        "modality",
        &[
            (
                "The parcel arrives on Friday. A signature is required for the parcel.",
                "Your package comes on Friday. No signature is necessary for the package.",
            ),
            (
                "Le badge ouvre la porte. L'accord du responsable est nécessaire.",
                "Le badge ouvre la porte. L'accord du supérieur est facultatif.",
            ),
        ],
    );
}

#[test]
fn the_same_in_other_words_is_no_finding() {
    agree(&[
        ("Está prohibido fumar en la obra.", "En la obra no está permitido fumar."),
        ("孕妇禁用。请在饭前服用此药。", "孕妇不可以使用。这种药请在饭前服用。"),
        ("Il est déconseillé aux femmes enceintes.", "Les femmes enceintes ne devraient pas en prendre."),
        ("Unused days can be carried over.", "Days that you did not use may be carried over."),
        ("Returns are possible within 30 days.", "Returns are not possible after 30 days."),
        ("Use a crosswalk whenever possible.", "Avoid streets without a crosswalk."),
        (
            "The system is not fully ready before spring, given the possible dangers.",
            "The system is hardly ready, because of possible dangers before spring.",
        ),
        ("我们觉得这些门很脆弱。墙是空心的。", "我们不喜欢这些脆弱的门。墙是空心的。"),
        ("Las ventas bajaron después del cierre de la tienda.", "Luego del cierre de la tienda bajaron las ventas."),
    ]);
}

#[test]
fn things_that_took_each_others_part() {
    each_is(
        "direction",
        &[
            (
                "The tenant pays for small repairs. Damage to the heating is paid by the landlord.",
                "Small repairs are paid by the landlord, while the tenant pays for damage to the heating.",
            ),
            (
                "Use exponential backoff instead of retrying immediately.",
                "Retry immediately rather than using exponential backoff.",
            ),
            (
                "普通会员可以在两台设备上登录，高级会员可以在五台设备上登录。",
                "普通会员可以在五台设备上登录，高级会员可以在两台设备上登录。",
            ),
        ],
    );
    agree(&[
        (
            "The tenant pays for small repairs. Damage to the heating is paid by the landlord.",
            "Damage to the heating is paid by the landlord, while the tenant pays for small repairs.",
        ),
        ("The man is kissing and hugging the woman.", "A man is hugging and kissing a woman."),
        ("Use backoff instead of retrying at once.", "Instead of retrying at once, use backoff."),
    ]);
}

#[test]
fn things_of_several_words_exclude_each_other() {
    each_is(
        "name",
        &[("Take one tablet in the morning with food.", "In the morning take one tablet on an empty stomach.")],
    );
    agree(&[("The timeout is 60 seconds.", "The timeout is one minute.")]);
}

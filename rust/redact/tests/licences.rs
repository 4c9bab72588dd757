//! Driving licences of the states of the USA go beside their names, and the same signs without a name stay.

use shadowlane_redact::{Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

/// A licence in the form of each group of states, made up.
const LICENCES: &[&str] = &[
    "4731852",
    "12-345-6780",
    "473 185 206",
    "D4731852",
    "A473-185-20-613-4",
    "F473 1852 0613",
    "S4731 85206 13472",
    "AB473185",
    "AB473185C",
    "ABC47318520",
    "4731852A",
    "12ABC34567",
    "123AB4567",
    "WDLAB47CD18E",
];

#[test]
fn a_licence_goes_beside_any_of_its_names() {
    let names = [
        "driver's license",
        "drivers license number",
        "Driver License No.",
        "driving licence",
        "license:",
        "Licence #",
        "DL",
        "DL#",
        "DL:",
        "DL No.",
        "DLN",
        "TX DL",
        "DL (CA)",
        "CDL number is",
        "dl_number =",
    ];
    let sanitizer = sanitizer();
    for name in names {
        for licence in LICENCES {
            for text in [format!("{name} {licence}"), format!("On file: {name} {licence}, expires 2027.")] {
                let clean = sanitizer.text(&text).0;
                let left =
                    licence.split(|c: char| !c.is_alphanumeric()).any(|part| part.len() > 2 && clean.contains(part));
                assert!(!left, "{text} became {clean}");
                assert_eq!(sanitizer.text(&clean).0, clean);
            }
        }
    }
    for name in ["dl", "dln", "license", "dl_number", "driver_license"] {
        let body = format!("{{\"{name}\": \"D4731852\"}}");
        let clean = String::from_utf8(sanitizer.json(body.as_bytes()).expect("JSON")).expect("UTF-8");
        assert!(!clean.contains("4731852"), "{body} became {clean}");
    }
}

#[test]
fn what_has_the_form_and_no_name_stays() {
    let sanitizer = sanitizer();
    for text in [
        "The file D4731852 is here, and AB473185 too",
        "license plate KA01AB1234, the license key is ABCD1234",
        "The MIT license 2.0, license v1.4.2, Apache License 2.0 of 2004",
        "https://x.example/dl/4731852 and model dl-4731852-x",
        "we licensed 1,200 seats, 20 licenses are 4000",
        "DL training ran 12 epochs in 3.5 hours",
    ] {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
}

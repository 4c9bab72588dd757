//! What has several lines is found in bodies that are taken apart line by line: in the lines between events or between
//! lines of JSON, and in the lines of one event's data.

use shadowlane_redact::{Body, Findings, Options, Sanitizer};

fn clean(kind: Option<&str>, body: &str) -> String {
    let sanitizer = Sanitizer::new(&Options::default()).expect("the defaults are right");
    let mut findings = Findings::default();
    match sanitizer.body(kind.map(str::as_bytes), None, body.as_bytes(), false, &mut findings) {
        Body::Clean { body, .. } => String::from_utf8(body).expect("UTF-8"),
        Body::Unreadable(why) => panic!("{kind:?} is unreadable: {why}"),
    }
}

/// Texts of several lines, and what of them must not be seen.
const TEXTS: &[(&str, &[&str])] = &[
    (
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq0vT1x\nq8Zr2LkPw9YdXc4Vn6Bm\n-----END RSA PRIVATE KEY-----",
        &["MIIEpAIB", "q8Zr2Lk"],
    ),
    ("my card\n4012 8888\n8888 1881", &["4012", "1881"]),
    ("spec:\n  password: |\n    hunter2secret1", &["hunter2secret1"]),
    (
        "kind: Secret\nstringData:\n  tls.key: |\n    -----BEGIN PRIVATE KEY-----\n    MIIEvQIBADANBgkq\n    -----END PRIVATE KEY-----",
        &["MIIEvQIB"],
    ),
];

/// Bodies with a text in them: as it stands, or as an event's data.
type Frame = (&'static str, fn(&str) -> String);

const FRAMES: &[Frame] = &[
    ("after an event", |text| format!("data: {{\"a\":1}}\n\n{text}\n")),
    ("right after an event's line", |text| format!("data: {{}}\n{text}\n")),
    ("between events", |text| format!("data: {{\"a\":1}}\n\n{text}\n\ndata: {{\"b\":2}}\n\n")),
    ("with blank lines", |text| format!("data: {{}}\n\n{}\n", text.replace('\n', "\n\n"))),
    ("after lines of JSON", |text| {
        format!("{}{text}\n", (0..12).map(|number| format!("{{\"n\":{number}}}\n")).collect::<Vec<_>>().concat())
    }),
    ("between lines of JSON", |text| {
        let lines = "{\"n\":1}\n".repeat(6);
        format!("{lines}{text}\n{lines}")
    }),
    ("one event", |text| format!("data: {}\n\n", text.replace('\n', "\ndata: "))),
    ("one event of many", |text| {
        format!("event: a\ndata: {{\"a\":1}}\n\nid: 7\ndata: {}\n\ndata: [DONE]\n\n", text.replace('\n', "\ndata: "))
    }),
    ("one event with JSON before", |text| format!("data: {{\"a\":1}}\ndata: {}\n\n", text.replace('\n', "\ndata: "))),
    ("one event of CR LF", |text| format!("data: {}\r\n\r\n", text.replace('\n', "\r\ndata: "))),
    ("two events", |text| {
        let half = text.find('\n').expect("a line");
        format!("data: {}\n\ndata: {}\n\n", &text[..half], text[half + 1..].replace('\n', "\ndata: "))
    }),
];

#[test]
fn what_spans_lines_is_found_however_the_lines_are_framed() {
    for (text, parts) in TEXTS {
        for (name, frame) in FRAMES {
            // The names of a block of YAML are in its first event: each event is a text of its own. And no number goes on
            // behind a blank line.
            if (*name == "two events" && text.contains("|\n")) || (*name == "with blank lines" && text.contains("card"))
            {
                continue;
            }
            for kind in [Some("text/event-stream"), Some("application/json"), Some("text/plain"), None] {
                let body = frame(text);
                let out = clean(kind, &body);
                for part in *parts {
                    assert!(!out.contains(part), "{name}, {kind:?}: {body:?} became {out:?}");
                }
                assert!(out.contains('['), "{name}: {out:?}");
                assert_eq!(clean(kind, &out), out, "{name}, {kind:?}: {body:?}");
            }
        }
    }
}

#[test]
fn json_over_the_lines_of_an_event_is_one_json() {
    let body = "data: {\"user\": \"Ann\",\ndata:  \"password\":\ndata:   \"hunter22\"}\n\n";
    assert_eq!(
        clean(Some("text/event-stream"), body),
        "data: {\"user\": \"Ann\",\ndata:  \"password\":\ndata:   \"[SECRET]\"}\n\n"
    );
}

#[test]
fn lines_and_events_that_hold_nothing_keep_their_bytes() {
    for body in [
        ": ping\n\nevent: a\r\nid: 1\r\ndata: {\"a\":1}\r\n\r\nwhat is this\n\ndata: one\ndata: two\n\nretry: 100\n",
        "Starting\n{\"a\":1}\n\n  \n{\"b\":2}\nbroken {\nand more\n{\"c\":3}",
        "\u{feff}data: {\"a\":\ndata: 1}\n\nthe end",
    ] {
        assert_eq!(clean(Some("text/event-stream"), body), body);
    }
}

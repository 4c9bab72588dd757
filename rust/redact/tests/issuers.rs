//! Keys by the form that their issuer gave them, secrets that stand in for others, and what is said on the line above.

use shadowlane_redact::{Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

fn goes(texts: &[(String, &str)]) {
    let sanitizer = sanitizer();
    for (text, secret) in texts {
        let clean = sanitizer.text(text).0;
        assert!(!clean.contains(secret), "{text} became {clean}");
        assert_eq!(sanitizer.text(&clean).0, clean, "{text}");
    }
}

fn stays(texts: &[&str]) {
    let sanitizer = sanitizer();
    for text in texts {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, *text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
}

/// Made up: random signs, and hexadecimal digits.
const MIXED: &str = "q7Zt3LmP9xKd2VbN5wRy8HcFj4Tg6Ys1Wk0Qe8Ub3Xo5Az7Mi9Dl2Cn4Pf6Gr0Hv2Jx";
const HEX: &str = "9f3a1c7be02d4856a1f09c3d7e5b2048c6d1e9f30a7b4c85d2e6f1908b3a7c4d5e6f";

#[test]
fn keys_by_the_form_of_their_issuer() {
    let part = |length: usize| MIXED.get(..length).expect("long enough");
    let hex = |length: usize| HEX.get(..length).expect("long enough");
    let uuid = "q7zt3lmp-9xkd-2vbn-5wry-8hcfj4tg6ys1";
    let forms = [
        format!("1308742762612587|{}", part(27)),
        format!("8-{}{}", part(62), "Zz"),
        format!("{}+ACR{}", part(42), "a1B2c3"),
        format!("{}+ASt{}", part(60), "a1B2c3=="),
        format!("0.A{}.Ag{}", part(40), part(60)),
        format!("{}NRAL", hex(36)),
        format!("rootly_{}", hex(64)),
        format!("spu-{}", hex(32)),
        format!("sgp_{}", hex(40)),
        format!("dp.scim.{}", part(43)),
        format!("NRIQ-{}", part(36)),
        format!("sdk-{uuid}"),
        format!("mob-{uuid}"),
        format!("tskey-auth-{}", part(24)),
        format!("ATBB{}", part(32)),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJuIjo5fQ".to_owned(),
    ];
    for key in &forms {
        let written = [key.clone(), format!("use {key} here"), format!("f(\"{key}\")"), format!("a: 1\n{key}\nb: 2")];
        goes(&written.map(|text| (text, key.as_str())));
    }
    stays(&[
        "sdk-9f3a1c7b, api-gateway-7d4b9c6f5b-x8z2k and mob-app-release-2024-05-06",
        "8-bit-1234567890 and 1308742762612587|short",
        "\"token4\": \"xoxp-572370529330-573807301142-####################\"",
    ]);
}

#[test]
fn a_secret_that_stands_in_for_one_that_is_not_set() {
    let token = "q7Zt3LmP9xKd2VbN5wRy8HcF";
    let texts = [
        "const key = process.env.ACCOUNT_KEY || \"{}\";",
        "export const key =\n  process.env.ACCOUNT_KEY ||\n  \"{}\";",
        "let token = config.get('x') ?? '{}'",
        "password = os.environ[\"DB_PASS\"] or \"{}\"",
        "api_key = getenv(\"KEY\") ?: '{}'",
        "variable \"corp_api_token\" {\n  type = string\n  default = \"{}\"\n}",
        "export TOKEN=${TOKEN:-{}}",
    ];
    goes(&texts.map(|text| (text.replace("{}", token), token)));
    stays(&[
        "key = process.env.ACCOUNT_KEY || \"\"",
        "token = a.b || c.d, password = get() or None",
        "variable \"region\" {\n  default = \"q7Zt3LmP9xKd2VbN5wRy8HcF\"\n}",
    ]);
}

#[test]
fn numbered_names_long_numbers_pairs_and_the_line_below() {
    let token = "q7Zt3LmP9xKd2VbN5wRy8HcF";
    let text = |text: &str| text.replace("{}", token);
    goes(&[
        (text("Unseal Key 2: {}"), token),
        (text("Recovery Key 10 = {}"), token),
        (text("-Dsonar.login={}"), token),
        (text("private_key_base64 = \"{}\""), token),
        (text("Use the following password to go on:\n\n{}\n\nThen"), token),
        (text("Your access token for the console:\n  {}\n"), token),
        ("discord_token: \"104445386762877444\"".to_owned(), "104445386762877444"),
        ("asanaToken=5876063408872084".to_owned(), "5876063408872084"),
        ("{\"auth\": \"Ym9iOmh1bnRlcjI=\"}".to_owned(), "Ym9iOmh1bnRlcjI="),
    ]);
    stays(&[
        "token 2: the second word piece, key 3: \"C major\"",
        "Enter your password below:\n\nUsername\n",
        "total_tokens: 10444538676, created_token: 1700000000",
        "{\"key\": \"dXNlcm5hbWU=\"}",
        "{\"token\": \"1111111111111111\"}",
    ]);
}

#[test]
fn code_around_a_name_is_no_value() {
    stays(&[
        "\"//localhost:1337/:_password = \"+new Buffer(x)",
        "log(\"the token = \" + value + \"; secret = \", other)",
        "twitch_token = '1a2b3c4d'",
        "SAS_TOKEN=st=2025-03-04T07:24:52Z&se=2025-04-04",
        "https://x.example/callbacks/1705791f-d446-4e92-a6d0-a13622422e80_31864a51-8c13-4b03-ad4d-945cdc8d0631",
    ]);
    goes(&[
        ("f(\"password = +q7Zt3LmP9xKd\")".to_owned(), "q7Zt3LmP9xKd"),
        ("x = \"a\"; password = \"+q7Zt3LmP9xKd\"".to_owned(), "q7Zt3LmP9xKd"),
        ("{\"a\": \"b\", \"password\": \"+q7Zt3LmP9xKd\"}".to_owned(), "q7Zt3LmP9xKd"),
        ("https://x.example/callbacks/q7Zt3LmP9xKd2VbN5wRy8HcF".to_owned(), "q7Zt3LmP9xKd2VbN5wRy8HcF"),
    ]);
}

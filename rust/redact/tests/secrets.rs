//! Secrets by kind: however a name and its value are written, the value goes, and what only looks so stays.

use shadowlane_redact::{Options, Sanitizer};

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Options::default()).expect("the defaults are right")
}

/// Made up.
const TOKEN: &str = "q7Zt3LmP9xKd2VbN5wRy8HcF";

fn leaks(texts: &[String], secret: &str) {
    let sanitizer = sanitizer();
    let leaks: Vec<_> = texts.iter().filter(|text| sanitizer.text(text).0.contains(secret)).collect();
    assert!(leaks.is_empty(), "{} leak: {leaks:#?}", leaks.len());
}

#[test]
fn a_password_by_any_name() {
    let names = [
        "password",
        "DB_PASS",
        "pass",
        "Passwort",
        "contraseña",
        "mot_de_passe",
        "userPassword",
        "PGPASSWORD",
        "mysql.pwd",
        "password_hash",
        "SMTP_PASS_PROD",
        "kennwort",
        "пароль",
        "密码",
        "admin-passwd",
        "pass2",
    ];
    let secret = "tr0ub4dor&3".replace('&', "-");
    let texts: Vec<String> = names
        .iter()
        .flat_map(|name| {
            [
                format!("{name}={secret}"),
                format!("{name} = \"{secret}\""),
                format!("const {name} =\n  \"{secret}\";"),
                format!("{name}: {secret}\n"),
                format!("{name} := '{secret}'"),
                format!("'{name}' => '{secret}',"),
                format!("export {name}=\"{secret}\"; run"),
                format!("{name}   ?= {secret}"),
                format!("val {name}: String = \"{secret}\""),
                format!("a: 1\n{name}:\n  - {secret}\n  - other\nb: 2"),
                format!("{name}: |\n  {secret}\nnext: 1"),
                format!("<{name}>{secret}</{name}>"),
                format!("<{name}>\n   {secret}\n</{name}>"),
                format!("<property name=\"{name}\" value=\"{secret}\"/>"),
                format!("<input value='{secret}' name='{name}'>"),
                format!("- name: {name}\n  value: {secret}\n"),
                format!("run --{name} {secret} --verbose"),
                format!("set(\"{name}\", \"{secret}\");"),
                format!("if ({name} == \"{secret}\") {{ ok }}"),
            ]
        })
        .filter(|text| !(text.starts_with('<') && text.contains("<contraseña")) || text.contains('='))
        .collect();
    leaks(&texts, &secret);
}

#[test]
fn command_lines_and_password_files() {
    for (text, secret) in [
        ("curl -u bob:s3cr3t-x https://h.example/", "s3cr3t-x"),
        ("curl https://h.example/ --user 'bob:s3cr3t-x' -k", "s3cr3t-x"),
        ("mysql -u root -ps3cr3tx shop", "s3cr3tx"),
        ("sshpass -p s3cr3tx ssh bob@host", "s3cr3tx"),
        ("redis-cli -h cache -a s3cr3tx ping", "s3cr3tx"),
        ("docker login -u bob -p s3cr3tx r.example", "s3cr3tx"),
        ("tool --password s3cr3tx --yes", "s3cr3tx"),
        ("[\"tool\", \"--token\", \"q7Zt3LmP9xKd2VbN5wRy8HcF\"]", "q7Zt3LmP9xKd2VbN5wRy8HcF"),
        ("machine git.example login bob password s3cr3tx", "s3cr3tx"),
        ("machine git.example\n  login bob\n  password s3cr3tx\n", "s3cr3tx"),
        ("db.example:5432:shop:bob:s3cr3tx", "s3cr3tx"),
        ("*:*:*:bob:s3cr3tx\n", "s3cr3tx"),
        (
            "bob:$6$qoE2letU$wWPRl.PVczjzeMVgjiA8LLy2nOyZbf7Amj3qLIL978o18gbMySdKZ7uepq9tmMQXxyTIrS12Pln.2Q/6Xscao0:19000:",
            "wWPRl",
        ),
        ("hash $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW end", "URNNX3kh"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG end", "RdescudvJCsg"),
        ("my password is s3cr3tX!", "s3cr3tX"),
        ("The password for the portal is `s3cr3tx`, thanks", "s3cr3tx"),
        ("mein Passwort lautet Gartenzaun7", "Gartenzaun7"),
        ("PIN is 4821", "4821"),
        ("your access token is q7Zt3LmP9xKd2VbN5wRy8HcF", "q7Zt3LmP9xKd2VbN5wRy8HcF"),
        ("Api2cart key is 2afddb813193eb9d3b5bd99bf5d834cd.", "2afddb813193eb9d3b5bd99bf5d834cd"),
    ] {
        let clean = sanitizer().text(text).0;
        assert!(!clean.contains(secret), "{text} became {clean}");
    }
}

#[test]
fn headers_cookies_and_links() {
    let texts: Vec<String> = [
        "Authorization: Digest username=\"bob\", response=\"{}\"",
        "Authorization: ApiKey {}",
        "Authorization: {}",
        "authorization: AWS4-HMAC-SHA256 Credential=AKID/x, SignedHeaders=host, Signature={}",
        "Proxy-Authorization: Token {}",
        "-H 'Authorization: Custom {}'",
        "Cookie: lang=en; sid={}; a=b",
        "Set-Cookie: session={}; Path=/; HttpOnly",
        "X-Api-Key: {}",
        "X-Auth-Token: {}",
        "https://s.example/f?X-Amz-Signature={}&X-Amz-Date=1",
        "https://s.example/f?sv=2022&sig={}",
        "https://s.example/cb?code={}&x=1",
        "https://s.example/reset-password/{}",
        "https://s.example/invite/{}?lang=en",
        "https://s.example/v1?token={}",
        "https://s.example/?a=1&access_token={}",
        "request.headers.set('X-Api-Key', '{}')",
    ]
    .iter()
    .map(|text| text.replace("{}", TOKEN))
    .collect();
    leaks(&texts, TOKEN);
}

#[test]
fn what_a_function_returns_and_what_a_member_is_compared_with() {
    let texts: Vec<String> = [
        "func getApiToken() string { return \"{}\" }",
        "def access_token():\n    return '{}'",
        "const apiKey = () => { return `{}` }",
        "getClientSecret() -> String {\n\treturn \"{}\"",
        "assert.equal(parsed['AccountKey'], '{}');",
        "assertEqual(config[\"api_key\"], \"{}\")",
    ]
    .iter()
    .map(|text| text.replace("{}", TOKEN))
    .collect();
    leaks(&texts, TOKEN);
    let sanitizer = sanitizer();
    for text in [
        "if (!getToken()) { log(\"none\"); return \"q7Zt3LmP9xKd2VbN5wRy8HcF\" }",
        "def get_password(): return \"please enter it\"",
        "function tokenCount() { return 'q7Zt3LmP9xKd2VbN5wRy8HcF' }",
        "getApiToken() { return token }",
        "equal(rows['AccountName'], 'storage123'), at(list[0], 'q7Zt3LmP9xKd2VbN5wRy8HcF')",
    ] {
        assert_eq!(sanitizer.text(text).0, text);
    }
}

#[test]
fn a_long_value_goes_to_its_end() {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for length in [499, 500, 511, 512, 513, 700, 3000] {
        let mut state = 7_usize;
        let value: String = std::iter::repeat_with(|| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            char::from(letters[(state >> 16) % letters.len()])
        })
        .take(length)
        .collect();
        let texts: Vec<String> = [
            "\"refresh_token\": \"{}\", \"expires_at\": 1",
            "token={} next",
            "password: {}\n",
            "<secret>{}</secret>",
            "acme_{} next",
            "Authorization: Custom {}",
        ]
        .iter()
        .map(|text| text.replace("{}", &value))
        .collect();
        leaks(&texts, &value[length - 16..]);
    }
}

#[test]
fn vendor_keys_by_their_shape() {
    let texts: Vec<String> = ["acme_", "newco-", "zz9_live_", "abc_sk_", "corp_pat_", "XYZ-"]
        .iter()
        .flat_map(|prefix| {
            [format!("{prefix}{TOKEN}"), format!("use \"{prefix}{TOKEN}\" here"), format!("({prefix}{TOKEN})")]
        })
        .collect();
    leaks(&texts, TOKEN);
}

#[test]
fn members_of_json_by_name_pair_and_nesting() {
    let sanitizer = sanitizer();
    let secret = "hunter2-x";
    for text in [
        r#"{"password": {"value": "hunter2-x"}}"#,
        r#"{"password": {"a": ["hunter2-x", {"b": "hunter2-x"}]}}"#,
        r#"{"credentials": [{"user": "bob", "secret": "hunter2-x"}]}"#,
        r#"{"passwords": ["hunter2-x"]}"#,
        r#"{"name": "password", "value": "hunter2-x"}"#,
        r#"{"value": "hunter2-x", "name": "DB_PASS"}"#,
        r#"[{"key": "Authorization", "value": "hunter2-x"}]"#,
        r#"{"headers": [{"name": "Cookie", "value": "sid=hunter2-x"}]}"#,
        r#"{"env": {"DB_PASS": "hunter2-x"}}"#,
        r#"{"smtpPassword": "hunter2-x", "Passwort": "hunter2-x", "contraseña": "hunter2-x"}"#,
        r#"{"arguments": "{\"password\": {\"value\": \"hunter2-x\"}}"}"#,
    ] {
        let clean = String::from_utf8(sanitizer.json(text.as_bytes()).expect("JSON")).expect("UTF-8");
        assert!(!clean.contains(secret), "{text} became {clean}");
        assert_eq!(sanitizer.json(clean.as_bytes()).expect("JSON"), clean.as_bytes());
    }
    for text in [
        r#"{"properties": {"password": {"type": "string", "description": "at least 8"}}, "required": ["password", "email"]}"#,
        r#"{"max_tokens": 4096, "usage": {"prompt_tokens": 12, "total_tokens": 40}, "next_page_token": "CAoQAAx9Zt3LmP9xKd2V"}"#,
        r#"{"type": "thinking", "thinking": "so", "signature": "ErUBCkYIARgCIkBSkP4zq7Zt3LmP9xKd2VbN5wRy8HcF"}"#,
        r#"{"key": "PROJ-1234", "primary_key": "a1b2c3d4e5f6a7b8", "session_id": "f34f8e41-736a-47fd-8d7d-f3f34b428632"}"#,
        r#"{"name": "get_password", "description": "value of a field"}"#,
        r#"{"id": "chatcmpl-AbC123dEf456GhI789JkL0mN", "system_fingerprint": "fp_50cad350e4"}"#,
    ] {
        assert_eq!(String::from_utf8_lossy(&sanitizer.json(text.as_bytes()).expect("JSON")), text);
    }
}

#[test]
fn what_only_speaks_of_secrets_stays() {
    let sanitizer = sanitizer();
    for text in [
        "Password: must be at least 8 characters, the password is wrong, reset your password to continue",
        "password = os.environ[\"DB_PASS\"], password=get_password(), password: str = None, password = ''",
        "usernameLabel:\"Username:\",passwordLabel:\"Password:\",rememberMeLabel:\"Remember me:\"",
        "def login(self, user='', password='', domain=''): pass",
        "use the --password option, or --token-file path; bypass=true compass=north",
        "The secret to success is practice. The key is under the mat. A token is a word piece.",
        "<password></password> <Token>x</Token> <a class=\"token\">link</a>",
        "Authorization: required. Cookie: none. The authorization header is missing",
        "<dependency>io.jsonwebtoken:jjwt-jackson-0.11.2</dependency>",
        "https://docs.example/document/d/1W7KCxOxP-1Fy5EyF2lbJGE2WuKmu5v0suYqoHas1jRM/edit",
        "Bearer $(gcloud auth print-access-token), password: ${DB_PASS}, token={{ token }}, pass=%PASS%",
        "tokens: 1234567 of 8192; token_type=bearer; eos_token=</s>; cache-key: a1b2c3d4e5f6a7b8c9d0",
        "call_a1B2c3D4e5F6g7H8i9J0k1L2 run_a1B2c3D4e5F6g7H8i9J0k1L2 toolu_01A09q90qw90lq917835lq9",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= deploy-7d4b9c6f5b-x8z2k",
    ] {
        let (clean, found) = sanitizer.text(text);
        assert_eq!(clean, text, "{:?}", found.iter().map(|f| sanitizer.name(f.kind)).collect::<Vec<_>>());
    }
}

#[test]
fn a_word_that_ends_like_a_passwords_name_is_none() {
    let sanitizer = sanitizer();
    for text in [
        r#"{"palabra_clave": "redes neuronales", "palabraClave": "memoria", "frase_clave": "tres palabras", "punto-clave": "uno"}"#,
        r#"{"enclave": "Kaliningrad", "first_pass": "the draft as it is", "second_pass": "shorter", "boardingPass": "A12 gate"}"#,
        r#"{"autoclave": "steam cleaner", "forward_pass": "eager mode", "low_pass": "filtered", "did_pass": "yes it did"}"#,
    ] {
        assert_eq!(String::from_utf8_lossy(&sanitizer.json(text.as_bytes()).expect("JSON")), text);
    }
    let panel = r#"{"panel_clave": "q7Zt3LmP9xKd2VbN5wRy"}"#;
    assert_eq!(sanitizer.json(panel.as_bytes()).expect("JSON"), br#"{"panel_clave": "[SECRET]"}"#);
    for name in [
        "clave",
        "mi_clave",
        "claveUsuario_clave",
        "DB_CLAVE",
        "nuevaClave",
        "pass",
        "DB_PASS",
        "smtpPass",
        "RABBITMQ_PASS",
    ] {
        let text = format!("{{\"{name}\": \"hunter2-x\"}}");
        let clean = sanitizer.json(text.as_bytes()).expect("JSON");
        assert_eq!(String::from_utf8_lossy(&clean), format!("{{\"{name}\": \"[SECRET]\"}}"));
    }
}

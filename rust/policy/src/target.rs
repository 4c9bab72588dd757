//! A request target (RFC 9112 §3.2) cut into path segments and query parameters, or refused.
//!
//! Invariant: what comes out is read the same way by every server. A target that servers normalise differently (dot
//! segments, encoded slashes, empty segments, backslashes, path parameters) keeps `plain == false`, and matches no route.

/// A target's path and query.
#[derive(Debug)]
pub struct Target<'a> {
    /// The path's segments, still percent-encoded.
    pub segments: Vec<&'a str>,
    /// Whether the path has only one reading.
    pub plain: bool,
    /// The query's parameters, decoded once, names in lower case.
    pub query: Vec<(String, String)>,
}

/// The target, or what is wrong with it.
pub fn parse(raw: &[u8]) -> Result<Target<'_>, &'static str> {
    // A server may cut the request line at any of these (RFC 9112 §11.1, request smuggling and splitting).
    if raw.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return Err("white space or a control character in the target");
    }
    let Ok(text) = std::str::from_utf8(raw) else {
        return Err("the target is not UTF-8");
    };
    if text.contains('#') {
        return Err("a fragment in the target");
    }
    let origin = match text.find("://") {
        Some(at) if matches!(text[..at].to_ascii_lowercase().as_str(), "http" | "https") => {
            let rest = &text[at + 3..];
            rest.find(['/', '?']).map_or("/", |slash| &rest[slash..])
        }
        _ => text,
    };
    let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
    let Some(path) = path.strip_prefix('/').or((path.is_empty() && !query.is_empty()).then_some("")) else {
        return Err("the target is not a path");
    };
    let segments: Vec<&str> = path.split('/').collect();
    let plain = path.is_empty() || segments.iter().all(|segment| one_reading(segment));
    let query = parameters(query);
    Ok(Target { segments, plain, query })
}

/// Whether a path may lead elsewhere after some server's normalisation: dot segments, empty segments, backslashes and
/// control characters, as they are or behind up to three layers of percent-encoding.
///
/// Looser than `plain`: an encoded slash or percent sign inside a name is common in the paths of GET requests.
pub fn climbs(path: &str) -> bool {
    let mut text = path.strip_prefix('/').unwrap_or(path).to_owned();
    // `/docs/` and `/` end in an empty segment that every server keeps.
    if let Some(shorter) = text.strip_suffix('/') {
        text.truncate(shorter.len());
    }
    for _ in 0..4 {
        let odd = text.contains('\\') || text.chars().any(char::is_control);
        // `..;x` is `..` to servers that cut path parameters off.
        let dots = |piece: &str| matches!(piece.split(';').next().unwrap_or_default(), "." | "..");
        if odd || text.split('/').any(|piece| dots(piece) || (piece.is_empty() && !text.is_empty())) {
            return true;
        }
        let decoded = decode_path(&text);
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    true
}

/// Parameters as in a query or a form (WHATWG URL §5.1), decoded once, names in lower case; those that a `;` cuts both
/// whole and cut.
pub fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut cut = |pair: &str| {
        if !pair.is_empty() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            found.push((decode(name).to_lowercase(), decode(value)));
        }
    };
    for pair in text.split('&') {
        // Some servers still take `;` for `&`, others for a part of the value: what follows is looked at in both readings.
        let pair = pair.trim_end_matches(';');
        cut(pair);
        if pair.contains(';') {
            pair.split(';').for_each(&mut cut);
        }
    }
    found
}

/// Whether a segment stays one segment, and the same one, after any server's normalisation.
pub fn one_reading(segment: &str) -> bool {
    if !segment.contains(['%', '\\', ';']) && !segment.bytes().any(|byte| byte.is_ascii_control()) {
        return !matches!(segment, "" | "." | "..") && !segment.chars().any(char::is_control);
    }
    let decoded = decode_path(segment);
    !segment.is_empty()
        && !segment.contains(['\\', ';'])
        && !decoded.contains(['\\', '\0', ';', '%', '?', '#'])
        && !decoded.chars().any(char::is_control)
        // An encoded slash inside an identifier (a Bedrock ARN) is harmless as long as no piece can climb.
        && decoded.split('/').all(|piece| !matches!(piece, "" | "." | ".."))
}

pub fn decode(text: &str) -> String {
    decode_path(&text.replace('+', " "))
}

/// Percent-decoding, once. What is not a valid escape stays as it is.
fn decode_path(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = match bytes.get(at..at + 3) {
            Some([b'%', high, low]) => hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4) | low),
            _ => None,
        };
        if let Some(byte) = escape {
            out.push(byte);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::{climbs, parse};

    #[test]
    fn paths_with_two_readings_are_not_plain() {
        for target in [
            "/v1//chat/completions",
            "/v1/./chat/completions",
            "/v1/x/../chat/completions",
            "/v1/%2e%2e/chat/completions",
            "/v1/chat/completions;x",
            "/v1/chat%5ccompletions",
            "/v1/a%2f..%2fchat/completions",
            "/v1/%252e/chat/completions",
            "/v1/chat/completions/",
        ] {
            assert!(!parse(target.as_bytes()).expect("a target").plain, "{target}");
        }
        assert!(parse(b"/model/arn%3Aaws%2Fx/invoke").expect("a target").plain);
    }

    #[test]
    fn the_query_is_decoded_and_its_names_fold() {
        let target = parse(b"http://h/p?X%5FA=1+2&_METHOD=delete;q=%44").expect("a target");
        assert_eq!(target.segments, ["p"]);
        let expected = [("x_a", "1 2"), ("_method", "delete;q=D"), ("_method", "delete"), ("q", "D")];
        let found: Vec<(&str, &str)> = target.query.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_path_that_climbs_is_told_from_one_that_holds_escapes() {
        for path in
            ["/a/../b", "/a/%2e%2E/b", "/a/%252e%252e%252fb", "/a//b", "/a/..;x/b", "/a%5c..%5cb", "/a%00", "/./a"]
        {
            assert!(climbs(path), "{path}");
        }
        for path in ["/", "/docs/", "/a%2Fb", "/100%25", "/a;v=1/b", "/caf%C3%A9", "/a.b/..c"] {
            assert!(!climbs(path), "{path}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(parse(b"/a\r\nHost: x").is_err());
        assert!(parse(b"/a b").is_err());
        assert!(parse(b"*").is_err());
        assert!(parse(b"").is_err());
    }
}

//! `Sanitizer`: what other crates call. It holds the compiled options and hands each part of an exchange to its module.

use shadowlane_base::{Error, Result};

use super::body::{self, Body};
use super::findings::Findings;
use super::headers::{self, OwnedHeader};
use super::hit::Finding;
use super::json::{self, Reading};
use super::kinds::Kind;
use super::options::{Compiled, Options};
use super::text::Origin;
use super::{form, stream, texts};

/// Sanitizes headers, targets and bodies.
#[derive(Clone, Debug)]
pub struct Sanitizer {
    redaction: Compiled,
}

impl Sanitizer {
    /// [`Error::Invalid`] names the option that is wrong: a pattern, a path, a kind, a key, a header that never passes.
    pub fn new(options: &Options) -> Result<Self> {
        Ok(Self { redaction: Compiled::new(options)? })
    }

    /// Use this key for the `hash` action: the lane's, so that all of its processes write the same tokens.
    pub fn set_key(&mut self, key: [u8; 32]) {
        self.redaction.key = key;
    }

    /// The headers that may pass, with their values redacted, names in lower case.
    pub fn headers(&self, headers: &[(&[u8], &[u8])], response: bool, findings: &mut Findings) -> Vec<OwnedHeader> {
        headers::clean(&self.redaction, headers, response, findings)
    }

    /// Path and query with secrets masked; ASCII, percent-encoded.
    pub fn target(&self, target: &[u8], findings: &mut Findings) -> String {
        form::target(&self.redaction, target, findings)
    }

    /// A body, by its media type. `cut`: it may end anywhere.
    pub fn body(
        &self,
        content_type: Option<&[u8]>,
        content_encoding: Option<&[u8]>,
        body: &[u8],
        cut: bool,
        findings: &mut Findings,
    ) -> Body {
        body::clean(&self.redaction, content_type, content_encoding, body, cut, findings)
    }

    /// A text, and what was found in it.
    pub fn text(&self, text: &str) -> (String, Vec<Finding>) {
        let (found, edits) = self.redaction.find(text.as_bytes(), Origin { name: b"", alone: true });
        (String::from_utf8_lossy(&edits.applied(text.as_bytes())).into_owned(), found)
    }

    /// A text that was put together from sanitized pieces, looked at once more; inside its strings when it is JSON. What
    /// speaks for itself only where it stands alone was decided where it stood. One that holds more texts than are put
    /// together goes whole.
    pub fn again(&self, text: &str) -> String {
        self.by_form(text, Origin::default())
    }

    /// A text, inside its strings when it is JSON. One that holds more texts than are put together goes whole.
    pub fn text_or_json(&self, text: &str) -> String {
        self.by_form(text, Origin { name: b"", alone: true })
    }

    fn by_form(&self, text: &str, origin: Origin<'_>) -> String {
        let clean = match self.json_edited(text.as_bytes()) {
            Ok(Some(clean)) => clean,
            Ok(None) => {
                let (_, edits) = self.redaction.find(text.as_bytes(), origin);
                edits.applied(text.as_bytes())
            }
            Err(_) => {
                let mut label = Vec::new();
                self.redaction.label(Kind::SECRET, None, text.as_bytes(), &mut label);
                label
            }
        };
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// A kind's name.
    pub fn name(&self, kind: Kind) -> &str {
        self.redaction.name(kind)
    }

    /// A JSON text. [`Error::Invalid`] when it is not JSON, or holds more texts than are put together.
    pub fn json(&self, text: &[u8]) -> Result<Vec<u8>> {
        let invalid = |why: &str| Error::Invalid { field: "body", why: why.to_owned() };
        match self.json_edited(text) {
            Ok(clean) => clean.ok_or_else(|| invalid("is not JSON; give JSON, or use redact_text")),
            Err(_) => Err(invalid("holds more texts than are put together; give it in parts")),
        }
    }

    /// A JSON text masked; `None` when it is not JSON, an error when its texts are too many.
    fn json_edited(&self, text: &[u8]) -> std::result::Result<Option<Vec<u8>>, &'static str> {
        // What one text's mask shows of its neighbours is rare: as `stream::clean` does with whole bodies.
        const ROUNDS: usize = 3;
        let mut body = std::borrow::Cow::Borrowed(text);
        for round in 0..ROUNDS {
            match stream::across(&self.redaction, &body, (0, round > 0), &mut Findings::default())? {
                Some(across) => body = across.applied(&body).into(),
                None if round > 0 => break,
                None => {}
            }
            let single = json::counted(&self.redaction, &body, Reading::default());
            let Some((single, _)) = single else { return Ok(None) };
            if single.len() == 0 {
                break;
            }
            body = single.applied(&body).into();
        }
        Ok(Some(body.into_owned()))
    }

    /// The texts of a clean body that a detector of names may look at, in order: the string values of JSON, or the
    /// whole text.
    pub fn texts(content_type: Option<&[u8]>, body: &[u8]) -> Vec<String> {
        texts::of(content_type.unwrap_or_default(), body)
    }

    /// The body with ranges of those texts replaced: for each text its ranges, in bytes and in order, and the label of
    /// each.
    pub fn replace(
        &self,
        content_type: Option<&[u8]>,
        body: &[u8],
        found: &[Vec<(usize, usize, String)>],
        findings: &mut Findings,
    ) -> Vec<u8> {
        texts::replace(&self.redaction, content_type.unwrap_or_default(), body, found, findings)
    }
}

#[cfg(test)]
#[allow(clippy::format_collect)] // a test may allocate
mod tests {
    use super::*;

    fn few() -> Sanitizer {
        let mut sanitizer = Sanitizer::new(&Options::default()).expect("the defaults are right");
        sanitizer.redaction.most_pieces = 50;
        sanitizer
    }

    fn json(count: usize) -> String {
        let texts: Vec<String> = (0..count).map(|number| format!("\"carol{number}\"")).collect();
        format!("{{\"texts\":[{}]}}", texts.join(","))
    }

    fn frames(count: usize) -> Vec<u8> {
        let frame = |payload: &[u8]| {
            let total = (16 + payload.len()) as u32;
            let mut out = [total.to_be_bytes(), [0; 4]].concat();
            let mut crc = flate2::Crc::new();
            crc.update(&out);
            out.extend(crc.sum().to_be_bytes());
            out.extend(payload);
            let mut crc = flate2::Crc::new();
            crc.update(&out);
            out.extend(crc.sum().to_be_bytes());
            out
        };
        (0..count).flat_map(|number| frame(format!("{{\"text\":\"carol{number}\"}}").as_bytes())).collect()
    }

    #[test]
    fn a_body_with_too_many_texts_does_not_pass_whatever_holds_them() {
        let quoted = |text: &str| serde_json::to_string(text).expect("a string");
        let bodies = |count: usize| {
            let lines: String = (0..count).map(|number| format!("data: {{\"t\":\"carol{number}\"}}\n\n")).collect();
            let form: String = (0..count).map(|number| format!("&t=carol{number}")).collect();
            let part = format!("--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n{}\r\n--x--\r\n", json(count));
            [
                ("application/json", json(count).into_bytes()),
                ("application/json", format!("{{\"log\":{}}}", quoted(&json(count))).into_bytes()),
                ("application/json", format!("{{\"log\":{}}}", quoted(&lines)).into_bytes()),
                ("text/event-stream", lines.clone().into_bytes()),
                ("text/event-stream", format!("data: {{\"log\":{}}}\n\n", quoted(&quoted(&json(count)))).into_bytes()),
                ("application/x-www-form-urlencoded", form.into_bytes()),
                ("multipart/form-data; boundary=x", part.into_bytes()),
                ("application/vnd.amazon.eventstream", frames(count)),
                ("", frames(count)),
            ]
        };
        let sanitizer = few();
        let clean = |kind: &str, body: &[u8]| {
            sanitizer.body(Some(kind.as_bytes()), None, body, false, &mut Findings::default())
        };
        for (kind, body) in bodies(60) {
            let shown = String::from_utf8_lossy(&body);
            assert_eq!(clean(kind, &body), Body::Unreadable(crate::join::TOO_MANY), "{kind}: {shown}");
        }
        for (kind, body) in bodies(40) {
            assert!(matches!(clean(kind, &body), Body::Clean { .. }), "{kind}");
        }
    }

    #[test]
    fn a_text_or_target_with_too_many_texts_goes_whole() {
        let sanitizer = few();
        assert_eq!(sanitizer.again(&json(60)), "[SECRET]");
        assert_eq!(sanitizer.text_or_json(&json(60)), "[SECRET]");
        assert_eq!(sanitizer.again(&json(40)), json(40));
        assert!(sanitizer.json(json(60).as_bytes()).is_err());
        let mut findings = Findings::default();
        let target = sanitizer.target(format!("/x?{}", "t=carol&".repeat(60)).as_bytes(), &mut findings);
        assert_eq!((target.as_str(), findings.total()), ("/x?%5BSECRET%5D", 1));
    }
}

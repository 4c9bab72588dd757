//! What is sent: one request, for either version of HTTP.
//!
//! Invariant: method, target and headers cannot end their line, so a copy is one request and no more.

use http::{HeaderName, HeaderValue, Method, Uri, Version};

use crate::fault::Fault;
use crate::head::is_token;

/// A request. `target` is the path and query; `headers` do not frame it and name no host.
pub struct Request {
    /// Its method.
    pub method: String,
    /// Path and query, in visible ASCII.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// Whether the answer has no body.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether it may be sent again when an idle connection turns out to be closed (RFC 9110 §9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }

    /// Whether it has a length: whatever is no plain read says so, as clients do.
    fn is_sized(&self) -> bool {
        !self.body.is_empty() || !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    fn check(&self) -> Result<(), Fault> {
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            return Err(Fault::Transport("the request's method cannot be sent"));
        }
        if !self.target.starts_with('/') || !self.target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::Transport("the request's target cannot be sent"));
        }
        let ends_line = |byte: u8| matches!(byte, b'\r' | b'\n' | 0);
        let odd = |(name, value): &(String, String)| {
            name.is_empty() || !name.bytes().all(is_token) || value.bytes().any(ends_line)
        };
        if self.headers.iter().any(odd) {
            return Err(Fault::Transport("a header of the request cannot be sent"));
        }
        Ok(())
    }

    /// The bytes for HTTP/1.1 (RFC 9112).
    pub fn http1(&self, authority: &str) -> Result<Vec<u8>, Fault> {
        self.check()?;
        let lines: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut out =
            Vec::with_capacity(self.method.len() + self.target.len() + authority.len() + lines + self.body.len() + 64);
        for part in [self.method.as_str(), " ", &self.target, " HTTP/1.1\r\nHost: ", authority, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for (name, value) in &self.headers {
            for part in [name.as_str(), ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        if self.is_sized() {
            out.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        Ok(out)
    }

    /// The head for HTTP/2 (RFC 9113 §8.3). A header that HTTP/2 has no form for, such as one with a control character, is
    /// left out.
    pub fn http2(&self, authority: &str) -> Result<http::Request<()>, Fault> {
        const ODD: Fault = Fault::Transport("the request's method or target cannot be sent over HTTP/2");
        self.check()?;
        let uri = Uri::builder().scheme("https").authority(authority).path_and_query(self.target.as_str()).build();
        let mut request = http::Request::new(());
        *request.version_mut() = Version::HTTP_2;
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).map_err(|_| ODD)?;
        *request.uri_mut() = uri.map_err(|_| ODD)?;
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
            {
                request.headers_mut().append(name, value);
            }
        }
        if self.is_sized() {
            request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        Ok(request)
    }
}

//! Which headers may pass, by name: the lists, and those that no option can let through.

/// Request headers that may pass: what selects the representation, and nothing about who asks. Conditions and ranges
/// (RFC 9110 §13.1, §14.2) do: without them the shadow would answer another request than prod did.
const REQUEST: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "anthropic-version",
    "openai-beta",
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// Response headers that may be kept: what the comparison and the limits read.
const RESPONSE: &[&str] = &[
    "content-type",
    "content-language",
    "content-range",
    "retry-after",
    "openai-model",
    "openai-version",
    "openai-processing-ms",
    "x-model-rev",
    "x-index-hash",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
];
const RESPONSE_PREFIXES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-", "x-rate-limit-"];

/// Never pass: credentials, cookies, repeat protection, the client's address, and the framing of another connection
/// (RFC 9110 §7.6.1).
const NEVER: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "authentication-info",
    "www-authenticate",
    "proxy-authenticate",
    "cookie",
    "set-cookie",
    "set-cookie2",
    "x-api-key",
    "api-key",
    "apikey",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    "idempotency-key",
    "x-idempotency-key",
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "forwarded",
    "via",
    "true-client-ip",
    "cf-connecting-ip",
    "x-forwarded-user",
    "x-forwarded-email",
    "from",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "expect",
];
const NEVER_PARTS: &[&str] =
    &["token", "secret", "password", "passwd", "credential", "session", "signature", "auth-", "-auth", "cookie"];

/// Whether a header is one that can never pass.
pub(super) fn is_never(name: &str) -> bool {
    // Rate-limit headers speak of tokens, and mean units.
    let limit = RESPONSE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    NEVER.contains(&name) || (!limit && NEVER_PARTS.iter().any(|part| name.contains(part)))
}

/// Whether a header is on the list of its direction.
pub(super) fn is_listed(name: &str, response: bool) -> bool {
    if response {
        RESPONSE.contains(&name) || RESPONSE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    } else {
        REQUEST.contains(&name)
    }
}

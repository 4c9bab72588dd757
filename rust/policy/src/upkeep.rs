//! Paths by which a service is watched and described, not used: probes, metrics, documentation, a browser's icon.
//!
//! Invariant: a path is one of them only as a whole. A word that may as well name content (`health`, `status`, `docs`)
//! counts only at the top of a service or behind its version: `/wiki/health` is an article.

/// Names that mean nothing else, wherever they stand last.
const PLAIN: &[&str] = &[
    "_health",
    "__health",
    "_healthz",
    "__heartbeat__",
    "__lbheartbeat__",
    "__ping__",
    "_ping",
    "api-docs",
    "favicon.ico",
    "health-check",
    "health_check",
    "healthcheck",
    "healthz",
    "livez",
    "oauth2-redirect",
    "openapi.json",
    "openapi.yaml",
    "openapi.yml",
    "readyz",
    "robots.txt",
    "startupz",
    "statusz",
    "swagger-ui",
    "swagger-ui.html",
    "swagger.json",
    "swagger.yaml",
    "varz",
];

/// Words that mean it at the top of a service only.
const TOP: &[&str] = &[
    "-",
    "alive",
    "docs",
    "elements",
    "health",
    "healthy",
    "heartbeat",
    "live",
    "liveliness",
    "liveness",
    "metrics",
    "openapi",
    "ping",
    "prometheus",
    "rapidoc",
    "readiness",
    "ready",
    "redoc",
    "ruok",
    "scalar",
    "schema",
    "status",
    "swagger",
    "up",
];

/// What may follow a word of [`TOP`]: the parts of a probe, the pages of a documentation.
const BELOW: &[&str] = &[
    "check",
    "db",
    "elements",
    "full",
    "health",
    "healthy",
    "live",
    "liveliness",
    "liveness",
    "metrics",
    "openapi",
    "ping",
    "prometheus",
    "rapidoc",
    "readiness",
    "ready",
    "redoc",
    "scalar",
    "services",
    "started",
    "startup",
    "status",
    "swagger",
];

/// Folders in which everything is of this kind: probes of Kubernetes' own form, Spring's and Quarkus' management, Go's
/// profiler, the pages of Swagger.
const FOLDERS: &[&[&str]] = &[
    &["actuator"],
    &["api-docs"],
    &["_ah"],
    &["_cat"],
    &["_cluster", "health"],
    &["debug", "pprof"],
    &["debug", "vars"],
    &["healthz"],
    &["livez"],
    &["q", "dev"],
    &["q", "health"],
    &["q", "metrics"],
    &["readyz"],
    &["stats", "prometheus"],
    &["swagger-ui"],
];

/// Whether `path`, as a lenient server reads it, is one of them. In ASCII, small and large letters are the same.
pub fn is_upkeep(path: &[u8]) -> bool {
    let Ok(path) = std::str::from_utf8(path) else {
        return false;
    };
    // More segments than the deepest of them has, or a longer one: nothing to look at.
    let mut segments = [""; 8];
    let mut n = 0;
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let Some(free) = segments.get_mut(n) else {
            return false;
        };
        *free = segment;
        n += 1;
    }
    let segments = segments.get(..n).unwrap_or_default();
    let Some(last) = segments.last() else {
        return false;
    };
    if among(PLAIN, last) {
        return true;
    }
    let service = segments.iter().position(|segment| !is_version(segment)).unwrap_or(n);
    match segments.get(service..).unwrap_or_default() {
        [only] => among(TOP, only) || in_folder(&[only]),
        all @ [first, second] => (among(TOP, first) && among(BELOW, second)) || in_folder(all),
        all => in_folder(all),
    }
}

fn among(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn in_folder(segments: &[&str]) -> bool {
    FOLDERS.iter().any(|folder| {
        folder.len() <= segments.len()
            && folder.iter().zip(segments).all(|(known, segment)| known.eq_ignore_ascii_case(segment))
    })
}

/// `api`, `v1`, `v1beta`: what may stand before a service's own paths.
fn is_version(segment: &str) -> bool {
    segment.eq_ignore_ascii_case("api")
        || segment.strip_prefix(['v', 'V']).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_upkeep;

    #[test]
    fn probes_metrics_and_documentation_are_known() {
        for path in [
            "/healthz",
            "/health",
            "/health/",
            "/Health",
            "/api/health",
            "/api/v1/health",
            "/v1/healthz",
            "/readyz",
            "/readyz/etcd",
            "/livez",
            "/health/liveliness",
            "/health/readiness",
            "/-/healthy",
            "/-/ready",
            "/ping",
            "/metrics",
            "/metrics/",
            "/metrics/prometheus",
            "/actuator/health/liveness",
            "/actuator/prometheus",
            "/q/health/live",
            "/docs",
            "/docs/oauth2-redirect",
            "/redoc",
            "/openapi.json",
            "/api/openapi.json",
            "/v3/api-docs",
            "/swagger-ui/index.html",
            "/schema/swagger",
            "/favicon.ico",
            "/robots.txt",
            "/debug/pprof/heap",
            "/orders/healthz",
            "/_cluster/health",
            "/up",
        ] {
            assert!(is_upkeep(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn content_that_has_such_a_name_is_not() {
        for path in [
            "/",
            "/wiki/health",
            "/search",
            "/docs/install",
            "/articles/metrics",
            "/health/articles",
            "/status/17",
            "/users/ready",
            "/v1/models",
            "/healthzone",
            "/shipping",
            "/updates",
            "/v1/chat/completions",
            "/api",
            "/schema/users",
            "/debug/sessions",
            "/a/b/c/d/e/f/g/h/i/healthz/x",
        ] {
            assert!(!is_upkeep(path.as_bytes()), "{path}");
        }
        assert!(!is_upkeep(b"/\xff/healthz"));
    }
}

//! The table of the keys that a prefix gives away, as their issuers document them.
//!
//! Invariant: a prefix stands under its head, everything up to and with its first `-`, `_` or `.`, so that one lookup
//! where such a sign is met finds all its forms; the first that fits is taken, so the longer ones stand first.

use super::classes::{is_alphanumeric, is_url};
use super::kinds::Kind;

/// What may stand in the part after the prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Letters and digits.
    Word,
    /// Those, `-` and `_`.
    Url,
    /// Those, and dots between.
    Dotted,
    /// Hexadecimal digits.
    Hex,
    /// Those, and slashes.
    Path,
    /// Letters and digits in groups as a UUID has them.
    Grouped,
}

impl Body {
    /// Whether a byte may stand in it.
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Word => is_alphanumeric(byte),
            Self::Url | Self::Grouped => is_url(byte),
            Self::Dotted => is_url(byte) || matches!(byte, b'.' | b'=' | b'/' | b'+'),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Path => byte.is_ascii_alphanumeric() || byte == b'/',
        }
    }
}

/// What follows the part up to the first sign, the kind, the body and its least length.
pub(super) type Form = (&'static [u8], Kind, Body, usize);

/// The forms that begin with `head`: everything up to and with the first `-`, `_` or `.`.
#[allow(clippy::too_many_lines, clippy::match_same_arms)] // a table, by issuer
pub(super) fn forms(head: &[u8]) -> &'static [Form] {
    use Body::{Dotted, Grouped, Hex, Path, Url, Word};
    match head {
        b"sk-" => &[
            (b"ant-", Kind::ANTHROPIC_KEY, Url, 20),
            (b"or-", Kind::API_KEY, Url, 20),
            (b"lf-", Kind::API_KEY, Url, 20),
            (b"", Kind::OPENAI_KEY, Url, 20),
        ],
        b"pk-" => &[(b"lf-", Kind::API_KEY, Url, 20)],
        b"sess-" => &[(b"", Kind::OPENAI_KEY, Word, 40)],
        // What is published (`pk_live_`, `pk_test_`) is no secret.
        b"pk_" => &[(b"", Kind::API_KEY, Hex, 40)],
        b"sk_" | b"rk_" => &[
            (b"live_", Kind::STRIPE_KEY, Word, 10),
            (b"test_", Kind::STRIPE_KEY, Word, 10),
            (b"prod_", Kind::STRIPE_KEY, Word, 10),
            (b"", Kind::API_KEY, Hex, 40),
        ],
        b"whsec_" => &[(b"", Kind::STRIPE_KEY, Dotted, 20)],
        b"ghp_" | b"gho_" | b"ghu_" | b"ghs_" | b"ghr_" => &[(b"", Kind::GITHUB_TOKEN, Dotted, 30)],
        b"github_" => &[(b"pat_", Kind::GITHUB_TOKEN, Url, 22)],
        b"glpat-" | b"gldt-" | b"glrt-" | b"glptt-" | b"glft-" | b"glimt-" | b"glagent-" | b"gloas-" | b"glsoat-"
        | b"glffct-" => &[(b"", Kind::GITLAB_TOKEN, Url, 20)],
        b"glcbt-" => &[(b"", Kind::GITLAB_TOKEN, Url, 20)],
        b"xoxb-" | b"xoxp-" | b"xoxa-" | b"xoxr-" | b"xoxs-" | b"xoxo-" | b"xoxe-" | b"xoxc-" | b"xoxd-" | b"xapp-" => {
            &[(b"", Kind::SLACK_TOKEN, Url, 10)]
        }
        b"xoxe." => &[(b"xoxp-", Kind::SLACK_TOKEN, Url, 20), (b"xoxb-", Kind::SLACK_TOKEN, Url, 20)],
        b"hooks." => &[
            (b"slack.com/services/", Kind::SLACK_TOKEN, Path, 30),
            (b"slack.com/workflows/", Kind::SLACK_TOKEN, Path, 30),
            (b"zapier.com/hooks/catch/", Kind::API_KEY, Path, 12),
        ],
        b"discord." => &[(b"com/api/webhooks/", Kind::API_KEY, Dotted, 40)],
        b"SG." => &[(b"", Kind::SENDGRID_KEY, Dotted, 50)],
        b"hf_" => &[(b"", Kind::HUGGINGFACE_TOKEN, Word, 30)],
        b"api_" => &[(b"org_", Kind::HUGGINGFACE_TOKEN, Word, 30)],
        b"npm_" => &[(b"", Kind::NPM_TOKEN, Word, 36)],
        b"pypi-" => &[(b"", Kind::PYPI_TOKEN, Url, 50)],
        b"ya29." => &[(b"", Kind::GCP_KEY, Dotted, 20)],
        b"GOCSPX-" => &[(b"", Kind::GCP_KEY, Url, 28)],
        b"amzn." => &[(b"mws.", Kind::AWS_KEY, Url, 32)],
        b"gsk_" | b"pplx-" | b"xai-" | b"csk-" | b"fw_" | b"nvapi-" | b"tvly-" | b"pcsk_" | b"jina_" | b"voyage-" => {
            &[(b"", Kind::API_KEY, Url, 30)]
        }
        b"r8_" => &[(b"", Kind::API_KEY, Word, 37)],
        b"lsv2_" => &[(b"pt_", Kind::API_KEY, Url, 32), (b"sk_", Kind::API_KEY, Url, 32)],
        b"dop_" | b"doo_" | b"dor_" => &[(b"v1_", Kind::API_KEY, Hex, 64)],
        b"shpat_" | b"shpca_" | b"shppa_" | b"shpss_" => &[(b"", Kind::API_KEY, Hex, 32)],
        b"sq0atp-" | b"sq0csp-" | b"sq0idp-" => &[(b"", Kind::API_KEY, Url, 22)],
        b"glsa_" | b"glc_" => &[(b"", Kind::API_KEY, Dotted, 32)],
        b"NRAK-" | b"NRJS-" | b"NRII-" | b"NRRA-" => &[(b"", Kind::API_KEY, Url, 19)],
        b"sntrys_" | b"sntryu_" => &[(b"", Kind::API_KEY, Dotted, 40)],
        b"pscale_" => &[
            (b"tkn_", Kind::API_KEY, Dotted, 32),
            (b"pw_", Kind::API_KEY, Dotted, 32),
            (b"oauth_", Kind::API_KEY, Dotted, 32),
        ],
        b"sbp_" => &[(b"", Kind::API_KEY, Hex, 40)],
        b"sb_" => &[(b"secret_", Kind::API_KEY, Url, 20)],
        b"hvs." | b"hvb." | b"hvr." => &[(b"", Kind::API_KEY, Url, 24)],
        b"atlasv1." => &[(b"", Kind::API_KEY, Url, 60)],
        b"dckr_" => &[(b"pat_", Kind::API_KEY, Url, 27), (b"oat_", Kind::API_KEY, Url, 27)],
        b"fo1_" => &[(b"", Kind::API_KEY, Url, 43)],
        b"lin_" => &[(b"api_", Kind::API_KEY, Word, 40), (b"oauth_", Kind::API_KEY, Word, 40)],
        b"ntn_" => &[(b"", Kind::API_KEY, Word, 40)],
        b"secret_" => &[(b"", Kind::API_KEY, Word, 43)],
        b"PMAK-" => &[(b"", Kind::API_KEY, Url, 50)],
        b"key-" => &[(b"", Kind::API_KEY, Hex, 32)],
        b"pubkey-" => &[(b"", Kind::API_KEY, Hex, 32)],
        b"xkeysib-" | b"xsmtpsib-" => &[(b"", Kind::API_KEY, Url, 64)],
        b"shippo_" => &[(b"live_", Kind::API_KEY, Hex, 40), (b"test_", Kind::API_KEY, Hex, 40)],
        b"FLWSECK-" | b"FLWPUBK-" | b"FLWSECK_" | b"FLWPUBK_" => &[(b"", Kind::API_KEY, Url, 12)],
        b"duffel_" => &[(b"live_", Kind::API_KEY, Url, 40), (b"test_", Kind::API_KEY, Url, 40)],
        b"tfp_" => &[(b"", Kind::API_KEY, Dotted, 40)],
        b"ops_" => &[(b"eyJ", Kind::API_KEY, Dotted, 60)],
        b"rubygems_" => &[(b"", Kind::API_KEY, Hex, 48)],
        b"CLOJARS_" => &[(b"", Kind::API_KEY, Word, 60)],
        b"phx_" | b"phc_" | b"phs_" => &[(b"", Kind::API_KEY, Word, 40)],
        b"figd_" | b"figo_" => &[(b"", Kind::API_KEY, Url, 36)],
        b"dp." => &[
            (b"pt.", Kind::API_KEY, Word, 40),
            (b"st.", Kind::API_KEY, Dotted, 40),
            (b"ct.", Kind::API_KEY, Word, 40),
            (b"sa.", Kind::API_KEY, Word, 40),
            (b"scim.", Kind::API_KEY, Word, 40),
            (b"audit.", Kind::API_KEY, Word, 40),
        ],
        b"pul-" => &[(b"", Kind::API_KEY, Hex, 40)],
        b"pnu_" => &[(b"", Kind::API_KEY, Word, 36)],
        b"pat-" => &[(b"na1-", Kind::API_KEY, Url, 32), (b"eu1-", Kind::API_KEY, Url, 32)],
        b"nfp_" | b"rnd_" | b"vcp_" | b"vck_" | b"cfut_" | b"cfat_" | b"cfk_" | b"re_" => {
            &[(b"", Kind::API_KEY, Url, 30)]
        }
        b"rootly_" => &[(b"", Kind::API_KEY, Hex, 64)],
        b"spu-" | b"pri_" => &[(b"", Kind::API_KEY, Hex, 32)],
        b"sgp_" => &[(b"", Kind::API_KEY, Url, 40)],
        b"sgd_" | b"slk_" => &[(b"", Kind::API_KEY, Hex, 64)],
        b"NRIQ-" => &[(b"", Kind::API_KEY, Url, 32)],
        b"BBDC-" => &[(b"", Kind::API_KEY, Url, 40)],
        b"bkua_" => &[(b"", Kind::API_KEY, Hex, 40)],
        b"p8e-" => &[(b"", Kind::API_KEY, Url, 32)],
        b"CCIPAT_" | b"CCIPRJ_" => &[(b"", Kind::API_KEY, Url, 40)],
        b"tskey-" => &[(b"", Kind::API_KEY, Url, 20)],
        // 42's API: user or application.
        b"s-" => &[(b"s4t2ud-", Kind::API_KEY, Hex, 64), (b"s4t2af-", Kind::API_KEY, Hex, 64)],
        // Cloudflare's key of an origin's certificate authority.
        b"v1." => &[(b"0-", Kind::API_KEY, Url, 140)],
        b"rpa_" => &[(b"", Kind::API_KEY, Url, 40)],
        b"waka_" => &[(b"", Kind::API_KEY, Url, 36)],
        b"apify_" => &[(b"api_", Kind::API_KEY, Url, 36)],
        // LaunchDarkly's are the groups of a UUID, in letters and digits.
        b"sdk-" | b"mob-" | b"api-" => &[(b"", Kind::API_KEY, Grouped, 36)],
        b"sl." => &[(b"", Kind::API_KEY, Url, 100)],
        b"pk." | b"sk." => &[(b"eyJ", Kind::API_KEY, Dotted, 60)],
        b"AGE-" => &[(b"SECRET-KEY-1", Kind::PRIVATE_KEY, Word, 50)],
        b"PuTTY-" => &[(b"User-Key-File-", Kind::PRIVATE_KEY, Body::Dotted, 1)],
        _ => &[],
    }
}

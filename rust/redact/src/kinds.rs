//! What can be found, by name. A kind's name is what findings, counts and configuration say; its mask is the name in
//! capitals, in brackets.

/// What a value is: a built-in kind, or one of a user's rules. Names are looked up in the redactor that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub(super) u16);

macro_rules! kinds {
    ($($constant:ident $name:literal $about:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Number { $($constant,)* }
        impl Kind {
            $(#[doc = $about] pub(super) const $constant: Self = Self(Number::$constant as u16);)*
        }
        /// Names of the built-in kinds, and what each stands for.
        pub const BUILT_IN: &[(&str, &str)] = &[$(($name, $about),)*];
    };
}

kinds! {
    EMAIL "email" "e-mail address (RFC 5322 dot-atom, RFC 6531 letters)";
    PHONE "phone" "telephone number: E.164, or a national form";
    CARD "payment_card" "payment card number (ISO/IEC 7812, issuer range, Luhn)";
    IBAN "iban" "bank account (ISO 13616, country length, mod 97)";
    SECRET "secret" "value of a field or assignment whose name says it is secret";
    FIELD "field" "value that a field rule names";
    IP "ip_address" "IPv4 or IPv6 address, with its prefix length";
    MAC "mac_address" "MAC address (EUI-48)";
    CRYPTO "crypto_address" "cryptocurrency address (Base58Check, Bech32, Ethereum)";
    URL_CREDENTIALS "url_credentials" "user name and password in a URL (RFC 3986 §3.2.1)";
    DATABASE_URL "database_url" "database or broker URL that holds a password";
    JWT "jwt" "JWS or JWE in compact form (RFC 7515, RFC 7516)";
    BEARER "bearer" "bearer token (RFC 6750)";
    BASIC_AUTH "basic_auth" "credentials of HTTP Basic (RFC 7617)";
    PRIVATE_KEY "private_key" "private key in PEM, OpenSSH, PGP, PuTTY or age form";
    AWS_KEY "aws_key" "AWS access key id or secret";
    GCP_KEY "gcp_key" "Google API key, OAuth token or client secret";
    AZURE_KEY "azure_key" "Azure storage, service or client secret";
    GITHUB_TOKEN "github_token" "GitHub token";
    GITLAB_TOKEN "gitlab_token" "GitLab token";
    SLACK_TOKEN "slack_token" "Slack token or webhook";
    STRIPE_KEY "stripe_key" "Stripe key";
    TWILIO_KEY "twilio_key" "Twilio account or key id";
    SENDGRID_KEY "sendgrid_key" "SendGrid key";
    OPENAI_KEY "openai_key" "OpenAI key (and the many that copy its form)";
    ANTHROPIC_KEY "anthropic_key" "Anthropic key";
    HUGGINGFACE_TOKEN "huggingface_token" "Hugging Face token";
    NPM_TOKEN "npm_token" "npm token";
    PYPI_TOKEN "pypi_token" "PyPI token";
    API_KEY "api_key" "key or token of another service that has a known form";
    US_SSN "us_ssn" "US social security number";
    US_ITIN "us_itin" "US individual taxpayer number";
    US_MBI "us_mbi" "US Medicare beneficiary identifier";
    US_NPI "us_npi" "US national provider identifier (Luhn)";
    US_BANK_ROUTING "us_bank_routing" "US bank routing number, with context";
    MEDICAL_LICENSE "medical_license" "US DEA number (check digit)";
    CA_SIN "ca_sin" "Canadian social insurance number (Luhn)";
    UK_NINO "uk_nino" "UK national insurance number";
    UK_NHS "uk_nhs" "UK NHS number (mod 11)";
    UK_DRIVING_LICENCE "uk_driving_licence" "UK driving licence number";
    AU_ABN "au_abn" "Australian business number (mod 89)";
    AU_ACN "au_acn" "Australian company number (mod 10)";
    AU_TFN "au_tfn" "Australian tax file number (mod 11)";
    AU_MEDICARE "au_medicare" "Australian Medicare number (mod 10)";
    DE_TAX_ID "de_tax_id" "German tax identification number (ISO 7064 mod 11,10)";
    DE_TAX_NUMBER "de_tax_number" "German tax number, with context or slashes";
    DE_SOCIAL_SECURITY "de_social_security" "German pension insurance number (check digit)";
    DE_HEALTH_INSURANCE "de_health_insurance" "German health insurance number (check digit)";
    DE_ID_CARD "de_id_card" "German identity card or passport number (ICAO 9303 check digit)";
    DE_LANR "de_lanr" "German physician number (check digit)";
    DE_BSNR "de_bsnr" "German medical practice number, with context";
    DE_VAT_ID "de_vat_id" "German VAT number, with context";
    ES_NIF "es_nif" "Spanish NIF (check letter)";
    ES_NIE "es_nie" "Spanish NIE (check letter)";
    FI_PIC "fi_personal_identity_code" "Finnish personal identity code (mod 31)";
    FR_NIR "fr_nir" "French social security number (mod 97)";
    IT_FISCAL_CODE "it_fiscal_code" "Italian fiscal code";
    IT_VAT_CODE "it_vat_code" "Italian VAT number (Luhn), with context";
    NL_BSN "nl_bsn" "Dutch citizen service number (eleven test), with context";
    BE_NN "be_national_number" "Belgian national number (mod 97)";
    CH_AHV "ch_ahv" "Swiss AHV number (EAN-13)";
    PL_PESEL "pl_pesel" "Polish PESEL (check digit, date)";
    SE_PERSONNUMMER "se_personnummer" "Swedish personal number (Luhn, date)";
    SE_ORG "se_organisationsnummer" "Swedish organisation number (Luhn), with context";
    NO_FNR "no_fodselsnummer" "Norwegian birth number (two mod 11)";
    BR_CPF "br_cpf" "Brazilian CPF (two mod 11)";
    BR_CNPJ "br_cnpj" "Brazilian CNPJ (two mod 11)";
    MX_CURP "mx_curp" "Mexican CURP";
    CN_ID "cn_resident_id" "Chinese resident identity number (ISO 7064 mod 11-2)";
    IN_AADHAAR "in_aadhaar" "Indian Aadhaar number (Verhoeff)";
    IN_PAN "in_pan" "Indian permanent account number";
    IN_GSTIN "in_gstin" "Indian goods and services tax number";
    KR_RRN "kr_rrn" "Korean resident registration number";
    KR_FRN "kr_frn" "Korean foreigner registration number";
    KR_BRN "kr_brn" "Korean business registration number (check digit)";
    KR_DRIVER_LICENSE "kr_driver_license" "Korean driver's licence, with context";
    NG_NIN "ng_nin" "Nigerian national identity number (Verhoeff)";
    PH_TIN "ph_tin" "Philippine taxpayer number, with context";
    SG_NRIC_FIN "sg_nric_fin" "Singaporean NRIC or FIN";
    SG_UEN "sg_uen" "Singaporean entity number";
    TH_TNIN "th_tnin" "Thai national identity number (mod 11)";
    TR_NATIONAL_ID "tr_national_id" "Turkish identity number (two check digits)";
    ZA_ID_NUMBER "za_id_number" "South African identity number (Luhn, date)";
    PASSPORT "passport" "passport number, with context";
    DRIVER_LICENSE "driver_license" "driver's licence number, with context";
}

/// A set of kinds.
#[derive(Clone, Debug)]
pub(super) struct Kinds([u64; 4]);

impl Kinds {
    pub(super) fn all() -> Self {
        Self([u64::MAX; 4])
    }

    pub(super) fn remove(&mut self, kind: Kind) {
        if let Some(word) = self.0.get_mut(usize::from(kind.0 / 64)) {
            *word &= !(1 << (kind.0 % 64));
        }
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.0.get(usize::from(kind.0 / 64)).is_none_or(|word| word >> (kind.0 % 64) & 1 == 1)
    }
}

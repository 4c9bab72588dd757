//! TLS towards a shadow: certificates are always verified, with the system's authorities and those of one file.
//!
//! Invariant: a connection exists only if the server's certificate leads to one of these authorities, or is itself one of
//! the file's, is valid now, and names the host that was asked.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// The settings for a shadow. `bundle`: PEM certificates beside the system's authorities. `None` when it holds none.
pub fn client_config(bundle: Option<&[u8]>) -> Option<Arc<ClientConfig>> {
    let mut own = Vec::new();
    if let Some(pem) = bundle {
        own = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().ok()?;
        if own.is_empty() {
            return None;
        }
    }
    let mut roots = RootCertStore::empty();
    // What of the system's cannot be read is no authority.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let (added, _) = roots.add_parsable_certificates(own.iter().cloned());
    if bundle.is_some() && added == 0 {
        return None;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().ok()?;
    let mut config = match Verifier::new(Arc::new(roots.clone()), provider, own) {
        Some(verifier) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        // Without any authority every certificate is refused.
        None => builder.with_root_certificates(roots).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Some(Arc::new(config))
}

/// What a failed handshake means: fixed words, which quote no name of the certificate. `true`: the certificate.
pub fn words(error: &Error) -> (bool, &'static str) {
    let Error::InvalidCertificate(why) = error else {
        return (
            false,
            match error {
                Error::AlertReceived(_) => "the shadow ended the handshake with an alert",
                Error::PeerIncompatible(_) => "no version or cipher in common",
                Error::NoApplicationProtocol => "no protocol in common",
                _ => "what came is no TLS handshake",
            },
        );
    };
    let words = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it does not name this host"
        }
        CertificateError::UnknownIssuer => "its issuer is not known here; set ca_file to the authority's certificate",
        CertificateError::Revoked => "it was revoked",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "it is not for servers",
        CertificateError::BadEncoding => "it cannot be read",
        CertificateError::Other(_) => "its form is not accepted (version 1, or an authority's own certificate)",
        _ => "it is not accepted",
    };
    (true, words)
}

/// webpki's verification, which has no word for a server that shows a certificate of the file itself: one that it signed
/// itself (an authority's by its form, as `openssl req -x509` makes it), or one that was picked out by hand.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
        own: Vec<CertificateDer<'static>>,
    ) -> Option<Self> {
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider).build().ok()?;
        Some(Self { inner, own })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // Both are found behind the dates, which webpki looks at first (`check_issuer_independent_properties`).
            Err(error)
                if is_of_its_issuer(&error) && self.own.iter().any(|own| own.as_ref() == end_entity.as_ref()) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            found => found,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether nothing but who issued it speaks against a certificate.
fn is_of_its_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            matches!(cause.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

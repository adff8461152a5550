//! Trusted certificates.

use super::HttpError;
use kepler_core::host::file::{self, FileLimits};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::path::Path;
use std::sync::Arc;

/// The configuration of a client that verifies against `bundle`, else against the system's store.
pub(super) fn config(bundle: Option<&Path>, secure: bool) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Client { reason: error.to_string() })?;
    let builder = match bundle {
        Some(path) => builder.with_root_certificates(read(path)?),
        // No certificate is needed: all addresses are plain HTTP.
        None if !secure => builder.with_root_certificates(RootCertStore::empty()),
        None => builder.with_platform_verifier().map_err(|error| HttpError::NoTrust { reason: error.to_string() })?,
    };
    Ok(builder.with_no_client_auth())
}

/// Larger than the bundle of any system.
const MAX_BYTES: u64 = 16 << 20;

fn read(path: &Path) -> Result<RootCertStore, HttpError> {
    let refuse = |reason: String| HttpError::CaBundle { path: path.into(), reason };
    let mut store = RootCertStore::empty();
    let bytes = file::read(path, FileLimits::bytes(MAX_BYTES)).map_err(|error| refuse(error.reason().to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        store.add(certificate).map_err(|error| refuse(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(refuse("it holds no certificate".into()));
    }
    Ok(store)
}

/// What a client shows and trusts.
#[cfg(feature = "kubernetes")]
#[derive(Default)]
pub(crate) struct PeerTrust {
    /// Certificate authorities, PEM.
    pub(crate) authorities: Vec<u8>,
    /// Own certificate and key, PEM.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether any certificate will do.
    pub(crate) insecure: bool,
}

#[cfg(feature = "kubernetes")]
impl PeerTrust {
    pub(crate) fn config(&self) -> Result<ClientConfig, HttpError> {
        use rustls::pki_types::PrivateKeyDer;
        let refuse = |what: &str, reason: String| HttpError::Client { reason: format!("{what}: {reason}") };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse("TLS", error.to_string()))?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(insecure::AnyCertificate(provider)))
        } else {
            let mut store = RootCertStore::empty();
            // One that cannot be used must not stand in the way of the others.
            store.add_parsable_certificates(CertificateDer::pem_slice_iter(&self.authorities).map_while(Result::ok));
            builder.with_root_certificates(store)
        };
        let Some((certificates, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let certificates = certificates.map_err(|error| refuse("the client certificate", error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| refuse("the client key", error.to_string()))?;
        builder
            .with_client_auth_cert(certificates, key)
            .map_err(|error| refuse("the client certificate", error.to_string()))
    }
}

#[cfg(feature = "kubernetes")]
mod insecure {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    use std::sync::Arc;

    /// Believes whatever certificate is shown: only where that was asked for.
    #[derive(Debug)]
    pub(super) struct AnyCertificate(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for AnyCertificate {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

//! Trusted certificates.

use super::HttpError;
use super::trusted::Trusted;
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
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Client { reason: error.to_string() })?;
    let builder = match bundle {
        Some(path) => {
            let verifier = read(path)?.verifier(provider).map_err(|reason| HttpError::Client { reason })?;
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        // No certificate is needed: all addresses are plain HTTP.
        None if !secure => builder.with_root_certificates(RootCertStore::empty()),
        None => builder.with_platform_verifier().map_err(|error| HttpError::NoTrust { reason: error.to_string() })?,
    };
    Ok(builder.with_no_client_auth())
}

/// Larger than the bundle of any system.
const MAX_BYTES: u64 = 16 << 20;

fn read(path: &Path) -> Result<Trusted, HttpError> {
    let refuse = |reason: String| HttpError::CaBundle { path: path.into(), reason };
    let mut trusted = Trusted::none();
    let bytes = file::read(path, FileLimits::bytes(MAX_BYTES)).map_err(|error| refuse(error.reason().to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        trusted.add(certificate).map_err(|error| refuse(error.to_string()))?;
    }
    if trusted.is_empty() {
        return Err(refuse("it holds no certificate".into()));
    }
    Ok(trusted)
}

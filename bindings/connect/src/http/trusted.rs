//! Certificates that are trusted: as authorities, and as servers' own.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Trusted certificates of a file.
#[derive(Debug)]
pub(super) struct Trusted {
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
    own: Vec<CertificateDer<'static>>,
    names: Vec<ServerName<'static>>,
}

impl Trusted {
    pub(super) fn none() -> Self {
        Trusted { roots: RootCertStore::empty(), certificates: Vec::new(), own: Vec::new(), names: Vec::new() }
    }

    pub(super) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), Error> {
        self.roots.add(certificate.clone())?;
        self.certificates.push(certificate);
        Ok(())
    }

    /// Believes a server that shows this very certificate, whatever it says of names, dates and kinds: it was read where the
    /// server itself keeps it.
    #[cfg(any(feature = "kubernetes", feature = "redfish"))]
    pub(super) fn add_own(&mut self, certificate: CertificateDer<'static>) {
        // What it is made from may be an authority as well; one that cannot be used as that is still the server's own.
        let _ = self.add(certificate.clone());
        self.own.push(certificate);
    }

    /// Has a certificate of an authority be of one of these names, instead of the one in the address.
    #[cfg(any(feature = "kubernetes", feature = "redfish"))]
    pub(super) fn known_as(&mut self, names: Vec<ServerName<'static>>) {
        self.names = names;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.own.is_empty()
    }

    /// What verifies servers by these. There has to be one.
    pub(super) fn verifier(self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let Trusted { roots, certificates, own, names } = self;
        let by_authority = match roots.is_empty() {
            true => None,
            false => {
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
                Some(builder.build().map_err(|error| error.to_string())?)
            }
        };
        Ok(Arc::new(Verifier { by_authority, certificates, own, names, provider }))
    }
}

/// Verifies as webpki does, and takes a trusted certificate that a server shows as its own though it says that it is an
/// authority. `openssl req -x509` says so of every certificate, and many BMCs have one of that kind. Who can show it holds
/// its key, so nothing is believed that was not before.
#[derive(Debug)]
struct Verifier {
    /// None where no certificate can be an authority.
    by_authority: Option<Arc<WebPkiServerVerifier>>,
    certificates: Vec<CertificateDer<'static>>,
    own: Vec<CertificateDer<'static>>,
    names: Vec<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.own.contains(certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        let verify = |name: &ServerName<'_>| {
            let by_authority = self.by_authority.as_ref().ok_or(CertificateError::UnknownIssuer)?;
            let verified = by_authority.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
            match verified {
                // webpki looks at the dates before it says so, and at the name after.
                Err(error) if is_authority(&error) && self.certificates.contains(certificate) => {
                    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                    Ok(ServerCertVerified::assertion())
                }
                verified => verified,
            }
        };
        let Some((first, others)) = self.names.split_first() else { return verify(name) };
        // What is wrong by the first name is what is told.
        verify(first).or_else(|error| others.iter().find_map(|name| verify(name).ok()).ok_or(error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether all that is wrong so far is that an authority's certificate stands for a server.
fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string() == "CaUsedAsEndEntity")
}

#[cfg(any(feature = "kubernetes", feature = "redfish"))]
#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    fn verify(trusted: Trusted, certificate: &CertificateDer<'_>, name: &str) -> Result<(), Error> {
        let verifier = trusted.verifier(Arc::new(rustls::crypto::ring::default_provider())).unwrap();
        let (name, now) = (ServerName::try_from(name.to_owned()).unwrap(), UnixTime::now());
        verifier.verify_server_cert(certificate, &[], &name, &[], now).map(|_| ())
    }

    fn names(names: &[&str]) -> Vec<ServerName<'static>> {
        names.iter().map(|&name| ServerName::try_from(name.to_owned()).unwrap()).collect()
    }

    /// AKS makes one by `openssl req -x509`, which says that it is an authority; older ones have a common name only. A kubelet that
    /// has signed its own keeps it when it has expired.
    #[test]
    fn what_a_server_keeps_as_its_own_is_believed_whatever_its_name_kind_and_date() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "aks-nodes-38243387-vmss000000");
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let mut own = Trusted::none();
        own.add_own(certificate.clone());
        own.known_as(names(&["node-a"]));
        assert_eq!(verify(own, &certificate, "node-a"), Ok(()));
        let mut other = Trusted::none();
        other.add_own(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone());
        assert!(verify(other, &certificate, "aks-nodes-38243387-vmss000000").is_err(), "another's of the same name");
        let mut authority = Trusted::none();
        authority.add(certificate.clone()).unwrap();
        assert!(
            verify(authority, &certificate, "aks-nodes-38243387-vmss000000").is_err(),
            "it is only trusted to sign"
        );
    }

    /// GKE: the name of the machine in full, and its addresses (kubernetes issue 100098).
    #[test]
    fn a_certificate_of_an_authority_may_be_of_any_of_the_names() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let names_in_it = ["gke-a-ggs.c.project.internal", "10.142.0.39"].map(str::to_owned);
        let certificate = CertificateParams::new(names_in_it).unwrap();
        let certificate = certificate.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone();
        let as_known = |known: &[&str]| {
            let mut trusted = Trusted::none();
            trusted.add(authority.clone()).unwrap();
            trusted.known_as(names(known));
            verify(trusted, &certificate, "gke-a-ggs")
        };
        assert_eq!(as_known(&["gke-a-ggs", "10.142.0.39"]), Ok(()));
        let refused = as_known(&["gke-a-ggs", "10.142.0.40"]).unwrap_err().to_string();
        assert!(refused.contains("gke-a-ggs") && !refused.contains("10.142.0.40"), "{refused}");
        assert!(as_known(&[]).is_err(), "then the name in the address is the one");
    }
}

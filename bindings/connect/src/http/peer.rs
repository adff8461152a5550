//! A client of one server that has an address and a trust of its own: a kubelet, an API server.

#[cfg(any(feature = "kubernetes", feature = "redfish"))]
use super::trusted::Trusted;
use super::{Auth, HttpError, error};
use reqwest::blocking::Client;
#[cfg(any(feature = "kepler", feature = "kubernetes"))]
use reqwest::blocking::Response;
#[cfg(feature = "redfish")]
use reqwest::{Method, header::HeaderMap};
use reqwest::{Url, redirect};
use rustls::ClientConfig;
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
use rustls::RootCertStore;
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
use rustls::pki_types::pem::PemObject as _;
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
use std::sync::Arc;
use std::time::Duration;

/// A server with an address and trust of its own.
pub(crate) struct Peer {
    pub(crate) tls: ClientConfig,
    /// Its name, and where it is.
    pub(crate) address: Option<(String, SocketAddr)>,
}

/// A client of one server.
#[derive(Debug)]
pub(crate) struct PeerClient {
    client: Client,
}

impl PeerClient {
    /// A client of one server, which is found at `peer.address` whatever its name resolves to.
    pub(crate) fn new(peer: Peer, connect_timeout: Duration) -> Result<Self, HttpError> {
        PeerClient::of_streams(peer, connect_timeout, Duration::from_secs(30))
    }

    /// The same, on whose [endless](Self::endless) answers nothing may come for as long as `silence`.
    pub(crate) fn of_streams(peer: Peer, connect_timeout: Duration, silence: Duration) -> Result<Self, HttpError> {
        let mut builder = Client::builder()
            .timeout(silence)
            .tls_backend_preconfigured(peer.tls)
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("kepler-connect/", env!("CARGO_PKG_VERSION")));
        if let Some((name, address)) = &peer.address {
            // A proxy would see the token, and this node is one hop away.
            builder = builder.no_proxy().resolve(name, *address);
        }
        let client = builder.build().map_err(|error| HttpError::Client { reason: error::chain(&error) })?;
        Ok(PeerClient { client })
    }

    /// A request, and all of its answer, if that is a success. Both have to be over within `timeout`.
    #[cfg(feature = "redfish")]
    pub(crate) fn request(
        &self,
        method: &Method,
        url: &Url,
        auth: &Auth,
        body: Option<&str>,
        timeout: Duration,
        limit: u64,
    ) -> Result<PeerAnswer, HttpError> {
        let begun = std::time::Instant::now();
        let mut request = self.client.request(method.clone(), auth.instead_of_user(url));
        request = request.header("accept", "application/json").header("odata-version", "4.0");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = auth.apply(request)?.timeout(timeout).send();
        let answer = answer.map_err(|error| HttpError::of(error, url, timeout))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let redirect = super::redirected(&answer, url);
        let body = super::body_until_closed(answer, url, limit, timeout);
        if status.is_success() {
            let took = begun.elapsed();
            return body.map(|(body, closed)| PeerAnswer { headers, body, is_cut: closed.is_some(), took });
        }
        let retry_after = super::retry_after(&headers);
        let (body, _) = body.unwrap_or_default();
        Err(HttpError::Status { url: super::shown(url), status: status.as_u16(), redirect, retry_after, body })
    }

    /// GET: a successful answer, of which the body is still to be read. All of it has to have come within `timeout`.
    #[cfg(any(feature = "kepler", feature = "kubernetes"))]
    pub(crate) fn stream(
        &self,
        url: &Url,
        auth: &Auth,
        headers: &[(&'static str, &'static str)],
        timeout: Duration,
    ) -> Result<Response, HttpError> {
        super::stream(&self.client, url, auth, headers, timeout)
    }

    /// GET: a successful answer that may go on for any time, as long as something comes now and then.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn endless(
        &self,
        url: &Url,
        auth: &Auth,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Response, HttpError> {
        // Without a time of its own for the request the client's counts, for each piece of the answer.
        super::send(self.client.get(url.clone()), url, auth, headers, None)
    }

    /// POST: the same.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn post(
        &self,
        url: &Url,
        auth: &Auth,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Response, HttpError> {
        super::send(self.client.post(url.clone()).body(body), url, auth, headers, Some(timeout))
    }
}

/// A successful answer.
#[cfg(feature = "redfish")]
#[derive(Debug)]
pub(crate) struct PeerAnswer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether it has no length and its connection was closed without TLS's `close_notify`: there may have been more.
    pub(crate) is_cut: bool,
    /// How long it took.
    pub(crate) took: Duration,
}

/// What a client shows and trusts.
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
#[derive(Default)]
pub(crate) struct PeerTrust {
    /// Certificate authorities, PEM.
    pub(crate) authorities: Vec<u8>,
    /// The server's own certificates, PEM, read where it keeps them: who shows one of them is believed, whatever it says of
    /// names and dates. What has signed them is an authority too.
    pub(crate) own: Vec<u8>,
    /// The names of which a certificate of an authority may be; that in the address if there are none.
    pub(crate) names: Vec<ServerName<'static>>,
    /// Own certificate and key, PEM.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether any certificate will do.
    pub(crate) insecure: bool,
}

#[cfg(any(feature = "kubernetes", feature = "redfish"))]
impl PeerTrust {
    pub(crate) fn config(&self) -> Result<ClientConfig, HttpError> {
        let refuse = |what: &str, reason: String| HttpError::Client { reason: format!("{what}: {reason}") };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse("TLS", error.to_string()))?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(insecure::AnyCertificate(provider)))
        } else {
            let mut trusted = Trusted::none();
            for certificate in CertificateDer::pem_slice_iter(&self.authorities).map_while(Result::ok) {
                // One that cannot be used must not stand in the way of the others.
                let _ = trusted.add(certificate);
            }
            CertificateDer::pem_slice_iter(&self.own).map_while(Result::ok).for_each(|own| trusted.add_own(own));
            trusted.known_as(self.names.clone());
            if trusted.is_empty() {
                builder.with_root_certificates(RootCertStore::empty())
            } else {
                let verifier = trusted.verifier(provider).map_err(|reason| refuse("TLS", reason))?;
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
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

#[cfg(any(feature = "kubernetes", feature = "redfish"))]
mod insecure {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    #[cfg(any(feature = "kubernetes", feature = "redfish"))]
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

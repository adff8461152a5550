//! The keys of `tls_server_config` that rustls supports.

use super::WebConfigError;
use super::client_cert::{ClientVerifier, has_key, not_after};
use super::file::{ClientAuth, Tls, Version};
use kepler_core::host::file::{self, FileLimits};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest certificate or key file that is read: some hundred certificates.
pub(super) const FILE: FileLimits = FileLimits::bytes(1 << 20);

/// TLS 1.2 suites that the format knows and rustls leaves out for their weakness.
const NOT_OFFERED: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

/// What the section gives.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// When the server's certificate ends to be valid, in seconds since 1970.
    pub(super) expires: Option<i64>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

/// Whether certificate and key are a pair. rustls reads no certificate of version 1, which OpenSSL makes where no extension is
/// asked for; serving one takes no more than its key.
fn check_pair(certified: &CertifiedKey) -> Result<(), String> {
    let foreign = || "does not go with key_file: that is the key of another certificate".to_owned();
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(foreign()),
        Err(error) => {
            let (certificate, key) = (certified.cert.first(), certified.key.public_key());
            match certificate.zip(key).and_then(|(certificate, key)| has_key(certificate, &key)) {
                Some(true) => Ok(()),
                Some(false) => Err(foreign()),
                None => Err(format!("is no certificate that can be used: {error}")),
            }
        }
    }
}

/// Reads what the section names.
pub(super) fn load(tls: Tls, path: &Path) -> Result<Loaded, WebConfigError> {
    let source = Source { path, folder: path.parent().unwrap_or(Path::new("")) };
    let chain = certificates(&source.pem(("cert", &tls.cert), ("cert_file", &tls.cert_file))?)?;
    let key = source.pem(("key", &tls.key), ("key_file", &tls.key_file))?;
    let private = PrivateKeyDer::from_pem_slice(&key.text).map_err(|error| key.error(error))?;
    let provider = Arc::new(source.provider(&tls)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&source.versions(&tls, &provider)?)
        .map_err(|error| source.value("min_version", error.to_string()))?;
    let builder = match source.client_verifier(&tls, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
        None => builder.with_no_client_auth(),
    };
    let expires = chain.first().and_then(not_after);
    let private = provider.key_provider.load_private_key(private);
    let private = private.map_err(|error| key.error(error))?;
    let certified = CertifiedKey::new(chain, private);
    if let Err(reason) = check_pair(&certified) {
        return Err(source.value("cert_file", reason));
    }
    let mut config = builder.with_cert_resolver(Arc::new(OneCertificate(Arc::new(certified))));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order = tls.prefer_server_cipher_suites.unwrap_or(true) && !tls.cipher_suites.is_empty();
    let named = [tls.cert_file, tls.key_file, tls.client_ca_file].into_iter().flatten();
    let files = named.map(|file| source.folder.join(file)).collect();
    Ok(Loaded { config: Arc::new(config), expires, files })
}

/// The same for every client: who does not name the server, or by an address, is answered as well.
#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesServerCert for OneCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Where the keys stand.
struct Source<'a> {
    path: &'a Path,
    folder: &'a Path,
}

/// Text in PEM form, and where it comes from.
struct Pem {
    text: Vec<u8>,
    path: PathBuf,
    key: &'static str,
}

impl Pem {
    fn error(&self, error: impl ToString) -> WebConfigError {
        WebConfigError::Pem { path: self.path.clone(), key: self.key, reason: error.to_string() }
    }
}

impl Source<'_> {
    fn value(&self, key: &'static str, reason: impl Into<String>) -> WebConfigError {
        WebConfigError::Value { path: self.path.to_owned(), key, reason: reason.into() }
    }

    /// The text of one of the two keys.
    fn pem(
        &self,
        (inline, text): (&'static str, &Option<String>),
        (key, file): (&'static str, &Option<PathBuf>),
    ) -> Result<Pem, WebConfigError> {
        let text = text.as_ref().filter(|text| !text.is_empty());
        let file = file.as_ref().filter(|file| !file.as_os_str().is_empty());
        match (text, file) {
            (Some(_), Some(_)) => Err(self.value(inline, format!("give this or {key}, not both"))),
            (None, None) => Err(self.value(key, format!("is missing, and so is {inline}"))),
            (Some(text), None) => Ok(Pem { text: text.clone().into_bytes(), path: self.path.to_owned(), key: inline }),
            (None, Some(file)) => {
                let path = self.folder.join(file);
                let text = file::read(&path, FILE).map_err(|source| WebConfigError::Read { key, source })?;
                Ok(Pem { text, path, key })
            }
        }
    }

    fn provider(&self, tls: &Tls) -> Result<CryptoProvider, WebConfigError> {
        let mut provider = rustls::crypto::ring::default_provider();
        if !tls.cipher_suites.is_empty() {
            provider.cipher_suites = self.cipher_suites(&tls.cipher_suites, &provider)?;
        }
        if !tls.curve_preferences.is_empty() {
            let groups = provider.kx_groups.clone();
            provider.kx_groups.clear();
            for name in &tls.curve_preferences {
                let wanted = match name.as_str() {
                    "X25519" => NamedGroup::X25519,
                    "CurveP256" => NamedGroup::secp256r1,
                    "CurveP384" => NamedGroup::secp384r1,
                    "CurveP521" => NamedGroup::secp521r1,
                    _ => {
                        let reason = format!("unknown {name:?}; use X25519, CurveP256, CurveP384 or CurveP521");
                        return Err(self.value("curve_preferences", reason));
                    }
                };
                match groups.iter().find(|group| group.name() == wanted) {
                    Some(group) => provider.kx_groups.push(*group),
                    None => tracing::warn!("{}: curve_preferences: {name} is not offered", self.path.display()),
                }
            }
            if provider.kx_groups.is_empty() {
                return Err(self.value("curve_preferences", "none of them is offered; add X25519 or CurveP256"));
            }
        }
        Ok(provider)
    }

    /// The suites of TLS 1.2 by name, in their order; those of TLS 1.3 cannot be chosen, as in Go.
    fn cipher_suites(
        &self,
        names: &[String],
        provider: &CryptoProvider,
    ) -> Result<Vec<rustls::SupportedCipherSuite>, WebConfigError> {
        let mut suites: Vec<_> =
            provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some()).copied().collect();
        for name in names {
            // Go's names: those of TLS 1.3 without `13`, and without the hash where there is just one.
            let is_it = |suite: &&rustls::SupportedCipherSuite| {
                suite.suite().as_str().is_some_and(|own| own.replace("TLS13_", "TLS_") == *name)
            };
            match provider.cipher_suites.iter().find(is_it) {
                Some(suite) if suite.tls13().is_none() => suites.push(*suite),
                Some(_) => {}
                None if NOT_OFFERED.contains(&name.as_str()) => {
                    tracing::warn!("{}: cipher_suites: {name} is not offered, for its weakness", self.path.display());
                }
                None => {
                    let known = provider.cipher_suites.iter().filter_map(|suite| suite.suite().as_str());
                    let known: Vec<String> = known.map(|name| name.replace("TLS13_", "TLS_")).collect();
                    return Err(self.value("cipher_suites", format!("unknown {name:?}; use {}", known.join(", "))));
                }
            }
        }
        Ok(suites)
    }

    fn versions(
        &self,
        tls: &Tls,
        provider: &CryptoProvider,
    ) -> Result<Vec<&'static SupportedProtocolVersion>, WebConfigError> {
        let min = tls.min_version.unwrap_or(Version::Tls12);
        let max = tls.max_version.unwrap_or(Version::Tls13);
        if max < Version::Tls12 {
            return Err(self.value("max_version", "versions before TLS12 are broken and not offered"));
        }
        if min > max {
            return Err(self.value("min_version", "is newer than max_version"));
        }
        let has_tls12_suites = provider.cipher_suites.iter().any(|suite| suite.tls13().is_none());
        let mut versions = Vec::new();
        if max == Version::Tls13 {
            versions.push(&rustls::version::TLS13);
        }
        if min <= Version::Tls12 && has_tls12_suites {
            versions.push(&rustls::version::TLS12);
        }
        if versions.is_empty() {
            return Err(self.value("cipher_suites", "none of them is offered in TLS12, which max_version asks for"));
        }
        Ok(versions)
    }

    fn client_verifier(
        &self,
        tls: &Tls,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<ClientVerifier>, WebConfigError> {
        let has_ca = tls.client_ca.is_some() || tls.client_ca_file.is_some();
        let kind = tls.client_auth_type;
        if kind == ClientAuth::NoClientCert {
            for (key, given) in [("client_ca_file", has_ca), ("client_allowed_sans", tls.client_allowed_sans.is_some())]
            {
                if given {
                    return Err(
                        self.value(key, "has no effect without client_auth_type; give RequireAndVerifyClientCert")
                    );
                }
            }
            return Ok(None);
        }
        let authority = if kind.is_verified() {
            if !has_ca {
                return Err(self.value("client_auth_type", "needs client_ca_file or client_ca"));
            }
            let pem = self.pem(("client_ca", &tls.client_ca), ("client_ca_file", &tls.client_ca_file))?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(&pem)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                    .build()
                    .map_err(|error| WebConfigError::Pem { path: pem.path, key: pem.key, reason: error.to_string() })?;
            Some(verifier)
        } else {
            None
        };
        Ok(Some(ClientVerifier {
            authority,
            required: kind.is_required(),
            allowed_names: tls.client_allowed_sans.clone(),
            provider: Arc::clone(provider),
        }))
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, WebConfigError> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&pem.text).collect::<Result<_, _>>().map_err(|error| pem.error(error))?;
    if found.is_empty() {
        let reason = "holds no certificate".to_owned();
        return Err(WebConfigError::Pem { path: pem.path.clone(), key: pem.key, reason });
    }
    Ok(found)
}

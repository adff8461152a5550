//! The issuer's keys: asked for when a token comes, kept for a while, asked for again when a token names one that is not
//! known (the issuer may have changed them), and never more often than is good for it.

use super::{OAuthOptions, secure};
use axum::http::Uri;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{Client, redirect};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// For so long keys are taken without asking.
const FRESH: Duration = Duration::from_secs(600);
/// For so long they are taken where the issuer does not answer.
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// The issuer is asked no more often, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(10);
/// In this time an answer must have come whole.
const TIME: Duration = Duration::from_secs(5);
/// Its largest size, bytes; an issuer has a few keys of some hundred bytes.
const LARGEST: usize = 256 << 10;
/// The most keys that are kept.
const MOST_KEYS: usize = 64;

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys {
    issuer: String,
    jwks: Option<String>,
    client: Client,
    known: RwLock<Option<Known>>,
    /// When the issuer was asked last; held while it is.
    asked: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Known {
    keys: Arc<[Key]>,
    at: Instant,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of that name and algorithm.
    Unknown,
    /// The issuer cannot be asked.
    Unavailable(String),
}

impl Keys {
    pub(super) fn new(options: &OAuthOptions) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| error.to_string())?;
        let addresses = [Some(&options.issuer), options.jwks.as_ref()];
        let tls = if addresses.into_iter().flatten().any(|address| address.starts_with("https:")) {
            tls.with_platform_verifier().map_err(|error| error.to_string())?
        } else {
            tls.with_root_certificates(rustls::RootCertStore::empty())
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls.with_no_client_auth())
            // Keys come from where the issuer says, and from nowhere else.
            .redirect(redirect::Policy::none())
            .timeout(TIME)
            .user_agent(concat!("kepler/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        let (issuer, jwks) = (options.issuer.clone(), options.jwks.clone());
        Ok(Keys { issuer, jwks, client, known: RwLock::default(), asked: Mutex::default() })
    }

    /// The key that signed a token by its header.
    ///
    /// # Errors
    /// There is none, or it cannot be known now.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, NoKey> {
        let found = |known: Option<Known>, age: Duration| {
            known.filter(|known| known.at.elapsed() < age).and_then(|known| known.find(id, algorithm))
        };
        if let Some(key) = found(self.known(), FRESH) {
            return Ok(key);
        }
        let mut asked = self.asked.lock().await;
        // Another request may have asked meanwhile.
        if let Some(key) = found(self.known(), FRESH) {
            return Ok(key);
        }
        let outcome = if asked.is_some_and(|asked| asked.elapsed() < PAUSE) {
            Err("it was asked a moment ago".to_owned())
        } else {
            *asked = Some(Instant::now());
            self.ask().await
        };
        match outcome {
            Ok(keys) => {
                let known = Known { keys, at: Instant::now() };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
                known.find(id, algorithm).ok_or(NoKey::Unknown)
            }
            Err(reason) => match (found(self.known(), USABLE), self.known()) {
                (Some(key), _) => Ok(key),
                // It has answered lately, and named no such key.
                (None, Some(known)) if known.at.elapsed() < FRESH => Err(NoKey::Unknown),
                (None, _) => Err(NoKey::Unavailable(reason)),
            },
        }
    }

    fn known(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self) -> Result<Arc<[Key]>, String> {
        let outcome = tokio::time::timeout(TIME, async {
            let jwks = match &self.jwks {
                Some(jwks) => jwks.clone(),
                None => self.discover().await?,
            };
            let set: KeySet = self.get(&jwks).await?;
            Ok(set.keys.into_iter().filter_map(Key::read).take(MOST_KEYS).collect())
        });
        let outcome = outcome.await.unwrap_or_else(|_| Err(format!("no answer within {} s", TIME.as_secs())));
        if let Err(reason) = &outcome {
            tracing::warn!("the keys of {} are not known: {reason}", self.issuer);
        }
        outcome
    }

    /// Where the issuer's metadata says that its keys are (RFC 8414, OpenID Connect Discovery).
    async fn discover(&self) -> Result<String, String> {
        let mut reasons = Vec::new();
        for address in metadata_addresses(&self.issuer) {
            match self.get::<Metadata>(&address).await {
                Ok(metadata) if metadata.issuer != self.issuer => {
                    reasons.push(format!("{address} is about the issuer `{}`", shown(&metadata.issuer)));
                }
                Ok(metadata) => {
                    return secure("jwks", &metadata.jwks_uri)
                        .map(|_| metadata.jwks_uri.clone())
                        .map_err(|error| error.to_string());
                }
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join("; "))
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, address: &str) -> Result<T, String> {
        let failed = |error: reqwest::Error| format!("{address}: {}", error.without_url());
        let mut answer = self.client.get(address).header("accept", "application/json").send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("{address} answers {}", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("{address} answers with more than {LARGEST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{address}: {error}"))
    }
}

fn shown(text: &str) -> String {
    kepler_core::printable::line(&text.chars().take(100).collect::<String>()).into_owned()
}

/// Where metadata of an issuer may be: with its path behind what is well known, or before it.
fn metadata_addresses(issuer: &str) -> Vec<String> {
    let Ok(uri) = issuer.parse::<Uri>() else { return Vec::new() };
    let path = uri.path().trim_end_matches('/');
    let origin = issuer.trim_end_matches('/').strip_suffix(path).unwrap_or(issuer).trim_end_matches('/');
    let mut addresses = vec![format!("{origin}/.well-known/oauth-authorization-server{path}")];
    addresses.push(format!("{origin}{path}/.well-known/openid-configuration"));
    addresses
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Known {
    /// The key of that name. A token without a name is taken where one key alone could have signed it.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting =
            self.keys.iter().filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then(|| first.key.clone())
    }
}

impl Key {
    /// A key for signatures that are taken here; others, of kinds that are not known too, are left out.
    fn read(key: Value) -> Option<Self> {
        let key: Jwk = serde_json::from_value(key).ok()?;
        if key.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let algorithm = match &key.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::ES256,
            _ => return None,
        };
        let stated = key.common.key_algorithm.map(Algorithm::try_from);
        if stated.is_some_and(|stated| stated.is_err() || stated.is_ok_and(|stated| stated != algorithm)) {
            return None;
        }
        Some(Key { id: key.common.key_id.clone(), algorithm, key: DecodingKey::from_jwk(&key).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_looked_for_where_both_standards_have_them() {
        assert_eq!(
            metadata_addresses("https://login.example/realms/a"),
            [
                "https://login.example/.well-known/oauth-authorization-server/realms/a",
                "https://login.example/realms/a/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            metadata_addresses("http://127.0.0.1:9/"),
            [
                "http://127.0.0.1:9/.well-known/oauth-authorization-server",
                "http://127.0.0.1:9/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn secrets_and_keys_for_other_things_are_left_out() {
        let rsa = |more: &str| format!(r#"{{"kty":"RSA","n":"sXch","e":"AQAB","kid":"a"{more}}}"#);
        let read = |text: &str| Key::read(serde_json::from_str(text).unwrap()).is_some();
        assert!(read(&rsa("")) && read(&rsa(r#","use":"sig","alg":"RS256""#)));
        for other in [
            rsa(r#","use":"enc""#),
            rsa(r#","alg":"RSA-OAEP""#),
            rsa(r#","alg":"PS512""#),
            r#"{"kty":"oct","k":"c2VjcmV0","kid":"a"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"new"}"#.to_owned(),
        ] {
            assert!(!read(&other), "{other}");
        }
    }
}

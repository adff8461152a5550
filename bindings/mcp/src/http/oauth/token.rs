//! The check of a token.

use super::OAuth;
use super::keys::NoKey;
use super::scopes::{READ, Scopes, TUNE};
use super::signature::TAKEN;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

/// The longest token, bytes.
const LONGEST: usize = 8 << 10;
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// For what it is; said to who sent it.
    Invalid(&'static str),
    /// It cannot be checked now.
    Unavailable(String),
}

#[derive(Deserialize)]
struct Claims {
    /// Separated by spaces (RFC 9068).
    #[serde(default)]
    scope: Option<Value>,
    /// The same under the name that some issuers have for it.
    #[serde(default)]
    scp: Option<Value>,
}

/// What of a header the library leaves out.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<Value>,
}

/// What a token permits.
///
/// # Errors
/// It is none of the issuer's for this server, or it has expired.
pub(super) async fn check(oauth: &OAuth, token: &str) -> Result<Scopes, Refused> {
    if token.len() > LONGEST {
        return Err(Refused::Invalid("the token is too long"));
    }
    let malformed = Refused::Invalid("the token is no signed JSON Web Token");
    let first = token.split('.').next().unwrap_or_default();
    let plain: Option<Header> =
        URL_SAFE_NO_PAD.decode(first).ok().and_then(|header| serde_json::from_slice(&header).ok());
    let plain = plain.ok_or(malformed.clone())?;
    if !["RS256", "ES256"].contains(&plain.alg.as_str()) {
        return Err(Refused::Invalid("the token is signed by another algorithm than RS256 or ES256"));
    }
    if plain.crit.is_some() {
        return Err(Refused::Invalid("the token has critical headers that are not known"));
    }
    let header = decode_header(token).map_err(|_| malformed)?;
    let key = oauth.0.keys.find(header.kid.as_deref(), header.alg).await.map_err(|error| match error {
        NoKey::Unknown => Refused::Invalid("the issuer has no key of that name"),
        NoKey::Unavailable(reason) => Refused::Unavailable(reason),
    })?;
    let mut validation = Validation::new(header.alg);
    validation.algorithms = TAKEN.into_iter().filter(|algorithm| *algorithm == header.alg).collect();
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[&oauth.0.options.issuer]);
    validation.set_audience(&[oauth.audience()]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let claims = decode::<Claims>(token, &key, &validation).map_err(|error| Refused::Invalid(said(error.kind())))?;
    Ok(scopes(&claims.claims))
}

/// What is wrong, in words that tell nothing of the token.
fn said(error: &ErrorKind) -> &'static str {
    match error {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks exp, iss or aud",
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        _ => "the token is not valid",
    }
}

fn scopes(claims: &Claims) -> Scopes {
    let mut scopes = Scopes::default();
    let named = |name: &str| {
        // An issuer of many services may put the service before it.
        let of = |scope: &str| scope == name || scope.strip_prefix("kepler:") == Some(name);
        [&claims.scope, &claims.scp].into_iter().flatten().any(|scope| match scope {
            Value::String(list) => list.split(' ').any(of),
            Value::Array(list) => list.iter().filter_map(Value::as_str).any(of),
            _ => false,
        })
    };
    scopes.read = named(READ);
    scopes.tune = named(TUNE);
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scopes_are_read_in_the_forms_that_issuers_write() {
        let of = |claims: Value| {
            let scopes = scopes(&serde_json::from_value(claims).unwrap());
            (scopes.read, scopes.tune)
        };
        assert_eq!(of(json!({ "scope": "openid read tune" })), (true, true));
        assert_eq!(of(json!({ "scope": "kepler:read" })), (true, false));
        assert_eq!(of(json!({ "scp": ["tune"] })), (false, true));
        assert_eq!(of(json!({ "scp": "read" })), (true, false));
        for none in [
            json!({}),
            json!({ "scope": "" }),
            json!({ "scope": "reader retune READ other:read" }),
            json!({ "scope": 1 }),
        ] {
            assert_eq!(of(none.clone()), (false, false), "{none}");
        }
    }
}

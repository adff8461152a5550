//! HTTP Digest authentication (RFC 7616, 2015) by SHA-256 or SHA-512/256: a server asks with a challenge, and the password
//! itself is never sent.
//!
//! Shelly's devices of the second generation and later ask so once a password is set: user `admin`, SHA-256, `qop=auth`
//! (Shelly Gen2+ API, "Authentication", 2024). MD5 is not spoken: RFC 7616 keeps it for old servers only.

use super::{HttpError, Secret, shown};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use ring::digest::{Algorithm, SHA256, SHA512_256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt::Write as _;

/// What a server sends is no longer than this.
const MOST: usize = 4096;

/// A user at a server that asks for digests.
#[derive(Debug)]
pub(crate) struct DigestSession {
    user: String,
    password: Secret,
    challenge: Option<Challenge>,
    /// How often the challenge's nonce has been used.
    count: u32,
}

/// What a server asks for.
#[derive(Clone, Debug, PartialEq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Hash,
}

/// By what is hashed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hash {
    Sha256,
    Sha512256,
}

impl Hash {
    const fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "SHA-256",
            Hash::Sha512256 => "SHA-512-256",
        }
    }

    fn hex(self, text: &str) -> String {
        let by: &'static Algorithm = match self {
            Hash::Sha256 => &SHA256,
            Hash::Sha512256 => &SHA512_256,
        };
        hex(digest(by, text.as_bytes()).as_ref())
    }
}

impl DigestSession {
    pub(crate) const fn new(user: String, password: Secret) -> Self {
        DigestSession { user, password, challenge: None, count: 0 }
    }

    /// What a request has to say; nothing before the first challenge.
    pub(crate) fn authorization(&mut self, method: &str, url: &Url) -> Result<Option<HeaderValue>, HttpError> {
        let Some(challenge) = &self.challenge else { return Ok(None) };
        self.count += 1;
        let mut bytes = [0u8; 16];
        let failed = |_| HttpError::Client { reason: "the system gives no random numbers".to_owned() };
        SystemRandom::new().fill(&mut bytes).map_err(failed)?;
        let uri = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let text = challenge.answer(&self.user, self.password.expose(), method, &uri, &hex(&bytes), self.count);
        let mut value = HeaderValue::from_str(&text).map_err(|_| HttpError::Secret { what: "user" })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Takes the challenge of a server that refused a request. Whether to ask again: not where the answer to this very challenge
    /// was refused.
    pub(crate) fn challenged(&mut self, headers: &HeaderMap, url: &Url) -> Result<bool, HttpError> {
        let (mut best, mut others): (Option<(Challenge, bool)>, Vec<String>) = (None, Vec::new());
        for text in headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()) {
            for (scheme, parameters) in challenges(text.get(..MOST).unwrap_or(text)) {
                match Challenge::of(&scheme, &parameters) {
                    Ok(found) if best.is_none() => best = Some(found),
                    Ok(_) => {}
                    Err(what) => others.push(what),
                }
            }
        }
        let Some((challenge, is_stale)) = best else {
            let asked = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
            return Err(HttpError::Challenge { url: shown(url), asked });
        };
        // A nonce that was taken before has only become old; an answer to a new one that is refused is wrong.
        let is_wrong = self.challenge.is_some() && self.count == 1 && !is_stale;
        (self.challenge, self.count) = (Some(challenge), 0);
        Ok(!is_wrong)
    }
}

impl Challenge {
    /// A challenge that can be answered, and whether it says that the nonce before was stale; else what it asks for.
    fn of(scheme: &str, parameters: &[(String, String)]) -> Result<(Self, bool), String> {
        let value = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(scheme.chars().take(40).collect());
        }
        let named = value("algorithm").unwrap_or("MD5");
        let algorithm = match named.to_ascii_uppercase().as_str() {
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512256,
            _ => return Err(format!("Digest by {}", named.chars().take(40).collect::<String>())),
        };
        let qops = value("qop").unwrap_or_default();
        if !qops.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) {
            return Err(format!("Digest without qop=auth (`{}`)", qops.chars().take(40).collect::<String>()));
        }
        let (Some(realm), Some(nonce)) = (value("realm"), value("nonce")) else {
            return Err("Digest without realm or nonce".to_owned());
        };
        let opaque = value("opaque").map(str::to_owned);
        let is_stale = value("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        Ok((Challenge { realm: realm.to_owned(), nonce: nonce.to_owned(), opaque, algorithm }, is_stale))
    }

    /// The header `Authorization`.
    fn answer(&self, user: &str, password: &str, method: &str, uri: &str, cnonce: &str, count: u32) -> String {
        let Challenge { realm, nonce, opaque, algorithm } = self;
        let secret = algorithm.hex(&format!("{user}:{realm}:{password}"));
        let request = algorithm.hex(&format!("{method}:{uri}"));
        let response = algorithm.hex(&format!("{secret}:{nonce}:{count:08x}:{cnonce}:auth:{request}"));
        let mut text = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, algorithm={}, qop=auth, nc={count:08x}, cnonce={}, response={}",
            quoted(user),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
            algorithm.name(),
            quoted(cnonce),
            quoted(&response),
        );
        if let Some(opaque) = opaque {
            let _ = write!(text, ", opaque={}", quoted(opaque));
        }
        text
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The challenges of a header: each a scheme with its parameters, names in lower case. Several stand in one header, with commas
/// between them as between their parameters.
fn challenges(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let end = rest.find(['=', ',', ' ', '\t']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            match after.strip_prefix('=') {
                Some(after) => rest = after,
                None => return found,
            }
            continue;
        }
        let after = after.trim_start_matches([' ', '\t']);
        let Some(value) = after.strip_prefix('=') else {
            found.push((word.to_owned(), Vec::new()));
            rest = after;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']);
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find([',', ' ', '\t']).unwrap_or(value.len());
                let (value, after) = value.split_at(end);
                (value.to_owned(), after)
            }
        };
        if let Some((_, parameters)) = found.last_mut() {
            parameters.push((word.to_ascii_lowercase(), value));
        }
        rest = after;
    }
}

/// A quoted text up to its closing mark, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(index + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of RFC 7616, section 3.9.1.
    const RFC: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

    fn of(text: &str) -> Vec<Result<(Challenge, bool), String>> {
        let text = text.replace('\n', " ");
        challenges(&text).iter().map(|(scheme, parameters)| Challenge::of(scheme, parameters)).collect()
    }

    #[test]
    fn the_example_of_the_standard_is_answered_as_it_says() {
        let (challenge, _) = of(RFC).remove(0).unwrap();
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = challenge.answer("Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce, 1);
        let response = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(answer.contains(&format!(r#"response="{response}""#)), "{answer}");
        assert!(answer.contains("nc=00000001, ") && answer.contains(r#"opaque="FQhe/qaU"#), "{answer}");
    }

    #[test]
    fn what_cannot_be_answered_is_named_and_of_several_the_first_that_can_is_taken() {
        let shelly = r#"Digest qop="auth", realm="shellyplusplugs-a8032ab1", nonce="64f1c2a0", algorithm=SHA-256"#;
        assert_eq!(of(shelly)[0].as_ref().unwrap().0.realm, "shellyplusplugs-a8032ab1");
        assert_eq!(of(r#"Basic realm="x""#), [Err("Basic".to_owned())]);
        assert_eq!(of(r#"Digest realm="x", nonce="y", qop="auth""#), [Err("Digest by MD5".to_owned())]);
        let both = of(&format!(r#"Digest realm="x", nonce="y", qop="auth", algorithm=MD5, {shelly}, Basic realm="z""#));
        assert!(matches!(both.as_slice(), [Err(_), Ok(_), Err(_)]), "{both:?}");
        assert!(of(r#"Digest realm="x", nonce="y", algorithm=SHA-256, qop="auth-int""#)[0].is_err());
        let escaped =
            of(r#"Digest realm="a\"b\\c", nonce="y", qop=auth, algorithm=sha-256, stale=TRUE"#).remove(0).unwrap();
        assert_eq!((escaped.0.realm.as_str(), escaped.1), ("a\"b\\c", true));
        assert!(escaped.0.answer("u", "p", "GET", "/", "c", 1).contains(r#"realm="a\"b\\c""#));
    }

    proptest! {
        #[test]
        fn no_header_panics_or_hangs(text in "[a-zA-Z =,\"\\\\\t-]{0,80}") {
            of(&text);
        }
    }
}

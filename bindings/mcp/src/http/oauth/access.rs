//! Requests and their tokens: what is answered before a tool is.

use super::OAuth;
use super::scopes::{READ, Scopes, TUNE};
use super::token::{self, Refused};
use crate::Token;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use kepler_compliance::tools::Toolset;
use kepler_compliance::tools::registry;
use serde::Deserialize;
use serde_json::json;

/// Lets requests to `routes` pass whose token is `own`, or one of the issuer's; serves the metadata beside.
pub(crate) fn protect(routes: Router, oauth: &OAuth, own: Option<Token>, body_limit: usize) -> Router {
    let state = oauth.clone();
    let check = move |request: Request, next: Next| {
        let (oauth, own) = (state.clone(), own.clone());
        async move { checked(&oauth, own.as_ref(), body_limit, request, next).await }
    };
    let routes = routes.layer(middleware::from_fn(check));
    let metadata = json!({
        "resource": oauth.0.options.resource,
        "authorization_servers": [oauth.0.options.issuer],
        "scopes_supported": [READ, TUNE],
        "bearer_methods_supported": ["header"],
        "resource_name": "Kepler",
    })
    .to_string();
    let mut paths = oauth.0.paths.to_vec();
    paths.dedup();
    let headers =
        [(CONTENT_TYPE, "application/json"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (CACHE_CONTROL, "max-age=3600")];
    paths.into_iter().fold(routes, |routes, path| {
        let (headers, metadata) = (headers.clone(), metadata.clone());
        routes.route(&path, get(move || async move { (headers, metadata) }))
    })
}

async fn checked(oauth: &OAuth, own: Option<&Token>, limit: usize, request: Request, next: Next) -> Response {
    let given = match bearer(request.headers()) {
        Ok(Some(given)) => given,
        Ok(None) => return unauthorized(oauth, None),
        Err(wrong) => return unauthorized(oauth, Some(wrong)),
    };
    let scopes = if own.is_some_and(|own| own.is(given.as_bytes())) {
        Scopes::ALL
    } else {
        match token::check(oauth, &given).await {
            Ok(scopes) => scopes,
            Err(Refused::Invalid(why)) => return unauthorized(oauth, Some(why)),
            Err(Refused::Unavailable(_)) => {
                let why = "the issuer's keys cannot be had: the log says why; try again later\n";
                return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
            }
        }
    };
    if scopes == Scopes::default() {
        return forbidden(oauth, scopes, READ);
    }
    let (mut request, needed) = match needed(request, limit, scopes).await {
        Ok(known) => known,
        Err(response) => return response,
    };
    if let Some(scope) = needed {
        return forbidden(oauth, scopes, scope);
    }
    request.extensions_mut().insert(scopes);
    next.run(request).await
}

/// The token of a request; none where it has none.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    if second.is_some() {
        return Err("the request has several tokens");
    }
    let Some(value) = first.and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some((scheme, token)) = value.split_once(' ') else { return Ok(None) };
    Ok(scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// What of a message tells which scope it needs.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    method: String,
    #[serde(default)]
    params: Params,
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    name: Option<String>,
}

/// The scope that a message needs and has not. Who may all is not looked at.
async fn needed(request: Request, limit: usize, scopes: Scopes) -> Result<(Request, Option<&'static str>), Response> {
    if scopes == Scopes::ALL || request.method() != Method::POST {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, limit)
        .await
        .map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "the message is too large\n").into_response())?;
    // What is no message is refused further in.
    let missing = serde_json::from_slice::<Message>(&body).ok().and_then(|message| missing(&message, scopes));
    Ok((Request::from_parts(parts, Body::from(body)), missing))
}

fn missing(message: &Message, scopes: Scopes) -> Option<&'static str> {
    let is_open = ["initialize", "ping", "server/discover", "tools/list"].contains(&message.method.as_str())
        || message.method.starts_with("notifications/");
    if is_open {
        return None;
    }
    let tool = message.params.name.as_deref().filter(|_| message.method == "tools/call");
    let set = tool.and_then(|name| registry::find(name).ok()).map_or(Toolset::Energy, |tool| tool.toolset);
    (!scopes.permit(set)).then_some(if set == Toolset::Tuning { TUNE } else { READ })
}

/// 401 with where to get a token (RFC 9728, 5.1).
fn unauthorized(oauth: &OAuth, why: Option<&str>) -> Response {
    let error = why.map(|why| format!(", error=\"invalid_token\", error_description=\"{why}\"")).unwrap_or_default();
    let metadata = &oauth.0.metadata;
    let challenge = format!("Bearer realm=\"kepler\", resource_metadata=\"{metadata}\", scope=\"{READ}\"{error}");
    let body =
        format!("{}; {metadata} says where to get one\n", why.unwrap_or("send `Authorization: Bearer` and a token"));
    challenged(StatusCode::UNAUTHORIZED, &challenge, body)
}

/// 403 with the scopes that a token needs instead (RFC 6750, 3.1): the missing one, and those that this one has, since
/// clients ask for just these.
fn forbidden(oauth: &OAuth, has: Scopes, missing: &str) -> Response {
    let named = [(READ, has.read), (TUNE, has.tune)].into_iter().filter(|(name, has)| *has || *name == missing);
    let scope = named.map(|(name, _)| name).collect::<Vec<_>>().join(" ");
    let metadata = &oauth.0.metadata;
    let challenge = format!(
        "Bearer realm=\"kepler\", resource_metadata=\"{metadata}\", error=\"insufficient_scope\", scope=\"{scope}\""
    );
    challenged(StatusCode::FORBIDDEN, &challenge, format!("the token lacks the scope `{missing}`\n"))
}

fn challenged(status: StatusCode, challenge: &str, body: String) -> Response {
    let mut response = (status, body).into_response();
    if let Ok(challenge) = HeaderValue::from_str(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_tuning_need_a_scope_of_their_own_and_a_handshake_needs_none() {
        let ask = |method: &str, name: Option<&str>, scopes| {
            let params = Params { name: name.map(str::to_owned) };
            missing(&Message { method: method.to_owned(), params }, scopes)
        };
        let (read, tune) = (Scopes { read: true, tune: false }, Scopes { read: false, tune: true });
        assert_eq!(ask("tools/call", Some("get_energy"), read), None);
        assert_eq!(ask("tools/call", Some("get_regional_comparison"), read), Some(TUNE));
        assert_eq!(ask("tools/call", Some("get_regional_comparison"), tune), None);
        assert_eq!(ask("tools/call", Some("get_energy"), tune), Some(READ));
        for method in ["resources/read", "prompts/get", "completion/complete", "tools/call", ""] {
            assert_eq!(ask(method, None, tune), Some(READ), "{method}");
        }
        for method in ["initialize", "tools/list", "ping", "notifications/initialized"] {
            assert_eq!(ask(method, None, tune), None, "{method}");
        }
    }

    #[test]
    fn one_token_is_read_in_whichever_case_its_scheme_is_written() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers)
        };
        assert_eq!(of(&["bEaReR  x.y.z"]), Ok(Some("x.y.z".to_owned())));
        for none in [&["Basic eDp5"][..], &["Bearer"], &["Bearer "], &[]] {
            assert_eq!(of(none), Ok(None), "{none:?}");
        }
        assert!(of(&["Bearer a", "Bearer b"]).is_err());
    }
}

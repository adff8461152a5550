//! `/docs`: Swagger UI from this program itself, so that it works without a network.
//!
//! The files are those of the npm package `swagger-ui-dist` (see `swagger-ui/README.md`), stored compressed
//! and sent so.

use super::Shared;
use crate::negotiate;
use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flate2::read::GzDecoder;
use std::io::Read;
use std::sync::Arc;

/// Nothing from elsewhere, no script in the page itself. Swagger UI sets styles on elements and shows icons
/// as data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kepler: REST</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const START: &str = r##"window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null
});
"##;

/// Stored compressed.
static SCRIPT: &[u8] = include_bytes!("../../swagger-ui/swagger-ui-bundle.js.gz");
static STYLE: &[u8] = include_bytes!("../../swagger-ui/swagger-ui.css.gz");
/// The notices that Apache-2.0 wants to go with them.
const NOTICE: &str = concat!(
    include_str!("../../swagger-ui/NOTICE"),
    "\nLicensed under the Apache License, Version 2.0; a copy follows the notices of its parts.\n\n",
    include_str!("../../swagger-ui/swagger-ui-bundle.js.LICENSE.txt"),
    "\n",
    include_str!("../../swagger-ui/LICENSE"),
);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/docs", get(|| async { file("text/html; charset=utf-8", PAGE.into()) }))
        .route("/docs/", get(|| async { Redirect::permanent("/docs") }))
        .route("/docs/start.js", get(|| async { file(JAVASCRIPT, START.into()) }))
        .route("/docs/notice.txt", get(|| async { file("text/plain; charset=utf-8", NOTICE.into()) }))
        .route("/docs/swagger-ui-bundle.js", get(|headers| async move { stored(&headers, JAVASCRIPT, SCRIPT) }))
        .route("/docs/swagger-ui.css", get(|headers| async move { stored(&headers, "text/css; charset=utf-8", STYLE) }))
}

fn file(media: &'static str, body: axum::body::Body) -> Response {
    let headers = [
        (CONTENT_TYPE, media),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, body).into_response()
}

/// A file as it is stored, for the few who do not take gzip unpacked.
fn stored(headers: &HeaderMap, media: &'static str, packed: &'static [u8]) -> Response {
    let mut response = if negotiate::gzip(headers) {
        let mut response = file(media, packed.into());
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        let mut unpacked = Vec::new();
        match GzDecoder::new(packed).read_to_end(&mut unpacked) {
            Ok(_) => file(media, unpacked.into()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot unpack it: {error}\n")).into_response(),
        }
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

//! The page at `/`, at its router.

use crate::support::options;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use kepler_core::snapshot::Feed;
use kepler_http::{Exporter, ServerOptions};
use std::sync::Arc;
use tower::ServiceExt;

async fn ask(options_of_server: &ServerOptions, path: &str, headers: &[(&str, &str)]) -> Response {
    let exporter = Arc::new(Exporter::new(Feed::default(), options()));
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let router = kepler_http::router(exporter, options_of_server);
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn live() -> ServerOptions {
    let mut options = ServerOptions::default();
    options.live_page = true;
    options.links = vec![("/docs", "the REST interface")];
    options
}

#[tokio::test]
async fn probes_get_an_html_page_with_links_whether_it_is_live_or_not() {
    let mut plain = live();
    plain.live_page = false;
    for options in [live(), plain] {
        let response = ask(&options, "/", &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let page = text(response).await;
        assert!(page.contains("href=\"/metrics\"") && page.contains("href=\"/docs\"") && page.contains("/readyz"));
    }
}

#[tokio::test]
async fn the_live_page_and_its_files_have_a_strict_policy_and_are_asked_for_once() {
    let options = live();
    for (path, media) in [
        ("/", "text/html; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ] {
        let response = ask(&options, path, &[]).await;
        let headers = response.headers().clone();
        assert_eq!((response.status(), headers["content-type"].to_str().unwrap()), (StatusCode::OK, media));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(
            (&headers["x-content-type-options"], &headers["referrer-policy"]),
            (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap())
        );
        let tag = headers["etag"].to_str().unwrap();
        let again = ask(&options, path, &[("if-none-match", tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(text(again).await.is_empty());
        let packed = ask(&options, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(packed.headers()["content-encoding"], "gzip");
    }
    assert_eq!(ask(&options, "/page/none.js", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_at_the_root_leave_no_page_there() {
    let mut options = live();
    options.telemetry_path = "/".parse().unwrap();
    let response = ask(&options, "/", &[]).await;
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
}

//! The live page: files of this program, stored in it and sent compressed; nothing from elsewhere.
//!
//! The page shows what `/api/v1` and `/tools` answer and computes no energy itself. Its policy allows no script but these
//! files, no connection but to this server, and no text that is parsed as HTML (trusted types).

use super::{PLACE_OF_LINKS, links};
use crate::negotiate;
use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::{Arc, OnceLock};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";

/// Each file: its path, its type, what is in it.
const FILES: [(&str, &str, &str); 16] = [
    ("/page/style.css", STYLE, include_str!("web/style.css")),
    ("/page/icon.svg", ICON, include_str!("web/icon.svg")),
    ("/page/main.js", SCRIPT, include_str!("web/main.js")),
    ("/page/api.js", SCRIPT, include_str!("web/api.js")),
    ("/page/chart.js", SCRIPT, include_str!("web/chart.js")),
    ("/page/cluster.js", SCRIPT, include_str!("web/cluster.js")),
    ("/page/consumers.js", SCRIPT, include_str!("web/consumers.js")),
    ("/page/dom.js", SCRIPT, include_str!("web/dom.js")),
    ("/page/export.js", SCRIPT, include_str!("web/export.js")),
    ("/page/figures.js", SCRIPT, include_str!("web/figures.js")),
    ("/page/overview.js", SCRIPT, include_str!("web/overview.js")),
    ("/page/past.js", SCRIPT, include_str!("web/past.js")),
    ("/page/rows.js", SCRIPT, include_str!("web/rows.js")),
    ("/page/state.js", SCRIPT, include_str!("web/state.js")),
    ("/page/words.js", SCRIPT, include_str!("web/words.js")),
    ("/page/workload.js", SCRIPT, include_str!("web/workload.js")),
];

/// A file ready to be sent.
struct File {
    media: &'static str,
    text: Cow<'static, str>,
    /// Compressed when a client first asks for it; empty if that failed.
    gzipped: OnceLock<Vec<u8>>,
    tag: String,
}

impl File {
    fn new(media: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        File { media, text, gzipped: OnceLock::new(), tag: format!("\"{:016x}\"", hasher.finish()) }
    }

    fn gzipped(&self) -> &[u8] {
        self.gzipped.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            // Writing into memory does not fail; without it the file is sent as it is.
            encoder.write_all(self.text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default()
        })
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let same = |known: &HeaderValue| known.to_str().is_ok_and(|known| known.contains(&self.tag));
        let is_known = headers.get_all(IF_NONE_MATCH).iter().any(same);
        let gzipped = if !is_known && negotiate::gzip(headers) { self.gzipped() } else { &[] };
        let body = match (is_known, gzipped.is_empty()) {
            (true, _) => Body::empty(),
            (false, false) => Body::from(gzipped.to_vec()),
            (false, true) => Body::from(self.text.clone()),
        };
        let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let known = [
            (CONTENT_TYPE, self.media),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
            (VARY, "accept-encoding"),
        ];
        let mut response = (status, known, body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        if !gzipped.is_empty() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// `/`, unless it is taken, and the files that the page loads.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(at_root: bool, paths: &[(&str, &str)]) -> Router<S> {
    let page = include_str!("web/index.html").replace(PLACE_OF_LINKS, &links(paths));
    let root = at_root.then(|| ("/", File::new(HTML, page)));
    let files = FILES.iter().map(|(path, media, text)| (*path, File::new(media, *text)));
    root.into_iter().chain(files).fold(Router::new(), |routes, (path, file)| {
        let file = Arc::new(file);
        routes.route(path, get(move |headers: HeaderMap| async move { file.answer(&headers) }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        include_str!("web/index.html").replace(PLACE_OF_LINKS, &links(&[("/metrics", "figures")]))
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_has_no_script_or_style_in_it() {
        let page = page();
        assert!(page.contains("href=\"/metrics\""));
        for inline in [" style=", "<style", " onclick", " onload", " onerror", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        for script in page.split("<script").skip(1) {
            assert!(script.contains("src=\"/page/"), "{script}");
        }
        let texts = FILES.iter().map(|(path, _, text)| (*path, *text)).chain([("/", page.as_str())]);
        for (path, text) in texts {
            let addresses: Vec<&str> = text.match_indices("//").map(|(at, _)| &text[at.saturating_sub(6)..]).collect();
            let foreign = |rest: &&str| rest.starts_with("http:") || rest.starts_with("https:");
            let addresses: Vec<&str> = addresses.into_iter().filter(foreign).collect();
            assert!(addresses.iter().all(|rest| rest.contains("www.w3.org/")), "{path}: {addresses:?}");
        }
    }

    #[test]
    fn nothing_is_parsed_as_html() {
        for (path, _, text) in FILES {
            for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
                assert!(!text.contains(way), "{path}: {way}");
            }
        }
    }

    #[test]
    fn every_module_that_is_imported_is_served() {
        for (path, media, text) in FILES {
            for import in text.lines().filter(|line| media == SCRIPT && line.contains(" from \"./")) {
                let name = import.split("\"./").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
                assert!(FILES.iter().any(|(path, ..)| *path == format!("/page/{name}")), "{path}: {import}");
            }
        }
    }

    #[test]
    fn the_whole_page_is_at_most_100_kib_compressed() {
        let size = |text: &str| File::new(HTML, text.to_owned()).gzipped().len();
        let whole: usize = FILES.iter().map(|(_, _, text)| size(text)).sum::<usize>() + size(&page());
        assert!(whole > 1000 && whole <= 100 * 1024, "{whole} bytes");
    }
}

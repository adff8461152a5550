//! What is at `/`: the live page where there is a REST interface to feed it, else a page that says where things are.

#[cfg(feature = "rest")]
pub(crate) mod live;

use crate::options::ExportOptions;

const LINKS: [(&str, &str); 3] = [
    ("/livez", "whether the server answers"),
    ("/readyz", "whether figures are recent"),
    ("/healthz", "the same, under its older name"),
];

/// Where links go in the live page.
#[cfg(feature = "rest")]
const PLACE_OF_LINKS: &str = "<!-- links -->";

/// All that a page links to: path and description.
pub(crate) fn paths<'a>(telemetry_path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let metrics = [(telemetry_path, "figures for Prometheus and OpenMetrics")];
    metrics.iter().chain(&LINKS).chain(more).copied().collect()
}

/// Items of a list.
fn links(paths: &[(&str, &str)]) -> String {
    let link = |(path, about): &(&str, &str)| format!("<li><a href=\"{path}\">{path}</a> – {about}</li>\n");
    paths.iter().map(link).collect()
}

/// The page with links alone. Plain HTML, nothing from elsewhere.
pub(crate) fn index(options: &ExportOptions, paths: &[(&str, &str)]) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Kepler</title></head>\n<body>\n\
         <h1>Kepler</h1>\n<p>Energy of this node and of what runs on it.</p>\n\
         <p>Version {version}, node {node}, levels {levels}.</p>\n<ul>\n{links}</ul>\n</body>\n</html>\n",
        version = escape(&options.build.version),
        node = escape(&options.node_name),
        levels = options.levels,
        links = links(paths),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_version_and_links_and_takes_no_markup_from_names() {
        let mut options = ExportOptions { node_name: "<b>&".to_owned(), ..ExportOptions::default() };
        options.build.version = "1.2.3".to_owned();
        let page = index(&options, &paths("/metrics", &[("/docs", "the REST interface")]));
        assert!(page.contains("<a href=\"/docs\">/docs</a> – the REST interface"));
        assert!(page.contains("Version 1.2.3") && page.contains("href=\"/metrics\""));
        assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>"));
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    }
}

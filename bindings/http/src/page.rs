//! The page at `/`: a description and links. Plain HTML without external resources.

use crate::options::ExportOptions;

const LINKS: [(&str, &str); 3] = [
    ("/livez", "whether the server answers"),
    ("/readyz", "whether figures are recent"),
    ("/healthz", "the same, under its older name"),
];

pub(crate) fn index(options: &ExportOptions, telemetry_path: &str, more: &[(&str, &str)]) -> String {
    let link = |(path, about): &(&str, &str)| format!("<li><a href=\"{path}\">{path}</a> – {about}</li>\n");
    let links: String = [(telemetry_path, "figures for Prometheus and OpenMetrics")]
        .iter()
        .chain(&LINKS)
        .chain(more)
        .map(link)
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Kepler</title></head>\n<body>\n\
         <h1>Kepler</h1>\n<p>Energy of this node and of what runs on it.</p>\n\
         <p>Version {version}, node {node}, levels {levels}.</p>\n<ul>\n{links}</ul>\n</body>\n</html>\n",
        version = escape(&options.build.version),
        node = escape(&options.node_name),
        levels = options.levels,
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
        let page = index(&options, "/metrics", &[("/docs", "the REST interface")]);
        assert!(page.contains("<a href=\"/docs\">/docs</a> – the REST interface"));
        assert!(page.contains("Version 1.2.3") && page.contains("href=\"/metrics\""));
        assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>"));
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    }
}

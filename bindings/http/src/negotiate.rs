//! Content negotiation: format and coding (RFC 9110, 12.4 and 12.5).

use crate::encode::Format;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// The format that the client likes best. Text where it names none of ours, as other exporters do:
/// an error would not help a client.
pub(crate) fn format(headers: &HeaderMap) -> Format {
    let (mut text, mut open_metrics, mut protobuf) = (0, 0, 0);
    for item in items(headers, ACCEPT) {
        let version = |wanted: &[&str]| item.parameter("version").is_none_or(|version| wanted.contains(&version));
        match item.name.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if version(&["1.0.0"]) => open_metrics = open_metrics.max(item.weight()),
            "application/vnd.google.protobuf" if is_families(&item) => protobuf = protobuf.max(item.weight()),
            "text/plain" if version(&["0.0.4"]) => text = text.max(item.weight()),
            "text/*" | "*/*" => text = text.max(item.weight()),
            _ => {}
        }
    }
    match open_metrics.max(text) {
        best if protobuf > best => Format::Protobuf,
        _ if open_metrics > text => Format::OpenMetrics,
        _ => Format::Text,
    }
}

/// Whether protocol buffers are asked for as they are written here.
fn is_families(item: &Item<'_>) -> bool {
    item.parameter("proto").is_some_and(|proto| proto.eq_ignore_ascii_case("io.prometheus.client.MetricFamily"))
        && item.parameter("encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("delimited"))
}

/// The scheme of escaping that the client asks for with its format. All names here are letters, digits and
/// underscores, which no scheme changes: it is only said that it was kept.
pub(crate) fn escaping(headers: &HeaderMap) -> Option<&'static str> {
    const SCHEMES: [&str; 4] = ["allow-utf-8", "underscores", "dots", "values"];
    let wanted = format(headers);
    let of_format = |item: &Item<'_>| match wanted {
        Format::OpenMetrics => item.name.eq_ignore_ascii_case("application/openmetrics-text"),
        Format::Text => item.name.eq_ignore_ascii_case("text/plain"),
        Format::Protobuf => item.name.eq_ignore_ascii_case("application/vnd.google.protobuf") && is_families(item),
    };
    items(headers, ACCEPT)
        .filter(of_format)
        .filter_map(|item| item.parameter("escaping"))
        .find_map(|asked| SCHEMES.into_iter().find(|scheme| *scheme == asked))
}

/// The codings of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Coding {
    /// Its name in `Content-Encoding`; none: as it is.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            #[cfg(feature = "zstd")]
            Coding::Zstd => Some("zstd"),
        }
    }
}

/// The coding that the client likes best; zstd where it likes both as much, since that costs less.
pub(crate) fn coding(headers: &HeaderMap) -> Coding {
    #[cfg(feature = "zstd")]
    {
        let weight = |names: &[&str]| {
            let named = items(headers, ACCEPT_ENCODING)
                .find(|item| names.iter().any(|name| item.name.eq_ignore_ascii_case(name)));
            named.map_or(0, |item| item.weight())
        };
        let zstd = weight(&["zstd"]);
        if zstd > 0 && zstd >= weight(&["gzip", "x-gzip"]) {
            return Coding::Zstd;
        }
    }
    if gzip(headers) { Coding::Gzip } else { Coding::Identity }
}

/// Whether the client takes gzip.
pub(crate) fn gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for item in items(headers, ACCEPT_ENCODING) {
        if item.name.eq_ignore_ascii_case("gzip") || item.name.eq_ignore_ascii_case("x-gzip") {
            return item.weight() > 0;
        }
        any |= item.name == "*" && item.weight() > 0;
    }
    any
}

/// One element of an `Accept` header: a name and its parameters.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

impl<'a> Item<'a> {
    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
        })
    }

    /// The q-value in thousandths, 0 … 1000. One that cannot be read counts as 0: the client meant
    /// to say something less than "please".
    fn weight(&self) -> u16 {
        match self.parameter("q").map(str::parse::<f64>) {
            None => 1000,
            Some(Ok(weight)) => (weight.clamp(0.0, 1.0) * 1000.0) as u16,
            Some(Err(_)) => 0,
        }
    }
}

fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = Item<'_>> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(
        |item| {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            Item { name: name.trim(), parameters }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_format_with_the_greatest_weight_is_chosen() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Format::Text),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.3", Format::Text),
            (
                "text/plain;version=0.0.4;q=0.5, Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.9",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=nonsense", Format::Text),
            // What Prometheus 2.4x and 3.x send.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.1",
                Format::Protobuf,
            ),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", Format::Text),
            ("application/vnd.google.protobuf;proto=other.Message;encoding=delimited,*/*;q=0.1", Format::Text),
            ("application/vnd.google.protobuf", Format::Text),
        ] {
            assert_eq!(super::format(&headers(ACCEPT, accept)), format, "{accept}");
        }
        assert_eq!(super::format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn a_scheme_of_escaping_is_named_where_it_was_asked_for() {
        for (accept, expected) in [
            ("text/plain;version=0.0.4;escaping=underscores", Some("underscores")),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.3",
                Some("allow-utf-8"),
            ),
            ("application/openmetrics-text;version=1.0.0", None),
            ("text/plain;escaping=nonsense", None),
            ("", None),
        ] {
            assert_eq!(escaping(&headers(ACCEPT, accept)), expected, "{accept}");
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_used_for_those_who_ask_for_it_and_like_nothing_better() {
        for (accept, expected) in [
            ("gzip, zstd", Coding::Zstd),
            ("zstd;q=0.5, gzip;q=0.8", Coding::Gzip),
            ("zstd;q=0, gzip", Coding::Gzip),
            ("zstd", Coding::Zstd),
            ("*", Coding::Gzip),
            ("", Coding::Identity),
        ] {
            assert_eq!(coding(&headers(ACCEPT_ENCODING, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_used_only_for_those_who_take_it() {
        for (accept, expected) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(gzip(&headers(ACCEPT_ENCODING, accept)), expected, "{accept}");
        }
    }
}

//! The configured source of energy figures for compliance commands.

use std::str::FromStr;

/// `--source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ViewSource {
    /// This host: a `kepler serve` that runs on it, else a measurement of its own.
    Local,
    /// Kepler exporters, one address a node.
    Kepler(Vec<String>),
    /// A Prometheus server.
    Prometheus(String),
}

impl FromStr for ViewSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "local" => Ok(ViewSource::Local),
            Some(("kepler", urls)) if !urls.is_empty() => {
                Ok(ViewSource::Kepler(urls.split(',').map(|url| url.trim().to_owned()).collect()))
            }
            Some(("prometheus", url)) if !url.is_empty() => Ok(ViewSource::Prometheus(url.to_owned())),
            _ => Err("it is local, kepler=URL[,URL…] or prometheus=URL".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_local_or_names_its_addresses() {
        assert_eq!("local".parse(), Ok(ViewSource::Local));
        let two = ViewSource::Kepler(vec!["http://a:28282".into(), "http://b:28282".into()]);
        assert_eq!("kepler=http://a:28282, http://b:28282".parse(), Ok(two));
        assert_eq!("prometheus=http://p:9090/x?a=b".parse(), Ok(ViewSource::Prometheus("http://p:9090/x?a=b".into())));
        for wrong in ["", "kepler", "kepler=", "prom=http://p", "locale"] {
            assert!(wrong.parse::<ViewSource>().is_err(), "{wrong}");
        }
    }
}

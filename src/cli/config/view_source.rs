//! The configured source of energy figures: for compliance commands, and for a hub.

use kepler_connect::kepler::NamedExporters;
use std::str::FromStr;

/// `--source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ViewSource {
    /// This host: a `kepler serve` that runs on it, else a measurement of its own.
    Local,
    /// Kepler exporters, one address a node.
    Kepler(Vec<String>),
    /// All exporters behind a Service of Kubernetes.
    Endpoints(Service),
    /// All exporters behind a name.
    Dns {
        /// The name and port as given.
        text: String,
        /// What they mean.
        exporters: NamedExporters,
    },
    /// A Prometheus server.
    Prometheus(String),
}

/// A Service of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its namespace; the own one if not given.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// The name or number of its port, if given.
    pub(crate) port: Option<String>,
}

const FORMS: &str =
    "it is local, kepler=URL[,URL…], endpoints=[NAMESPACE/]SERVICE[:PORT], dns=HOST:PORT or prometheus=URL";

impl FromStr for ViewSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "local" => Ok(ViewSource::Local),
            Some(("kepler", urls)) if !urls.is_empty() => {
                Ok(ViewSource::Kepler(urls.split(',').map(|url| url.trim().to_owned()).collect()))
            }
            Some(("endpoints", service)) => service.parse().map(ViewSource::Endpoints),
            Some(("dns", name)) => {
                let exporters = NamedExporters::new(name).map_err(|error| format!("dns: {error}"))?;
                Ok(ViewSource::Dns { text: name.to_owned(), exporters })
            }
            Some(("prometheus", url)) if !url.is_empty() => Ok(ViewSource::Prometheus(url.to_owned())),
            _ => Err(FORMS.to_owned()),
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, port) = match text.split_once(':') {
            Some((service, port)) => (service, Some(port)),
            None => (text, None),
        };
        let (namespace, name) = match service.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, service),
        };
        // Names of Kubernetes: they become parts of a path.
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 63
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if !is_name(name) || namespace.is_some_and(|text| !is_name(text)) || port.is_some_and(|text| !is_name(text)) {
            return Err("endpoints: it is [NAMESPACE/]SERVICE[:PORT], such as endpoints=kepler/kepler".to_owned());
        }
        let owned = |text: &str| text.to_owned();
        Ok(Service { namespace: namespace.map(owned), name: name.to_owned(), port: port.map(owned) })
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
        for wrong in
            ["", "kepler", "kepler=", "prom=http://p", "locale", "dns=kepler", "endpoints", "endpoints=", "dns="]
        {
            assert!(wrong.parse::<ViewSource>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_service_has_a_namespace_a_name_and_a_port() {
        let service =
            |text: &str| text.parse::<Service>().map(|Service { namespace, name, port }| (namespace, name, port));
        let owned = |text: &str| Some(text.to_owned());
        assert_eq!(service("kepler"), Ok((None, "kepler".into(), None)));
        assert_eq!(
            service("kepler-system/kepler:https"),
            Ok((owned("kepler-system"), "kepler".into(), owned("https")))
        );
        for wrong in ["a/b/c", "../kepler", "kepler-system/", "/kepler", "kepler:", "Kepler", "a?b", "kepler:28282:1"] {
            assert!(service(wrong).is_err(), "{wrong}");
        }
    }
}

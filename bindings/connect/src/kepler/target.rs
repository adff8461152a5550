//! Which exporters are polled.

use crate::http::{HttpError, base_url, shown};
use reqwest::Url;
use std::sync::Arc;

/// An exporter to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(super) url: Url,
    /// The node it is on, where that is known before it answers.
    pub(super) node: Option<Arc<str>>,
    /// Whether several addresses may lead to it.
    pub(super) may_repeat: bool,
    /// The name that its certificate has, if another than its address.
    pub(super) server_name: Option<Arc<str>>,
}

impl Target {
    /// The exporter at `address`; `/metrics` is added where that has no path.
    ///
    /// # Errors
    /// It is no address.
    pub fn new(address: &str) -> Result<Self, HttpError> {
        let mut url = base_url(address)?;
        if url.path() == "/" {
            url.set_path("metrics");
        }
        Ok(Target { url, node: None, may_repeat: false, server_name: None })
    }

    /// The same on a node of this name. One that follows it there, at another address, goes on with its figures.
    #[must_use]
    pub fn on_node(self, name: impl Into<Arc<str>>) -> Self {
        Target { node: Some(name.into()), ..self }
    }

    /// The same where further addresses may lead to it, as of either family of a name: they are no nodes of their own.
    #[must_use]
    pub fn perhaps_known(self) -> Self {
        Target { may_repeat: true, ..self }
    }

    /// The same, which shows a certificate of this name.
    #[must_use]
    pub fn named(self, server_name: impl Into<Arc<str>>) -> Self {
        Target { server_name: Some(server_name.into()), ..self }
    }

    /// Its address as it may be shown.
    pub(super) fn address(&self) -> String {
        shown(&self.url)
    }

    pub(super) fn is_ipv6(&self) -> bool {
        self.url.host_str().is_some_and(|host| host.starts_with('['))
    }

    /// Whether it stands for the same as `other`: a node, or an address where that is not known.
    pub(super) fn replaces(&self, other: &Target) -> bool {
        match (&self.node, &other.node) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.url == other.url,
            _ => false,
        }
    }
}

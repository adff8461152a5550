//! Asks the REST interface of one `kepler serve`.
//!
//! ```
//! use kepler_connect::http::{Auth, ClientOptions};
//! use kepler_connect::rest::RestClient;
//!
//! let client = RestClient::new("http://node-1:28282", Auth::None, ClientOptions::default())?;
//! assert_eq!(client.name(), "http://node-1:28282/");
//! // client.get(&["api", "v1", "processes"], &[("limit", "5")])?
//! # Ok::<(), kepler_connect::http::HttpError>(())
//! ```

use crate::http::{Auth, ClientOptions, Http, HttpError, base_url, below, shown};
use reqwest::Url;

/// A client of the REST interface of one server.
#[derive(Debug)]
pub struct RestClient {
    http: Http,
    base: Url,
    auth: Auth,
}

impl RestClient {
    /// Of the server at `url`: its address, or that of its `/metrics`. A user and a password may stand in it.
    ///
    /// # Errors
    /// The address or the certificates cannot be used.
    pub fn new(url: &str, auth: Auth, options: ClientOptions) -> Result<Self, HttpError> {
        let mut base = base_url(url)?;
        base.set_query(None);
        base.set_fragment(None);
        if let Some(root) = base.path().strip_suffix("/metrics").map(str::to_owned) {
            base.set_path(&root);
        }
        let http = Http::new(options, base.scheme() == "https")?;
        Ok(RestClient { http, base, auth })
    }

    /// Its address as it may be shown.
    #[must_use]
    pub fn name(&self) -> String {
        shown(&self.base)
    }

    /// The body of the answer at a path, given by its segments.
    ///
    /// # Errors
    /// There is no answer, or it says no.
    pub fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, HttpError> {
        let mut url = below(&self.base, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.get(url, &self.auth, "application/json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_metrics_is_taken_for_that_of_the_server() {
        for url in ["http://ada:secret@node:28282/metrics", "http://node:28282", "http://node:28282/"] {
            let client = RestClient::new(url, Auth::None, ClientOptions::default()).unwrap();
            assert_eq!(client.name(), "http://node:28282/", "{url}");
        }
        assert!(RestClient::new("node:28282", Auth::None, ClientOptions::default()).is_err());
    }
}

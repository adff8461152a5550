//! A client of servers at URLs.

use super::{Auth, ClientOptions, HttpError, error, redirected, retry_after, shown, tls};
use reqwest::blocking::{Client, ClientBuilder, RequestBuilder, Response};
use reqwest::header::HeaderMap;
#[cfg(feature = "models")]
use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Url, redirect};
#[cfg(feature = "kepler")]
use std::io::Read;

/// A body and its entity tag.
#[cfg(feature = "models")]
pub(crate) struct Tagged {
    pub(crate) body: Vec<u8>,
    pub(crate) etag: Option<String>,
}

/// A client for servers of one owner.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    options: ClientOptions,
}

impl Http {
    /// `secure` says whether any address is https; without one no trust store is needed, and a
    /// container that has none can still reach its neighbours.
    #[cfg(any(
        feature = "kepler",
        feature = "models",
        feature = "prometheus",
        feature = "electricity-maps",
        feature = "watttime",
        feature = "uk-carbon-intensity"
    ))]
    pub(crate) fn new(options: ClientOptions, secure: bool) -> Result<Self, HttpError> {
        Http::with(Client::builder(), options, secure)
    }

    /// One that asks through no proxy.
    #[cfg(any(feature = "instance", feature = "kepler"))]
    pub(crate) fn direct(options: ClientOptions, secure: bool) -> Result<Self, HttpError> {
        Http::with(Client::builder().no_proxy(), options, secure)
    }

    fn with(builder: ClientBuilder, options: ClientOptions, secure: bool) -> Result<Self, HttpError> {
        let client = builder
            .tls_backend_preconfigured(tls::config(options.ca_bundle.as_deref(), secure)?)
            .redirect(redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .user_agent(concat!("kepler-connect/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpError::Client { reason: error::chain(&error) })?;
        Ok(Http { client, options })
    }

    /// GET: the body of a successful answer as it comes, decompressed. All of it has to have come within
    /// [`ClientOptions::timeout`]; its length is not bounded.
    #[cfg(feature = "kepler")]
    pub(crate) fn read(&self, url: &Url, auth: &Auth, accept: &'static str) -> Result<Box<dyn Read + Send>, HttpError> {
        let headers = [("accept", accept), ("accept-encoding", "gzip")];
        let answer = super::stream(&self.client, &auth.instead_of_user(url), auth, &headers, self.options.timeout);
        answer.map(super::decompressed)
    }

    /// The same of a server whose certificate has the name `name` instead of its address. Each call makes a client.
    #[cfg(feature = "kepler")]
    pub(crate) fn read_named(
        &self,
        url: &Url,
        name: &str,
        auth: &Auth,
        accept: &'static str,
    ) -> Result<Box<dyn Read + Send>, HttpError> {
        let address = url.socket_addrs(|| None).ok().and_then(|found| found.first().copied());
        let mut named = url.clone();
        let (Some(address), Ok(())) = (address, named.set_host(Some(name))) else {
            return Err(HttpError::Address {
                reason: format!("it has no IP address, or `{name}` is no name of a host"),
            });
        };
        let tls = tls::config(self.options.ca_bundle.as_deref(), true)?;
        let peer = super::peer::Peer { tls, address: Some((name.to_owned(), address)) };
        let client = super::peer::PeerClient::new(peer, self.options.connect_timeout)?;
        let headers = [("accept", accept), ("accept-encoding", "gzip")];
        client.stream(&auth.instead_of_user(&named), auth, &headers, self.options.timeout).map(super::decompressed)
    }

    /// GET: the body of a successful answer.
    #[cfg(any(
        feature = "external",
        feature = "kepler",
        feature = "electricity-maps",
        feature = "watttime",
        feature = "uk-carbon-intensity"
    ))]
    pub(crate) fn get(&self, url: Url, auth: &Auth, accept: &'static str) -> Result<Vec<u8>, HttpError> {
        let request = self.client.get(auth.instead_of_user(&url)).header("accept", accept);
        self.send(request, &url, auth)
    }

    /// The same of a server that asks for digests.
    #[cfg(feature = "external")]
    pub(crate) fn get_by_digest(
        &self,
        url: &Url,
        session: &mut super::DigestSession,
        accept: &'static str,
    ) -> Result<Vec<u8>, HttpError> {
        let mut bare = url.clone();
        // These fail only for URLs that cannot have a user.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let mut may_ask_again = true;
        loop {
            let mut request = self.client.get(bare.clone()).header("accept", accept);
            if let Some(authorization) = session.authorization("GET", &bare)? {
                request = request.header("authorization", authorization);
            }
            let response = self.respond(request, url)?;
            let is_refused = response.status() == reqwest::StatusCode::UNAUTHORIZED;
            if is_refused && std::mem::take(&mut may_ask_again) && session.challenged(response.headers(), url)? {
                continue;
            }
            return self.finish(response, url).map(|(body, _)| body);
        }
    }

    /// GET of what may be known already: the body and its entity tag, or `None` if it is still as tagged.
    #[cfg(feature = "models")]
    pub(crate) fn get_if_changed(
        &self,
        url: Url,
        auth: &Auth,
        etag: Option<&str>,
    ) -> Result<Option<Tagged>, HttpError> {
        let mut request =
            self.client.get(auth.instead_of_user(&url)).header("accept", "application/json, application/zip");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        match self.answer(request, &url, auth) {
            Ok((body, headers)) => {
                let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
                Ok(Some(Tagged { body, etag }))
            }
            Err(HttpError::Status { status: 304, .. }) if etag.is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A request with one header: body and headers of a successful answer.
    #[cfg(feature = "instance")]
    pub(crate) fn ask(
        &self,
        method: reqwest::Method,
        url: &Url,
        header: (&str, &str),
    ) -> Result<(Vec<u8>, HeaderMap), HttpError> {
        let request = self.client.request(method, Auth::None.instead_of_user(url)).header(header.0, header.1);
        self.answer(request, url, &Auth::None)
    }

    /// POST of a form: the body of a successful answer.
    #[cfg(feature = "prometheus")]
    pub(crate) fn post_form(&self, url: Url, auth: &Auth, form: &[(&str, &str)]) -> Result<Vec<u8>, HttpError> {
        self.send(self.client.post(auth.instead_of_user(&url)).form(form), &url, auth)
    }

    #[cfg(any(
        feature = "kepler",
        feature = "prometheus",
        feature = "electricity-maps",
        feature = "watttime",
        feature = "uk-carbon-intensity"
    ))]
    fn send(&self, request: RequestBuilder, url: &Url, auth: &Auth) -> Result<Vec<u8>, HttpError> {
        self.answer(request, url, auth).map(|(body, _)| body)
    }

    /// Body and headers of a successful answer.
    fn answer(&self, request: RequestBuilder, url: &Url, auth: &Auth) -> Result<(Vec<u8>, HeaderMap), HttpError> {
        let response = self.respond(auth.apply(request)?, url)?;
        self.finish(response, url)
    }

    /// The time-out of the request, unlike that of the blocking client, also bounds the body as a whole.
    fn respond(&self, request: RequestBuilder, url: &Url) -> Result<Response, HttpError> {
        let timeout = self.options.timeout;
        request.timeout(timeout).send().map_err(|error| HttpError::of(error, url, timeout))
    }

    /// Body and headers of a successful answer.
    fn finish(&self, response: Response, url: &Url) -> Result<(Vec<u8>, HeaderMap), HttpError> {
        let status = response.status();
        let headers = response.headers().clone();
        let retry_after = retry_after(&headers);
        let redirect = redirected(&response, url);
        let body = self.body(response, url);
        if status.is_success() {
            return body.map(|body| (body, headers));
        }
        Err(HttpError::Status {
            url: shown(url),
            status: status.as_u16(),
            redirect,
            retry_after,
            body: body.unwrap_or_default(),
        })
    }

    fn body(&self, response: Response, url: &Url) -> Result<Vec<u8>, HttpError> {
        super::body(response, url, self.options.max_body_bytes, self.options.timeout)
    }
}

//! Requests to one BMC: a session or basic authentication, a limit of time and size for each, no other server.

use super::error::RedfishError;
use super::{Bmc, BmcLogin};
use crate::http::peer::{Peer, PeerAnswer, PeerClient};
use crate::http::{self, Auth, HttpError, Mistrust, Secret};
use jiff::Timestamp as Moment;
use kepler_core::host::Timestamp;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::time::Duration;

/// Time limit of a BMC without one of its own, at first and at most.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
const LAST_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// At exit there is little time to wait.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(2);
/// The resources that are read have some kilobytes.
const MAX_BYTES: u64 = 1 << 20;
/// `/redfish/v1` to `/redfish/v1/` and the like.
const MOST_REDIRECTS: usize = 3;
const ROOT: &str = "/redfish/v1/";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A connection to a BMC.
pub(super) struct BmcClient {
    client: PeerClient,
    base: Url,
    bmc: Bmc,
    allowed: Duration,
    sessions: String,
    auth: Auth,
    /// Where the session is ended.
    session: Option<Url>,
    /// Whether sessions are not to be had.
    is_basic: bool,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) value: Value,
    /// What the BMC's clock shows.
    pub(super) date: Option<Moment>,
    /// When it was received, and how long that took.
    pub(super) received: Timestamp,
    pub(super) took: Duration,
}

impl BmcClient {
    pub(super) fn new(bmc: &Bmc) -> Result<Self, RedfishError> {
        let base = http::base_url(&bmc.endpoint)?;
        let tls = http::trust(bmc.ca_file.as_deref(), base.scheme() == "https", bmc.insecure)?;
        let is_basic = bmc.account.as_ref().is_some_and(|account| account.login == BmcLogin::Basic);
        Ok(BmcClient {
            client: PeerClient::new(Peer { tls, address: None }, CONNECT_TIMEOUT)?,
            base,
            allowed: bmc.timeout.unwrap_or(FIRST_TIMEOUT),
            bmc: bmc.clone(),
            sessions: SESSIONS.to_owned(),
            auth: Auth::None,
            session: None,
            is_basic,
        })
    }

    /// The address without user and password.
    pub(super) fn shown(&self) -> String {
        http::shown(&self.base)
    }

    /// How long a request may take by now.
    pub(super) fn allowed(&self) -> Duration {
        self.allowed
    }

    /// The service root, which needs no account. What it says of sessions is kept.
    pub(super) fn root(&mut self) -> Result<Answer, RedfishError> {
        let answer = self.request(&Method::GET, ROOT, &Auth::None, None)?;
        let root = self.read(answer, ROOT)?;
        if let Some(sessions) = super::resource::Root::of(&root.value).sessions {
            self.sessions = sessions;
        }
        Ok(root)
    }

    /// A resource. The session is begun where there is none, and once more where it has ended.
    pub(super) fn get(&mut self, path: &str) -> Result<Answer, RedfishError> {
        self.log_in()?;
        let mut answer = self.request(&Method::GET, path, &self.auth.clone(), None);
        if is_unauthorized(&answer) && self.session.take().is_some() {
            // It has timed out (Supermicro: after 5 minutes) or the BMC has started again.
            self.auth = Auth::None;
            self.log_in()?;
            answer = self.request(&Method::GET, path, &self.auth.clone(), None);
        }
        let answer = answer?;
        self.read(answer, path)
    }

    /// Ends the session: BMCs have room for a few, and keep each for half an hour.
    pub(super) fn log_out(&mut self) {
        let Some(session) = self.session.take() else { return };
        let auth = std::mem::take(&mut self.auth);
        let timeout = self.allowed.min(LOGOUT_TIMEOUT);
        if let Err(error) = self.client.request(&Method::DELETE, &session, &auth, None, timeout, MAX_BYTES) {
            tracing::debug!("the session at {} could not be ended: {error}", self.shown());
        }
    }

    fn log_in(&mut self) -> Result<(), RedfishError> {
        let Some(account) = &self.bmc.account else { return Ok(()) };
        if self.session.is_some() {
            return Ok(());
        }
        let (user, password, login) = (account.user.clone(), account.password.clone(), account.login);
        if self.is_basic {
            self.auth = Auth::Basic { user, password };
            return Ok(());
        }
        let body = json!({ "UserName": user, "Password": password.expose() }).to_string();
        let path = self.sessions.clone();
        match self.request(&Method::POST, &path, &Auth::None, Some(body)) {
            Ok(answer) => match self.session_of(&answer) {
                Some((token, session)) => {
                    self.auth = Auth::Header { name: "x-auth-token", token };
                    self.session = Some(session);
                    return Ok(());
                }
                None if login == BmcLogin::Session => {
                    return Err(
                        self.malformed(&path, "it begins a session without a token or without saying where that is")
                    );
                }
                None => {}
            },
            // No session service, or no room: iDRAC says 503 (RAC0218), others 400 or 500.
            Err(RedfishError::Http(HttpError::Status { status: 400 | 404 | 405 | 500..=599, .. }))
                if login == BmcLogin::Auto => {}
            Err(error) => return Err(error),
        }
        tracing::debug!("no session at {}: user and password go with each request", self.shown());
        self.is_basic = true;
        self.auth = Auth::Basic { user, password };
        Ok(())
    }

    fn session_of(&self, answer: &PeerAnswer) -> Option<(Secret, Url)> {
        let header = |name: &str| answer.headers.get(name)?.to_str().ok().map(str::to_owned);
        let token = header("x-auth-token").filter(|token| !token.trim().is_empty())?;
        let in_body =
            || serde_json::from_slice::<Value>(&answer.body).ok()?.get("@odata.id")?.as_str().map(str::to_owned);
        let session = self.resolve(&header("location").or_else(in_body)?).ok()?;
        Some((Secret::new(&token), session))
    }

    /// A path of this BMC: others' are not followed, whatever a link says.
    fn resolve(&self, path: &str) -> Result<Url, RedfishError> {
        let foreign = || RedfishError::Foreign { url: self.shown() };
        let url = self.base.join(path).map_err(|_| foreign())?;
        let origin =
            |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        if origin(&url) == origin(&self.base) { Ok(url) } else { Err(foreign()) }
    }

    fn request(
        &mut self,
        method: &Method,
        path: &str,
        auth: &Auth,
        body: Option<String>,
    ) -> Result<PeerAnswer, RedfishError> {
        let mut url = self.resolve(path)?;
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.client.request(method, &url, auth, body.as_deref(), self.allowed, MAX_BYTES);
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error {
                HttpError::Status { redirect: Some(to), .. } if self.resolve(&to).is_ok_and(|to| to != url) => {
                    url = self.resolve(&to)?;
                }
                HttpError::Status { status: status @ (401 | 403), url, .. } => {
                    return Err(RedfishError::Refused { url, status });
                }
                HttpError::Unreachable { url, reason } => {
                    return Err(match Mistrust::of(&reason) {
                        Some((_, reason)) => RedfishError::Certificate { url, reason: reason.to_owned() },
                        None => HttpError::Unreachable { url, reason }.into(),
                    });
                }
                HttpError::TimedOut { .. } => {
                    if self.bmc.timeout.is_none() {
                        self.allowed = (self.allowed * 3).min(LAST_TIMEOUT);
                    }
                    return Err(error.into());
                }
                _ => return Err(error.into()),
            }
        }
        Err(self.malformed(path, "it redirects again and again"))
    }

    fn read(&self, answer: PeerAnswer, path: &str) -> Result<Answer, RedfishError> {
        let PeerAnswer { headers, body, is_cut, took } = answer;
        let value: Value = serde_json::from_slice(&body).map_err(|error| {
            // Some BMCs tell neither the length nor, by `close_notify`, the end. An object that is whole is all there was.
            if is_cut && error.is_eof() {
                let reason = format!(
                    "its JSON breaks off after {} bytes, where the connection was closed without `close_notify`",
                    body.len()
                );
                return HttpError::Broken { url: self.url_of(path), reason }.into();
            }
            self.malformed(path, &format!("no JSON: {error}"))
        })?;
        if !value.is_object() {
            return Err(self.malformed(path, "no JSON object"));
        }
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
        Ok(Answer { value, date, received: Timestamp::now(), took })
    }

    pub(super) fn malformed(&self, path: &str, what: &str) -> RedfishError {
        RedfishError::Malformed { url: self.url_of(path), what: what.to_owned() }
    }

    fn url_of(&self, path: &str) -> String {
        self.resolve(path).map_or_else(|_| self.shown(), |url| http::shown(&url))
    }
}

fn is_unauthorized(answer: &Result<PeerAnswer, RedfishError>) -> bool {
    matches!(answer, Err(RedfishError::Refused { status: 401, .. }))
}

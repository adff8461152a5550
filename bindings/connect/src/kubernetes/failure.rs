//! Why a source of pods did not answer, and what would change that.

use super::pace::TIMEOUT;
use crate::http::{HttpError, Mistrust};
use kepler_core::availability::{Remedy, Setting, Unavailable};
use kepler_core::printable;
use serde::Deserialize;
use std::io;
use std::time::Duration;

/// One failure of a source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceFailure {
    /// The kind of fault, a short fixed word.
    pub(super) fault: &'static str,
    /// What happened.
    pub(super) reason: String,
    /// What would help.
    pub(super) remedy: Remedy,
    /// How long the server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// A server that asks for more is asked all the same.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// A permission that a request needs, for the remedy to name.
#[derive(Clone, Debug)]
pub(super) struct Right {
    /// Empty for the core one.
    pub(super) api_group: &'static str,
    pub(super) resource: &'static str,
    pub(super) verbs: &'static [&'static str],
}

impl Right {
    fn granted(&self) -> Remedy {
        let Right { api_group, resource, verbs } = *self;
        Remedy::GrantClusterRole { api_group, resource, verbs: verbs.to_vec() }
    }
}

/// Whether a kubelet says that it asks for `nodes/proxy` and nothing else. Kubelets from 1.33 on (and of 1.32 with the feature
/// `KubeletFineGrainedAuthz`) name `pods` beside it: `subresource(s)=[pods proxy]`.
fn asks_for_proxy(said: &str) -> bool {
    said.contains("resource=nodes") && (said.contains("subresource=proxy") || said.contains("subresource(s)=[proxy]"))
}

/// The right that gives names without more than names comes first.
fn of_old_kubelet(reason: String) -> SourceFailure {
    let listed = Right { api_group: "", resource: "pods", verbs: &["list", "watch"] };
    let proxy = Right { api_group: "", resource: "nodes/proxy", verbs: &["get"] };
    let reason =
        format!("{reason}; it asks for `nodes/proxy` alone, as kubelets before 1.33 do, and knows no `nodes/pods`");
    SourceFailure::new("forbidden", reason, Remedy::any([listed.granted(), proxy.granted()]))
}

impl SourceFailure {
    pub(super) fn new(fault: &'static str, reason: impl Into<String>, remedy: Remedy) -> Self {
        SourceFailure { fault, reason: reason.into(), remedy, retry_after: None }
    }

    pub(super) fn unavailable(self, source: &'static str) -> Unavailable {
        Unavailable::new(source, self.reason, self.remedy)
    }

    /// A request that failed.
    pub(super) fn of(error: &HttpError, right: &Right) -> Self {
        let retry_after = error.retry_after().map(|wait| wait.min(LONGEST_REST));
        SourceFailure { retry_after, ..SourceFailure::kind_of(error, right) }
    }

    fn kind_of(error: &HttpError, right: &Right) -> Self {
        match error {
            HttpError::Status { status: 401, url, .. } => SourceFailure::new(
                "unauthorized",
                format!(
                    "{url} does not know the token (status 401): it has expired or is of another cluster, or the API server, \
                     which is asked about new tokens, is down"
                ),
                Remedy::Wait,
            ),
            HttpError::Status { status: 403, url, body, .. } => {
                let said = said(body);
                let reason = format!("{url} refuses (status 403): {said}");
                if asks_for_proxy(&said) {
                    return of_old_kubelet(reason);
                }
                SourceFailure::new("forbidden", reason, right.granted())
            }
            HttpError::Status { status: 404, url, .. } => {
                let remedy = Remedy::CorrectSetting { setting: Setting::NodeName };
                SourceFailure::new("not_found", format!("{url} is not there (status 404)"), remedy)
            }
            HttpError::Status { status: 410, url, .. } => {
                SourceFailure::new("expired", format!("{url} has forgotten where we were (status 410)"), Remedy::Wait)
            }
            HttpError::Status { status, url, body, .. } => SourceFailure::new(
                "status",
                format!("{url} answers with status {status}: {}", said(body)),
                Remedy::Wait,
            ),
            HttpError::TimedOut { .. } => SourceFailure::new("timeout", error.to_string(), Remedy::Wait),
            HttpError::TooLarge { .. } => SourceFailure::new("too_large", error.to_string(), Remedy::None),
            HttpError::Unreachable { url, reason } => {
                if let Some((why, reason)) = Mistrust::of(reason) {
                    return certificate(url, why, reason);
                }
                let remedy = Remedy::CorrectSetting { setting: Setting::KubeletAddress };
                SourceFailure::new("unreachable", error.to_string(), Remedy::any([Remedy::Wait, remedy]))
            }
            _ => SourceFailure::new("broken", error.to_string(), Remedy::Wait),
        }
    }

    /// An answer that is none.
    pub(super) fn malformed(url: &str, error: serde_json::Error) -> Self {
        if !error.is_io() {
            return SourceFailure::new(
                "malformed",
                format!("the answer of {url} cannot be read: {}", without_content(&error.to_string())),
                Remedy::Wait,
            );
        }
        let error = io::Error::from(error);
        let is_late = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
        if error.kind() == io::ErrorKind::TimedOut || is_late.is_some_and(reqwest::Error::is_timeout) {
            let reason = format!("{url} has begun to answer and has not ended within {} s", TIMEOUT.as_secs());
            return SourceFailure::new("timeout", reason, Remedy::Wait);
        }
        let fault = if error.kind() == io::ErrorKind::FileTooLarge { "too_large" } else { "broken" };
        SourceFailure::new(fault, format!("the answer of {url} broke off: {error}"), Remedy::Wait)
    }
}

/// What serde says without the text it has found, which may be a secret.
fn without_content(said: &str) -> String {
    match (said.split_once('"'), said.rsplit_once('"')) {
        (Some((before, rest)), Some((_, after))) if rest.contains('"') => format!("{before}\"…\"{after}"),
        _ => said.to_owned(),
    }
}

/// A certificate that is not believed. What is said does not change from one attempt to the next, so it is logged once.
fn certificate(url: &str, why: Mistrust, reason: &str) -> SourceFailure {
    let what = format!("the certificate of {url} is not trusted: {reason}");
    match why {
        Mistrust::Name => {
            let remedy = Remedy::CorrectSetting { setting: Setting::NodeName };
            SourceFailure::new("certificate", what, remedy)
        }
        Mistrust::Date => {
            let reason = format!("{what} by this node's clock; set the clock, or renew the certificate");
            SourceFailure::new("certificate", reason, Remedy::Wait)
        }
        Mistrust::Authority | Mistrust::Kind | Mistrust::Issuer => {
            let remedy = Remedy::MountHostPath { path: "/var/lib/kubelet/pki/kubelet.crt".into() };
            SourceFailure::new("certificate", what, remedy)
        }
    }
}

/// As much of what a server says is repeated.
const LONGEST: usize = 300;

/// What a server says when it refuses: a `Status` object's message, or a line of text.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let text = match serde_json::from_slice::<Status>(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let short: String = text.trim().chars().take(LONGEST).collect();
    if short.is_empty() { "without saying why".to_owned() } else { printable::bytes(short.as_bytes()).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> SourceFailure {
        let (redirect, retry_after, body) = (None, None, body.as_bytes().to_vec());
        let error = HttpError::Status { url: "https://node-a:10250/pods".into(), status, redirect, retry_after, body };
        SourceFailure::of(&error, &Right { api_group: "", resource: "nodes/pods", verbs: &["get"] })
    }

    #[test]
    fn a_refusal_names_the_rule_that_is_missing() {
        let recorded = "Forbidden (user=system:serviceaccount:kepler-system:nobody, verb=get, resource=nodes, subresource(s)=[pods proxy])";
        let failure = status(403, recorded);
        assert!(failure.reason.contains("system:serviceaccount:kepler-system:nobody"), "{}", failure.reason);
        let rule = Remedy::GrantClusterRole { api_group: "", resource: "nodes/pods", verbs: vec!["get"] };
        assert_eq!((failure.fault, failure.remedy), ("forbidden", rule));
        let json = r#"{"kind":"Status","message":"pods is forbidden: User \"x\" cannot list","code":403}"#;
        assert!(status(403, json).reason.ends_with("pods is forbidden: User \"x\" cannot list"));
    }

    /// As kubelets up to 1.31, and later ones without the feature, write it.
    #[test]
    fn a_kubelet_that_knows_no_finer_right_is_told_from_one_that_does() {
        let user = "user=system:serviceaccount:kepler:kepler, verb=get, resource=nodes";
        for subresource in ["subresource=proxy", "subresource(s)=[proxy]"] {
            let failure = status(403, &format!("Forbidden ({user}, {subresource})"));
            let Remedy::AnyOf { remedies } = &failure.remedy else { panic!("{failure:?}") };
            let listed = Remedy::GrantClusterRole { api_group: "", resource: "pods", verbs: vec!["list", "watch"] };
            let proxy = Remedy::GrantClusterRole { api_group: "", resource: "nodes/proxy", verbs: vec!["get"] };
            assert_eq!(remedies, &[listed, proxy]);
            assert!(failure.reason.contains("before 1.33"), "{}", failure.reason);
        }
        let newer = status(403, &format!("Forbidden ({user}, subresource(s)=[pods proxy])"));
        assert!(matches!(newer.remedy, Remedy::GrantClusterRole { resource: "nodes/pods", .. }), "{newer:?}");
    }

    #[test]
    fn what_is_wrong_with_a_certificate_says_what_to_change_and_is_the_same_each_time() {
        let failure = |reason: &str| {
            let reason = format!("error sending request: client error (Connect): invalid peer certificate: {reason}");
            let error = HttpError::Unreachable { url: "https://node-b:10250/pods".into(), reason };
            SourceFailure::of(&error, &Right { api_group: "", resource: "nodes/pods", verbs: &["get"] })
        };
        // As rustls 0.23 writes them.
        let name =
            failure(r#"certificate not valid for name "node-b"; certificate is only valid for DnsName("node-a")"#);
        assert_eq!(name.remedy, Remedy::CorrectSetting { setting: Setting::NodeName });
        assert!(name.reason.contains("node-a"), "{}", name.reason);
        let early = |seconds: u64| {
            failure(&format!(
                "certificate not valid yet: verification time {} (UNIX), but certificate is not valid before 2208988800 \
                 ({seconds} seconds in future)",
                2_208_988_800 - seconds
            ))
        };
        assert_eq!(early(412_956_395), early(412_956_394));
        assert!(early(5).reason.contains("not valid yet by this node's clock"), "{}", early(5).reason);
        let late = failure(
            "certificate expired: verification time 9 (UNIX), but certificate is not valid after 8 (1 seconds ago)",
        );
        assert!(late.reason.contains("certificate expired by this node's clock"), "{}", late.reason);
        let mount = Remedy::MountHostPath { path: "/var/lib/kubelet/pki/kubelet.crt".into() };
        assert_eq!(failure("UnknownIssuer").remedy, mount);
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let error =
            serde_json::from_str::<std::collections::BTreeMap<String, u8>>(r#"{"a": "hunter\"2"}"#).unwrap_err();
        let reason = SourceFailure::malformed("https://node-a:10250/pods", error).reason;
        assert!(reason.contains("invalid type: string \"…\", expected u8 at line 1"), "{reason}");
    }

    #[test]
    fn a_token_that_is_not_known_may_be_known_later() {
        assert_eq!(status(401, "Unauthorized").remedy, Remedy::Wait);
    }

    #[test]
    fn what_a_server_says_is_cut_and_escaped() {
        assert!(!status(500, "\u{1b}[31mred").reason.contains('\u{1b}'));
        assert!(status(500, &"x".repeat(9000)).reason.len() < 500);
        assert!(status(503, "").reason.ends_with("without saying why"));
    }
}

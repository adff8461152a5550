//! Probes: `/livez` and `/-/healthy`; `/readyz`, `/healthz` and `/-/ready`. None of them collects anything.

use crate::hub::HubStatus;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::Snapshot;
use std::time::Duration;

/// Where the probes are.
pub(crate) const PATHS: [&str; 5] = ["/livez", "/-/healthy", "/readyz", "/healthz", "/-/ready"];

/// Alive: the server answers.
pub(crate) async fn live() -> Response {
    json(StatusCode::OK, r#"{"status":"live"}"#.to_owned())
}

/// Ready: there is a snapshot and it is recent.
pub(crate) fn ready(snapshot: Option<&Snapshot>, stale_after: Duration) -> Response {
    let readiness = Readiness::of(snapshot, &Timestamp::now(), stale_after);
    let status = match readiness {
        Readiness::Ready { .. } => StatusCode::OK,
        Readiness::Waiting | Readiness::Stale { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut body = readiness.json();
    if let (Readiness::Ready { .. }, Some(snapshot)) = (readiness, snapshot) {
        add_faults(snapshot, &mut body);
    }
    json(status, body)
}

/// Ready: the nodes have been polled, and recently. Nodes that fail are reported, and do not make a hub unready.
pub(crate) fn hub_ready(status: &HubStatus, stale_after: Duration) -> Response {
    let Some(polling) = &status.polling else { return json(StatusCode::OK, r#"{"status":"ready"}"#.to_owned()) };
    let limit = polling.interval.saturating_mul(3).saturating_add(polling.last.unwrap_or_default()).max(stale_after);
    let unready = |reason: &str| {
        json(StatusCode::SERVICE_UNAVAILABLE, format!(r#"{{"status":"not ready","reason":"{reason}"}}"#))
    };
    match polling.age {
        None => unready("the nodes have not been polled yet"),
        Some(age) if age > limit => unready(&format!("the last poll ended {:.3} s ago", age.as_secs_f64())),
        Some(age) => {
            let (nodes, scraped) = (status.nodes.len(), status.count("scraped"));
            let age = age.as_secs_f64();
            json(
                StatusCode::OK,
                format!(r#"{{"status":"ready","nodes":{nodes},"scraped":{scraped},"age_seconds":{age:.3}}}"#),
            )
        }
    }
}

/// Names the zones of which a part cannot be read now. Figures are delivered all the same, so the status stays.
fn add_faults(snapshot: &Snapshot, body: &mut String) {
    let faults = snapshot.node.zones().filter_map(|(kind, zone)| Some((kind, zone, zone.fault?)));
    let faults: Vec<String> = faults
        .map(|(kind, zone, fault)| {
            let (source, method) = (zone.source, zone.method.name());
            format!(r#"{{"zone":"{kind}","source":"{source}","method":"{method}","fault":"{fault}"}}"#)
        })
        .collect();
    if !faults.is_empty() && body.pop().is_some() {
        body.push_str(r#","faults":["#);
        body.push_str(&faults.join(","));
        body.push_str("]}");
    }
}

/// Whether figures are being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready {
        sequence: u64,
        age: Duration,
    },
    /// Nothing has been collected yet.
    Waiting,
    /// Collecting has stopped or fallen behind.
    Stale {
        sequence: u64,
        age: Duration,
        limit: Duration,
    },
}

impl Readiness {
    /// A snapshot is recent for three of its intervals, and for `stale_after` at least. Time asleep
    /// does not count: after a resume the next tick gets its chance.
    fn of(snapshot: Option<&Snapshot>, now: &Timestamp, stale_after: Duration) -> Self {
        let Some(snapshot) = snapshot else { return Readiness::Waiting };
        let (sequence, age) = (snapshot.sequence, now.since(&snapshot.at));
        let limit = snapshot.interval.saturating_mul(3).max(stale_after);
        if age <= limit { Readiness::Ready { sequence, age } } else { Readiness::Stale { sequence, age, limit } }
    }

    fn json(self) -> String {
        match self {
            Readiness::Ready { sequence, age } => {
                format!(r#"{{"status":"ready","sequence":{sequence},"age_seconds":{:.3}}}"#, age.as_secs_f64())
            }
            Readiness::Waiting => r#"{"status":"not ready","reason":"no snapshot has been taken yet"}"#.to_owned(),
            Readiness::Stale { sequence, age, limit } => format!(
                r#"{{"status":"not ready","reason":"the newest snapshot is older than {:.3} s","sequence":{sequence},"age_seconds":{:.3}}}"#,
                limit.as_secs_f64(),
                age.as_secs_f64()
            ),
        }
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(at: Timestamp, interval: Duration) -> Snapshot {
        let mut snapshot = Snapshot::empty(at);
        (snapshot.sequence, snapshot.interval) = (9, interval);
        snapshot
    }

    #[test]
    fn a_snapshot_is_recent_for_three_intervals_or_the_given_time_whichever_is_longer() {
        let at = Timestamp::now();
        let seconds = Duration::from_secs;
        for (interval, stale_after, age, ready) in
            [(5, 10, 15, true), (5, 10, 16, false), (1, 10, 10, true), (1, 10, 11, false)]
        {
            let snapshot = snapshot(at, seconds(interval));
            let readiness = Readiness::of(Some(&snapshot), &at.advanced(seconds(age)), seconds(stale_after));
            assert_eq!(matches!(readiness, Readiness::Ready { .. }), ready, "{interval} {stale_after} {age}");
        }
    }

    #[test]
    fn a_zone_that_cannot_be_read_is_named_and_does_not_make_it_unready() {
        use kepler_core::meter::Method;
        use kepler_core::snapshot::NodeZone;
        use kepler_core::units::ZoneKind;
        let mut snapshot = snapshot(Timestamp::now(), Duration::from_secs(5));
        let mut body = r#"{"status":"ready"}"#.to_owned();
        add_faults(&snapshot, &mut body);
        assert_eq!(body, r#"{"status":"ready"}"#);
        let mut zone = NodeZone::new("package", "powercap", Method::Partial { error_ratio: 0.2 });
        zone.fault = Some("timeout");
        snapshot.node.zones[ZoneKind::Package] = Some(zone);
        add_faults(&snapshot, &mut body);
        let faults = r#"[{"zone":"package","source":"powercap","method":"partial","fault":"timeout"}]"#;
        assert_eq!(body, format!(r#"{{"status":"ready","faults":{faults}}}"#));
    }

    #[test]
    fn an_unready_answer_says_why() {
        assert!(Readiness::Waiting.json().contains("no snapshot"));
        let at = Timestamp::now();
        let stale = Readiness::of(
            Some(&snapshot(at, Duration::from_secs(5))),
            &at.advanced(Duration::from_secs(60)),
            Duration::ZERO,
        );
        assert_eq!(
            stale.json(),
            r#"{"status":"not ready","reason":"the newest snapshot is older than 15.000 s","sequence":9,"age_seconds":60.000}"#
        );
    }
}

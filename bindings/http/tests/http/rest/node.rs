//! A node with a REST interface, and what it answers.

use crate::support::inhabited;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use kepler_compliance::intensity::IntensityTable;
use kepler_compliance::standards::{Basis, Standards};
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::tools::{Price, Settings, StatedPue, Toolbox};
use kepler_compliance::units::Pue;
use kepler_compliance::view::{LiveView, RingOptions};
use kepler_compliance::zones::Zones;
use kepler_core::snapshot::{Feed, Snapshot};
use kepler_core::units::{Energy, ZoneKind};
use kepler_http::{Exporter, Rest, RestOptions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

pub(super) struct Node {
    pub(super) feed: Feed,
    pub(super) rest: Rest,
    pub(super) router: Router,
}

impl Node {
    pub(super) fn new(options: RestOptions) -> Self {
        Node::of(options, Settings::default())
    }

    /// A node whose facility states a PUE and a price.
    pub(super) fn priced() -> Self {
        let mut settings = Settings::default();
        settings.pue = Some(StatedPue::new(Pue::new(1.25).unwrap(), Basis::Measured));
        settings.price = Some(Price::new(EnergyPrice::per_kilowatt_hour(200.0), "KRW"));
        Node::of(RestOptions::default(), settings)
    }

    pub(super) fn of(options: RestOptions, settings: Settings) -> Self {
        let feed = Feed::default();
        let exporter = Arc::new(Exporter::new(feed.clone(), crate::support::options()));
        let zones = Zones::embedded().unwrap();
        let view = Arc::new(LiveView::new(feed.clone(), "node-1", RingOptions::default()));
        let intensity = Arc::new(IntensityTable::from_zones(&zones));
        let mut toolbox = Toolbox::new(view, Standards::embedded().unwrap(), zones, intensity);
        toolbox.settings = settings;
        toolbox.settings.region = Some("KR".into());
        let rest = Rest::new(exporter, Arc::new(toolbox), options);
        Node { feed, router: rest.router(), rest }
    }

    /// A node that has been measured twice.
    pub(super) async fn measured() -> Self {
        let node = Node::new(RestOptions::default());
        node.publish(inhabited());
        // The view takes a snapshot in when it is asked.
        node.get("/api/v1/history").await;
        node.publish(later(inhabited(), 1));
        node
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.feed.publish(Arc::new(snapshot));
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", "127.0.0.1:28282");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(super) async fn call(&self, tool: &str, arguments: &Value) -> Answer {
        self.ask(Method::POST, &format!("/tools/{tool}"), &[], arguments.to_string()).await
    }
}

/// A snapshot one interval of five seconds later, in which everything used `joules` more.
pub(super) fn later(mut snapshot: Snapshot, joules: u64) -> Snapshot {
    let more = Energy::from_joules(joules as f64);
    snapshot.sequence += 1;
    // The one before was taken some milliseconds ago, so this is what lies between them.
    for kind in [ZoneKind::Package, ZoneKind::Dram] {
        let zone = snapshot.node.zones[kind].as_mut().unwrap();
        zone.energy += more + more;
        zone.active_energy += more;
        zone.idle_energy += more;
    }
    for row in &mut snapshot.processes {
        row.energy.iter_mut().for_each(|(_, energy)| *energy += more);
        row.cpu_time += Duration::from_secs(1);
    }
    snapshot
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(super) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    /// Fails unless this is a problem (RFC 9457) of that status and kind; its detail.
    pub(super) fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(
            (&problem["status"], &problem["type"]),
            (&json!(status), &json!(format!("urn:problem-type:kepler:{kind}")))
        );
        assert!(!problem["title"].as_str().unwrap().is_empty());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

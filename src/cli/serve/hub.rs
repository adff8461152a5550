//! A hub: it measures nothing, and answers for the nodes whose exporters it asks, itself or through a Prometheus.

mod history;

use super::super::carbon;
use super::super::choices;
use super::super::config::{Config, ViewSource};
use super::super::exit::Failure;
use super::super::kubernetes;
use super::super::live;
use super::{Role, export_options};
use history::HubHistory;
use jiff::Timestamp;
use kepler_compliance::series::span;
use kepler_connect::kepler::{Fleet, FleetNode, KeplerView};
use kepler_connect::kubernetes::nodes;
use kepler_core::snapshot::Feed;
use kepler_http::{Exporter, Hub, HubNode, HubStatus, Polling};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Begins to ask.
///
/// # Errors
/// When the source cannot be used, or is this host.
pub(super) fn start(config: &Config) -> Result<Role, Failure> {
    let nothing = || Failure::Source("a hub asks others: give --source".to_owned());
    let followed = ViewSource::follow(config)?.ok_or_else(nothing)?;
    let (region, config) = (&config.facility.region, &located(config, followed.fleet.as_deref()));
    let history = match &config.history.path {
        Some(_) if followed.fleet.is_none() => {
            tracing::warn!("--history.path has no effect: the Prometheus that is asked remembers");
            None
        }
        Some(path) => Some(HubHistory::start(config, &followed.view, path.clone())?),
        None => None,
    };
    let view = history.as_ref().map_or_else(|| Arc::clone(&followed.view), |history| Arc::clone(&history.view));
    let mut toolbox = live::toolbox(config, view)?;
    // A region that only the labels of the nodes tell is the toolbox's by what they choose, and its answers say so.
    toolbox.settings.region.clone_from(region);
    toolbox.choices = choices::of_hub(config, Arc::clone(&followed.choices));
    let toolbox = Arc::new(toolbox);
    tracing::info!("a hub: nothing is measured here, figures are those of {}", followed.view.name());
    let mut options = export_options(config);
    let (source, fleet, interval) = (followed.view.name().to_owned(), followed.fleet.clone(), followed.interval);
    options.hub = Some(Hub::new(move || match &fleet {
        Some(fleet) => status(&source, &fleet.fleet(), interval),
        None => HubStatus::default().with(|status| status.source.clone_from(&source)),
    }));
    let exporter = Arc::new(Exporter::new(Feed::default(), options));
    Ok(Role { exporter, toolbox, unused_sources: Vec::new(), _held: Box::new((history, followed)) })
}

/// The same where no region is configured, and the labels of the cluster's nodes tell one that is known.
fn located(config: &Config, exporters: Option<&KeplerView>) -> Config {
    let mut config = config.clone();
    if config.facility.region.is_some() || !matches!(config.source, ViewSource::Endpoints(_)) {
        return config;
    }
    let Some(nodes) = kubernetes::access(&config).ok().and_then(|access| nodes(&access).ok()) else { return config };
    let regions: BTreeSet<String> = nodes.iter().filter_map(|node| node.region.clone()).collect();
    if let Some(exporters) = exporters {
        exporters.know_nodes(nodes);
    }
    let known = carbon::zones().ok();
    let is_known = |region: &String| known.as_ref().is_some_and(|zones| zones.find(region).is_ok());
    match (regions.len(), regions.first()) {
        (1, Some(region)) if is_known(region) => {
            tracing::info!("the region is {region}, as the labels of the nodes say; --region says otherwise");
            config.facility.region = Some(region.clone());
        }
        (0, _) => {}
        _ => {
            let regions = regions.into_iter().collect::<Vec<_>>().join(", ");
            tracing::warn!("the nodes stand in {regions}: state one of the known regions with --region");
        }
    }
    config
}

fn status(source: &str, fleet: &Fleet, interval: Duration) -> HubStatus {
    let now = Timestamp::now();
    let age = |at: Timestamp| span(at, now);
    let mut polling = Polling::default();
    (polling.polls, polling.interval, polling.last) = (fleet.polls, interval, fleet.last_poll);
    (polling.age, polling.listed) = (fleet.since_poll, fleet.listed_at.map(age));
    polling.faults.clone_from(&fleet.poll_faults);
    polling.unlisted.clone_from(&fleet.unlisted);
    polling.list_faults.clone_from(&fleet.list_faults);
    (polling.workloads, polling.points) = (fleet.workloads, fleet.points);
    let node = |node: &FleetNode| {
        let mut own = HubNode::default();
        own.address.clone_from(&node.address);
        own.name = node.name.as_ref().map(ToString::to_string).or_else(|| node.address.clone()).unwrap_or_default();
        (own.state, own.age) = (node.state.name(), node.last_success.map(age));
        own.fault.clone_from(&node.fault);
        if let Some(known) = &node.known {
            own.region.clone_from(&known.region);
            own.zone.clone_from(&known.zone);
            own.instance_type.clone_from(&known.instance_type);
        }
        own
    };
    let nodes = fleet.nodes.iter().map(node).collect();
    HubStatus::default()
        .with(|status| (status.source, status.polling, status.nodes) = (source.to_owned(), Some(polling), nodes))
}

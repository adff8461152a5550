//! A node: it is measured here.

use super::super::choices;
use super::super::config::Config;
use super::super::corrections::Keeper;
use super::super::exit::Failure;
use super::super::live;
use super::super::passthrough::Passthrough;
use super::super::permissions;
use super::super::remedies;
use super::super::sampling::{self, Known};
use super::{Role, export_options, rest, table};
use jiff::Timestamp;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Input, Toolbox, site};
use kepler_core::host::Topology;
use kepler_core::meter::Method;
use kepler_core::monitor::Monitor;
use kepler_core::sampler::Sampler;
use kepler_http::{Exporter, FacilityFigure, FacilityFigures, FacilitySource};
use std::sync::Arc;

/// Begins to measure.
///
/// # Errors
/// When the meter asked for cannot be used, or the host cannot be read.
pub(super) fn start(config: &Config) -> Result<Role, Failure> {
    let known = Known::start(config);
    if let Some(without) = config.platform.attribution_without_meter() {
        tracing::warn!("{without}");
    }
    let sampler = sampling::open_named(config, &known)?;
    let unused_sources = rest::unused_sources(&sampler);
    announce(&sampler);
    warn_of_losses(config, &sampler);
    let monitor = Monitor::start(sampler, config.interval).map_err(Failure::to("start measuring"))?;
    let table = config.stdout.then(|| table::start(monitor.feed(), config.interval));
    let table = table.transpose().map_err(Failure::to("start the table"))?;
    let keeper = known.platform().map(|_| Keeper::start(config, monitor.feed())).transpose()?;
    let guests = Passthrough::start(config, monitor.feed())?;
    let history = live::HistoryThread::start(config, &monitor)?;
    let mut toolbox = live::toolbox(config, history.view())?;
    toolbox.choices = choices::of_node(config, monitor.feed(), known.pods());
    let toolbox = Arc::new(toolbox);
    let mut options = export_options(config);
    options.facility = facility(config, &toolbox);
    (options.topology, options.directory) = (Topology::read(&config.host()), known.pods());
    let exporter = Arc::new(Exporter::new(monitor.feed(), options));
    // Dropped in this order: what reads ends before the monitor.
    Ok(Role { exporter, toolbox, unused_sources, _held: Box::new((table, guests, history, keeper, monitor, known)) })
}

/// What electricity emits and costs here, where it is configured: the figures of a region that is but assumed would be
/// taken for this one's.
fn facility(config: &Config, toolbox: &Arc<Toolbox>) -> Option<FacilitySource> {
    let settings = &config.facility;
    let is_stated = settings.region.is_some() || settings.grid_intensity.is_some() || settings.pue.is_some();
    let toolbox = Arc::clone(toolbox);
    (is_stated || settings.price.is_some() || settings.tariff.is_some())
        .then(|| FacilitySource::new(move || facility_figures(&toolbox, is_stated)))
}

fn facility_figures(toolbox: &Toolbox, is_stated: bool) -> FacilityFigures {
    let now = Timestamp::now();
    let mut figures = FacilityFigures::default();
    let figure = |input: Input| {
        let method = serde_json::to_value(input.basis).ok();
        let method = method.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        FacilityFigure::new(input.value, method, input.source)
    };
    if is_stated && let Ok(site) = site(&toolbox.context(now), None, Lang::En) {
        figures.zone = site.zone;
        figures.grid_intensity = site.grid_intensity.map(figure);
        figures.pue = site.pue.map(figure);
    }
    let settings = &toolbox.settings;
    let price = settings.price_at(now).zip(settings.currency());
    figures.price = price.map(|(price, currency)| (price.value(), currency.to_owned()));
    figures
}

/// Says which better source is not used, and what a missing permission costs.
fn warn_of_losses(config: &Config, sampler: &Sampler) {
    for unavailable in sampler.unavailable() {
        // A missing right is one step away; the others want drivers or hardware.
        if unavailable.remedy.is_permission() || unavailable.source_name == "model-file" {
            tracing::warn!("not measuring with {}", remedies::line(unavailable));
        } else {
            tracing::debug!("not measuring with {}: {}", unavailable.source_name, unavailable.reason);
        }
    }
    for permission in permissions::read(&config.host()) {
        if permission.capability == permissions::SEES_PROCESSES && permission.held == Some(false) {
            tracing::warn!("without {} these are lost: {}", permission.capability, permission.lost);
        }
    }
}

/// Says where the figures come from.
fn announce(sampler: &Sampler) {
    let mut sources: Vec<(&str, Method, Vec<&str>)> = Vec::new();
    for zone in sampler.zones() {
        let name = zone.zone.kind.name();
        match sources.iter_mut().find(|(source, ..)| *source == zone.source) {
            Some((_, _, zones)) if !zones.contains(&name) => zones.push(name),
            Some(_) => {}
            None => sources.push((zone.source, zone.method, vec![name])),
        }
    }
    for (source, method, zones) in &sources {
        let zones = zones.join(", ");
        match method {
            _ if *source == "fake" => tracing::warn!("{zones}: made up by fake, for development only"),
            Method::Measured => tracing::info!("{zones}: measured by {source}"),
            Method::Partial { error_ratio } => tracing::warn!(
                "{zones}: measured by {source} in part, the rest estimated, ±{:.0} %; `kepler doctor` says what is missing",
                error_ratio * 100.0
            ),
            _ => {
                let error_ratio = method.error_ratio().unwrap_or(1.0);
                tracing::warn!(
                    "{zones}: estimated by {source}, ±{:.0} %; `kepler doctor` says what measuring needs",
                    error_ratio * 100.0
                );
            }
        }
    }
    tracing::info!("processor time of processes: {}", sampler.usage_source());
}

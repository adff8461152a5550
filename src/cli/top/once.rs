//! One moment, for scripts.

mod csv;

use super::super::config::Config;
use super::super::exit::Failure;
use super::super::page;
use super::event::Event;
use super::model::arrange::Line;
use super::model::device::DevicePart;
use super::model::rates::short;
use super::source::local;
use super::state::{App, Manner, Origin};
use super::{Source, clock};
use kepler_compliance::text::Lang;
use kepler_core::printable;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
}

/// Writes one moment.
///
/// # Errors
/// The source gives no figures, or standard output cannot be written.
#[expect(clippy::too_many_arguments, reason = "what the command line says")]
pub(super) fn run(
    config: &Config,
    source: Source,
    origin: Origin,
    manner: Manner,
    lang: Lang,
    format: Format,
    limit: usize,
    interval: Duration,
) -> Result<ExitCode, Failure> {
    let mut app = App::new(lang, origin, interval, manner, clock::zone());
    match source {
        Source::Local(mut local) => {
            let (before, frame) = local.first();
            app.take(Event::Rates(local::rates(config, lang)?));
            app.take(Event::Frame(Box::new(before)));
            app.take(Event::Frame(Box::new(frame)));
        }
        Source::Remote(mut remote) => {
            let failed = |error: super::source::remote::AskError| Failure::Source(error.to_string());
            let wanted = app.wanted();
            let frame = remote.now(&wanted).map_err(failed)?;
            if let Ok((rates, today)) = remote.today() {
                app.take(Event::Rates(rates));
                app.take(Event::Today(today));
            }
            app.take(Event::Frame(Box::new(frame)));
        }
    }
    let text = render(&app, format, limit, Instant::now());
    match io::stdout().lock().write_all(text.as_bytes()) {
        // The reader has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => written.map(|()| ExitCode::SUCCESS).map_err(Failure::to("write the answer")),
    }
}

/// The moment as text.
pub(super) fn render(app: &App, format: Format, limit: usize, now: Instant) -> String {
    let mut lines = app.lines().unwrap_or_default();
    lines.truncate(limit);
    match format {
        Format::Table => table(app, &lines, now),
        Format::Csv => csv::text(app, &lines, now),
        Format::Json => {
            let text = kepler_compliance::numbers::to_json_pretty(&document(app, &lines, now)).unwrap_or_default();
            printable::json(&text).into_owned() + "\n"
        }
    }
}

fn source(origin: &Origin) -> String {
    match origin {
        Origin::Server(url) => url.clone(),
        Origin::Here { .. } => "here".to_owned(),
    }
}

fn age(app: &App, now: Instant) -> f64 {
    app.node().map_or(0.0, |node| now.saturating_duration_since(node.seen).as_secs_f64())
}

fn state(app: &App, value: Option<f64>) -> &'static str {
    if value.is_some() { app.trust().name() } else { "unknown" }
}

fn document(app: &App, lines: &[Line<'_>], now: Instant) -> Value {
    let node = app.node();
    let parts = node.and_then(|node| node.parts);
    let zones = node.into_iter().flat_map(|node| &node.zones).map(|zone| {
        json!({
            "zone": zone.kind.name(), "source": zone.source, "method": zone.trust.name(), "error_ratio": zone.error_ratio,
            "power_watts": zone.watts, "energy_joules": zone.joules,
        })
    });
    let devices = node.into_iter().flat_map(|node| &node.devices).map(|device| {
        json!({
            "gpu": device.number, "uuid": device.uuid, "name": device.name, "method": device.trust.name(),
            "power_watts": device.watts, "idle_watts": device.idle_watts, "usage_ratio": device.busy,
            "energy_joules": device.joules, "fault": device.fault,
        })
    });
    let platform = node.into_iter().flat_map(|node| &node.platform).map(|whole| {
        json!({
            "source": whole.source, "bmc_id": whole.bmc_id, "chassis_id": whole.chassis_id, "source_id": whole.source_id,
            "scope": whole.scope, "method": whole.trust.name(), "error_ratio": whole.error_ratio, "power_watts": whole.watts,
            "energy_joules": whole.joules, "covered_seconds": whole.covered_seconds, "age_seconds": whole.age_seconds,
            "fault": whole.fault,
        })
    });
    let residual = node.and_then(|node| node.residual.as_ref()).map(|rest| {
        json!({
            "source": rest.source, "method": rest.trust.name(), "error_ratio": rest.error_ratio, "power_watts": rest.watts,
            "energy_joules": rest.joules, "covered_seconds": rest.covered_seconds, "fault": rest.fault,
        })
    });
    let workloads: Vec<Value> = lines.iter().map(|line| workload(app, line)).collect();
    json!({
        "source": source(&app.origin),
        "node_name": node.map(|node| &node.name),
        "at": node.map(|node| node.at.to_string()),
        "age_seconds": age(app, now),
        "stale": app.stale(now).is_some(),
        "interval_seconds": node.map(|node| node.interval.as_secs_f64()),
        "processors": node.map(|node| node.processors),
        "usage_ratio": node.map(|node| node.busy),
        "power_watts": {
            "total": parts.map(|parts| parts.total),
            "idle": parts.map(|parts| parts.idle),
            "active": parts.map(|parts| parts.total - parts.idle),
            "unattributed": parts.and_then(|parts| parts.unattributed),
            "state": state(app, parts.map(|parts| parts.total)),
        },
        "method": app.trust().name(),
        "error_ratio": node.and_then(|node| node.error_ratio),
        "interval_watts": node.and_then(|node| node.bounds).map(|(lower, upper)| json!({"lower": lower, "upper": upper})),
        "energy_joules": node.and_then(|node| node.joules),
        "zones": zones.collect::<Vec<_>>(),
        "devices": devices.collect::<Vec<_>>(),
        "platform": platform.collect::<Vec<_>>(),
        "platform_residual": residual,
        "effective_intensity_gCO2eq_kWh": app.rates.grams_per_kwh,
        "cost_per_kwh": app.rates.cost_per_kwh,
        "currency": app.rates.currency,
        "workloads": workloads,
    })
}

fn workload(app: &App, line: &Line<'_>) -> Value {
    let item = &line.item;
    let mut object = Map::new();
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    object.insert("kind".into(), item.kind.name().into());
    object.insert("name".into(), text(item.name));
    object.insert("namespace".into(), text(item.namespace));
    object.insert("detail".into(), text(item.detail));
    object.insert("pid".into(), json!(item.pid));
    object.insert("depth".into(), line.depth.into());
    object.insert("power_watts".into(), json!(item.watts));
    object.insert("energy_joules".into(), json!(item.joules));
    object.insert(
        "emissions_gCO2eq_per_hour".into(),
        json!(item.watts.and_then(|watts| app.rates.grams(watts * 3600.0))),
    );
    object.insert("cpu_seconds".into(), json!(item.cpu_seconds));
    object.insert("state".into(), state(app, item.watts).into());
    let used = app.frame.as_ref().map(|frame| frame.devices_of(item.id)).unwrap_or_default();
    if !used.is_empty() {
        let part =
            |part: &DevicePart| json!({"gpu": part.number, "power_watts": part.watts, "energy_joules": part.joules});
        object.insert("devices".into(), used.iter().map(part).collect());
    }
    Value::Object(object)
}

fn table(app: &App, lines: &[Line<'_>], now: Instant) -> String {
    let words = app.words();
    let mark = app.trust().mark();
    let unknown = || words.unknown.to_owned();
    let mut text = String::new();
    if let Some(node) = app.node() {
        let power = node.parts.map_or_else(unknown, |parts| format!("{mark}{} W", short(parts.total)));
        let bounds = node.bounds.map(|(lower, upper)| format!(" [{} - {} W, 90 %]", short(lower), short(upper)));
        let error = node.error_ratio.map(|ratio| format!(" ±{:.0} %", ratio * 100.0));
        let method = words.method(app.trust());
        let origin = match &app.origin {
            Origin::Server(url) => url.clone(),
            Origin::Here { .. } => words.measuring_here.to_owned(),
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}  {power}{}  {method} ({}{})  {}  {origin}",
            printable::line(&node.name),
            bounds.unwrap_or_default(),
            printable::line(&node.sources()),
            error.unwrap_or_default(),
            clock::time(&app.zone, node.at),
        );
    }
    if let Some(age) = app.stale(now) {
        let _ = writeln!(text, "{} {}", words.stale, clock::length(age));
    }
    for device in app.node().into_iter().flat_map(|node| &node.devices) {
        let power = device.watts.map_or_else(unknown, |watts| format!("{}{} W", device.trust.mark(), short(watts)));
        let idle = device.idle_watts.map(|watts| format!(", {} {} W", words.idle, short(watts))).unwrap_or_default();
        let busy = device.busy.map(|busy| format!(", {:.0} %", busy * 100.0)).unwrap_or_default();
        let fault = device.fault.as_ref().map(|fault| format!(", {fault}")).unwrap_or_default();
        let name = printable::line(&device.name);
        let _ = writeln!(text, "gpu{} {name}  {power}{idle}{busy}{fault}", device.number);
    }
    for whole in app.node().into_iter().flat_map(|node| &node.platform) {
        let power = whole.watts.map_or_else(unknown, |watts| format!("{}{} W", whole.trust.mark(), short(watts)));
        let age = whole.age_seconds.map(|age| format!(", {} {}", clock::seconds(age), words.old)).unwrap_or_default();
        let fault = whole.fault.as_ref().map(|fault| format!(", {fault}")).unwrap_or_default();
        let _ = writeln!(text, "{}  {power}{age}{}", printable::line(&whole.name()), printable::line(&fault));
    }
    if let Some(rest) = app.node().and_then(|node| node.residual.as_ref()) {
        let power = rest.watts.map_or_else(unknown, |watts| format!("{}{} W", rest.trust.mark(), short(watts)));
        let error = rest.error_ratio.map(|ratio| format!(" ±{:.0} %", ratio * 100.0)).unwrap_or_default();
        let fault = rest.fault.as_ref().map(|fault| format!(", {fault}")).unwrap_or_default();
        let _ = writeln!(text, "{} ({})  {power}{error}{}", words.rest, rest.source, printable::line(&fault));
    }
    let figure = |value: Option<f64>| value.map(|value| format!("{mark}{}", short(value))).unwrap_or_default();
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                figure(line.item.watts),
                figure(Some(line.item.joules)),
                words.kind_of(line.item.kind).to_owned(),
                line.item.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                format!("{}{}", "  ".repeat(usize::from(line.depth)), line.item.name),
            ]
        })
        .collect();
    text + &page::table(&["W", "J", words.kind, words.pid, words.name], &rows)
}

//! Resources: standards, grid intensities and workloads as JSON.

use crate::uri::{INTENSITY, STANDARD, Subject, WORKLOAD};
use jiff::tz::TimeZone;
use kepler_compliance::intensity::CurrentIntensity;
use kepler_compliance::standards::Rule;
use kepler_compliance::tools::{AssessRequest, Context, DEFAULT_REGION, Length, ToolRequest, registry};
use kepler_compliance::view::{TimeRange, WorkloadId, WorkloadKind};
use kepler_compliance::zones::{GridZone, PublishedPue, TableFigure};
use kepler_core::printable;
use rmcp::ErrorData;
use rmcp::model::{ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const JSON: &str = "application/json";
/// How many resources a page lists.
const PAGE: usize = 100;
/// Workloads that used energy within this time are listed: the tools' own default window.
const WINDOW: Length = Length::minutes(5);

/// The namespace that stands in the URI of a workload that has none; the tools' own default, which
/// they do not look at for such workloads.
const NO_NAMESPACE: &str = "default";

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = |uri, name, title, description| {
        ResourceTemplate::new(uri, name).with_title(title).with_description(description).with_mime_type(JSON)
    };
    vec![
        template(
            STANDARD,
            "compliance-standard",
            "Compliance standard",
            "All versions of a rule: what it asks of whom, with what force, since when, and where it is written.",
        ),
        template(
            INTENSITY,
            "carbon-intensity",
            "Carbon intensity of a region",
            "Grid intensity in gCO2e/kWh, now and as published by year, with method and source; the region's published PUE.",
        ),
        template(
            WORKLOAD,
            "workload-metrics",
            "Energy and carbon of a workload",
            "The assessment of a workload over the last five minutes: power, energy, emissions, verdicts. The namespace \
             selects among pods; for other workloads it may be anything.",
        ),
    ]
}

/// All standards, the configured region, and the workloads but processes, a page at a time.
pub(crate) fn list(context: &Context<'_>, cursor: Option<&str>) -> Result<ListResourcesResult, ErrorData> {
    let start: usize = match cursor {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_| {
            let cursor = printable::line(cursor);
            let message = format!("`{cursor}` is no cursor of this list; leave it out");
            ErrorData::invalid_params(printable::bounded(message), None)
        })?,
    };
    let mut all: Vec<Resource> = standards(context);
    all.push(intensity(context));
    all.extend(workloads(context));
    let next = start.saturating_add(PAGE);
    let more = next < all.len();
    let mut result = ListResourcesResult::with_all_items(all.into_iter().skip(start).take(PAGE).collect());
    result.next_cursor = more.then(|| next.to_string());
    Ok(result)
}

fn resource(subject: &Subject, name: &str, description: impl Into<String>) -> Resource {
    Resource::new(subject.to_string(), name).with_description(description).with_mime_type(JSON)
}

fn standards(context: &Context<'_>) -> Vec<Resource> {
    let newest = context.standards.codes().filter_map(|code| context.standards.versions(code).ok()?.last());
    let listed = newest.map(|rule| {
        let subject = Subject::Standard { jurisdiction: jurisdiction(rule), code: rule.code.clone() };
        resource(&subject, &rule.code, rule.text.en.as_str()).with_title(rule.name.as_str())
    });
    listed.collect()
}

fn intensity(context: &Context<'_>) -> Resource {
    let choices = context.choices.choices();
    let region = context.settings.region.as_deref().or(choices.region()).unwrap_or(DEFAULT_REGION);
    let subject = Subject::Intensity { region: region.to_owned() };
    resource(&subject, region, "Grid intensity and PUE of the region that is judged by default")
}

fn workloads(context: &Context<'_>) -> Vec<Resource> {
    let ids: BTreeSet<_> = running(context)
        .into_iter()
        .filter(|id| id.kind != WorkloadKind::Process)
        .map(|id| (id.kind, namespace(&id).to_owned(), id.name))
        .collect();
    let listed = ids.into_iter().map(|(kind, namespace, name)| {
        let subject = Subject::Workload { namespace, workload: (*name).to_owned() };
        resource(&subject, &name, format!("Energy and carbon of this {} over the last five minutes", kind.name()))
    });
    listed.collect()
}

/// The workloads of the last minutes; none where there are no figures yet.
pub(crate) fn running(context: &Context<'_>) -> Vec<WorkloadId> {
    let inventory = context.view.inventory(TimeRange::ending(context.now, WINDOW.duration()));
    inventory.map(|inventory| inventory.workloads.iter().map(|row| row.id.clone()).collect()).unwrap_or_default()
}

fn namespace(id: &WorkloadId) -> &str {
    id.namespace.as_deref().filter(|_| id.kind.is_namespaced()).unwrap_or(NO_NAMESPACE)
}

/// `korea` for `KR`, as our users know it; others are their codes in lower case.
pub(crate) fn jurisdiction(rule: &Rule) -> String {
    if rule.jurisdiction == "KR" { "korea".to_owned() } else { rule.jurisdiction.to_lowercase() }
}

/// The resource of a URI.
pub(crate) fn read(context: &Context<'_>, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let Some(subject) = Subject::parse(uri) else {
        let message = format!("no resource has a URI like `{uri}`; valid: {STANDARD}, {INTENSITY}, {WORKLOAD}");
        return Err(not_found(message));
    };
    let content = match subject {
        Subject::Standard { jurisdiction, code } => standard(context, &jurisdiction, &code)?,
        Subject::Intensity { region } => region_figures(context, &region)?,
        Subject::Workload { namespace, workload } => assessment(context, &namespace, &workload)?,
    };
    let text = serde_json::to_string(&content)
        .map_err(|error| ErrorData::internal_error(format!("the resource is not JSON: {error}"), None))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(JSON)]))
}

fn not_found(message: String) -> ErrorData {
    ErrorData::resource_not_found(printable::bounded(printable::page(&message).into_owned()), None)
}

fn standard(context: &Context<'_>, wanted: &str, code: &str) -> Result<Value, ErrorData> {
    let versions = context.standards.versions(code).map_err(|error| not_found(error.to_string()))?;
    let valid: BTreeSet<String> = versions.iter().map(jurisdiction).collect();
    let of_it =
        |rule: &Rule| jurisdiction(rule).eq_ignore_ascii_case(wanted) || rule.jurisdiction.eq_ignore_ascii_case(wanted);
    if !versions.iter().any(of_it) {
        let valid: Vec<String> = valid.into_iter().collect();
        return Err(not_found(format!("{code} is not a standard of `{wanted}` but of: {}", valid.join(", "))));
    }
    let in_force = context.standards.version_for(code, today(context)).ok();
    let in_force = in_force.filter(|rule| rule.in_force(today(context)));
    Ok(json!({ "code": versions.first().map(|rule| &rule.code), "in_force": in_force, "versions": versions }))
}

/// What a region's resource holds.
#[derive(Serialize)]
struct RegionFigures<'a> {
    region: &'a str,
    #[serde(flatten)]
    zone: &'a GridZone,
    /// The figure that holds now, from the configured source.
    current: Option<Current>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    /// The published yearly figures of the zone itself, newest first within a series.
    published: &'a [TableFigure],
    /// PUE published for the region, where it is a cloud's.
    pue: Option<PublishedPue>,
    caveats: Vec<String>,
}

#[derive(Serialize)]
struct Current {
    #[serde(flatten)]
    figure: kepler_compliance::intensity::IntensityFigure,
    age_seconds: u64,
}

impl From<CurrentIntensity> for Current {
    fn from(current: CurrentIntensity) -> Self {
        Current { age_seconds: current.age.as_secs(), figure: current.figure }
    }
}

fn region_figures(context: &Context<'_>, region: &str) -> Result<Value, ErrorData> {
    let zone = context.zones.find(region).map_err(|error| not_found(error.to_string()))?;
    let (current, unknown) = match context.intensity.current(&zone.id, context.now) {
        Ok(current) => (Some(current.into()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (pue, caveats) = context.zones.published_pue(region, today(context).year()).unzip();
    let caveats = caveats.unwrap_or_default().into_iter().map(|caveat| caveat.en).collect();
    let published = context.zones.figures(zone);
    serde_json::to_value(RegionFigures { region, zone, current, unknown, published, pue, caveats })
        .map_err(|error| ErrorData::internal_error(format!("the resource is not JSON: {error}"), None))
}

fn assessment(context: &Context<'_>, namespace: &str, workload: &str) -> Result<Value, ErrorData> {
    let tool = registry::find(AssessRequest::NAME).map_err(|error| not_found(error.to_string()))?;
    let arguments = json!({ "workload": workload, "namespace": namespace, "window": WINDOW });
    tool.call(context, arguments).map_err(|error| not_found(error.to_string()))
}

fn today(context: &Context<'_>) -> jiff::civil::Date {
    context.now.to_zoned(TimeZone::UTC).date()
}

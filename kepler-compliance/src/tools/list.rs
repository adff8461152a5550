//! Which workloads meet a standard?

use super::answer::{Evidence, Month, ProjectedMonthly, Skip, Statuses, basis_of, energy_caveats, grams_per_hour};
use super::arguments::{Scope, check_page, named};
use super::chosen::Chosen;
use super::groups::{Group, check_namespace, common_kind, groups, method_of};
use super::judges::{Judges, Terms};
use super::price::MonthPrice;
use super::{ToolError, ToolRequest, Toolset};
use crate::choices::WorkloadChoice;
use crate::context::Context;
use crate::facility::Facility;
use crate::standards::{Basis, SiteFacts, Status};
use crate::units::{Energy, Power};
use crate::view::WorkloadKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the workloads of a namespace with their compliance, the largest emitters first.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ListRequest {
    /// The namespace; without it all of them, and workloads in no namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The kind of workloads. Without it all of them, each once: pods, containers outside pods, units, virtual machines,
    /// and processes that are in none of these.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Only those with this status.
    #[serde(default)]
    pub status_filter: StatusFilter,
    /// Code of the standard to judge by. Without it KR_CARBON_2050, or what a workload's pods or namespace choose.
    #[serde(default)]
    pub standard: Option<String>,
    /// Number of workloads to skip.
    #[serde(default)]
    pub offset: usize,
    /// Maximum number of workloads to return, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: usize,
    /// Facts about the site that rules need, as in `assess_workload_compliance`.
    #[serde(default)]
    pub facts: SiteFacts,
    /// Region, window and language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

const fn default_limit() -> usize {
    50
}

impl Default for ListRequest {
    fn default() -> Self {
        ListRequest {
            namespace: None,
            kind: None,
            status_filter: StatusFilter::All,
            standard: None,
            offset: 0,
            limit: default_limit(),
            facts: SiteFacts::default(),
            scope: Scope::default(),
        }
    }
}

impl ToolRequest for ListRequest {
    type Response = ListResponse;
    const NAME: &'static str = "list_workloads_by_compliance";
    const TITLE: &'static str = "List workloads by compliance";
    const TOOLSET: Toolset = Toolset::Compliance;

    fn answer(&self, context: &Context<'_>) -> Result<ListResponse, ToolError> {
        list_workloads_by_compliance(context, self)
    }

    fn shorten(&self, response: &mut ListResponse, limit: usize) {
        if response.workloads.len() > limit {
            response.workloads.truncate(limit);
            response.next_offset = Some(response.offset.saturating_add(limit));
        }
    }
}

/// The status to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum StatusFilter {
    /// All of them.
    #[default]
    #[serde(rename = "all", alias = "ALL")]
    All,
    /// Compliant workloads.
    Compliant,
    /// Non-compliant workloads.
    NonCompliant,
    /// Workloads to which the standards do not apply.
    NotApplicable,
    /// Workloads of which too little is known.
    InsufficientData,
}

impl StatusFilter {
    fn admits(self, status: Status) -> bool {
        match self {
            StatusFilter::All => true,
            StatusFilter::Compliant => status == Status::Compliant,
            StatusFilter::NonCompliant => status == Status::NonCompliant,
            StatusFilter::NotApplicable => status == Status::NotApplicable,
            StatusFilter::InsufficientData => status == Status::InsufficientData,
        }
    }
}

/// Workloads with their compliance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ListResponse {
    /// The standard judged by.
    pub standard: String,
    /// The region.
    pub region: String,
    /// The namespace asked for.
    pub namespace: Option<String>,
    /// The kind that is listed; `null` where several are, or none.
    pub kind: Option<WorkloadKind>,
    /// How many workloads have each status, whatever the filter.
    pub counts: StatusCounts,
    /// How many match the filter.
    pub total: usize,
    /// Position of the first one listed here.
    pub offset: usize,
    /// Offset of the next page; `null` on the last.
    pub next_offset: Option<usize>,
    /// One page of them, by falling energy, then by name.
    pub workloads: Vec<ListedWorkload>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// How many workloads have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StatusCounts {
    /// Compliant with the standards.
    pub compliant: usize,
    /// Not compliant.
    pub non_compliant: usize,
    /// The standards do not apply.
    pub not_applicable: usize,
    /// Too little is known to judge.
    pub insufficient_data: usize,
}

impl StatusCounts {
    pub(super) fn count(&mut self, status: Status) {
        match status {
            Status::Compliant => self.compliant += 1,
            Status::NonCompliant => self.non_compliant += 1,
            Status::NotApplicable => self.not_applicable += 1,
            Status::InsufficientData => self.insufficient_data += 1,
        }
    }
}

/// A workload of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ListedWorkload {
    /// Its name.
    pub workload: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace; `null` for what is not a pod.
    pub namespace: Option<String>,
    /// By all rules and by each kind.
    #[serde(flatten)]
    pub statuses: Statuses,
    /// Mean power over the window of what still runs, watts.
    pub power_watts: Option<f64>,
    /// Emissions per hour at that power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// IT energy in the window, joules.
    pub energy_joules: Option<f64>,
    /// A month like this window.
    pub projected_monthly: Option<ProjectedMonthly>,
    /// Whether it still runs.
    pub running: bool,
    /// How its energy figures came about.
    pub basis: Basis,
    /// What the workload's pods, namespace or nodes choose.
    #[serde(default)]
    pub choices: Vec<WorkloadChoice>,
}

/// Lists the workloads of a namespace with their compliance.
///
/// # Errors
/// No such namespace, region or standard; a limit out of range; the source cannot answer.
pub fn list_workloads_by_compliance(context: &Context<'_>, request: &ListRequest) -> Result<ListResponse, ToolError> {
    check_page(request.limit)?;
    let (window, lang) = (request.scope.window, request.scope.lang.unwrap_or_default());
    let terms = Terms::new(&request.scope, request.standard.as_deref(), &request.facts);
    let mut judges = Judges::new(context, terms)?;
    let facility = judges.common().facility().clone();
    let mut response = ListResponse {
        standard: judges.common().standard().to_owned(),
        region: facility.region.clone(),
        namespace: request.namespace.clone(),
        kind: request.kind,
        counts: StatusCounts::default(),
        total: 0,
        offset: request.offset,
        next_offset: None,
        workloads: Vec::new(),
        skipped: Vec::new(),
        evidence: Evidence::none(window, &facility.caveats, lang),
    };
    let Some(inventory) = response.evidence.inventory(context, lang)? else { return Ok(response) };
    check_namespace(&inventory, request.namespace.as_deref())?;
    let groups = groups(&inventory, request.kind, request.namespace.as_deref())?;
    let admitted = admitted(&mut judges, &groups, request.status_filter, &mut response.counts)?;
    response.total = admitted.len();
    let end = request.offset.saturating_add(request.limit);
    response.next_offset = (end < admitted.len()).then_some(end);
    let page = admitted.iter().skip(request.offset).take(request.limit);
    let price = MonthPrice::of(context);
    for (group, statuses) in page {
        let chosen = judges.chosen(&group.rows);
        let facility = judges.of(&chosen)?.facility();
        response.workloads.push(listed(context, facility, &price, group, *statuses, chosen));
    }
    let method = method_of(&groups);
    let mut caveats = energy_caveats(context, &inventory, method);
    caveats.extend(price.caveat);
    caveats.extend(judges.caveats());
    caveats.extend(judges.common().unknown());
    caveats.extend(facility.caveats.iter().cloned());
    response.kind = request.kind.or(common_kind(&groups));
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    response.evidence = Evidence::of(&inventory, window, &caveats, lang);
    Ok(response)
}

/// Those that the filter admits, by falling energy, then by name. Counts all of them.
fn admitted<'a>(
    judges: &mut Judges<'_>,
    groups: &'a [Group<'a>],
    filter: StatusFilter,
    counts: &mut StatusCounts,
) -> Result<Vec<(&'a Group<'a>, Statuses)>, ToolError> {
    // References, as sorting moves what it sorts.
    let mut admitted: Vec<(&Group<'_>, Statuses)> = Vec::with_capacity(groups.len());
    for group in groups {
        let chosen = judges.chosen(&group.rows);
        let statuses = judges.of(&chosen)?.statuses(Some(&group.figures));
        counts.count(statuses.status);
        if filter.admits(statuses.status) {
            admitted.push((group, statuses));
        }
    }
    admitted.sort_by(|(a, _), (b, _)| {
        let energy = |group: &Group<'_>| group.figures.energy.total();
        energy(b).cmp(&energy(a)).then_with(|| (a.namespace, a.name).cmp(&(b.namespace, b.name)))
    });
    Ok(admitted)
}

fn listed(
    context: &Context<'_>,
    facility: &Facility,
    price: &MonthPrice,
    group: &Group<'_>,
    statuses: Statuses,
    chosen: Chosen,
) -> ListedWorkload {
    let figures = &group.figures;
    let power = figures.power.and_then(|power| power.total());
    let month = figures.monthly().map(|energy| Month::new(energy, facility, price));
    ListedWorkload {
        workload: group.name.to_owned(),
        kind: group.kind,
        namespace: group.namespace.map(str::to_owned),
        statuses,
        power_watts: power.map(Power::watts),
        emissions_per_hour: grams_per_hour(power, facility),
        energy_joules: figures.energy.total().map(Energy::joules),
        projected_monthly: month.map(|month| month.show(context.settings, figures.window)),
        running: figures.running > 0,
        basis: basis_of(figures.method),
        choices: chosen.made,
    }
}

//! Who draws the most power?

use super::answer::{Seen, Skip, energy_caveats, grams_per_hour, say};
use super::arguments::{Scope, named, range, within};
use super::grouped::{Grouped, check_namespace, grouped, usual_kind};
use super::{Context, Facility, Figures, ToolError};
use crate::text::Text;
use crate::units::{Energy, Power};
use crate::view::{ViewError, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the workloads that draw the most power, why that is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HotspotsRequest {
    /// The namespace; without it all of them, and what is in none.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The kind of workloads. Without it pods, where there are any; else containers, else units.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Only those that draw at least this, watts.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub threshold_watts: f64,
    /// How many at most.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// Where, since when, in which language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

const fn default_limit() -> usize {
    10
}

impl Default for HotspotsRequest {
    fn default() -> Self {
        HotspotsRequest {
            namespace: None,
            kind: None,
            threshold_watts: 0.0,
            limit: default_limit(),
            scope: Scope::default(),
        }
    }
}

/// The hotspots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HotspotsResponse {
    /// The kind that is listed; `null` where there are no figures.
    pub kind: Option<WorkloadKind>,
    /// How many draw at least the threshold.
    pub total: usize,
    /// They, by falling power.
    pub hotspots: Vec<Hotspot>,
    /// Mean active power of all workloads of the kind, watts.
    pub all_workloads_watts: Option<f64>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub seen: Seen,
}

/// A workload that draws much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hotspot {
    /// Its name.
    pub workload: String,
    /// Its namespace; `null` for what is not a pod.
    pub namespace: Option<String>,
    /// Mean power over the window of what still runs, watts.
    pub power_watts: f64,
    /// Its share of the power of all workloads of the kind, in per cent.
    pub share_percent: f64,
    /// Processors in use, in cores, as a mean over the window.
    pub cpu_cores: Option<f64>,
    /// Emissions per hour at that power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// Why it draws that much.
    pub reason: String,
    /// What to do.
    pub recommendation: String,
}

/// Lists the workloads that draw the most power.
///
/// # Errors
/// No such namespace or region; a threshold that is no power; the source cannot answer.
pub fn get_power_hotspots(context: &Context<'_>, request: &HotspotsRequest) -> Result<HotspotsResponse, ToolError> {
    let threshold = within("threshold_watts", request.threshold_watts, 0.0..=f64::MAX)?;
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let mut response = HotspotsResponse {
        kind: request.kind,
        total: 0,
        hotspots: Vec::new(),
        all_workloads_watts: None,
        skipped: Vec::new(),
        seen: Seen::nothing(request.scope.window),
    };
    let inventory = match context.view.inventory(range(context, request.scope.window)) {
        Ok(inventory) => inventory,
        Err(error @ ViewError::NoData { .. }) => {
            response.seen.caveats = vec![error.to_string()];
            return Ok(response);
        }
        Err(error) => return Err(error.into()),
    };
    check_namespace(&inventory, request.namespace.as_deref())?;
    let kind = request.kind.unwrap_or_else(|| usual_kind(&inventory));
    let groups = grouped(&inventory, kind, request.namespace.as_deref())?;
    let power = |group: &Grouped<'_>| group.figures.power.and_then(|power| power.total());
    let all: Power = groups.iter().filter_map(power).sum();
    let mut hot: Vec<(Power, &Grouped<'_>)> = groups
        .iter()
        .filter_map(|group| Some((power(group)?, group)))
        .filter(|(power, _)| power.watts() >= threshold && power.watts() > 0.0)
        .collect();
    hot.sort_by(|(one, a), (other, b)| {
        other.watts().total_cmp(&one.watts()).then_with(|| (a.namespace, a.name).cmp(&(b.namespace, b.name)))
    });
    response.total = hot.len();
    response.hotspots = hot
        .iter()
        .take(request.limit)
        .map(|(power, group)| {
            let share = if all.watts() > 0.0 { power.watts() / all.watts() * 100.0 } else { 0.0 };
            let (reason, advice) = explain(&group.figures, *power, share);
            Hotspot {
                workload: group.name.to_owned(),
                namespace: group.namespace.map(str::to_owned),
                power_watts: power.watts(),
                share_percent: share,
                cpu_cores: group.figures.cores(),
                emissions_per_hour: grams_per_hour(Some(*power), &facility),
                reason: reason.lang(request.scope.lang).to_owned(),
                recommendation: advice.lang(request.scope.lang).to_owned(),
            }
        })
        .collect();
    let method = groups.iter().map(|group| group.figures.method).reduce(crate::view::worse);
    let mut texts = energy_caveats(&inventory, method);
    texts.extend(facility.caveats.iter().cloned());
    response.kind = Some(kind);
    response.all_workloads_watts = (!groups.is_empty()).then_some(all.watts());
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    response.seen = Seen::of(&inventory, request.scope.window, say(&texts, request.scope.lang));
    Ok(response)
}

/// Why it draws that much, and what to look at first.
fn explain(figures: &Figures, power: Power, share: f64) -> (Text, Text) {
    let part = |energy: Option<Energy>| {
        let whole = figures.energy.total().map_or(0.0, Energy::joules);
        energy.filter(|_| whole > 0.0).map(|energy| energy.joules() / whole)
    };
    let gpu = part(figures.energy.gpu).unwrap_or(0.0);
    let memory = part(figures.energy.memory()).unwrap_or(0.0);
    if gpu > 0.5 {
        return (
            Text::new(
                format!("{:.0} % of its energy is the graphics processors'.", gpu * 100.0),
                format!("에너지의 {:.0} %를 GPU가 사용합니다.", gpu * 100.0),
            ),
            Text::new(
                "Look at the utilisation of its graphics processors: batch more, lower their power limit, or release them.",
                "GPU 사용률을 확인하세요: 배치 크기 확대, 전력 제한 하향 또는 반납을 검토합니다.",
            ),
        );
    }
    if memory > 0.5 {
        return (
            Text::new(
                format!("{:.0} % of its energy is the memory's.", memory * 100.0),
                format!("에너지의 {:.0} %를 메모리가 사용합니다.", memory * 100.0),
            ),
            Text::new(
                "Look at its memory traffic: data layout, caching, huge pages.",
                "메모리 접근을 확인하세요: 데이터 배치, 캐시, 대형 페이지를 검토합니다.",
            ),
        );
    }
    let several = figures.running > 1;
    let count = figures.running;
    match figures.cores() {
        Some(cores) if several => (
            Text::new(
                format!("{count} instances together use {cores:.2} cores, {share:.0} % of the workloads' power."),
                format!("{count}개 인스턴스가 {cores:.2} 코어, 워크로드 전력의 {share:.0} %를 사용합니다."),
            ),
            Text::new(
                "Compare with its load: fewer, fuller instances need less; profile the hottest one.",
                "부하와 비교하세요: 더 적고 꽉 찬 인스턴스가 유리하며, 가장 바쁜 인스턴스를 프로파일링합니다.",
            ),
        ),
        Some(cores) => (
            Text::new(
                format!("It uses {cores:.2} cores, {share:.0} % of the workloads' power."),
                format!("{cores:.2} 코어, 워크로드 전력의 {share:.0} %를 사용합니다."),
            ),
            Text::new(
                "Profile its processor time; if the work can wait, schedule it for cleaner hours.",
                "CPU 시간을 프로파일링하고, 미룰 수 있는 작업이면 더 깨끗한 시간대로 예약하세요.",
            ),
        ),
        None => (
            Text::new(
                format!("It draws {:.1} W, {share:.0} % of the workloads' power.", power.watts()),
                format!("{:.1} W, 워크로드 전력의 {share:.0} %를 사용합니다.", power.watts()),
            ),
            Text::new(
                "Its processor time is not known here; profile it on its node.",
                "이 소스에는 CPU 시간이 없으므로 해당 노드에서 프로파일링하세요.",
            ),
        ),
    }
}

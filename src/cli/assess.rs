//! `kepler assess`: does a workload keep a standard?

use super::exit::Failure;
use super::page::{facts, figure, list, status};
use super::tool_session::{ToolArguments, exit};
use clap::Args;
use kepler_compliance::standards::DEFAULT_STANDARD;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{AssessRequest, AssessResponse, ToolRequest, WorkloadQualifiers};
use kepler_compliance::view::WorkloadKind;
use std::process::ExitCode;

/// What is to be judged.
#[derive(Debug, Args)]
#[command(after_help = super::tool_session::STATUS)]
pub(super) struct Assess {
    /// A pod, a deployment, stateful set, daemon set or job, a container, a systemd unit, a VM, or a process name
    workload: String,
    /// Namespace, for pods and what controls them
    #[arg(long, default_value = "default")]
    namespace: String,
    /// Kind, where several kinds share the name: pod, deployment, statefulset, daemonset, job, container, unit, vm, process
    #[arg(long, value_parser = kind)]
    kind: Option<WorkloadKind>,
    /// Standard to judge by; `kepler standards` lists them
    #[arg(long, default_value = DEFAULT_STANDARD)]
    standard: String,
    #[command(flatten)]
    arguments: ToolArguments,
}

/// Reads a kind by the name it has in answers.
pub(super) fn kind(text: &str) -> Result<WorkloadKind, String> {
    let found = WorkloadKind::ALL.into_iter().find(|kind| kind.name() == text);
    let names = || WorkloadKind::ALL.map(WorkloadKind::name).join(", ");
    found.ok_or_else(|| format!("it is one of {}", names()))
}

/// Judges, writes the answer, and gives the exit status that says it.
///
/// # Errors
/// No such workload or standard; the source cannot answer.
pub(super) fn run(assess: Assess) -> Result<ExitCode, Failure> {
    let Assess { workload, namespace, kind, standard, arguments } = assess;
    let session = arguments.open(true)?;
    let request = AssessRequest::new(workload).with(|request| {
        request.qualifiers = WorkloadQualifiers::new(namespace, kind);
        (request.standard, request.scope) = (standard, session.scope());
    });
    let mut answer = request.answer(&session.context())?;
    answer.evidence.caveats.splice(0..0, session.caveat());
    session.write(&answer, |answer| page(answer, session.lang))?;
    Ok(exit(answer.statuses.status))
}

fn page(answer: &AssessResponse, lang: Lang) -> String {
    let word = |en: &'static str, ko: &'static str| if lang == Lang::Ko { ko } else { en };
    let kind = answer.kind.map_or("?", WorkloadKind::name);
    let name = match &answer.namespace {
        Some(namespace) => format!("{namespace}/{}", answer.workload),
        None => answer.workload.clone(),
    };
    let target = |limit: Option<f64>, gap: Option<f64>, unit: &str| match (limit, gap) {
        (Some(limit), Some(gap)) => format!("  (limit {}, gap {gap:+.1} %)", figure(Some(limit), unit)),
        _ => String::new(),
    };
    let power = &answer.power_watts;
    let mut parts = Vec::new();
    for (part, watts) in [("cpu", power.cpu), ("memory", power.memory), ("gpu", power.gpu)] {
        parts.extend(watts.map(|_| format!("{part} {}", figure(watts, "W"))));
    }
    let split = if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) };
    let mut rows = vec![
        (
            word("workload", "워크로드"),
            format!("{name}  ({kind}, {} running, {} ended)", answer.instances.running, answer.instances.terminated),
        ),
        (word("status", "판정"), status(answer.statuses.status).to_owned()),
        (
            word("carbon", "탄소"),
            format!(
                "{}  {}{}",
                status(answer.statuses.carbon_status),
                figure(answer.current_carbon_intensity, "gCO2e/kWh"),
                target(answer.target_carbon_intensity, answer.gap_percent, "gCO2e/kWh")
            ),
        ),
        (
            "PUE",
            format!(
                "{}  {}{}",
                status(answer.statuses.pue_status),
                figure(answer.pue, ""),
                target(answer.target_pue, answer.pue_gap_percent, "")
            ),
        ),
        (word("region", "리전"), answer.region.clone()),
        (word("power", "전력"), format!("{}{split}", figure(power.total, "W"))),
        (word("emissions", "배출"), figure(answer.emissions_per_hour, "gCO2e/h")),
    ];
    if let Some(month) = &answer.projected_monthly {
        let cost = month.cost.zip(month.currency.as_ref());
        let cost = cost.map_or_else(String::new, |(cost, currency)| format!(", {}", figure(Some(cost), currency)));
        let month =
            format!("{}, {}{cost}", figure(Some(month.energy_kwh), "kWh"), figure(month.emissions_kg, "kgCO2e"));
        rows.push((word("month, projected", "월간 예측"), month));
    }
    let mut page = facts(&rows);
    page.push_str(&format!("\n{}\n", answer.recommendation));
    let savings: Vec<String> = answer
        .optimizations
        .iter()
        .map(|own| {
            let saved = figure(own.estimated_savings.kg_co2eq, "kgCO2e");
            format!("{:.0} % ({saved}): {}", own.estimated_reduction_percent, own.description)
        })
        .collect();
    page.push_str(&list(word("Could be saved in a month:", "월간 절감 가능:"), &savings));
    page.push_str(&list(word("Note:", "유의 사항:"), &answer.evidence.caveats));
    page
}

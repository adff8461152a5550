//! `kepler assess`: does a workload comply with a standard?

use super::exit::Failure;
use super::page::{self, facts, figure, list};
use super::tool_session::{ToolArguments, exit};
use super::words::{Part, Phrase, Word, phrase, word};
use clap::Args;
use kepler_compliance::standards::{Limit, Status};
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
    /// Namespace, for pods and what controls them [default: default, or the only one that has it]
    #[arg(long)]
    namespace: Option<String>,
    /// Kind, where several kinds share the name: pod, deployment, statefulset, daemonset, job, controller, container, unit, vm, process
    #[arg(long, value_parser = kind)]
    kind: Option<WorkloadKind>,
    /// Standard to judge by; `kepler standards` lists them [default: KR_CARBON_2050, or what pods and namespaces choose]
    #[arg(long)]
    standard: Option<String>,
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
    session.write(&answer, |answer| text(answer, session.lang))?;
    Ok(exit(answer.statuses.status))
}

fn text(answer: &AssessResponse, lang: Lang) -> String {
    let figure = |value: Option<f64>, unit: &str| figure(value, unit, lang);
    let in_brackets = |parts: Phrase<'_>| format!("  ({})", phrase(&parts, lang));
    let name = match &answer.namespace {
        Some(namespace) => format!("{namespace}/{}", answer.workload),
        None => answer.workload.clone(),
    };
    let instances = in_brackets(Phrase::Instances {
        kind: answer.kind.map_or("?", WorkloadKind::name),
        running: answer.instances.running,
        ended: answer.instances.terminated,
    });
    let judged = |status: Status, value: Option<f64>, limit: Option<f64>, gap: Option<f64>, unit: &str| {
        let limit = limit.zip(gap).map_or_else(String::new, |(limit, gap_percent)| {
            in_brackets(Phrase::Limit { limit: &figure(Some(limit), unit), gap_percent })
        });
        format!("{}  {}{limit}", page::status(status), figure(value, unit))
    };
    let statuses = &answer.statuses;
    // What the carbon standard judges: an intensity, or the emissions of a budget. A PUE has no unit.
    let by_standard = answer.verdicts.iter().find(|own| own.code == answer.standard && !own.unit.is_empty());
    let carbon = match by_standard {
        Some(own) => judged(statuses.carbon_status, own.value, own.limit.map(Limit::value), own.gap_percent, &own.unit),
        None => judged(statuses.carbon_status, answer.current_carbon_intensity, None, None, "gCO2e/kWh"),
    };
    let pue = judged(statuses.pue_status, answer.pue, answer.target_pue, answer.pue_gap_percent, "");
    let mut rows = vec![
        (word(Word::Workload, lang), name + &instances),
        (word(Word::Status, lang), page::status(statuses.status).to_owned()),
        (word(Word::Carbon, lang), carbon),
        (word(Word::Pue, lang), pue),
        (word(Word::Region, lang), answer.region.clone()),
        (word(Word::Power, lang), power(answer, lang)),
        (word(Word::Emissions, lang), figure(answer.emissions_per_hour, "gCO2e/h")),
    ];
    if let Some(month) = &answer.projected_monthly {
        let cost = month.cost.zip(month.currency.as_ref());
        let cost = cost.map_or_else(String::new, |(cost, currency)| format!(", {}", figure(Some(cost), currency)));
        let month =
            format!("{}, {}{cost}", figure(Some(month.energy_kwh), "kWh"), figure(month.emissions_kg, "kgCO2e"));
        rows.push((word(Word::MonthProjected, lang), month));
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
    page.push_str(&list(word(Word::SavingsInAMonth, lang), &savings));
    page.push_str(&list(word(Word::Note, lang), &answer.evidence.caveats));
    page
}

/// The power, and the parts of it that are known.
fn power(answer: &AssessResponse, lang: Lang) -> String {
    let power = &answer.power_watts;
    let known = [(Part::Cpu, power.cpu), (Part::Memory, power.memory), (Part::Gpu, power.gpu)].into_iter();
    let parts: Vec<String> = known
        .filter(|(_, watts)| watts.is_some())
        .map(|(part, watts)| phrase(&Phrase::Part { part, watts: &figure(watts, "W", lang) }, lang))
        .collect();
    let split = if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) };
    figure(power.total, "W", lang) + &split
}

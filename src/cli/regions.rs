//! `kepler regions`: how clean are other regions?

use super::exit::Failure;
use super::page::{digits, list, table};
use super::tool_session::ToolArguments;
use clap::Args;
use kepler_compliance::tools::{RegionalRequest, RegionalResponse, get_regional_comparison};
use std::process::ExitCode;

/// Which regions to compare.
#[derive(Debug, Args)]
pub(super) struct Regions {
    /// Regions to compare with [default: those of the same cloud provider, or all countries]
    regions: Vec<String>,
    /// A workload whose savings are given in kilograms as well
    #[arg(long)]
    workload: Option<String>,
    /// Namespace of the workload, if it is a pod
    #[arg(long, default_value = "default")]
    namespace: String,
    /// How much lower a region must be to be worth a migration, in per cent
    #[arg(long, default_value_t = 10.0)]
    margin: f64,
    /// How many regions to list at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    arguments: ToolArguments,
}

/// Ranks, and writes the answer.
///
/// # Errors
/// No such region or workload; the source cannot answer.
pub(super) fn run(asked: Regions) -> Result<ExitCode, Failure> {
    let Regions { regions, workload, namespace, margin, limit, arguments } = asked;
    let session = arguments.open(workload.is_some())?;
    let request = RegionalRequest {
        regions,
        workload_name: workload,
        namespace,
        margin_percent: margin,
        limit,
        scope: session.scope(),
        ..RegionalRequest::default()
    };
    let mut answer = get_regional_comparison(&session.context(), &request)?;
    answer.caveats.splice(0..0, session.caveat());
    session.write(&answer, page)?;
    Ok(ExitCode::SUCCESS)
}

fn page(answer: &RegionalResponse) -> String {
    let current = answer.current.as_ref();
    // The current region stands at the end where it is not among the first.
    let missing = current.filter(|own| !answer.regions.iter().any(|region| region.region == own.region));
    let rows: Vec<Vec<String>> = answer
        .regions
        .iter()
        .chain(missing)
        .map(|region| {
            let own = current.is_some_and(|own| own.region == region.region);
            let year = region.grid_year.map_or_else(String::new, |year| year.to_string());
            let savings = region.savings.and_then(|savings| savings.kg_co2eq);
            vec![
                format!("{}{}", region.rank, if own { " <-" } else { "" }),
                region.region.clone(),
                format!("{:.0}", region.effective_intensity),
                format!("{:.0}", region.grid_intensity),
                year,
                digits(region.pue),
                region.savings_percent.map_or_else(String::new, |saved| format!("{saved:.1} %")),
                savings.map_or_else(String::new, |kg| format!("{} kg", digits(kg))),
                region.zone_name.clone(),
            ]
        })
        .collect();
    let heads = ["RANK", "REGION", "G/KWH*PUE", "GRID", "YEAR", "PUE", "SAVES", "A MONTH", "ZONE"];
    let mut page = table(&heads, &rows);
    page.push_str(&format!("\n{}\n", answer.advice.text));
    if !answer.skipped.is_empty() {
        let names: Vec<&str> = answer.skipped.iter().map(|own| own.what.as_str()).collect();
        let reason = answer.skipped.first().map_or("", |own| own.reason.as_str());
        page.push_str(&format!("\nNot compared ({reason}): {}\n", names.join(", ")));
    }
    page.push_str(&list("Note:", &answer.caveats));
    page
}

//! `kepler regions`: how clean are other regions?

use super::exit::Failure;
use super::page::{digits, list, table};
use super::tool_session::ToolArguments;
use super::words::{self, Word, word};
use clap::Args;
use kepler_compliance::standards::Basis;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{RegionalRequest, RegionalResponse, ToolRequest, WorkloadQualifiers};
use std::process::ExitCode;

/// Which regions to compare.
#[derive(Debug, Args)]
pub(super) struct Regions {
    /// Regions to compare with [default: those of the same cloud provider, or the countries that have cloud regions]
    regions: Vec<String>,
    /// A workload whose savings are given in kilograms as well
    #[arg(long)]
    workload: Option<String>,
    /// Namespace of the workload, if it is a pod [default: default, or the only one that has it]
    #[arg(long)]
    namespace: Option<String>,
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
    let request = RegionalRequest::default().with(|request| {
        (request.regions, request.workload) = (regions, workload);
        request.qualifiers = WorkloadQualifiers::new(namespace, None);
        (request.margin_percent, request.limit, request.scope) = (margin, limit, session.scope());
    });
    let mut answer = request.answer(&session.context())?;
    answer.caveats.splice(0..0, session.caveat());
    session.write(&answer, |answer| page(answer, session.lang))?;
    Ok(ExitCode::SUCCESS)
}

fn page(answer: &RegionalResponse, lang: Lang) -> String {
    let current = answer.current.as_ref();
    // The current region stands at the end where it is not among the first.
    let missing = current.filter(|own| !answer.regions.iter().any(|region| region.region == own.region));
    let rows: Vec<Vec<String>> = answer
        .regions
        .iter()
        .chain(missing)
        .map(|region| {
            let own = current.is_some_and(|own| own.region == region.region);
            // An intensity that is not the zone's own says whose it is.
            let of = |zone: &str| if zone == region.zone { String::new() } else { format!(" ({zone})") };
            let assumed = match region.pue_basis {
                Some(Basis::Assumed) => format!(" ({})", word(Word::Assumed, lang)),
                _ => String::new(),
            };
            let year = region.grid_year.map_or_else(String::new, |year| year.to_string());
            let savings = region.savings.and_then(|savings| savings.kg_co2eq);
            vec![
                format!("{}{}", region.rank, if own { " <-" } else { "" }),
                region.region.clone(),
                region.effective_intensity.map_or_else(String::new, digits),
                format!("{}{}", digits(region.grid_intensity), of(&region.grid_zone)),
                year,
                region.pue.map_or_else(String::new, |pue| format!("{}{assumed}", digits(pue))),
                region.savings_percent.map_or_else(String::new, |saved| format!("{saved:.1} %")),
                savings.map_or_else(String::new, |kg| format!("{} kg", digits(kg))),
                region.zone_name.clone(),
            ]
        })
        .collect();
    let heads = [
        Word::Rank,
        Word::Region,
        Word::EffectiveIntensity,
        Word::GridIntensity,
        Word::Year,
        Word::Pue,
        Word::Saves,
        Word::SavedInAMonth,
        Word::Zone,
    ];
    let mut page = table(&words::heads(heads, lang), &rows);
    page.push_str(&format!("\n{}\n", answer.advice.text));
    page.push_str(&list(word(Word::Note, lang), &answer.caveats));
    page
}

//! `kepler compliance list`: which workloads comply with a standard?

use super::exit::Failure;
use super::page::{figure, list as items, status, table};
use super::tool_session::{ToolArguments, exit};
use super::words::{self, Phrase, Word, phrase, word};
use clap::{Args, Subcommand};
use kepler_compliance::standards::Status;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{ListRequest, ListResponse, StatusFilter, ToolRequest};
use kepler_compliance::view::WorkloadKind;
use std::process::ExitCode;

/// What to do with many workloads.
#[derive(Debug, Subcommand)]
pub(super) enum Compliance {
    /// List workloads with their compliance, the largest users first.
    List(Box<List>),
}

/// Which workloads to list.
#[derive(Debug, Args)]
#[command(after_help = super::tool_session::STATUS)]
pub(super) struct List {
    /// Namespace; without it all of them, and what is in none
    #[arg(long)]
    namespace: Option<String>,
    /// Kind of workloads [default: pods where there are any, else containers, else units]
    #[arg(long, value_parser = super::assess::kind)]
    kind: Option<WorkloadKind>,
    /// Standard to judge by; `kepler standards` lists them [default: KR_CARBON_2050, or what pods and namespaces choose]
    #[arg(long)]
    standard: Option<String>,
    /// Only those with this status: all, compliant, non-compliant, not-applicable, insufficient-data
    #[arg(long, default_value = "all", value_parser = filter)]
    status: StatusFilter,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: usize,
    /// How many to list at most
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    arguments: ToolArguments,
}

fn filter(text: &str) -> Result<StatusFilter, String> {
    Ok(match text {
        "all" => StatusFilter::All,
        "compliant" => StatusFilter::Compliant,
        "non-compliant" => StatusFilter::NonCompliant,
        "not-applicable" => StatusFilter::NotApplicable,
        "insufficient-data" => StatusFilter::InsufficientData,
        _ => return Err("it is all, compliant, non-compliant, not-applicable or insufficient-data".to_owned()),
    })
}

/// Lists, and gives the exit status of the worst.
///
/// # Errors
/// No such namespace or standard; the source cannot answer.
pub(super) fn run(compliance: Compliance) -> Result<ExitCode, Failure> {
    let Compliance::List(asked) = compliance;
    let List { namespace, kind, standard, status, offset, limit, arguments } = *asked;
    let session = arguments.open(true)?;
    let request = ListRequest::default().with(|request| {
        (request.namespace, request.kind, request.status_filter) = (namespace, kind, status);
        (request.standard, request.offset, request.limit) = (standard, offset, limit);
        request.scope = session.scope();
    });
    let mut answer = request.answer(&session.context())?;
    answer.evidence.caveats.splice(0..0, session.caveat());
    session.write(&answer, |answer| page(answer, session.lang))?;
    Ok(exit(worst(&answer)))
}

fn worst(answer: &ListResponse) -> Status {
    let counts = &answer.counts;
    if counts.non_compliant > 0 {
        Status::NonCompliant
    } else if counts.insufficient_data > 0 || counts.compliant + counts.not_applicable == 0 {
        Status::InsufficientData
    } else {
        Status::Compliant
    }
}

fn page(answer: &ListResponse, lang: Lang) -> String {
    let rows: Vec<Vec<String>> = answer
        .workloads
        .iter()
        .map(|row| {
            let name = match &row.namespace {
                Some(namespace) => format!("{namespace}/{}", row.workload),
                None => row.workload.clone(),
            };
            let month = row.projected_monthly.as_ref().and_then(|month| month.emissions_kg);
            vec![
                status(row.statuses.status).to_owned(),
                row.kind.name().to_owned(),
                figure(row.power_watts, "W", lang),
                figure(row.emissions_per_hour, "g/h", lang),
                figure(month, "kg", lang),
                name,
            ]
        })
        .collect();
    let heads = [Word::Status, Word::Kind, Word::Power, Word::Co2e, Word::MonthProjected, Word::Workload];
    let mut page = table(&words::heads(heads, lang), &rows);
    let listed = Phrase::Listed { shown: rows.len(), total: answer.total, counts: &answer.counts };
    page.push_str(&format!("\n{} ({}, {})\n", phrase(&listed, lang), answer.standard, answer.region));
    let skipped: Vec<String> = answer.skipped.iter().map(|own| format!("{}: {}", own.what, own.reason)).collect();
    page.push_str(&items(word(Word::LeftOut, lang), &skipped));
    page.push_str(&items(word(Word::Note, lang), &answer.evidence.caveats));
    page
}

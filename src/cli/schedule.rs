//! `kepler schedule`: when should a job run?

use super::exit::Failure;
use super::page::{figure, list, table};
use super::tool_session::ToolArguments;
use super::words::{self, Word, word};
use clap::Args;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    Length, ScheduleRequest, ScheduleResponse, ScheduledWindow, ToolRequest, WorkloadQualifiers,
};
use std::process::ExitCode;

/// The job.
#[derive(Debug, Args)]
pub(super) struct Schedule {
    /// How long it takes, such as 4h or 90m
    #[arg(long)]
    duration: Length,
    /// When it must be finished: a length from now, a time, or a local time of the region [default: 24h]
    #[arg(long)]
    deadline: Option<String>,
    /// When it may start at the earliest, written as the deadline [default: now]
    #[arg(long)]
    earliest: Option<String>,
    /// The job may be paused and resumed
    #[arg(long)]
    interruptible: bool,
    /// Its mean IT power, watts
    #[arg(long, value_name = "WATTS")]
    power: Option<f64>,
    /// Take the job's power from this workload
    #[arg(long, conflicts_with = "power")]
    workload: Option<String>,
    /// Namespace of the workload, if it is a pod [default: default, or the only one that has it]
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    arguments: ToolArguments,
}

/// Plans, and writes the plan.
///
/// # Errors
/// No time or no data for the job; the source cannot answer.
pub(super) fn run(asked: Schedule) -> Result<ExitCode, Failure> {
    let Schedule { duration, deadline, earliest, interruptible, power, workload, namespace, arguments } = asked;
    let session = arguments.open(workload.is_some())?;
    let request = ScheduleRequest::new(duration).with(|request| {
        (request.deadline, request.earliest, request.interruptible) = (deadline, earliest, interruptible);
        (request.power_watts, request.workload) = (power, workload);
        request.qualifiers = WorkloadQualifiers::new(namespace, None);
        request.scope = session.scope();
    });
    let mut answer = request.answer(&session.context())?;
    answer.caveats.splice(0..0, session.caveat());
    session.write(&answer, |answer| page(answer, session.lang))?;
    Ok(ExitCode::SUCCESS)
}

fn page(answer: &ScheduleResponse, lang: Lang) -> String {
    let row = |label: String, window: &ScheduledWindow| {
        vec![
            label,
            window.local_start.clone(),
            figure(Some(window.mean_intensity), "g/kWh", lang),
            figure(window.emissions_kg, "kg", lang),
            figure(window.cost, "", lang),
            window.slots.len().to_string(),
        ]
    };
    let mut rows: Vec<Vec<String>> = answer.now.iter().map(|now| row(word(Word::Now, lang).to_owned(), now)).collect();
    rows.extend(answer.ranking.iter().zip(1..).map(|(window, rank): (_, u32)| row(rank.to_string(), window)));
    let heads = [Word::Rank, Word::Start, Word::Intensity, Word::Co2e, Word::Cost, Word::Pieces];
    let mut page = table(&words::heads(heads, lang), &rows);
    page.push_str(&format!("\n{}\n", answer.recommendation));
    page.push_str(&list(word(Word::Note, lang), &answer.caveats));
    page
}

//! Why a tool has no answer.

use crate::intensity::IntensityError;
use crate::schedule::{JobError, ScheduleError};
use crate::standards::UnknownStandard;
use crate::view::{ViewError, WorkloadKind};
use crate::zones::UnknownZone;

/// Why a tool has no answer. What is merely not known is no error: it makes an answer with
/// [`InsufficientData`](crate::standards::Status::InsufficientData).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// No workload has the name.
    #[error(
        "no workload `{name}`{} used energy or ran {range}{}; nearest: {}",
        kind.map(|kind| format!(" of kind {}", kind.name())).unwrap_or_default(),
        if elsewhere.is_empty() { String::new() } else { format!("; it exists in namespace {}", elsewhere.join(", ")) },
        if nearest.is_empty() { "none, there is no workload at all".to_owned() } else { nearest.join(", ") },
    )]
    UnknownWorkload {
        /// The name asked for.
        name: String,
        /// The kind asked for.
        kind: Option<WorkloadKind>,
        /// The time that was looked at.
        range: String,
        /// Other namespaces that have a workload of that name.
        elsewhere: Vec<String>,
        /// Names that look most like it, as `kind namespace/name`, best first.
        nearest: Vec<String>,
    },
    /// No rule has the code.
    #[error(transparent)]
    UnknownStandard(#[from] UnknownStandard),
    /// No zone has the name.
    #[error(transparent)]
    UnknownRegion(#[from] UnknownZone),
    /// An argument that cannot be.
    #[error("{argument} = `{given}`: {remedy}")]
    InvalidArgument {
        /// Which.
        argument: &'static str,
        /// What was given.
        given: String,
        /// What would be valid.
        remedy: ArgumentRemedy,
    },
    /// The source of energy figures cannot answer.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The source of grid intensities cannot answer, and the question needs it.
    #[error(transparent)]
    Intensity(#[from] IntensityError),
    /// A job that cannot be planned.
    #[error(transparent)]
    Job(#[from] JobError),
    /// There is no time or no data for a job.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// Why a call has no answer. Its text tells the caller what would be valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No tool has the name.
    #[error("unknown tool `{name}`; valid: {}", valid.join(", "))]
    UnknownTool {
        /// The name asked for.
        name: String,
        /// All names.
        valid: Vec<&'static str>,
    },
    /// The arguments do not fit the tool's schema.
    #[error("the arguments of {tool} do not fit: {reason}; it takes {}", takes.join(", "))]
    Arguments {
        /// The tool.
        tool: &'static str,
        /// Which argument, and what is wrong with it.
        reason: String,
        /// The names of all its arguments.
        takes: Vec<String>,
    },
    /// The tool itself has no answer.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The answer cannot be written as JSON.
    #[error("the answer of {tool} is not JSON: {source}")]
    Answer {
        /// The tool.
        tool: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
}

/// What would be a valid argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentRemedy {
    /// A number between two bounds.
    #[error("give a number from {from} to {to}")]
    Between {
        /// The least.
        from: String,
        /// The greatest.
        to: String,
    },
    /// As many items as a page has.
    #[error("give 1 to {most}, and use offset for more")]
    Page {
        /// How many that are at most.
        most: usize,
    },
    /// Fewer steps.
    #[error("give a step of at least a {most}th of the range")]
    LongerStep {
        /// How many there are at most.
        most: u128,
    },
    /// None: there are no namespaces.
    #[error("no workload here is in a namespace; leave it out")]
    NoNamespace,
    /// One of the namespaces that there are.
    #[error("{}{}", if *.others == 0 { "namespaces with workloads: " } else { "nearest of those with workloads: " }, listed(.nearest, *.others))]
    Namespaces {
        /// Those most like what was asked for.
        nearest: Vec<String>,
        /// How many others there are.
        others: usize,
    },
    /// One of the nodes that there are.
    #[error("{}{}", if *.others == 0 { "nodes with figures: " } else { "nearest of those with figures: " }, listed(.nearest, *.others))]
    Nodes {
        /// Those most like what was asked for.
        nearest: Vec<String>,
        /// How many others there are.
        others: usize,
    },
    /// Another kind: nothing is known of what pods belong to.
    #[error("this source does not know which pods belong to what; list pods")]
    NoControllers,
    /// A time.
    #[error("write a length from now (24h), a time (2026-11-22T08:00:00Z) or a local time (2026-11-22T17:00)")]
    Time,
}

fn listed(names: &[String], others: usize) -> String {
    let names = names.join(", ");
    if others == 0 { names } else { format!("{names}, and {others} others") }
}

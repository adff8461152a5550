//! `/api/v1/sources`: which sources of figures are used, how they fare, and which better ones are not used and why.

use super::figures::{Moment, ZoneSource};
use super::node::{Fault, Source, latest};
use super::problem::Problem;
use super::{Asked, json, to_json};
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

/// A source of figures that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct UnusedSource {
    /// Its name: `powercap`, `ebpf`, …
    pub source: String,
    /// Why it is not used.
    pub reason: String,
    /// What would change that, in words for the operator.
    pub remedy: String,
}

impl UnusedSource {
    /// A source by name, why it is not used, and what would change that.
    pub fn new(source: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        UnusedSource { source: source.into(), reason: reason.into(), remedy: remedy.into() }
    }
}

/// Where figures come from.
#[derive(Serialize, JsonSchema)]
pub(super) struct Sources<'a> {
    /// The moment the answer is of.
    snapshot: Moment,
    /// The node's name.
    node_name: &'a str,
    /// This program's version.
    version: &'a str,
    /// Where the figures of each zone come from.
    zones: Vec<ZoneSource>,
    /// When each source last delivered.
    sources: Vec<Source>,
    /// What could not be read so far.
    faults: Vec<Fault>,
    /// What could be used and is not, as it was when the program started: better ones first.
    unused: &'a [UnusedSource],
}

pub(super) async fn answer(State(shared): Asked) -> Result<Response, Problem> {
    let snapshot = latest(&shared)?;
    let options = shared.exporter.options();
    let answer = Sources {
        snapshot: Moment::of(&snapshot),
        node_name: &options.node_name,
        version: &options.build.version,
        zones: ZoneSource::of(&snapshot),
        sources: Source::all(&snapshot),
        faults: Fault::all(&snapshot),
        unused: &shared.options.unused_sources,
    };
    to_json(&answer).map(json)
}

//! A tool is a type: its arguments, which know the tool's name, what it needs and how it answers.

use super::ToolError;
use crate::context::Context;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What tools are about: who needs only some of them chooses by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Toolset {
    /// Who uses how much power and energy.
    Energy,
    /// Standards and who keeps them.
    Compliance,
    /// What would use or emit less: other places, times and requests.
    Tuning,
}

impl Toolset {
    /// All of them.
    pub const ALL: [Toolset; 3] = [Toolset::Energy, Toolset::Compliance, Toolset::Tuning];

    /// Its name: `energy`, `compliance` or `tuning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Toolset::Energy => "energy",
            Toolset::Compliance => "compliance",
            Toolset::Tuning => "tuning",
        }
    }
}

/// The arguments of a tool.
///
/// ```
/// use kepler_compliance::tools::{RegionalRequest, ToolRequest};
///
/// let request = RegionalRequest::default().with(|request| request.regions = vec!["SE".into(), "FR".into()]);
/// assert_eq!(RegionalRequest::NAME, "get_regional_comparison");
/// assert!(!request.needs_energy(), "regions compare without any measurement");
/// ```
pub trait ToolRequest: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its answer.
    type Response: Serialize + JsonSchema + Clone + 'static;

    /// The tool's name: `assess_workload_compliance`.
    const NAME: &'static str;

    /// A title for people.
    const TITLE: &'static str;

    /// What it is about, by which tools are chosen.
    const TOOLSET: Toolset;

    /// Whether an answer to these arguments needs energy figures, which may have to be waited for.
    fn needs_energy(&self) -> bool {
        true
    }

    /// The answer. Blocks as long as the sources of `context` do.
    ///
    /// # Errors
    /// As the tool's own function says.
    fn answer(&self, context: &Context<'_>) -> Result<Self::Response, ToolError>;

    /// Shortens an answer to these arguments to what it would have been with this `limit`, without computing it again.
    /// Does nothing where the tool has no argument `limit`, or the answer is no longer than that.
    fn shorten(&self, response: &mut Self::Response, limit: usize) {
        let _has_no_limit = (response, limit);
    }

    /// The same with some arguments changed.
    #[must_use]
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

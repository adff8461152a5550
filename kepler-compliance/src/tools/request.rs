//! A tool is a type: its arguments, which know the tool's name, what it needs and how it answers.

use super::ToolError;
use crate::context::Context;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    type Response: Serialize + JsonSchema + 'static;

    /// The tool's name: `assess_workload_compliance`.
    const NAME: &'static str;

    /// A title for people.
    const TITLE: &'static str;

    /// The argument that says how far back figures are taken.
    const WINDOW_ARGUMENT: &'static str = "window";

    /// Whether an answer to these arguments needs energy figures, which may have to be waited for.
    fn needs_energy(&self) -> bool {
        true
    }

    /// The answer. Blocks as long as the sources of `context` do.
    ///
    /// # Errors
    /// As the tool's own function says.
    fn answer(&self, context: &Context<'_>) -> Result<Self::Response, ToolError>;

    /// The same with some arguments changed.
    #[must_use]
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

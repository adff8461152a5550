//! Which tools a client is offered, and how they are described.

use kepler_compliance::tools::Toolset;
use kepler_compliance::tools::registry::{self, Tool};
use std::collections::BTreeSet;

/// The tools that are offered: all of them by default.
///
/// A model reads the list of tools at each conversation, so that fewer of them leave it more room. Who asks over HTTP
/// chooses by the address as well: `/mcp?toolsets=energy`, `/mcp?tools=get_power_now,get_energy`,
/// `/mcp?output-schemas=off`.
///
/// ```
/// use kepler_mcp::ToolSelection;
///
/// let selection = ToolSelection::new(&["get_energy"], &["compliance"])?;
/// assert!(selection.offers("get_energy") && selection.offers("assess_workload_compliance"));
/// assert!(!selection.offers("get_regional_comparison"));
/// # Ok::<(), kepler_mcp::SelectionError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolSelection {
    /// Names of tools; all of them where there is none.
    tools: Option<BTreeSet<&'static str>>,
    /// Whether the form of answers is described.
    pub output_schemas: OutputSchemas,
}

/// Whether tools are listed with schemas of their answers, which take about a third of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputSchemas {
    /// Except for clients that are known to show none to their model.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// A choice of tools that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// No tool has the name.
    #[error("unknown tool `{name}`; valid: {}", valid.join(", "))]
    Tool {
        /// What was asked for.
        name: String,
        /// All names.
        valid: Vec<&'static str>,
    },
    /// No set has the name.
    #[error("unknown set of tools `{name}`; valid: {}", valid.join(", "))]
    Toolset {
        /// What was asked for.
        name: String,
        /// All names.
        valid: Vec<&'static str>,
    },
    /// Neither on, nor off, nor auto.
    #[error("output schemas can be `auto`, `on` or `off`, not `{given}`")]
    OutputSchemas {
        /// What was asked for.
        given: String,
    },
}

/// Names, as they give themselves in the handshake, of clients that use what a tool answers and not its schema: the
/// beginnings of them, in lower case.
const WITHOUT_SCHEMAS: [&str; 9] = [
    "claude-ai",
    "claude-code",
    "codex-mcp-client",
    "cursor",
    "gemini-cli",
    "github-copilot",
    "visual studio code",
    "windsurf",
    "zed",
];

impl OutputSchemas {
    /// `auto`, `on` or `off`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn named(name: &str) -> Result<Self, SelectionError> {
        match name {
            "auto" => Ok(OutputSchemas::Auto),
            "on" | "true" => Ok(OutputSchemas::On),
            "off" | "false" => Ok(OutputSchemas::Off),
            other => Err(SelectionError::OutputSchemas { given: shown(other) }),
        }
    }

    /// Whether a client of that name is shown them.
    pub(crate) fn are_shown(self, client: Option<&str>) -> bool {
        let known = || {
            let client = client.unwrap_or_default().to_lowercase();
            WITHOUT_SCHEMAS.iter().any(|name| client.starts_with(name))
        };
        match self {
            OutputSchemas::On => true,
            OutputSchemas::Off => false,
            OutputSchemas::Auto => !known(),
        }
    }
}

impl ToolSelection {
    /// The tools of these names and of these sets together; all of them where neither is given.
    ///
    /// # Errors
    /// A name that no tool, or no set, has.
    pub fn new<T: AsRef<str>, S: AsRef<str>>(tools: &[T], toolsets: &[S]) -> Result<Self, SelectionError> {
        if tools.is_empty() && toolsets.is_empty() {
            return Ok(ToolSelection::default());
        }
        let mut chosen = BTreeSet::new();
        for name in tools {
            chosen.insert(find(name.as_ref())?.name);
        }
        for name in toolsets {
            let set = toolset(name.as_ref())?;
            chosen.extend(registry::tools().iter().filter(|tool| tool.toolset == set).map(|tool| tool.name));
        }
        Ok(ToolSelection { tools: Some(chosen), output_schemas: OutputSchemas::Auto })
    }

    /// The same with schemas of answers, or without.
    #[must_use]
    pub fn with_output_schemas(self, output_schemas: OutputSchemas) -> Self {
        ToolSelection { output_schemas, ..self }
    }

    /// Whether a tool of that name is offered.
    #[must_use]
    pub fn offers(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.contains(name))
    }

    /// What the query of an address leaves of this selection: it can offer less, not more.
    ///
    /// # Errors
    /// A name that no tool, or no set, has. Other parameters are not looked at.
    #[cfg(feature = "http")]
    pub(crate) fn narrowed(&self, query: Option<&str>) -> Result<Self, SelectionError> {
        let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(self.clone()) };
        let (mut tools, mut sets, mut schemas) = (Vec::new(), Vec::new(), None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let names = || value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
            match &*name {
                "tools" => tools.extend(names()),
                "toolsets" => sets.extend(names()),
                "output-schemas" | "output_schemas" => schemas = Some(OutputSchemas::named(&value)?),
                _ => {}
            }
        }
        let mut narrowed = ToolSelection::new(&tools, &sets)?;
        narrowed.tools = match (narrowed.tools, &self.tools) {
            (Some(asked), Some(own)) => Some(asked.intersection(own).copied().collect()),
            (asked, own) => asked.or_else(|| own.clone()),
        };
        Ok(narrowed.with_output_schemas(schemas.unwrap_or(self.output_schemas)))
    }
}

fn find(name: &str) -> Result<&'static Tool, SelectionError> {
    let valid = || registry::tools().iter().map(|tool| tool.name).collect();
    registry::find(name).map_err(|_| SelectionError::Tool { name: shown(name), valid: valid() })
}

fn toolset(name: &str) -> Result<Toolset, SelectionError> {
    let found = Toolset::ALL.into_iter().find(|set| set.name() == name);
    let valid = || Toolset::ALL.map(Toolset::name).to_vec();
    found.ok_or_else(|| SelectionError::Toolset { name: shown(name), valid: valid() })
}

/// A name that is none, as far as it is worth showing.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(selection: &ToolSelection) -> usize {
        registry::tools().iter().filter(|tool| selection.offers(tool.name)).count()
    }

    #[cfg(feature = "http")]
    #[test]
    fn an_address_offers_less_and_never_more() {
        let all = ToolSelection::default();
        assert_eq!(offered(&all.narrowed(None).unwrap()), registry::tools().len());
        let two = all.narrowed(Some("tools=get_energy%2Cget_power_now&other=1")).unwrap();
        assert!(offered(&two) == 2 && two.offers("get_energy") && two.offers("get_power_now"));
        let energy = ToolSelection::new::<&str, _>(&[], &["energy"]).unwrap();
        let both = energy.narrowed(Some("toolsets=compliance,tuning&tools=get_energy")).unwrap();
        assert!(offered(&both) == 1 && both.offers("get_energy"), "{both:?}");
        let off = energy.narrowed(Some("output-schemas=off")).unwrap();
        assert_eq!((offered(&off), off.output_schemas), (offered(&energy), OutputSchemas::Off));
    }

    #[test]
    fn every_tool_is_in_a_set_and_no_set_is_empty() {
        let all: Vec<&str> = Toolset::ALL.map(Toolset::name).to_vec();
        assert_eq!(offered(&ToolSelection::new::<&str, _>(&[], &all).unwrap()), registry::tools().len());
        for name in all {
            assert!(offered(&ToolSelection::new::<&str, _>(&[], &[name]).unwrap()) > 1, "{name}");
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn names_that_nothing_has_are_told_with_the_valid_ones() {
        let all = ToolSelection::default();
        for (query, named) in [
            ("tools=get_enrgy", "get_energy"),
            ("toolsets=carbon", "energy, compliance, tuning"),
            ("output-schemas=maybe", "auto"),
        ] {
            let error = all.narrowed(Some(query)).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let long = ToolSelection::new(&["x".repeat(100_000)], &[""; 0]).unwrap_err().to_string();
        assert!(long.len() < 1000);
    }

    #[test]
    fn clients_that_show_no_schemas_to_their_model_get_none() {
        for (client, shown) in [(Some("Claude-Code"), false), (Some("inspector"), true), (None, true)] {
            assert_eq!(OutputSchemas::Auto.are_shown(client), shown, "{client:?}");
        }
        assert!(OutputSchemas::On.are_shown(Some("claude-ai")) && !OutputSchemas::Off.are_shown(None));
    }
}

//! Completion of arguments of prompts and resource templates.

use crate::resources::{jurisdiction, running};
use kepler_compliance::tools::Context;
use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo};
use std::collections::BTreeSet;

/// The values that an argument can have and that go on from what is typed; those that contain it
/// elsewhere follow. Prompts and templates give one name to one thing, so the name alone decides.
pub(crate) fn complete(context: &Context<'_>, request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let known = |name: &str| request.context.as_ref().and_then(|context| context.get_argument(name));
    let values = match request.argument.name.as_str() {
        "region" => regions(context),
        "standard" | "code" => standards(context, known("jurisdiction").map(String::as_str)),
        "jurisdiction" => context.standards.iter().map(jurisdiction).collect(),
        "namespace" => running(context).into_iter().filter_map(|id| Some((*id.namespace?).to_owned())).collect(),
        "workload" => workloads(context, known("namespace").map(String::as_str)),
        "lang" => ["en", "ko"].map(str::to_owned).into(),
        _ => BTreeSet::new(),
    };
    let matching = matching(values, &request.argument.value);
    let total = u32::try_from(matching.len()).ok();
    let more = matching.len() > CompletionInfo::MAX_VALUES;
    let shown = matching.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    let info = CompletionInfo::with_pagination(shown, total, more);
    info.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
}

fn regions(context: &Context<'_>) -> BTreeSet<String> {
    let names = context.zones.iter().flat_map(|zone| {
        let aliases = zone.aliases.values().flatten();
        aliases.chain([&zone.id]).cloned()
    });
    names.collect()
}

fn standards(context: &Context<'_>, of: Option<&str>) -> BTreeSet<String> {
    let rules = context.standards.iter().filter(|rule| {
        of.is_none_or(|of| jurisdiction(rule).eq_ignore_ascii_case(of) || rule.jurisdiction.eq_ignore_ascii_case(of))
    });
    rules.map(|rule| rule.code.clone()).collect()
}

/// Workloads of the last minutes; a namespace leaves out the pods of others.
fn workloads(context: &Context<'_>, namespace: Option<&str>) -> BTreeSet<String> {
    let ids = running(context).into_iter().filter(|id| {
        namespace.is_none_or(|namespace| !id.kind.is_namespaced() || id.namespace.as_deref() == Some(namespace))
    });
    ids.map(|id| (*id.name).to_owned()).collect()
}

fn matching(values: BTreeSet<String>, typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let (first, rest): (Vec<String>, Vec<String>) =
        values.into_iter().partition(|value| value.to_lowercase().starts_with(&typed));
    first.into_iter().chain(rest.into_iter().filter(|value| value.to_lowercase().contains(&typed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_typed_comes_before_what_contains_it() {
        let values = ["kr-seoul", "ap-seoul-1", "Seoul", "tokyo"].map(str::to_owned).into();
        assert_eq!(matching(values, "seo"), ["Seoul", "ap-seoul-1", "kr-seoul"]);
    }
}

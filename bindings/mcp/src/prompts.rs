//! Prompts: ways to begin, with their arguments checked.

use crate::resources::{jurisdiction, read};
use crate::selection::shown;
use crate::uri::Subject;
use kepler_compliance::standards::DEFAULT_STANDARD;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    AssessRequest, Context, EnergyRequest, FindRequest, Length, ListRequest, PowerNowRequest, RegionalRequest,
    ScheduleRequest, SummaryRequest, ToolRequest,
};
use kepler_core::printable;
use rmcp::ErrorData;
use rmcp::model::{ContentBlock, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

const REPORT: &str = "compliance_report";
const PLAN: &str = "plan_low_carbon_run";
const EXPLAIN: &str = "explain_standard";
const MEASURE: &str = "measure_energy";

pub(crate) fn list() -> Vec<Prompt> {
    let lang = || argument("lang", "Language of the answer: en (default) or ko");
    let region = || argument("region", "A cloud region, country, grid zone or city; the configured one if left out");
    vec![
        Prompt::new(
            REPORT,
            Some("Report which workloads meet a carbon standard, what the others need, and how certain that is"),
            Some(vec![
                argument("namespace", "Only the pods of this namespace"),
                argument("standard", "Code of the standard; KR_CARBON_2050 if left out"),
                region(),
                lang(),
            ]),
        )
        .with_title("Compliance report"),
        Prompt::new(
            PLAN,
            Some("Find when and where a job should run to emit least, and what that costs"),
            Some(vec![
                argument("duration", "How long the job runs: 30m, 4h").with_required(true),
                argument("deadline", "When it must be done, as an RFC 3339 time"),
                region(),
                lang(),
            ]),
        )
        .with_title("Plan a low-carbon run"),
        Prompt::new(
            EXPLAIN,
            Some("Explain what a standard asks, of whom, and with what force"),
            Some(vec![argument("standard", "Code of the standard").with_required(true), lang()]),
        )
        .with_title("Explain a standard"),
        Prompt::new(
            MEASURE,
            Some("Say how much energy, carbon and money something used, and how sure that is"),
            Some(vec![
                argument("workload", "A pod, deployment, container, unit, VM or process; the whole if left out"),
                argument("namespace", "The namespace, or only what is in it"),
                argument("window", "How far back: 5m, 1h (default), 7d"),
                region(),
                lang(),
            ]),
        )
        .with_title("Measure energy"),
    ]
}

fn argument(name: &str, description: &str) -> PromptArgument {
    PromptArgument::new(name).with_description(description)
}

/// The messages of a prompt. Arguments that name nothing are errors that say what would be valid.
pub(crate) fn get(context: &Context<'_>, name: &str, arguments: &JsonObject) -> Result<GetPromptResult, ErrorData> {
    known(name, arguments)?;
    let given = Arguments::check(context, arguments)?;
    let (task, resource) = match name {
        REPORT => (report(&given), None),
        PLAN => (plan(&given)?, None),
        MEASURE => (measure(&given), None),
        EXPLAIN => {
            let rule =
                context.standards.versions(given.needed(EXPLAIN, "standard", given.standard)?).map_err(invalid)?;
            let rule = rule.last().ok_or_else(|| invalid("the standard has no version"))?;
            let uri = Subject::Standard { jurisdiction: jurisdiction(rule), code: rule.code.clone() }.to_string();
            let contents = read(context, &uri)?.contents;
            (explain(&rule.code), contents.into_iter().next())
        }
        _ => return Err(unknown(name)),
    };
    let task = match given.lang {
        Lang::Ko => format!("{task}\n\nPass lang=ko to the tools and answer in Korean (한국어로 답하세요)."),
        _ => task,
    };
    let mut messages = vec![PromptMessage::new_text(Role::User, task)];
    messages.extend(resource.map(|contents| PromptMessage::new(Role::User, ContentBlock::resource(contents))));
    Ok(GetPromptResult::new(messages))
}

fn unknown(name: &str) -> ErrorData {
    let valid: Vec<String> = list().into_iter().map(|prompt| prompt.name).collect();
    invalid(format!("unknown prompt `{}`; valid: {}", shown(name), valid.join(", ")))
}

/// A misspelt argument is a mistake, not one left out.
fn known(name: &str, arguments: &JsonObject) -> Result<(), ErrorData> {
    let prompt = list().into_iter().find(|prompt| prompt.name == name).ok_or_else(|| unknown(name))?;
    let takes: Vec<String> = prompt.arguments.into_iter().flatten().map(|argument| argument.name).collect();
    match arguments.keys().find(|given| !takes.contains(given)) {
        Some(given) => {
            let takes = takes.join(", ");
            Err(invalid(format!("the prompt {name} has no argument `{}`; it takes {takes}", shown(given))))
        }
        None => Ok(()),
    }
}

/// The arguments of any prompt, checked.
struct Arguments<'a> {
    workload: Option<&'a str>,
    window: Option<&'a str>,
    namespace: Option<&'a str>,
    standard: Option<&'a str>,
    region: Option<&'a str>,
    duration: Option<&'a str>,
    deadline: Option<&'a str>,
    lang: Lang,
}

impl<'a> Arguments<'a> {
    fn check(context: &Context<'_>, arguments: &'a JsonObject) -> Result<Self, ErrorData> {
        // Forms of clients send an empty text for a field that was left empty.
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (standard, region, duration) = (text("standard"), text("region"), text("duration"));
        standard.map(|code| context.standards.versions(code)).transpose().map_err(invalid)?;
        region.map(|name| context.zones.find(name)).transpose().map_err(invalid)?;
        for length in [duration, text("window")] {
            length.map(str::parse::<Length>).transpose().map_err(invalid)?;
        }
        let lang = match text("lang") {
            None | Some("en") => Lang::En,
            Some("ko") => Lang::Ko,
            Some(other) => return Err(invalid(format!("unknown language `{other}`; valid: en, ko"))),
        };
        Ok(Arguments {
            workload: text("workload"),
            window: text("window"),
            namespace: text("namespace"),
            standard,
            region,
            duration,
            deadline: text("deadline"),
            lang,
        })
    }

    fn needed(&self, prompt: &str, name: &str, value: Option<&'a str>) -> Result<&'a str, ErrorData> {
        value.ok_or_else(|| invalid(format!("the prompt {prompt} needs the argument `{name}`")))
    }

    /// ` with region=KR`, as far as given.
    fn with(&self, arguments: &[(&str, Option<&str>)]) -> String {
        let given: Vec<String> =
            arguments.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))).collect();
        if given.is_empty() { String::new() } else { format!(" with {}", given.join(", ")) }
    }
}

fn invalid(error: impl ToString) -> ErrorData {
    ErrorData::invalid_params(printable::bounded(printable::page(&error.to_string()).into_owned()), None)
}

fn report(given: &Arguments<'_>) -> String {
    let standard = given.standard.unwrap_or(DEFAULT_STANDARD);
    let region = ("region", given.region);
    let list = given.with(&[("namespace", given.namespace), ("standard", Some(standard)), region]);
    let assess = given.with(&[("standard", Some(standard)), region]);
    let (summarise, inventory, judge) = (SummaryRequest::NAME, ListRequest::NAME, AssessRequest::NAME);
    format!(
        "Write a compliance report on {standard}.\n\
         1. Call {summarise}{assess} for totals and coverage.\n\
         2. Call {inventory}{list}; page through all of it.\n\
         3. Call {judge}{assess} for the worst three that are not COMPLIANT.\n\
         State for each verdict the value, the limit and the gap; what to do and how much it saves; and whether the \
         figures are measured or estimated. Keep INSUFFICIENT_DATA apart from breaches. Say with what force the standard \
         binds (resource compliance-standards). Add all caveats that the tools give."
    )
}

fn measure(given: &Arguments<'_>) -> String {
    let (find, energy, now) = (FindRequest::NAME, EnergyRequest::NAME, PowerNowRequest::NAME);
    let scope = [("namespace", given.namespace), ("window", given.window), ("region", given.region)];
    let own = given.with(&[&[("workload", given.workload)], scope.as_slice()].concat());
    let (first, by) = match given.workload {
        Some(workload) => (format!("Call {find} with query={workload} if the exact name is not known."), "node"),
        None => (format!("Call {now} for what draws power at the moment."), "workload"),
    };
    format!(
        "Say how much energy was used.\n\
         1. {first}\n\
         2. Call {energy}{own} and by={by}; with a step as well if the course matters.\n\
         State energy in kWh or joules, mean power, emissions and cost, the time they are of, and whether they are measured \
         or estimated. `null` is unknown, never zero. Name what is not covered and repeat the caveats."
    )
}

fn plan(given: &Arguments<'_>) -> Result<String, ErrorData> {
    let duration = given.needed(PLAN, "duration", given.duration)?;
    let region = ("region", given.region);
    let when = given.with(&[("duration", Some(duration)), ("deadline", given.deadline), region]);
    let compare = given.with(&[region]);
    let (schedule, regions) = (ScheduleRequest::NAME, RegionalRequest::NAME);
    Ok(format!(
        "Plan a run of {duration} that emits least.\n\
         1. Call {schedule}{when}. If its series is a yearly average it says nothing about when to run: \
         say so instead of recommending a time.\n\
         2. Call {regions}{compare} for where else it could run.\n\
         Recommend a start and a place, with the saving against starting here and now, the price beside it, and the \
         uncertainty. Compare only figures that were made by the same method."
    ))
}

fn explain(code: &str) -> String {
    let summarise = SummaryRequest::NAME;
    format!(
        "Explain the standard {code} from the attached data: what it asks, of whom (workload, facility, operator), since \
         when, with what force, and where it is written. Distinguish law from certificates and internal yardsticks, and \
         repeat the note if there is one. Then call {summarise} with standard={code} and say how this \
         system stands against it."
    )
}

//! `kepler standards`: which rules are there?

use super::exit::Failure;
use super::labels::{self, Label};
use super::page::{facts, table};
use super::tool_session::Answer;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kepler_compliance::standards::{Rule, Standards as Rules};
use kepler_compliance::text::Lang;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which rules to show.
#[derive(Debug, Args)]
pub(super) struct Standards {
    #[command(subcommand)]
    what: Option<What>,
    /// Directory of standards of your own, which add to the built-in ones or override them
    #[arg(long, value_name = "DIR", global = true)]
    standards_dir: Option<PathBuf>,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show one rule with all its versions.
    Show {
        /// Its code
        code: String,
    },
}

/// Lists all rules, or shows one.
///
/// # Errors
/// A file of rules is wrong; no rule has the code.
pub(super) fn run(asked: &Standards) -> Result<ExitCode, Failure> {
    let data = |error: &dyn std::fmt::Display| Failure::Data(error.to_string());
    let mut rules = Rules::embedded().map_err(|error| data(&error))?;
    if let Some(directory) = &asked.standards_dir {
        rules = rules.with_directory(directory).map_err(|error| data(&error))?;
    }
    let (answer, lang) = (asked.answer, asked.answer.lang());
    match &asked.what {
        Some(What::Show { code }) => {
            let versions = rules.versions(code).map_err(|error| data(&error))?;
            answer.write(&versions, |versions| {
                versions.iter().map(|rule| show(rule, lang)).collect::<Vec<_>>().join("\n")
            })?;
        }
        None => {
            let all: Vec<&Rule> = rules.iter().collect();
            answer.write(&all, |all| page(all, lang))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The name a value has in files and answers.
fn label(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn name(rule: &Rule, lang: Lang) -> String {
    let local = rule.name_local.as_ref().filter(|_| lang == Lang::Ko && rule.jurisdiction == "KR");
    local.unwrap_or(&rule.name).clone()
}

fn page(rules: &[&Rule], lang: Lang) -> String {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let rows: Vec<Vec<String>> = rules
        .iter()
        .map(|rule| {
            vec![
                rule.code.clone(),
                label(&rule.check.kind()),
                rule.jurisdiction.clone(),
                label(&rule.force),
                label(&rule.subject),
                if rule.in_force(today) { Label::Yes } else { Label::No }.lang(lang).to_owned(),
                name(rule, lang),
            ]
        })
        .collect();
    let heads = [Label::Code, Label::Kind, Label::Where, Label::Force, Label::Subject, Label::InForce, Label::Name];
    table(&heads.map(|head| head.heading(lang)), &rows)
}

fn show(rule: &Rule, lang: Lang) -> String {
    let day = |date: Option<jiff::civil::Date>| date.map_or_else(|| "…".to_owned(), |date| date.to_string());
    let mut rows = vec![
        (Label::Code.lang(lang), rule.code.clone()),
        (Label::Name.lang(lang), name(rule, lang)),
        (Label::Asks.lang(lang), rule.text.lang(lang).to_owned()),
        (Label::Kind.lang(lang), label(&rule.check.kind())),
        (Label::Where.lang(lang), rule.jurisdiction.clone()),
        (Label::Force.lang(lang), label(&rule.force)),
        (Label::Subject.lang(lang), label(&rule.subject)),
        (Label::InForce.lang(lang), labels::period(&day(rule.valid_from), &day(rule.valid_to), lang)),
        (Label::Source.lang(lang), rule.source.clone()),
    ];
    if rule.draft {
        rows.push((Label::Draft.lang(lang), Label::NeverInForce.lang(lang).to_owned()));
    }
    rows.extend(rule.note.as_ref().map(|note| (Label::NoteOfRule.lang(lang), note.lang(lang).to_owned())));
    facts(&rows)
}

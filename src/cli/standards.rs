//! `kepler standards`: which rules are there?

use super::exit::{self, Failure};
use super::page::{facts, table};
use super::tool_session::Answer;
use super::words::{self, Phrase, Word, phrase, word};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kepler_compliance::messages::Message;
use kepler_compliance::standards::{Rule, RuleStatus, ScopeMessage, Standards as Rules, VerdictMessage};
use kepler_compliance::text::Lang;
use kepler_compliance::tools::ToolError;
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
            exit::speak(lang);
            let versions = rules.versions(code).map_err(ToolError::from)?;
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
                word(if rule.in_force(today) { Word::Yes } else { Word::No }, lang).to_owned(),
                name(rule, lang),
            ]
        })
        .collect();
    let heads = [Word::Code, Word::Kind, Word::Where, Word::Force, Word::Subject, Word::InForce, Word::Name];
    table(&words::heads(heads, lang), &rows)
}

fn show(rule: &Rule, lang: Lang) -> String {
    let day = |date: Option<jiff::civil::Date>| date.map_or_else(|| "…".to_owned(), |date| date.to_string());
    let mut rows = vec![
        (word(Word::Code, lang), rule.code.clone()),
        (word(Word::Name, lang), name(rule, lang)),
        (word(Word::Asks, lang), rule.text.lang(lang).to_owned()),
        (word(Word::Kind, lang), label(&rule.check.kind())),
        (word(Word::Where, lang), rule.jurisdiction.clone()),
        (word(Word::Force, lang), label(&rule.force)),
        (word(Word::Subject, lang), label(&rule.subject)),
        (
            word(Word::InForce, lang),
            phrase(&Phrase::Period { from: &day(rule.valid_from), to: &day(rule.valid_to) }, lang),
        ),
        (word(Word::Source, lang), rule.source.clone()),
    ];
    match rule.status {
        RuleStatus::Draft => rows.push((word(Word::Draft, lang), phrase(&Phrase::NotAdopted, lang))),
        RuleStatus::Passed => rows.push((word(Word::Passed, lang), phrase(&Phrase::NotInForceYet, lang))),
        _ => {}
    }
    let requirements = rule.applies.requirements();
    if !requirements.is_empty() {
        let only_if = Message::from(VerdictMessage::Scope(ScopeMessage::AppliesIf { requirements }));
        rows.push((word(Word::Applies, lang), only_if.render(lang)));
    }
    let verified = rule.verified.map_or_else(|| phrase(&Phrase::NotVerifiedSince, lang), |day| day.to_string());
    rows.push((word(Word::Verified, lang), verified));
    rows.extend(rule.note.as_ref().map(|note| (word(Word::Note, lang), note.lang(lang).to_owned())));
    facts(&rows)
}

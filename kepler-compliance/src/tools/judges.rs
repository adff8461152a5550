//! One judge for each way in which workloads choose to be judged.

use super::arguments::default_standard;
use super::chosen::Chosen;
use super::judge::Judge;
use super::{Scope, ToolError};
use crate::choices::Choices;
use crate::context::Context;
use crate::facility::Facility;
use crate::messages::{ChoiceMessage, Message};
use crate::standards::{RuleSubject, SiteFacts};
use crate::view::WorkloadEnergy;
use std::borrow::Cow;

/// How many sentences on what cannot be used an answer has.
const MOST_WARNINGS: usize = 5;

/// What a request says of how it wants workloads to be judged.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) region: Option<&'a str>,
    /// Asked for by name: it counts whatever workloads choose.
    pub(super) standard: Option<&'a str>,
    pub(super) facts: Option<&'a SiteFacts>,
}

impl<'a> Terms<'a> {
    /// Of a request with these arguments.
    pub(super) fn new(scope: &'a Scope, standard: Option<&'a str>, facts: &'a SiteFacts) -> Self {
        Terms { region: scope.region.as_deref(), standard, facts: Some(facts) }
    }
}

/// Judges each workload as it chooses, where the request leaves that to it.
pub(super) struct Judges<'a> {
    context: Context<'a>,
    terms: Terms<'a>,
    /// The region asked for is not the own one: what is stated of the own site does not hold there.
    is_elsewhere: bool,
    choices: Choices,
    common: Judge<'a>,
    special: Vec<(Key, Judge<'a>)>,
    warnings: Vec<Message>,
}

/// What makes a judge another one.
#[derive(PartialEq)]
struct Key {
    standard: Option<String>,
    budget: Option<String>,
    pue: Option<String>,
    region: Option<String>,
}

impl<'a> Judges<'a> {
    /// # Errors
    /// There is no such region or standard.
    pub(super) fn new(context: &Context<'a>, terms: Terms<'a>) -> Result<Self, ToolError> {
        let facility = facility(context, terms, terms.region)?;
        let own = || Facility::of(context, None).map(|own| own.zone);
        let is_elsewhere = terms.region.is_some() && own()? != facility.zone;
        let standard = terms.standard.map_or_else(default_standard, str::to_owned);
        let common = Judge::new(context, &facility, &standard)?;
        let (choices, special, warnings) = (context.choices.choices(), Vec::new(), Vec::new());
        Ok(Judges { context: *context, terms, is_elsewhere, choices, common, special, warnings })
    }

    /// The judge of those who choose nothing.
    pub(super) fn common(&self) -> &Judge<'a> {
        &self.common
    }

    /// What a workload of these rows chooses.
    pub(super) fn chosen(&self, rows: &[&WorkloadEnergy]) -> Chosen {
        let mut chosen = Chosen::of(&self.context, &self.choices, rows);
        let is_void = |name: &str| match name {
            "standard" => self.terms.standard.is_some(),
            "pue" => self.is_elsewhere,
            "region" => self.terms.region.is_some(),
            _ => false,
        };
        chosen.leave_out(is_void);
        chosen
    }

    /// The judge of a workload that chooses so.
    ///
    /// # Errors
    /// There is no such region or standard.
    pub(super) fn of(&mut self, chosen: &Chosen) -> Result<&Judge<'a>, ToolError> {
        for warning in &chosen.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        let key = self.key(chosen);
        if key == Key::NONE {
            return Ok(&self.common);
        }
        let known = self.special.iter().position(|(other, _)| *other == key);
        let position = match known {
            Some(position) => position,
            None => {
                let judge = self.make(chosen, &key)?;
                self.special.push((key, judge));
                self.special.len() - 1
            }
        };
        Ok(self.special.get(position).map_or(&self.common, |(_, judge)| judge))
    }

    /// The judge of a namespace as a whole. What it chooses as a budget is its workloads', each.
    ///
    /// # Errors
    /// There is no such standard.
    pub(super) fn of_namespace(&self, namespace: &str) -> Result<Judge<'a>, ToolError> {
        let mut chosen = Chosen::of_namespace(&self.context, &self.choices, namespace);
        chosen.leave_out(|name| name == "pue" && self.is_elsewhere);
        let facility = self.common.facility().clone().choosing(chosen.pue.as_ref());
        let standard = self.terms.standard.or(chosen.standard.as_deref());
        let standard = standard.map_or_else(default_standard, str::to_owned);
        Judge::of(&self.context, &facility, &standard, RuleSubject::Namespace)
    }

    fn key(&self, chosen: &Chosen) -> Key {
        let region = chosen.region.clone().filter(|region| *region != self.common.facility().region);
        Key {
            standard: chosen.standard.clone(),
            budget: chosen.budget.as_ref().map(|(_, choice)| choice.value.clone()),
            pue: chosen.pue.as_ref().map(|(_, choice)| choice.value.clone()),
            region,
        }
    }

    fn make(&self, chosen: &Chosen, key: &Key) -> Result<Judge<'a>, ToolError> {
        let region = self.terms.region.or(key.region.as_deref());
        let facility = facility(&self.context, self.terms, region)?.choosing(chosen.pue.as_ref());
        let standard = self.terms.standard.or(chosen.standard.as_deref());
        let standard = standard.map_or_else(default_standard, str::to_owned);
        let budget = chosen.budget.as_ref().map(|(budget, choice)| {
            budget.rule(format!("{} kepler.energy/{} of {}", choice.origin.name(), choice.name, choice.place))
        });
        Ok(Judge::new(&self.context, &facility, &standard)?.with_budget(budget))
    }

    /// What of the choices so far cannot be used.
    pub(super) fn caveats(&self) -> Vec<Message> {
        let mut caveats: Vec<Message> = self.warnings.iter().take(MOST_WARNINGS).cloned().collect();
        let count = self.warnings.len() - caveats.len();
        caveats.extend((count > 0).then(|| ChoiceMessage::MoreUnusable { count }.into()));
        caveats
    }
}

impl Key {
    const NONE: Key = Key { standard: None, budget: None, pue: None, region: None };
}

/// The facility of a workload that chooses a PUE, or whose nodes name a region, beside the common one.
pub(super) fn facility_of<'f>(
    context: &Context<'_>,
    common: &'f Facility,
    asked: Option<&str>,
    choices: &Choices,
    rows: &[&WorkloadEnergy],
) -> Result<(Cow<'f, Facility>, Chosen), ToolError> {
    let mut chosen = Chosen::of(context, choices, rows);
    // It matters to a PUE alone.
    let is_elsewhere = match (asked, &chosen.pue) {
        (Some(_), Some(_)) => Facility::of(context, None)?.zone != common.zone,
        _ => false,
    };
    chosen.leave_out(|name| match name {
        // These tools judge nothing.
        "standard" | "budget" => true,
        "pue" => is_elsewhere,
        "region" => asked.is_some(),
        _ => false,
    });
    let region = chosen.region.as_deref().filter(|region| *region != common.region);
    let facility = match (region, &chosen.pue) {
        (None, None) => Cow::Borrowed(common),
        (None, pue) => Cow::Owned(common.clone().choosing(pue.as_ref())),
        (Some(region), pue) => Cow::Owned(Facility::of(context, Some(region))?.choosing(pue.as_ref())),
    };
    Ok((facility, chosen))
}

fn facility(context: &Context<'_>, terms: Terms<'_>, region: Option<&str>) -> Result<Facility, ToolError> {
    let facility = Facility::of(context, region)?;
    Ok(match terms.facts {
        Some(facts) => facility.stating(facts),
        None => facility,
    })
}

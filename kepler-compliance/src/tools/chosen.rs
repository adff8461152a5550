//! What is chosen for one workload, of all that its pods, namespace and nodes say.

mod budget;

use crate::choices::{ChoiceOrigin, Choices, EnergyUnit, REGION, WorkloadChoice};
use crate::context::Context;
use crate::messages::{ChoiceMessage, Message};
use crate::text::Lang;
use crate::units::Pue;
use crate::view::{Containment, WorkloadEnergy, WorkloadKind};
use budget::Budget;
use kepler_core::workload::EnergyAnnotation;
use std::collections::BTreeMap;

/// What is chosen for a workload, and what of that could not be used.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    pub(super) standard: Option<String>,
    pub(super) budget: Option<(Budget, WorkloadChoice)>,
    pub(super) pue: Option<(Pue, WorkloadChoice)>,
    pub(super) lang: Option<Lang>,
    pub(super) unit: Option<EnergyUnit>,
    /// Of its nodes, where they have one in common.
    pub(super) region: Option<String>,
    /// All of it, with where it is written.
    pub(super) made: Vec<WorkloadChoice>,
    /// What was written and is not used.
    pub(super) warnings: Vec<Message>,
}

/// A value that can be used.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Standard(String),
    Budget(Budget),
    Pue(Pue),
    Lang(Lang),
    Unit(EnergyUnit),
    Region,
}

/// What is written somewhere, in the order in which it counts.
struct Written<'a> {
    name: &'a str,
    value: &'a str,
    origin: ChoiceOrigin,
    place: String,
}

impl Chosen {
    /// What the pods of `rows`, their namespace and their nodes choose.
    pub(super) fn of(context: &Context<'_>, choices: &Choices, rows: &[&WorkloadEnergy]) -> Self {
        let mut chosen = Chosen::default();
        if choices.pods.is_empty() && choices.namespaces.is_empty() && choices.regions.is_empty() {
            return chosen;
        }
        chosen.take(context, &of_pods(choices, rows));
        chosen.take(context, &of_namespaces(choices, rows));
        if context.settings.region.is_none() {
            chosen.take(context, &of_nodes(choices, rows));
        }
        chosen
    }

    /// What a namespace chooses.
    pub(super) fn of_namespace(context: &Context<'_>, choices: &Choices, namespace: &str) -> Self {
        let mut chosen = Chosen::default();
        if let Some((name, annotations)) = choices.namespaces.get_key_value(namespace) {
            chosen.take(context, &in_namespace(name, annotations).collect::<Vec<_>>());
        }
        chosen
    }

    /// Leaves out what does not count, by name.
    pub(super) fn leave_out(&mut self, is_void: impl Fn(&str) -> bool) {
        if is_void("standard") {
            self.standard = None;
        }
        if is_void("pue") {
            self.pue = None;
        }
        if is_void(REGION) {
            self.region = None;
        }
        self.made.retain(|choice| !is_void(&choice.name));
    }

    /// Takes what is written at one level, where a level before has not chosen.
    fn take(&mut self, context: &Context<'_>, level: &[Written<'_>]) {
        let mut by_name: BTreeMap<&str, Vec<(&Written<'_>, Value)>> = BTreeMap::new();
        for written in level {
            match read(context, written) {
                Some(value) => by_name.entry(written.name).or_default().push((written, value)),
                None => self.warn(ChoiceMessage::Unusable {
                    name: written.name.to_owned(),
                    value: written.value.to_owned(),
                    origin: written.origin,
                    place: written.place.clone(),
                }),
            }
        }
        for (name, values) in by_name {
            let Some((written, value)) = values.first() else { continue };
            let is_one = match value {
                Value::Region => values.iter().all(|(other, _)| other.value == written.value),
                value => values.iter().all(|(_, other)| other == value),
            };
            if is_one {
                self.choose(written, value.clone());
            } else if !self.made.iter().any(|made| made.name == name) && name != REGION {
                let mut values: Vec<String> = values.iter().map(|(written, _)| written.value.to_owned()).collect();
                values.sort();
                values.dedup();
                self.warn(ChoiceMessage::Differ { name: name.to_owned(), values, origin: written.origin });
            }
        }
    }

    fn choose(&mut self, written: &Written<'_>, value: Value) {
        if self.made.iter().any(|made| made.name == written.name) {
            return;
        }
        let choice = WorkloadChoice {
            name: written.name.to_owned(),
            value: written.value.to_owned(),
            origin: written.origin,
            place: written.place.clone(),
        };
        match value {
            Value::Standard(code) => self.standard = Some(code),
            Value::Budget(budget) => self.budget = Some((budget, choice.clone())),
            Value::Pue(pue) => self.pue = Some((pue, choice.clone())),
            Value::Lang(lang) => self.lang = Some(lang),
            Value::Unit(unit) => self.unit = Some(unit),
            Value::Region => self.region = Some(written.value.to_owned()),
        }
        self.made.push(choice);
    }

    fn warn(&mut self, message: ChoiceMessage) {
        let message = Message::from(message);
        if !self.warnings.contains(&message) {
            self.warnings.push(message);
        }
    }
}

/// The value that is written, if it can be used.
fn read(context: &Context<'_>, written: &Written<'_>) -> Option<Value> {
    let value = written.value.trim();
    match written.name {
        "standard" => context.standards.versions(value).ok()?.first().map(|rule| Value::Standard(rule.code.clone())),
        "budget" => Budget::read(value).map(Value::Budget),
        "pue" => value.parse().ok().and_then(|ratio| Pue::new(ratio).ok()).map(Value::Pue),
        "language" => match value {
            "en" => Some(Value::Lang(Lang::En)),
            "ko" => Some(Value::Lang(Lang::Ko)),
            _ => None,
        },
        "energy-unit" => EnergyUnit::read(value).map(Value::Unit),
        REGION if written.origin == ChoiceOrigin::NodeLabel => {
            context.zones.find(value).is_ok().then_some(Value::Region)
        }
        _ => None,
    }
}

/// What the pods say: of each pod the annotation, else the label.
fn of_pods<'a>(choices: &'a Choices, rows: &[&'a WorkloadEnergy]) -> Vec<Written<'a>> {
    let mut seen: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    if choices.pods.is_empty() {
        return all;
    }
    for row in rows {
        let (uid, name) = match (row.id.kind, &row.containment) {
            (WorkloadKind::Pod, _) => (&row.id.uid, &row.id.name),
            (_, Containment::Within { kind: WorkloadKind::Pod, uid }) => (uid, uid),
            _ => continue,
        };
        let Some(annotations) = choices.pods.get(uid) else { continue };
        if seen.contains(&&**uid) {
            continue;
        }
        seen.push(uid);
        let place = row.id.namespace.as_ref().map_or_else(|| name.to_string(), |own| format!("{own}/{name}"));
        let of = |is_label| if is_label { ChoiceOrigin::PodLabel } else { ChoiceOrigin::PodAnnotation };
        all.extend(each(annotations, place, of));
    }
    all
}

/// What the namespaces of the rows say.
fn of_namespaces<'a>(choices: &'a Choices, rows: &[&'a WorkloadEnergy]) -> Vec<Written<'a>> {
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row.id.namespace.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let known = names.into_iter().filter_map(|name| choices.namespaces.get_key_value(name));
    known.flat_map(|(name, annotations)| in_namespace(name, annotations)).collect()
}

fn in_namespace<'a>(name: &str, annotations: &'a [EnergyAnnotation]) -> impl Iterator<Item = Written<'a>> {
    let of = |is_label| if is_label { ChoiceOrigin::NamespaceLabel } else { ChoiceOrigin::NamespaceAnnotation };
    each(annotations, name.to_owned(), of)
}

/// What the nodes of the rows say of their region.
fn of_nodes<'a>(choices: &'a Choices, rows: &[&'a WorkloadEnergy]) -> Vec<Written<'a>> {
    let mut nodes: Vec<&str> = rows.iter().map(|row| &*row.id.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let known = nodes.into_iter().filter_map(|node| choices.regions.get_key_value(node));
    let written = known.map(|(node, region)| Written {
        name: REGION,
        value: region,
        origin: ChoiceOrigin::NodeLabel,
        place: node.to_string(),
    });
    written.collect()
}

/// Each name once: annotations stand before labels.
fn each(
    annotations: &[EnergyAnnotation],
    place: String,
    origin: impl Fn(bool) -> ChoiceOrigin,
) -> impl Iterator<Item = Written<'_>> {
    let mut names: Vec<&str> = Vec::new();
    annotations.iter().filter_map(move |annotation| {
        if names.contains(&annotation.name.as_str()) {
            return None;
        }
        names.push(&annotation.name);
        let (name, value, origin) = (annotation.name.as_str(), annotation.value.as_str(), origin(annotation.is_label));
        Some(Written { name, value, origin, place: place.clone() })
    })
}

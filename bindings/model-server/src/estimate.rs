//! The estimator: from rows of features to watts.

use crate::choice::Choice;
use crate::request::PowerRequest;
use crate::store::Store;
use kepler_core::model::Machine;
use kepler_core::units::ZoneKind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The answer, as exporters read it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PowerReply {
    /// Watts a row, by component; never negative, never more than is plausible.
    pub(crate) powers: BTreeMap<&'static str, Vec<f64>>,
    /// What went wrong; empty if nothing.
    pub(crate) msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) core_ratio: Option<f64>,
    /// The model used. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// How far its machine is from the caller's. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distance: Option<f64>,
    /// What differs. Ours.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
}

impl PowerReply {
    /// An answer that says no.
    pub(crate) fn rejection(reason: impl Into<String>) -> Self {
        PowerReply { msg: reason.into(), ..PowerReply::default() }
    }

    /// Rounds to milliwatts, in which exporters count: they read 4,096 bytes of an answer and no more.
    pub(crate) fn round(&mut self) {
        for watts in self.powers.values_mut().flatten() {
            *watts = (*watts * 1000.0).round() / 1000.0;
        }
    }

    /// The JSON of it.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Only a map with keys that are no strings, or a failing writer, could fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Answers a request. `machine` is the caller's, where it does not describe itself.
pub(crate) fn estimate(store: &Store, request: &PowerRequest, machine: Option<&Machine>) -> PowerReply {
    let outcome = request
        .wanted(machine)
        .and_then(|wanted| {
            let choice = store.choose(&wanted).map_err(|error| error.to_string())?;
            Ok((wanted.metrics.len(), choice))
        })
        .and_then(|(width, choice)| predict(&choice, &request.values, width).map(|powers| (powers, choice)));
    let ((powers, msg), choice) = match outcome {
        Ok(answer) => answer,
        Err(reason) => return PowerReply::rejection(reason),
    };
    PowerReply {
        powers,
        msg,
        core_ratio: choice.core_ratio,
        model: Some(choice.name.clone()),
        distance: choice.distance,
        reason: choice.reason.clone(),
    }
}

type Powers = BTreeMap<&'static str, Vec<f64>>;

/// The powers, and what is to be said of them.
fn predict(choice: &Arc<Choice>, values: &[Vec<Option<f64>>], width: usize) -> Result<(Powers, String), String> {
    let mut rows = Vec::with_capacity(values.len().saturating_mul(choice.columns.len()));
    for (number, row) in values.iter().enumerate() {
        if row.len() != width {
            return Err(format!("values[{number}] has {} numbers for {width} metrics", row.len()));
        }
        rows.extend(choice.columns.iter().map(|&column| row.get(column).copied().flatten().unwrap_or(f64::NAN)));
    }
    let mut predictions = Vec::new();
    if !rows.is_empty() {
        choice
            .model
            .predict_batch(&rows, NonZeroUsize::MIN, &mut predictions)
            .map_err(|error| format!("{}: {error}", choice.name))?;
    }
    let mut powers = Powers::new();
    let mut absent = Vec::new();
    for component in choice.model.components() {
        let zone = component.zone();
        let watts: Option<Vec<f64>> =
            predictions.iter().map(|prediction| prediction.power(zone).map(|power| power.watts())).collect();
        let name = if zone == ZoneKind::Psys { "platform" } else { zone.name() };
        // Absent is not zero, and a list has no place for it.
        match watts {
            Some(watts) => _ = powers.insert(name, watts),
            None => absent.push(name),
        }
    }
    let msg = match absent.is_empty() {
        true => String::new(),
        false => format!("{} gives no number for {} of some rows", choice.name, absent.join(", ")),
    };
    Ok((powers, msg))
}

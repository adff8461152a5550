//! Training data: features and measured targets.

use crate::{Table, TrainError};
use kepler_core::model::{MAX_FEATURES, Semantics};
use kepler_core::units::ZoneKind;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The fewest rows that anything is learned from.
pub const MIN_ROWS: usize = 10;

/// Rows of features and the measured watts of one or more components.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    features: Vec<String>,
    rows: Vec<f64>,
    targets: Vec<(ZoneKind, Vec<f64>)>,
    semantics: Semantics,
}

impl Dataset {
    /// From flat rows: `features.len()` numbers a row, one after the other; one target a row and component, in watts.
    ///
    /// # Errors
    /// Lengths that do not fit, numbers that are not finite, fewer than [`MIN_ROWS`] rows, too many features, a name twice.
    pub fn new(
        features: Vec<String>,
        rows: Vec<f64>,
        targets: Vec<(ZoneKind, Vec<f64>)>,
        semantics: Semantics,
    ) -> Result<Self, TrainError> {
        let width = features.len();
        if width == 0 || width > MAX_FEATURES {
            return Err(TrainError::TooMany { what: "features (or none)", found: width, limit: MAX_FEATURES });
        }
        for (index, feature) in features.iter().enumerate() {
            if features.iter().take(index).any(|other| other == feature) {
                return Err(TrainError::Twice(feature.clone()));
            }
        }
        let count = rows.len() / width;
        if rows.len() != count * width {
            return Err(TrainError::Shape { expected: (count + 1) * width, found: rows.len() });
        }
        if count < MIN_ROWS {
            return Err(TrainError::TooFew { found: count, needed: MIN_ROWS });
        }
        if let Some(index) = rows.iter().position(|value| !value.is_finite()) {
            let column = features.get(index % width).cloned().unwrap_or_default();
            let text = rows.get(index).map(f64::to_string).unwrap_or_default();
            return Err(TrainError::NotANumber { row: index / width + 1, column, text });
        }
        for (index, (zone, target)) in targets.iter().enumerate() {
            if target.len() != count {
                return Err(TrainError::Shape { expected: count, found: target.len() });
            }
            if targets.iter().take(index).any(|(other, _)| other == zone) {
                return Err(TrainError::Twice(zone.name().to_owned()));
            }
            if let Some(row) = target.iter().position(|watts| !watts.is_finite()) {
                let text = target.get(row).map(f64::to_string).unwrap_or_default();
                return Err(TrainError::NotANumber { row: row + 1, column: zone.name().to_owned(), text });
            }
        }
        Ok(Dataset { features, rows, targets, semantics })
    }

    /// Takes columns of a table. Without declared semantics, names are taken to mean what they say.
    ///
    /// # Errors
    /// A column is not there or not numeric, or as for [`Dataset::new`].
    pub fn of(table: &Table, features: &[String], targets: &[(ZoneKind, String)]) -> Result<Self, TrainError> {
        let columns = features.iter().map(|feature| table.numbers(feature)).collect::<Result<Vec<_>, _>>()?;
        let row = |row: usize| columns.iter().filter_map(move |column| column.get(row).copied());
        let rows = (0..table.rows()).flat_map(row).collect();
        let targets = targets.iter().map(|(zone, column)| Ok((*zone, table.numbers(column)?.to_vec())));
        let targets = targets.collect::<Result<_, TrainError>>()?;
        Dataset::new(features.to_vec(), rows, targets, table.semantics().unwrap_or(Semantics::AsNamed))
    }

    /// The names of the features.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Numbers a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() / self.width().max(1)
    }

    /// Never: a dataset has at least [`MIN_ROWS`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All rows, one after the other.
    #[must_use]
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// The measured watts, by component.
    #[must_use]
    pub fn targets(&self) -> &[(ZoneKind, Vec<f64>)] {
        &self.targets
    }

    /// What the features mean.
    #[must_use]
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// Some of the rows, in the order given. Indices that do not exist are left out.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Dataset {
        let width = self.width();
        let row = |&index: &usize| self.rows.get(index * width..(index + 1) * width).unwrap_or_default();
        let pick = |target: &[f64]| indices.iter().filter_map(|&index| target.get(index).copied()).collect();
        Dataset {
            features: self.features.clone(),
            rows: indices.iter().flat_map(row).copied().collect(),
            targets: self.targets.iter().map(|(zone, target)| (*zone, pick(target))).collect(),
            semantics: self.semantics,
        }
    }

    /// The same rows with one component only.
    #[must_use]
    pub fn only(mut self, zone: ZoneKind) -> Dataset {
        self.targets.retain(|(kind, _)| *kind == zone);
        self
    }

    /// SHA-256 of features and targets, little-endian 64-bit floats, row by row; in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (number, row) in self.rows.chunks_exact(self.width().max(1)).enumerate() {
            let targets = self.targets.iter().filter_map(|(_, target)| target.get(number));
            for value in row.iter().chain(targets) {
                hash.update(value.to_le_bytes());
            }
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(rows: Vec<f64>, target: Vec<f64>) -> Result<Dataset, TrainError> {
        let features = vec!["a".to_owned(), "b".to_owned()];
        Dataset::new(features, rows, vec![(ZoneKind::Package, target)], Semantics::AsNamed)
    }

    #[test]
    fn bad_shapes_and_numbers_are_named() {
        let rows: Vec<f64> = (0..20).map(f64::from).collect();
        let target: Vec<f64> = (0..10).map(f64::from).collect();
        assert!(dataset(rows.clone(), target.clone()).is_ok());
        assert!(matches!(dataset(rows[..19].to_vec(), target.clone()), Err(TrainError::Shape { .. })));
        assert!(matches!(dataset(rows[..18].to_vec(), target.clone()), Err(TrainError::TooFew { found: 9, .. })));
        assert!(matches!(dataset(rows.clone(), target[..9].to_vec()), Err(TrainError::Shape { .. })));
        let mut bad = rows.clone();
        bad[7] = f64::NAN;
        let error = dataset(bad, target.clone()).unwrap_err().to_string();
        assert!(error.starts_with("row 4: b is `NaN`"), "{error}");
        let mut bad = target;
        bad[2] = f64::INFINITY;
        let error = dataset(rows, bad).unwrap_err().to_string();
        assert!(error.starts_with("row 3: package is `inf`"), "{error}");
    }

    #[test]
    fn the_hash_depends_on_rows_and_targets() {
        let rows: Vec<f64> = (0..20).map(f64::from).collect();
        let target = vec![1.0; 10];
        let one = dataset(rows.clone(), target.clone()).unwrap().sha256();
        assert_eq!(one, dataset(rows.clone(), target).unwrap().sha256());
        assert_ne!(one, dataset(rows, vec![2.0; 10]).unwrap().sha256());
        assert_eq!(one.len(), 64);
    }
}

//! Shared code of `kepler train` and `kepler eval`: rows, targets, reports.

use super::beside;
use kepler_core::model::{Quantity, Semantics, component_name, zone};
use kepler_core::units::ZoneKind;
use kepler_train::{Table, TrainError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A component and the column of its measured power.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Target {
    pub(super) zone: ZoneKind,
    pub(super) column: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, column) = match text.split_once('=') {
            Some((name, column)) => (name, column.to_owned()),
            None => (text.strip_suffix("_power").unwrap_or(text), String::new()),
        };
        let zone = zone(name).ok_or_else(|| {
            format!("`{name}` is no component: give package, core, uncore, dram or platform, with =COLUMN where it is named otherwise")
        })?;
        Ok(Target { zone, column: if column.is_empty() { format!("{name}_power") } else { column } })
    }
}

/// All files as one table, and what they are called.
pub(super) fn read(files: &[PathBuf]) -> Result<(Table, String), TrainError> {
    let mut all: Option<Table> = None;
    for file in files {
        let table = Table::open(file)?;
        match &mut all {
            Some(all) => all.append(&table)?,
            none => *none = Some(table),
        }
    }
    let names: Vec<_> = files.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy())).collect();
    Ok((all.unwrap_or_default(), names.join(", ")))
}

/// Those asked for, else all of `zones` whose power the rows have.
pub(super) fn targets(
    asked: &[Target],
    zones: impl IntoIterator<Item = ZoneKind>,
    table: &Table,
) -> Vec<(ZoneKind, String)> {
    if !asked.is_empty() {
        return asked.iter().map(|target| (target.zone, target.column.clone())).collect();
    }
    let columns = zones.into_iter().map(|zone| (zone, format!("{}_power", component_name(zone))));
    columns.filter(|(_, column)| table.names().any(|name| name == column)).collect()
}

/// Those asked for, else all columns that are features of power models and change with what a machine does.
pub(super) fn features(asked: &[String], table: &Table) -> Vec<String> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let is_activity = |name: &&str| Quantity::OF_ACTIVITY.contains(&Semantics::AsNamed.quantity(name));
    table.names().filter(is_activity).map(str::to_owned).collect()
}

/// Writes the report and its pictures beside the model, and gives the report's path.
pub(super) fn write_report(model: &Path, page: &str, pictures: &[(String, String)]) -> io::Result<PathBuf> {
    let mut page = page.to_owned();
    for (name, picture) in pictures {
        let path = beside(model, &format!("{name}.svg"));
        fs::write(&path, picture)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        page += &format!("\n![{name}]({file})\n");
    }
    let path = beside(model, "report.md");
    fs::write(&path, page)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_component_perhaps_with_its_column() {
        let target = |text: &str| text.parse::<Target>().map(|target| (target.zone, target.column));
        assert_eq!(target("package"), Ok((ZoneKind::Package, "package_power".to_owned())));
        assert_eq!(target("package_power"), Ok((ZoneKind::Package, "package_power".to_owned())));
        assert_eq!(target("platform=watts"), Ok((ZoneKind::Psys, "watts".to_owned())));
        assert!(target("gpu").unwrap_err().contains("no component"));
    }
}

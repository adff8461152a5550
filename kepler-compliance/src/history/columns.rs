//! The columns of `workload_energy` that hold energy: one a zone, in the order of [`ZoneKind::ALL`].

use super::schema;
use crate::units::{Energy, PerZone, ZoneKind};
use rusqlite::Row;
use std::sync::LazyLock;

/// Columns of a row before those of the zones: block, workload, interval, CPU time.
pub(super) const BEFORE_ZONES: usize = 4;

/// `package_uj, core_uj, …`
pub(super) static NAMES: LazyLock<String> = LazyLock::new(|| join(|name, _| name.to_owned()));

/// The same in a file of this version: `NULL` for zones that it does not have yet.
pub(super) fn names_in(version: i64) -> String {
    let is_missing = |zone| match zone {
        ZoneKind::Gpu => version < schema::WITH_GPU,
        ZoneKind::Platform => version < schema::WITH_REST,
        _ => false,
    };
    let missing: Vec<String> =
        ZoneKind::ALL.into_iter().filter(|zone| is_missing(*zone)).map(|zone| format!("{zone}_uj")).collect();
    join(|name, _| if missing.iter().any(|zone| zone == name) { "NULL".to_owned() } else { name.to_owned() })
}

/// `sum(package_uj), sum(core_uj), …`
pub(super) static SUMS: LazyLock<String> = LazyLock::new(|| join(|name, _| format!("sum({name})")));

/// Inserts a row, or adds its figures to the row that is there. Unknown energy (`NULL`) leaves a figure as it is.
pub(super) static ADD: LazyLock<String> = LazyLock::new(|| {
    let names = NAMES.as_str();
    let values = join(|_, parameter| format!("?{parameter}"));
    let sums = join(|name, parameter| format!("{name} = coalesce({name} + ?{parameter}, {name}, ?{parameter})"));
    format!(
        "INSERT INTO workload_energy (block, workload, interval, cpu_us, {names}) VALUES (?1, ?2, ?3, ?4, {values})
         ON CONFLICT DO UPDATE SET cpu_us = cpu_us + ?4, {sums}"
    )
});

/// The energy in a column; `None` where it is not known.
pub(super) fn energy(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Energy>> {
    let microjoules: Option<i64> = row.get(column)?;
    Ok(microjoules.map(|microjoules| Energy::from_microjoules(u64::try_from(microjoules).unwrap_or(0))))
}

/// As SQLite keeps it: 9.2 TJ at most.
pub(super) fn microjoules(energy: Energy) -> i64 {
    i64::try_from(energy.microjoules()).unwrap_or(i64::MAX)
}

/// The energy of each zone, from `column` on.
pub(super) fn zones(row: &Row<'_>, column: usize) -> rusqlite::Result<PerZone<Option<Energy>>> {
    let mut zones = PerZone::default();
    for (index, zone) in ZoneKind::ALL.into_iter().enumerate() {
        zones[zone] = energy(row, column + index)?;
    }
    Ok(zones)
}

/// What `of` makes of each column's name and the number of its parameter.
fn join(of: impl Fn(&str, usize) -> String) -> String {
    let columns = ZoneKind::ALL.iter().enumerate();
    let columns: Vec<String> =
        columns.map(|(index, zone)| of(&format!("{}_uj", zone.name()), BEFORE_ZONES + 1 + index)).collect();
    columns.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_column_for_every_zone() {
        for schema in [include_str!("schema.sql"), include_str!("fleet/schema.sql")] {
            for name in NAMES.split(", ") {
                assert!(schema.contains(&format!("    {name} ")), "{name}");
            }
        }
        assert!(ADD.contains("VALUES (?1, ?2, ?3, ?4, ?5") && SUMS.starts_with("sum(package_uj), "), "{}", *ADD);
    }
}
